"""A person's yes to one call: to exactly these arguments, once, for a while, and by somebody else than who asked for it or
had the agent start.

An approval is bound to a digest over the tool, its exact arguments, the run, the release and the policy. Whoever resumes
with one byte changed holds an approval of another call. It is consumed before the call is made, in one step that looks at
it and marks it: of those who come at once one gets it. A process that dies after that has lost the approval and has done
nothing; it asks again.

The exact arguments are kept as long as the approval can be used, and no longer: a store may take secrets out of them then.

What an ApprovalStore guarantees is checked by `ops_pipelines.testing.approval_store`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.core.fingerprint import digest_bytes, digest_json, short
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

PENDING, GRANTED, REFUSED, USED, EXPIRED = "pending", "granted", "refused", "used", "expired"
"""What has become of a request."""


@dataclass(frozen=True, slots=True)
class Binding:
    """The one call that an approval is of. `arguments` is their canonical JSON, which the approver is shown.

    Where a secret was taken out of the arguments, since the approval can be used no more, `exact` is the digest of what they
    were, and `bound` what the approval was bound to.
    """

    tool: str
    arguments: str
    run: str
    release: str
    policy: str
    exact: str = ""
    bound: str = ""

    @property
    def digest(self) -> str:
        """What the approval is bound to; `tool` is the digest of the tool and not only its name."""
        return self.bound or digest_json([self.tool, self.arguments, self.run, self.release, self.policy])

    @property
    def arguments_digest(self) -> str:
        """The digest of the exact arguments."""
        return self.exact or digest_bytes(self.arguments.encode())

    def with_arguments(self, kept: str) -> "Binding":
        """The same binding with arguments from which something was taken out."""
        return replace(self, arguments=kept, exact=self.arguments_digest, bound=self.digest)


@dataclass(frozen=True, slots=True)
class Request:
    """A call that waits for a person: who asks, for which call, why it is asked for, and until when a yes counts.

    `started_by` is the principal who started the agent's run; empty where nobody but the agent is known.
    """

    id: str
    requester: str
    tool: str
    binding: Binding
    reason: str
    asked_at: datetime
    expires_at: datetime
    started_by: str = ""

    def __post_init__(self) -> None:
        if not self.requester.strip() or utc(self.asked_at) >= utc(self.expires_at):
            raise ConfigError(
                f"The approval {self.id!r} of {self.requester!r} would have expired at {self.expires_at}",
                expected="somebody who asks, and an expiry after the asking",
                action="Name the agent's principal, and give approvals more time",
            )

    def to_json(self) -> dict[str, Any]:
        """The request as plain JSON, read back by `from_json`."""
        binding = self.binding
        bound = {name: getattr(binding, name) for name in ("tool", "arguments", "run", "release", "policy")}
        bound |= {name: getattr(binding, name) for name in ("exact", "bound") if getattr(binding, name)}
        times = {"asked_at": self.asked_at.isoformat(), "expires_at": self.expires_at.isoformat()}
        plain = {name: getattr(self, name) for name in ("id", "requester", "tool", "reason", "started_by")}
        return plain | times | {"binding": bound}

    def asked_for_by(self, name: str) -> str:
        """How the principal of a name had a part in the asking, in words; empty where they had none, and may answer."""
        if _is_same(name, self.requester):
            return "asked for it"
        return "started the run that asks for it" if _is_same(name, self.started_by) else ""

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Request":
        """The request that `to_json` wrote, now or before it named who started the run."""
        times = {name: datetime.fromisoformat(record[name]) for name in ("asked_at", "expires_at")}
        return cls(**{**record, **times, "binding": Binding(**record["binding"])})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said to a request, and when. Who they are was found out before."""

    approver: str
    granted: bool
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A request with what has become of it."""

    request: Request
    answer: Answer | None = None
    used_at: datetime | None = None

    def state(self, at: datetime) -> str:
        """Pending, granted, refused, used or expired, at an instant of the wall clock."""
        if self.used_at is not None:
            return USED
        if self.answer is not None and not self.answer.granted:
            return REFUSED
        if utc(at) >= utc(self.request.expires_at):
            return EXPIRED
        return GRANTED if self.answer is not None else PENDING

    def answered(self, answer: Answer) -> "Held":
        """The request with an answer that was judged before."""
        return replace(self, answer=answer)

    def consumed(self, at: datetime) -> "Held":
        """The request once it was used."""
        return replace(self, used_at=at)


class ApprovalStore(Protocol):
    """Where requests wait. Looking at one and changing it is one step, also among processes."""

    def ask(self, request: Request) -> None:
        """Keep a request, durably; DataError where its id was used before."""

    def answer(self, id: str, answer: Answer) -> Verdict:
        """Keep an answer where `judge_answer` passes it, and return that verdict; an unknown id is Blocked."""

    def consume(self, id: str, digest: str, *, at: datetime) -> Verdict:
        """Use an approval where `judge_use` passes it, durably, and return that verdict: Passed at most once an id."""

    def held(self, id: str | None = None) -> tuple[Held, ...]:
        """The request with an id, or all in the order in which they were asked; empty for none."""


def judge_answer(held: Held | None, answer: Answer) -> Verdict:
    """Whether an answer counts: to a request that waits, in time, and a yes by nobody who had a part in the asking."""
    if held is None:
        return Blocked(("there is no such request for approval",))
    state = held.state(answer.at)
    if state != PENDING:
        return Blocked((f"the request {held.request.id} is {state}, and is answered once",))
    if not answer.approver.strip():
        return Blocked(("nobody is named as the approver",))
    part = held.request.asked_for_by(answer.approver)
    if answer.granted and part:
        return Blocked((f"{answer.approver} {part}, and another principal has to approve it",))
    return Passed({"approver": answer.approver, "granted": answer.granted})


def judge_use(held: Held | None, digest: str, at: datetime) -> Verdict:
    """Whether an approval lets a call through: granted, in time, not used, and of exactly this call."""
    if held is None:
        return Blocked(("there is no such approval",))
    state = held.state(at)
    if state != GRANTED or held.answer is None:
        told = {PENDING: "is not answered yet", USED: "was used before, and counts once", EXPIRED: "has expired"}
        return Blocked((f"the approval {held.request.id} {told.get(state, f'was {state}')}",))
    if held.request.binding.digest != digest:
        bound = short(held.request.binding.digest)
        return Blocked((f"the approval {held.request.id} is of another call ({bound}, and this is {short(digest)})",))
    if part := held.request.asked_for_by(held.answer.approver):
        return Blocked((f"the approval {held.request.id} was given by who {part}",))
    return Passed({"approver": held.answer.approver})


def asked_before(id: str) -> DataError:
    """The error that every store raises for an id that was used before."""
    return DataError(
        f"An approval {id!r} was asked for before",
        expected="a new id for each request",
        action="Make one for this request",
        id=id,
    )


def _is_same(one: str, other: str) -> bool:
    """Whether two names are one principal's, however they are written."""
    return one.strip().casefold() == other.strip().casefold()
