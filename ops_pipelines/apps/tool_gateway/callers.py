"""Which client a call is of, and in which run it counts.

Over a pipe there is one client. Over HTTP a request of the protocol from 2026 on stands alone, and an older one may have a
session that the server made. So what tells clients apart is, for the run, the trace that a request names, else its session,
else the principal whose token it brings; for how many calls are under way, its principal, else its session, else its trace.
Clients that share none of these never share a run. One that has none shares no run at all.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ops_pipelines.agentops.tool_call import Denied
from ops_pipelines.apps.tool_gateway.admission import ADMIT, READS, REFUSED
from ops_pipelines.apps.tool_gateway.asked import Asked
from ops_pipelines.core.errors import NotAllowed

PrincipalOf = Callable[[str], str]
"""The principal whose token this is, empty where none was added yet; NotAllowed where it may not have this agent act."""


@dataclass(frozen=True, slots=True)
class Caller:
    """`client` is whose calls are counted, `run` in which run they are (empty for one of its own), `principal` who asks."""

    client: str
    run: str
    principal: str = ""


def nobody(_: str) -> str:
    """What a token is worth where no principals are known: nothing."""
    return ""


def caller_of(asked: Asked, principal_of: PrincipalOf, *, unnamed: str, has_effect: bool) -> Caller | Denied:
    """Whose call it is; Denied for a token that does not count, and for what a client without a name may not do."""
    trace = f"trace/{asked.trace.run}" if asked.trace else ""
    session = f"session/{asked.session}" if asked.session or not asked.over_http else ""
    if not asked.over_http:
        return Caller("", trace or session)
    try:
        name = principal_of(asked.token) if asked.token else ""
    except Exception as error:  # also where the store is down: nobody knows then whose token it is
        why = error.wrong if isinstance(error, NotAllowed) else str(error)
        return Denied(ADMIT, f"the token of the request does not count: {why}", "Nothing was done. Send one that does")
    known = f"principal/{name}" if name else ""
    run = trace or session or known
    if run:
        return Caller(known or session or trace, f"{name}/{run}", name)
    return _unnamed(unnamed, has_effect=has_effect)


def _unnamed(unnamed: str, *, has_effect: bool) -> Caller | Denied:
    if unnamed == REFUSED or (unnamed == READS and has_effect):
        return Denied(
            ADMIT,
            "nothing in the request says which client this is, and calls that nobody can tell apart are counted in no run",
            "Nothing was done. Have the client send a W3C traceparent in `_meta` or as a header, the token of a principal, "
            "or speak a version of the protocol with sessions",
        )
    return Caller("unnamed", "")
