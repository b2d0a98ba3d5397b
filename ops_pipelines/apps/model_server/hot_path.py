"""The short way to the doors that answer predictions: past routes and middleware, which cost a request half of its model.

Only a request that is plainly theirs takes it: a known path, and a Host that is served as it stands. All others go the
usual way, which also refuses, so that this file decides nothing but speed.
"""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send


class HotPath:
    """An application around another: infer and predict go straight to their doors, everything else to `rest`."""

    def __init__(self, rest: ASGIApp, *, infer: ASGIApp, predict: ASGIApp, hosts: Sequence[str]) -> None:
        self._rest, self._infer, self._predict = rest, infer, predict
        self._hosts = frozenset(host.encode() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = self._door(scope) if scope["type"] == "http" and self._trusts(scope) else None
        await (door or self._rest)(scope, receive, send)

    def _door(self, scope: Scope) -> ASGIApp | None:
        """The door that a path leads to, its parameters in the scope as a router would put them there."""
        match scope["path"].split("/"):
            case ["", "v2", "models", system, "infer"] if system:
                scope["path_params"] = {"system": system}
                return self._infer
            case ["", "v1", "predict", system] if system:
                scope["path_params"] = {"system": system}
                return self._predict
        return None

    def _trusts(self, scope: Scope) -> bool:
        """Whether the request names one host, and one that is answered."""
        named = [value for name, value in scope["headers"] if name == b"host"]
        return len(named) == 1 and named[0].partition(b":")[0] in self._hosts
