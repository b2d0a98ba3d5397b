"""Principals for a chapter of the demo, beside the home's own, which stays as open as it was: whoever is added stays."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform


@dataclass(frozen=True, slots=True)
class People:
    """The platform of a home as it is where some principals are known, and their tokens by name."""

    platform: "Platform"
    tokens: Mapping[str, str] = field(repr=False)

    @contextmanager
    def acting_as(self, name: str) -> Iterator[None]:
        """Inside, this process has somebody's token; afterwards, its own."""
        from ops_pipelines.adapters.access import TOKEN

        before = os.environ.get(TOKEN)
        os.environ[TOKEN] = self.tokens[name]
        try:
            yield
        finally:
            if before is None:
                os.environ.pop(TOKEN, None)
            else:
                os.environ[TOKEN] = before


def people_of(home: Path, platform: "Platform", **roles: str) -> People:
    """The principals of these names, each with one role over everything; an admin is there, too, as one has to be."""
    from ops_pipelines.adapters.access import new_token
    from ops_pipelines.adapters.sqlite_principals import SQLitePrincipalStore
    from ops_pipelines.core.principal import ADMIN, Grant, add, token_digest

    store, tokens = SQLitePrincipalStore(home / "chapter" / "control.db"), dict[str, str]()
    for name, role in {"root": ADMIN, **roles}.items():
        tokens[name] = new_token()
        digest, now = token_digest(tokens[name]), platform.clock.wall()
        store.register(add(store.everybody(), name, [Grant(role)], digest=digest, by="root", at=now))
    return People(replace(platform, principals=store), tokens)
