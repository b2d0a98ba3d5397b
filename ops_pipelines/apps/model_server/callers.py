"""Who may ask: the principal of a bearer token, from a copy of the principals that lasts while their store is gone."""

from collections.abc import Callable, Mapping
from datetime import datetime

from starlette.types import Scope

from ops_pipelines.apps.model_server.http import Refused
from ops_pipelines.core.errors import OpsError
from ops_pipelines.core.principal import PREDICT, Principal, PrincipalStore, authorise, token_digest
from ops_pipelines.core.verdict import reasons_of

_BEARER = b"bearer "


class Callers:
    """Checks the token of each request; `follow` is called wherever anything was written to control.db."""

    def __init__(self, store: PrincipalStore, now: Callable[[], datetime], *, environment: str) -> None:
        self._store, self._now, self._environment = store, now, environment
        self._known: Mapping[str, Principal] = {}

    def follow(self) -> None:
        """Takes over who is registered now; where that cannot be read, the last ones still hold."""
        try:
            self._known = {one.token_digest: one for one in self._store.everybody()}
        except OpsError:
            return

    def check(self, scope: Scope, system: str) -> None:
        """Refused with 401 for no token or an unknown one, and with 403 where its principal may not ask this system."""
        known, principal = self._known, self._principal(scope)
        if principal is None:
            raise Refused(
                401,
                "No token of a principal was given",
                expected="the header `Authorization: Bearer TOKEN`",
                action="Ask for one: `ops principal add NAME --role caller` shows it once",
                field="Authorization",
            )
        found = authorise(
            principal, PREDICT, system, self._environment, everybody=tuple(known.values()), now=self._now()
        )
        if reasons_of(found):
            raise Refused(
                403,
                "; ".join(reasons_of(found)),
                expected="a principal with the role `caller` for this system and environment",
                action="Ask an admin for the role",
                field="Authorization",
            )

    def _principal(self, scope: Scope) -> Principal | None:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if given[: len(_BEARER)].lower() != _BEARER:
            return None
        return self._known.get(token_digest(given[len(_BEARER) :].strip().decode("latin-1")))
