"""What became of each request of a system, read from its checkpoints, its pointer's history and the retraining log."""

from collections.abc import Sequence
from datetime import datetime

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import PRODUCTION, ROLLBACK, taken_back
from ops_pipelines.core.verdict import Passed
from ops_pipelines.mlops.retraining import CAME_TO_NOTHING, Episode
from ops_pipelines.mlops.retraining_log import Request
from ops_pipelines.mlops.retraining_requests import NO_DATA, PASSED, PROMOTED, REFUSED, ROLLED_BACK, Answer
from ops_pipelines.mlops.retraining_rule import RetrainingRule
from ops_pipelines.mlops.training_cost import cost_of


def stored_episodes(artefact: Artefact | None) -> tuple[Episode, ...]:
    """The episodes that a week's artefact holds; none for no artefact."""
    return tuple(Episode.from_json(record) for record in artefact.facts["episodes"]) if artefact else ()


def last_episodes(platform: Platform, system: str) -> Artefact | None:
    """The episodes of the last week that has any."""
    weeks = platform.lake.partitions(f"{system}/episodes")
    return platform.lake.good(f"{system}/episodes", weeks[-1]) if weeks else None


def rule_of(platform: Platform, system: str) -> RetrainingRule:
    """The rule by which a system's last week was judged; the defaults where no week was, or it kept none."""
    last = last_episodes(platform, system)
    return RetrainingRule(**(last.facts.get("rule") or {})) if last else RetrainingRule()


def outcome_of(platform: Platform, request: Request, before: datetime | None = None) -> str | None:
    """What became of the checkpoint that a request asked for, as far as it was decided before an instant (by now).

    What was made of the same week before somebody asked is no answer to them.
    """
    made = platform.lake.latest(f"{request.system}/checkpoint", request.week)
    data = platform.lake.latest(f"{request.system}/training_set", request.week)
    if data and _is_later(data, request) and not isinstance(data.verdict, Passed):
        return NO_DATA
    if made is None or not _is_later(made, request):
        return None
    release = made.facts["release"]
    moves = [m for m in platform.releases.history(request.system, PRODUCTION) if before is None or m.as_of < before]
    if any(move.release == release and move.action != ROLLBACK for move in moves):
        return ROLLED_BACK if moves[-1].release != release and taken_back(moves, release) else PROMOTED
    return PASSED if isinstance(made.verdict, Passed) else REFUSED


def _is_later(made: Artefact, request: Request) -> bool:
    return made.origin.at >= request.at


def answers_of(
    platform: Platform, system: str, *, episodes: Sequence[Episode] | None = None, before: datetime | None = None
) -> tuple[Answer, ...]:
    """What became of every request of a system (of those before an instant), in the order in which they were asked for.

    `episodes` say which requests are wanted still; those of the last week, where none are given.
    """
    known = stored_episodes(last_episodes(platform, system)) if episodes is None else episodes
    ended = {e.key for e in known if not e.is_open and e.because != CAME_TO_NOTHING}
    rows = [row for row in platform.retraining.requests(system) if before is None or row.as_of < before]
    steps = platform.retraining.steps(system)
    return tuple(
        Answer(
            request=row,
            outcome=outcome_of(platform, row, before),
            cost=cost_of(row, steps),
            is_wanted=not row.episodes or not ended.issuperset(row.episodes),
        )
        for row in rows
    )
