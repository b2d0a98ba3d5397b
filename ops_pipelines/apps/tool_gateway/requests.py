"""What a request for a tool says besides its arguments, and how an answer of the gate looks to an MCP client."""

from collections.abc import Mapping
from typing import Any

from ops_pipelines.adapters.mcp_results import META, is_result, told_twice
from ops_pipelines.adapters.mcp_trace import LINE, TOOLS, trace_of
from ops_pipelines.agentops.tool_call import Answer, Denied, Done
from ops_pipelines.apps.tool_gateway.asked import Asked
from ops_pipelines.core.fingerprint import canonical_json

APPROVAL, CALL, USER = "ops/approval", "ops/call", "ops/user"
"""What a client may say in `_meta` beside its trace: the approval of a call, the name of a step, a user's words."""
GATE = "ops/gate"
"""Where the result's `_meta` says what the gate made of a call that was done."""
_SESSION, _BEARER = "mcp-session-id", "bearer "
_WORDS = {"approval": APPROVAL, "call_id": CALL, "user_words": USER}


def asked_of(tool: str, arguments: Mapping[str, Any] | None, context: Any) -> Asked:
    """The call that a request makes; `context` is what the MCP library knows of the request, None for nothing."""
    meta: Mapping[str, Any] = getattr(context, "meta", None) or {}
    headers: Mapping[str, str] = getattr(getattr(context, "request", None), "headers", None) or {}
    words = {name: str(meta[key]) for name, key in _WORDS.items() if isinstance(meta.get(key), str)}
    handed = {key: meta[key] for key in (LINE, TOOLS) if isinstance(meta.get(key), list)}
    came = {"over_http": True, "session": _session(context, headers), "token": _token(headers)} if headers else {}
    return Asked(tool, dict(arguments or {}), trace_of(meta, headers), handed=handed, **came, **words)


def _session(context: Any, headers: Mapping[str, str]) -> str:
    """The session that the server made for the client; from 2026 on there is none, and nobody has checked such a header."""
    from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

    has_sessions = getattr(context, "protocol_version", "") in HANDSHAKE_PROTOCOL_VERSIONS
    return headers.get(_SESSION, "") if has_sessions else ""


def _token(headers: Mapping[str, str]) -> str:
    """The bearer token of a request; the whole of a header that holds none, which nobody will know."""
    said = headers.get("authorization", "").strip()
    return said[len(_BEARER) :].strip() if said[: len(_BEARER)].lower() == _BEARER else said


def shown(answer: Answer) -> dict[str, Any]:
    """The answer as the fields of an MCP result: a tool's own content where it was run, what the gate says otherwise."""
    plain = answer.to_json()
    result = answer.result if isinstance(answer, Done) and not answer.truncated else None
    if is_result(result):
        marks = {name: value for name, value in plain.items() if name != "result"}
        return {**told_twice(result), "isError": False, META: {**result.get(META, {}), GATE: marks}}
    text = {"type": "text", "text": canonical_json(plain).decode()}
    return {"content": [text], "structuredContent": plain, "isError": isinstance(answer, Denied)}
