"""Who may ask: the principal of a bearer token, from a copy of the principals that lasts while their store is gone."""

from collections.abc import Callable, Mapping
from datetime import datetime

from starlette.types import Scope

from ops_pipelines.apps.model_server.http import Refused
from ops_pipelines.core.principal import PREDICT, Principal, PrincipalStore, authorise, token_digest
from ops_pipelines.core.verdict import reasons_of

_BEARER = b"bearer "


class Callers:
    """Checks the token of each request against who was registered when it last looked.

    `has_changed` says whether anything was written since it was last asked, and raises where the store is gone. It is
    the callers' own: a pointer that cannot be read must not keep a revoked token in force.
    """

    def __init__(
        self,
        store: PrincipalStore,
        has_changed: Callable[[], bool],
        now: Callable[[], datetime],
        *,
        environment: str,
    ) -> None:
        self._store, self._has_changed, self._now, self._environment = store, has_changed, now, environment
        self._known: Mapping[str, Principal] = {}
        self._unread = True

    def follow(self) -> None:
        """Takes over who is registered now; where that cannot be read, the last ones hold until it can."""
        try:
            self._unread = self._has_changed() or self._unread
            if self._unread:
                self._known = {one.token_digest: one for one in self._store.everybody()}
                self._unread = False
        except Exception:  # the board tells that the store is gone; whatever it raised, the next look tries again
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
