"""The MCP door of the tool gate: in front of other servers (`gateway`), or around the tools of one's own (`gated_server`).

Each `tools/call` goes through the gate of the run that it belongs to. Its W3C trace context says which that is, so that the
calls of several agents make one graph. A client that sends none has one run for as long as its session lasts, and one that
nothing tells from another shares a run with nobody. How many calls are under way has an end, for each client and for all.
What a client says is not trusted: an argument has to occur in the operator's text or in what a trusted tool returned, unless
the operator's configuration says that the client may pass on a user's words.
"""

from ops_pipelines.apps.tool_gateway.admission import DoorRule
from ops_pipelines.apps.tool_gateway.gateway import Offered, gateway, server_of
from ops_pipelines.apps.tool_gateway.mounted import gated_server, registry_of, served
from ops_pipelines.apps.tool_gateway.sessions import Sessions, Terms

__all__ = ["DoorRule", "Offered", "Sessions", "Terms", "gated_server", "gateway", "registry_of", "served", "server_of"]
