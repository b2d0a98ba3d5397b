"""When a model is trained again: episodes of trouble, each answered by one run.

An **episode** is (system, release, kind, opening week). It opens when the findings of enough of the last weeks say so,
when the release has grown old, or when somebody asks. It closes after enough quiet weeks, when its answer is decided
where nothing can be quiet (age, request), or when another release goes live. While it is open it launches one run.

The state after each week is a value made from the state after the week before, the findings of the last weeks, and the
rows of the **retraining log**; it names what is due, and writing that row is what claims it. So neither a sensor that
starts again nor a cursor that is rewound launches anything twice.

Nothing trains for ever: an episode gets one run, the next waits for the cooldown, for an open request and for the budgets
(`retraining_requests.why_wait`), and a challenger that was refused, or promoted and then taken back, leaves the champion
live and its episode open, which age answers sooner.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ops_pipelines.core.clock import Window, utc
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.verdict import Blocked, Passed, Verdict, reasons_of
from ops_pipelines.mlops.drift import PREDICTION_DRIFT
from ops_pipelines.mlops.performance import PERFORMANCE
from ops_pipelines.mlops.retraining_log import Request, TrainingStep
from ops_pipelines.mlops.retraining_requests import PROMOTED, why_wait
from ops_pipelines.mlops.retraining_rule import RetrainingRule

AGE = "age"
CAME_TO_NOTHING = "its run decided nothing"
FINDINGS = (PERFORMANCE, PREDICTION_DRIFT)
"""The findings that open an episode. Feature drift is shown and recorded, and starts nothing alone."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Trouble with one release, from its opening week on.

    `trained` is the week whose end the answering run knows, `outcome` what became of it (promoted, refused, promoted and
    then rolled back, or None while it is undecided); `closed` is the week in which the episode ended and `because` why.
    """

    system: str
    release: str
    kind: str
    opened: str
    reasons: tuple[str, ...]
    trained: str | None = None
    outcome: str | None = None
    held: str | None = None
    closed: str | None = None
    because: str | None = None

    @property
    def key(self) -> str:
        """What the answering run is launched under: one for each episode, another for the next."""
        return f"{self.system}/{short(self.release)}/{self.kind}/{self.opened}"

    @property
    def is_open(self) -> bool:
        return self.closed is None

    @property
    def is_due(self) -> bool:
        """Whether it is open, unanswered, and nothing holds it back."""
        return self.is_open and self.trained is None and self.held is None

    def to_json(self) -> dict[str, Any]:
        """The episode as plain JSON, read back by `from_json`."""
        return asdict(self) | {"reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Episode":
        """The episode that `to_json` wrote."""
        return cls(**{**record, "reasons": tuple(record["reasons"])})


@dataclass(frozen=True, slots=True)
class Week:
    """What is known at the end of a week: the live release, when it stopped learning, its findings, and the log.

    `findings` are those of the last weeks in which this same release was judged, the oldest first, the week itself last;
    a week that was not judged is NotEvaluated. `requests` are the log's rows, `outcomes` what became of each by its key,
    for those that were decided, and `steps` what their runs have cost so far.
    """

    key: str
    window: Window
    release: str
    cut_off: datetime
    findings: Mapping[str, Sequence[Verdict]]
    requests: Sequence[Request] = ()
    outcomes: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[TrainingStep] = ()

    @property
    def last_trained(self) -> datetime:
        """When the live release was last challenged, or else stopped learning."""
        return max([utc(self.cut_off), *(utc(request.as_of) for request in self.requests)])


def advance(system: str, before: Sequence[Episode], week: Week, rule: RetrainingRule) -> tuple[Episode, ...]:
    """The episodes after a week: those before it answered, closed or kept, and those that the week opens.

    `before` are the episodes after the week before. Nothing is dropped, so the result is the whole history.
    """
    known = [_closed(_answered(episode, week), week, rule) for episode in before]
    known += [opened for opened in _openings(system, known, week, rule) if opened.key not in {e.key for e in known}]
    end = week.window.end
    held = why_wait(week.requests, week.steps, decided=week.outcomes, end=end, rule=rule)
    return tuple(replace(e, held=held) if e.is_open and e.trained is None else replace(e, held=None) for e in known)


def due(episodes: Sequence[Episode]) -> tuple[Episode, ...]:
    """The episodes that wait for a run and that nothing holds back; one run answers them all."""
    return tuple(episode for episode in episodes if episode.is_due)


def request_for(episodes: Sequence[Episode], *, week: str, end: datetime, actor: str, at: datetime) -> Request:
    """The row that answers due episodes of one system up to the end of a week; ValueError for none.

    Its key is the first one's.
    """
    if not episodes:
        raise ValueError("no episode is due")
    reasons = "; ".join(f"{episode.kind}: {episode.reasons[0]}" for episode in episodes)
    first = episodes[0]
    return Request(first.key, first.system, week, end, reasons, actor, at, tuple(e.key for e in episodes))


def _answered(episode: Episode, week: Week) -> Episode:
    """The episode with the run that answers it and what became of that."""
    rows = [request for request in week.requests if episode.key in request.episodes]
    if not rows:
        return episode
    return replace(episode, trained=rows[0].week, outcome=week.outcomes.get(rows[0].key, episode.outcome))


def _closed(episode: Episode, week: Week, rule: RetrainingRule) -> Episode:
    """The episode, closed where the week ends it."""
    if not episode.is_open:
        return episode
    because = None
    if episode.release != week.release:
        because = "its challenger was promoted" if episode.outcome == PROMOTED else "another release is live"
    elif episode.kind not in FINDINGS and episode.outcome:
        because = f"its challenger was {episode.outcome}"
    elif episode.kind not in FINDINGS and _came_to_nothing(episode, week, rule):
        because = CAME_TO_NOTHING
    elif episode.kind in FINDINGS and _is_quiet(week.findings.get(episode.kind, ()), rule):
        because = f"{rule.quiet} quiet weeks in a row"
    return replace(episode, closed=week.key, because=because) if because else episode


def _came_to_nothing(episode: Episode, week: Week, rule: RetrainingRule) -> bool:
    """Whether the run that answers an episode had its time and no outcome: the next one must not wait for it for ever."""
    asked = [utc(request.as_of) for request in week.requests if episode.key in request.episodes]
    return bool(asked) and utc(week.window.end) >= asked[0] + timedelta(weeks=max(rule.cooldown_weeks, 1))


def _is_quiet(findings: Sequence[Verdict], rule: RetrainingRule) -> bool:
    last = findings[-rule.quiet :]
    return len(last) == rule.quiet and all(isinstance(verdict, Passed) for verdict in last)


def _openings(system: str, known: Sequence[Episode], week: Week, rule: RetrainingRule) -> list[Episode]:
    """The episodes that this week opens: by findings, and by age."""
    open_kinds = {episode.kind for episode in known if episode.is_open}
    found = {kind: _flagged(week.findings.get(kind, ()), rule) for kind in FINDINGS if kind not in open_kinds}
    if AGE not in open_kinds:
        found[AGE] = _aged(known, week, rule)
    return [Episode(system, week.release, kind, week.key, reasons) for kind, reasons in found.items() if reasons]


def _flagged(findings: Sequence[Verdict], rule: RetrainingRule) -> tuple[str, ...]:
    """The last week's reasons where it and enough of the weeks before it were flagged; empty where not."""
    last = findings[-rule.of :]
    flagged = [verdict for verdict in last if isinstance(verdict, Blocked)]
    if len(flagged) < rule.flagged or not isinstance(last[-1], Blocked):
        return ()
    return (f"{len(flagged)} of the last {len(last)} weeks; {reasons_of(last[-1])[0]}", *reasons_of(last[-1])[1:])


def _aged(known: Sequence[Episode], week: Week, rule: RetrainingRule) -> tuple[str, ...]:
    """Why the release is due for a challenger by age alone: sooner while it is in trouble and the last one was refused."""
    weeks = (utc(week.window.end) - week.last_trained) // timedelta(weeks=1)
    refused = any(e.is_open and e.kind in FINDINGS and e.trained and e.outcome != PROMOTED for e in known)
    limit = min(rule.max_age_weeks, max(rule.cooldown_weeks, 1)) if refused else rule.max_age_weeks
    if weeks < limit:
        return ()
    trouble = ", and an episode is open that its challenger did not end" if refused else ""
    return (f"not challenged for {weeks} weeks{trouble}",)
