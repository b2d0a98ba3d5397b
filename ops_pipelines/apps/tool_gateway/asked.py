"""A call as it came through the door, before anything of it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ops_pipelines.agentops.trace_context import TraceContext
from ops_pipelines.core.fingerprint import canonical_json


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it came: on whose behalf, and what its `_meta` says besides the arguments.

    `handed` is what it says of the agents that wait for it; it is passed on to agents of ours, and decides nothing here.
    `over_http` says that others may come the same way: there `session` and `token` tell them apart.
    """

    tool: str
    arguments: Mapping[str, Any]
    trace: TraceContext | None = None
    session: str = ""
    call_id: str = ""
    approval: str = ""
    user_words: str = ""
    handed: Mapping[str, Any] = field(default_factory=dict)
    over_http: bool = False
    token: str = field(default="", repr=False)

    @property
    def key(self) -> bytes:
        """What two calls share that are the same to the byte."""
        return sha256(canonical_json([self.tool, self.arguments])).digest()
