"""Who may do what: principals, the roles that they were granted, and the one function that lets an action through.

A **principal** is a person, a service or an agent with a token of its own. A token is shown once, when its principal is
added; what is kept is its sha256. Principals are rows that are only ever appended: a later row of a name supersedes the
one before, so that a new token, other roles and a revocation are the same act. A row names the number that it takes, so
that of two who add at once one is told to look again.

Until the first principal is added a platform is open to whoever may write its files; from then on every action needs a
token. The first has to be an admin over everything, and one such admin has to remain, or nobody could add another.

This protects from mistakes, and from callers who reach the platform only through its doors. Whoever may write the files
of a home may change what is in them; `ops audit verify` finds that afterwards.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import ConfigError, LostRace, near_miss
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

PREDICT, PROPOSE, APPROVE = "predict", "propose", "approve"
PROMOTE, ROLL_BACK, CANARY, OVERRIDE = "promote", "roll back", "canary", "override"
ADMINISTER, RETAIN = "administer principals", "retain"

CALLER, PROPOSER, PROMOTER, APPROVER, ADMIN = "caller", "proposer", "promoter", "approver", "admin"
_PROMOTION = frozenset({PROPOSE, PROMOTE, ROLL_BACK, CANARY})
ROLES: Mapping[str, frozenset[str]] = {
    CALLER: frozenset({PREDICT}),
    PROPOSER: frozenset({PROPOSE}),
    PROMOTER: _PROMOTION,
    APPROVER: frozenset({APPROVE, OVERRIDE}),
    ADMIN: _PROMOTION | {OVERRIDE, ADMINISTER, RETAIN},
}
"""What each role allows. An agent's own token has the role `proposer` alone: what it proposes, somebody else carries out."""

EVERY = "*"
TOKEN_PREFIX = "ops_"
"""How every token begins, so that one that leaks into a file is found by a search."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, for one system or every one (`*`), in one environment or every one (`*`)."""

    role: str
    system: str = EVERY
    environment: str = EVERY

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ConfigError(
                f"{self.role!r} is no role", expected=f"one of {', '.join(ROLES)}", action=near_miss(self.role, ROLES)
            )

    def allows(self, action: str, system: str, environment: str) -> bool:
        """Whether this lets an action through; what is done to everything (`*`) needs a grant over everything."""
        places = self.system in (EVERY, system) and self.environment in (EVERY, environment)
        return places and action in ROLES[self.role]

    def __str__(self) -> str:
        system = "every system" if self.system == EVERY else self.system
        return f"{self.role} of {system} in {'every environment' if self.environment == EVERY else self.environment}"


@dataclass(frozen=True, slots=True)
class Principal:
    """One row: a name, the sha256 of its token, its grants, and until when they hold.

    `sequence` is the row's number among all rows. `by` added it, `at` is the wall clock's instant.
    """

    sequence: int
    name: str
    token_digest: str = field(repr=False)
    grants: tuple[Grant, ...]
    by: str
    at: datetime
    expires: datetime | None = None
    revoked: bool = False

    @property
    def hash(self) -> str:
        return digest_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The row as plain JSON, read back by `from_json`."""
        return {
            "sequence": self.sequence,
            "name": self.name,
            "token_digest": self.token_digest,
            "grants": [[grant.role, grant.system, grant.environment] for grant in self.grants],
            "by": self.by,
            "at": utc(self.at).isoformat(),
            "expires": utc(self.expires).isoformat() if self.expires else None,
            "revoked": self.revoked,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Principal":
        """The row that `to_json` wrote."""
        instants = {name: datetime.fromisoformat(record[name]) if record[name] else None for name in ("at", "expires")}
        return cls(**{**record, **instants, "grants": tuple(Grant(*grant) for grant in record["grants"])})

    def why_not(self, now: datetime) -> str | None:
        """Why its token no longer counts, in words; None where it does."""
        if self.revoked:
            return f"The token of {self.name} was revoked by {self.by} at {utc(self.at):%Y-%m-%d %H:%M} UTC"
        if self.expires and utc(now) >= utc(self.expires):
            return f"The token of {self.name} expired at {utc(self.expires):%Y-%m-%d %H:%M} UTC"
        return None

    def may(self, action: str, system: str, environment: str, now: datetime) -> bool:
        """Whether its token lets an action through at an instant of the wall clock."""
        stands = self.why_not(now) is None
        return stands and any(grant.allows(action, system, environment) for grant in self.grants)


class PrincipalStore(Protocol):
    """Where principals are kept. `ops_pipelines.testing.principal_store` checks an implementation."""

    def everybody(self) -> tuple[Principal, ...]:
        """The latest row of each name, in the order of their numbers."""

    def by_token(self, token: str) -> Principal | None:
        """The principal whose latest row has this token, expired and revoked ones included; None for no such one.

        The look-up is by the token's sha256, so that how long it takes says nothing about a token that is nearly right.
        """

    def register(self, principal: Principal) -> None:
        """Append a row; LostRace unless its number is the one after the last row's."""


def token_digest(token: str) -> str:
    """What is kept of a token. It has 256 random bits, so that there is nothing to salt or to stretch."""
    return hashlib.sha256(token.encode()).hexdigest()


def authorise(
    principal: Principal | None,
    action: str,
    system: str,
    environment: str,
    *,
    everybody: Sequence[Principal],
    now: datetime,
) -> Verdict:
    """Passed where a principal may do something to a system in an environment; Blocked with who lacks what, and who may.

    `principal` is whose token was given: None for no token, and for one that nobody has. `everybody` is what the store
    knows, `now` the wall clock's instant. Where nobody is registered everything passes, and the evidence says so.
    """
    if not everybody:
        return Passed(
            {"open": "no principal was added yet, so whoever may write the files of this home may do everything"}
        )
    if principal and principal.may(action, system, environment, now):
        return Passed({"principal": principal.name})
    wanted = f"{action} {_place(system, environment)}".strip()
    able = [one.name for one in everybody if one.may(action, system, environment, now)]
    return Blocked((f"{_lack(principal, now)}; {', '.join(able) or 'nobody'} may {wanted}",))


def add(
    everybody: Sequence[Principal],
    name: str,
    grants: Sequence[Grant],
    *,
    digest: str,
    by: str,
    at: datetime,
    expires: datetime | None = None,
) -> Principal:
    """The row that adds a principal, or gives a known one another token and other grants.

    ConfigError for a name that cannot be one, no grant, an expiry that is past, and where no admin over everything whose
    token never expires would remain.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be the name of a principal",
            expected="1 to 64 letters, digits and . _ @ -, the first a letter or a digit",
            action="Choose another name",
        )
    if not grants:
        raise ConfigError(f"{name} is granted nothing", expected="a role", action="Name one with --role")
    if expires and utc(expires) <= utc(at):
        raise ConfigError(
            f"The token of {name} would have expired already", expected="a time ahead", action="Name more days"
        )
    row = Principal(_next(everybody), name, digest, tuple(grants), by, at, expires)
    return _checked(everybody, row)


def revoke(everybody: Sequence[Principal], name: str, *, by: str, at: datetime) -> Principal:
    """The row that takes a principal's token out of force; ConfigError for an unknown name and for the last admin."""
    known = {one.name: one for one in everybody}
    if name not in known:
        raise ConfigError(f"No principal is called {name!r}", expected="a known one", action=near_miss(name, known))
    last = known[name]
    row = Principal(_next(everybody), name, last.token_digest, last.grants, by, at, last.expires, revoked=True)
    return _checked(everybody, row)


def lost_row(principal: Principal) -> LostRace:
    """The error that every store raises for a row whose number another row has taken."""
    return LostRace(
        f"The principals changed while {principal.name} was being written",
        expected="that nobody else adds or revokes at the same time",
        action="Look at `ops principal list` and decide again",
        principal=principal.name,
    )


def _next(everybody: Sequence[Principal]) -> int:
    """The last row of all is the latest of its name, so that it is among them."""
    return max((one.sequence for one in everybody), default=0) + 1


def _checked(everybody: Sequence[Principal], row: Principal) -> Principal:
    after = [*(one for one in everybody if one.name != row.name), row]
    if any(_keeps_the_door(one) for one in after):
        return row
    raise ConfigError(
        f"Without {row.name}'s token nobody could add a principal any more"
        if everybody
        else f"{row.name} would be the first principal, and nobody could add another",
        expected="one admin over every system and environment whose token never expires",
        action="Add such an admin first: `ops principal add NAME --role admin`",
        principal=row.name,
    )


def _keeps_the_door(principal: Principal) -> bool:
    stands = not principal.revoked and principal.expires is None
    return stands and any(grant.allows(ADMINISTER, EVERY, EVERY) for grant in principal.grants)


def _lack(principal: Principal | None, now: datetime) -> str:
    if principal is None:
        return "No token of a principal was given"
    granted = ", ".join(str(grant) for grant in principal.grants)
    return principal.why_not(now) or f"{principal.name} may not: granted is {granted}"


def _place(system: str, environment: str) -> str:
    names = [system] * (system != EVERY) + [f"in {environment}"] * (environment != EVERY)
    return " ".join(names)
