"""What waits for people: approvals that nobody has answered, those that expired so, effects of which nobody knows, and
runs that do not go on by themselves.

People are told of each once. What they are told names the command that answers it, and not what is secret: who answers
looks at the very call with `ops agent approvals`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ops_pipelines.agentops.approval import EXPIRED, PENDING, Held
from ops_pipelines.agentops.effects import UNKNOWN, Entry
from ops_pipelines.agentops.going_on import Judged
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.core.clock import utc
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

REMEMBERED = timedelta(days=7)
"""How long an approval that expired unanswered is told of."""
STUCK = "stuck"
"""What a run is that waits for somebody to look at it; `tool` is then its agent."""
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing of which people are told once. `waits` says that somebody can still do something about it."""

    key: str
    what: str
    tool: str
    run: str
    arguments: str
    reason: str
    until: datetime | None
    waits: bool

    @property
    def message(self) -> tuple[str, str]:
        """The title and the text that people get."""
        titles = {
            PENDING: f"{self.tool} waits for a yes",
            EXPIRED: f"{self.tool} was not approved in time",
            STUCK: f"A run of {self.tool} does not go on by itself",
        }
        title = titles.get(self.what, f"Nobody knows whether {self.tool} was done")
        with_what = f"with {self.arguments}" if self.arguments else ""
        return title, "\n".join(line for line in (self.reason, with_what, *self._todo()) if line)

    @property
    def answered_by(self) -> str:
        """The command by which a person answers it."""
        id = self.key.partition(":")[2]
        if self.what == PENDING:
            return f"ops agent approve {short(id)}, or ops agent deny {short(id)}"
        return f"ops agent resume {short(self.run)}" if self.what in (EXPIRED, STUCK) else "ops agent effects"

    def to_row(self) -> dict[str, Any]:
        """The notice as a row of plain values."""
        plain = {name: getattr(self, name) for name in ("key", "what", "tool", "run", "arguments", "reason", "waits")}
        return plain | {"until": utc(self.until).isoformat() if self.until else ""}

    def _todo(self) -> Iterator[str]:
        if self.what == PENDING and self.until:
            yield f"until {utc(self.until):%Y-%m-%d %H:%M} UTC: {self.answered_by}"
        elif self.what == EXPIRED:
            yield f"The run {short(self.run)} is told so when it is resumed: {self.answered_by}"
        elif self.what == STUCK:
            yield f"See why: ops agent show {short(self.run)}"
            yield f"Go on with it: {self.answered_by}"
        else:
            yield f"Look whether it was done, and say so: {self.answered_by}"


def notices_of(
    held: Iterable[Held],
    entries: Iterable[Entry],
    now: datetime,
    redactor: Redactor,
    stuck: Iterable[Judged] = (),
) -> tuple[Notice, ...]:
    """Everything that waits for people, and what expired lately, in the order in which it was asked; redacted.

    `stuck` are runs that were judged to wait for a person.
    """
    asked = [_of_request(one, one.state(now), redactor) for one in held if _is_told(one, now)]
    unknown = [_of_effect(entry, redactor) for entry in entries if entry.state(now) == UNKNOWN]
    return (*asked, *unknown, *(_of_run(one, redactor) for one in stuck))


def judge_waiting(notices: Iterable[Notice]) -> Verdict:
    """Passed where nothing waits for people; the reasons say what does."""
    waiting = [one for one in notices if one.waits]
    if not waiting:
        return Passed({"waiting": 0})
    return Blocked(tuple(one.message[0] for one in waiting), {"waiting": len(waiting)})


def _is_told(one: Held, now: datetime) -> bool:
    state = one.state(now)
    expired_lately = utc(now) - utc(one.request.expires_at) < REMEMBERED
    return state == PENDING or (state == EXPIRED and one.answer is None and expired_lately)


def _of_request(one: Held, state: str, redactor: Redactor) -> Notice:
    asked = one.request
    return Notice(
        key=f"{state}:{asked.id}",
        what=state,
        tool=asked.tool,
        run=asked.binding.run,
        arguments=_cut(redactor.json(asked.binding.arguments)),
        reason=redactor.text(f"{asked.requester}: {asked.reason}"),
        until=asked.expires_at,
        waits=state == PENDING,
    )


def _of_effect(entry: Entry, redactor: Redactor) -> Notice:
    intent, said = entry.intent, entry.outcome.result if entry.outcome else "its process ended before it could tell"
    return Notice(
        key=f"{UNKNOWN}:{intent.key}",
        what=UNKNOWN,
        tool=intent.tool,
        run=intent.run,
        arguments=_cut(redactor.json(intent.arguments)),
        reason=redactor.json(said),
        until=None,
        waits=True,
    )


def _of_run(judged: Judged, redactor: Redactor) -> Notice:
    run = judged.run
    return Notice(
        key=f"{STUCK}:{judged.key}",
        what=STUCK,
        tool=run.agent,
        run=run.run,
        arguments="",
        reason=_cut(redactor.text(judged.why)),
        until=None,
        waits=True,
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"
