"""Principals in the control database. Every row has its audit entry, which holds neither the token nor its digest."""

from pathlib import Path

from ops_pipelines.adapters.sqlite_audit import append_entry
from ops_pipelines.adapters.sqlite_control import ControlDatabase
from ops_pipelines.core.audit_coverage import entry_of_principal
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.principal import Principal, lost_row, token_digest

_LATEST = """
SELECT digest, content, name, token_digest FROM principals one
WHERE NOT EXISTS (SELECT 1 FROM principals later WHERE later.name = one.name AND later.sequence > one.sequence)
"""


class SQLitePrincipalStore:
    """The PrincipalStore of one file, which is made at the first call. DataError where the file is not one of ours."""

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0, create: bool = True) -> None:
        self._control = ControlDatabase(path, timeout_seconds=timeout_seconds, create=create)

    def everybody(self) -> tuple[Principal, ...]:
        """The latest row of each name, in the order of their numbers; DataError where one was edited."""
        with self._control.opened() as connection:
            rows = connection.execute(f"{_LATEST} ORDER BY sequence").fetchall()
        return tuple(self._principal(*row) for row in rows)

    def by_token(self, token: str) -> Principal | None:
        """The principal whose latest row has this token; None for no such one, DataError where the row was edited."""
        with self._control.opened() as connection:
            row = connection.execute(f"{_LATEST} AND token_digest = ?", (token_digest(token),)).fetchone()
        return self._principal(*row) if row else None

    def register(self, principal: Principal) -> None:
        """Append a row and its audit entry; LostRace unless its number is the one after the last row's."""
        content = canonical_json(principal.to_json()).decode()
        row = (principal.sequence, principal.name, principal.token_digest, content, principal.hash)
        with self._control.transaction() as connection:
            (last,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM principals").fetchone()
            if principal.sequence != last + 1:
                raise lost_row(principal)
            append_entry(connection, **entry_of_principal(principal))
            connection.execute(
                "INSERT INTO principals (sequence, name, token_digest, content, digest) VALUES (?, ?, ?, ?, ?)", row
            )

    def _principal(self, digest: str, content: str, name: str, token: str) -> Principal:
        record = self._control.verified("principal", digest, content, name=name, token_digest=token)
        return Principal.from_json(record)
