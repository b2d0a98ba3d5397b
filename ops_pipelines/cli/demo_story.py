"""What the demo tells at its end, read from what the assets, the pointer and the retraining log stored."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ops_pipelines.cli.demo_walk import SYSTEM, WINTER, Walked, key_of
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.verdict import Blocked, reasons_of

if TYPE_CHECKING:
    from ops_pipelines.core.lineage import Artefact
    from ops_pipelines.core.release import Release
    from ops_pipelines.mlops.retraining import Episode

RULES = ("performance", "prediction_drift", "feature_drift", "label_drift")


@dataclass(frozen=True, slots=True)
class Story:
    """The year week by week, its chapters, and what to look at next."""

    weeks: list[dict[str, Any]]
    chapters: list[dict[str, str]]
    next_steps: list[tuple[str, str]]


def tell(walked: Walked) -> Story:
    """The story of a walk."""
    judged = [found for week in range(walked.last + 1) if (found := _judged(walked, week))]
    episodes = _episodes(walked)
    chapters = [*_releases(walked), *_rules(judged), *_told(episodes), *_afterwards(judged), _false(walked, episodes)]
    chapters.append(
        _chapter(f"rollback from {walked.rolled_back['from']}", _rollback(walked), walked.rolled_back["run"])
    )
    before = [_unjudged(week) for week in range(judged[0].number if judged else 0)]
    return Story([*before, *(_row(found, episodes) for found in judged)], chapters, _next_steps(walked, episodes))


@dataclass(frozen=True, slots=True)
class _Week:
    number: int
    performance: "Artefact"
    drift: "Artefact"

    @property
    def flagged(self) -> list[str]:
        """The rules that flagged the week."""
        findings = {**self.performance.findings, **self.drift.findings}
        return [rule for rule in RULES if isinstance(findings.get(rule), Blocked)]


def _judged(walked: Walked, week: int) -> _Week | None:
    lake = walked.platform.lake
    performance, drift = (lake.good(f"{SYSTEM}/{part}", key_of(week)) for part in ("performance", "drift"))
    return _Week(week, performance, drift) if performance and drift else None


def _unjudged(week: int) -> dict[str, Any]:
    """One line of the weeks before the first release."""
    numbers = dict.fromkeys(("release", "log loss", "had it stayed", "gap", "flagged"), "")
    return {"week": week, "of": key_of(week), **numbers, "what happened": "arrives, and is learned from"}


def _row(week: _Week, episodes: "Sequence[Episode]") -> dict[str, Any]:
    """One line of the year."""
    evidence, before = week.performance.findings["performance"].evidence, week.performance.facts["before"]
    key = key_of(week.number)
    happened = [f"{e.kind} episode opens" for e in episodes if e.opened == key]
    happened += [f"retrained: {e.outcome}" for e in episodes if e.trained == key]
    happened += [f"{e.kind} episode closes: {e.because}" for e in episodes if e.closed == key]
    return {
        "week": week.number,
        "of": key,
        "release": short(week.performance.facts["release"]),
        "log loss": f"{evidence['loss']:.3f}",
        "had it stayed": f"{before['loss']:.3f}" if before.get("loss") else "",
        "gap": f"{evidence['gap']:+.3f}",
        "flagged": ", ".join(week.flagged),
        "what happened": "; ".join(happened),
    }


def _episodes(walked: Walked) -> "tuple[Episode, ...]":
    """Every episode as of the last week that has them, with what became of it since."""
    from ops_pipelines.components.model_retraining import answered, stored_episodes

    lake, key = walked.platform.lake, f"{SYSTEM}/episodes"
    return answered(stored_episodes(lake.good(key, lake.partitions(key)[-1])), walked.platform, SYSTEM)


def _releases(walked: Walked) -> Iterator[dict[str, str]]:
    """Each challenger: the gate's word, with metric and interval."""
    from ops_pipelines.core.pointer import PRODUCTION

    shipped = {move.release for move in walked.platform.releases.history(SYSTEM, PRODUCTION)}
    for release in walked.platform.releases.releases(SYSTEM):
        against = release.latest.baseline
        what = f"challenger {short(release.digest)}" + (f" against {short(against)}" if against else ", the first")
        word = "promoted: " if release.digest in shipped else "refused: "
        where = f"knows until {release.latest.cut_off - timedelta(days=1):%Y-%m-%d}"
        yield _chapter(
            what, word + gate_words(release), f"{where}, models:/{SYSTEM}/{release.latest.facts['model_version']}"
        )


def _rules(judged: Sequence[_Week]) -> Iterator[dict[str, str]]:
    counts = {rule: sum(rule in week.flagged for week in judged) for rule in RULES}
    words = ", ".join(f"{rule.replace('_', ' ')} {count}" for rule, count in counts.items())
    yield _chapter(
        "which rule flagged how many weeks", f"of {len(judged)}: {words}", "asset checks of performance, drift"
    )


def _told(episodes: "Sequence[Episode]") -> Iterator[dict[str, str]]:
    for episode in episodes:
        trained = f"trained at the end of {episode.trained}" if episode.trained else episode.held or "not trained"
        end = f"closed {episode.closed}: {episode.because}" if episode.closed else "still open"
        outcome = f"{'; '.join(episode.reasons)}. One run, {trained}: {episode.outcome or 'nothing yet'}; {end}"
        yield _chapter(f"episode {episode.key.removeprefix(SYSTEM + '/')}", outcome, f"asset {SYSTEM}/episodes")


def _afterwards(judged: Sequence[_Week]) -> Iterator[dict[str, str]]:
    """What each promotion was worth: the weeks after it, scored by it and by the release that would have stayed."""
    pairs = dict.fromkeys(
        (week.performance.facts["release"], week.performance.facts["before"]["release"])
        for week in judged
        if week.performance.facts["before"].get("loss")
    )
    for now, before in pairs:
        weeks = [w for w in judged if w.performance.facts["release"] == now and w.performance.facts["before"]]
        losses = [week.performance.findings["performance"].evidence["loss"] for week in weeks]
        stayed = [week.performance.facts["before"]["loss"] for week in weeks]
        better = sum(new < old for new, old in zip(losses, stayed, strict=True))
        yield _chapter(
            f"{short(now)} instead of {short(before)}",
            f"mean log loss {_mean(losses):.4f} over the {len(weeks)} weeks since, {_mean(stayed):.4f} had the old one "
            f"stayed; better in {better} of them",
            f"asset {SYSTEM}/performance",
        )


def _false(walked: Walked, episodes: "Sequence[Episode]") -> dict[str, str]:
    """The alarms that a person would call false: those in whose weeks no better model was found.

    An alarm is one streak of weeks of one finding, told once. It was right where an episode whose challenger was promoted
    opened while it lasted.
    """
    lake = walked.platform.lake
    inboxes = [inbox for week in lake.partitions("alarms") if (inbox := lake.good("alarms", week))]
    alarms = {alarm["key"]: alarm for inbox in inboxes for alarm in inbox.facts["alarms"] if alarm["notified_at"]}
    right = {episode.opened for episode in episodes if _was_better(episode)}
    false = [alarm for alarm in alarms.values() if not any(alarm["since"] <= week <= alarm["week"] for week in right)]
    findings = Counter(alarm["finding"] for alarm in false)
    named = ", ".join(f"{finding.replace('_', ' ')} {count}" for finding, count in findings.items())
    raised = [episode for episode in episodes if episode.kind in RULES]
    vain = [episode.opened for episode in raised if not _was_better(episode)]
    return _chapter(
        "alarms that a person would call false",
        f"{len(false)} of the {len(alarms)} that people were told of ({named or 'none'}); {len(vain)} of the {len(raised)} "
        f"episodes raised by findings led to no better model ({', '.join(vain) or 'none'})",
        "asset alarms",
    )


def _rollback(walked: Walked) -> str:
    rolled = walked.rolled_back
    return (
        f"{rolled['to']} is live again after {rolled['seconds']} s, no training; {walked.under_load}; "
        f"week {walked.last}: {walked.rescored}"
    )


def _was_better(episode: "Episode") -> bool:
    """Whether the gate let its challenger in; that the demo takes its last promotion back says nothing of that."""
    from ops_pipelines.mlops.retraining_requests import PROMOTED, ROLLED_BACK

    return episode.outcome in (PROMOTED, ROLLED_BACK)


def _chapter(what: str, outcome: str, where: str) -> dict[str, str]:
    return {"what": what, "outcome": outcome, "where to look": where}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def gate_words(release: "Release") -> str:
    """Why the gate decided as it did, with metrics and interval."""
    reasons = reasons_of(release.latest.verdict)
    if reasons:
        return "; ".join(reasons[:2]) + (f" (and {len(reasons) - 2} more)" if len(reasons) > 2 else "")
    found = release.latest.verdict.evidence["better"]["comparison"]
    low, high = found["gain_interval"]
    return (
        f"log loss {found['challenger_loss']:.4f} against {found['champion_loss']:.4f} on {found['rows']:,} flights, "
        f"gain {found['gain']:.4f} [{low:.4f}, {high:.4f}] over {found['days']} days"
    )


def _next_steps(walked: Walked, episodes: "Sequence[Episode]") -> list[tuple[str, str]]:
    """What to type next."""
    week = episodes[0].opened if episodes else key_of(WINTER)
    scores = walked.platform.lake.read(f"{SYSTEM}/predictions", week)
    return [
        ("make ui", "runs, ticks, lineage, checks and reports in the browser"),
        (f".venv/bin/ops drift show {SYSTEM} {week}", "the week that the first episode opened in"),
        (f".venv/bin/ops releases {SYSTEM}", "every release and why it is or is not live"),
        (f".venv/bin/ops why '{scores.column('prediction_id')[0].as_py()}'", "what made that score"),
    ]
