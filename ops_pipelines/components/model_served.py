"""The online answers of a week, compacted from the log into the lake, and forgotten by the log some time later.

What lies in the lake stays: a week that is compacted again holds what it held and what the log has besides. The log
forgets a week at the compaction of another one, when the week and one more are over and each of its answers is in the
lake: whatever dies in between, an answer lies in one of the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ops_pipelines.adapters.compacted import compacted, compacted_ids
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.predictor import golden_of
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.publishing import Product, shown_table
from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.fingerprint import digest_json, digest_table, short
from ops_pipelines.core.release import find_release
from ops_pipelines.mlops.served import ARM, ID, SERVED, Types, judge_served, table_of_answers, unite

if TYPE_CHECKING:
    import pyarrow as pa

    from ops_pipelines.components.model import Model

GRACE = timedelta(weeks=1)
"""How long after its end a week stays in the log: what comes late is compacted with the week after it."""


@dataclass(frozen=True, slots=True)
class Online:
    """A week's online answers: those that were compacted before, and those that are in the log."""

    kept: "pa.Table"
    came: "pa.Table"

    @property
    def table(self) -> "pa.Table":
        """All of them, each once."""
        return unite(self.kept, self.came)


def make_served(model: "Model", platform: Platform, week: str) -> Product:
    """What was answered online about a week; NotEvaluated, and nothing else, where nobody asked."""
    online = online_answers(model, platform, week)
    verdict, table = judge_served(online.kept, online.came), online.table
    forgotten = _forget_compacted(model, platform, week)
    if not table.num_rows:
        return Product(table, digest_json(None), verdict, {})
    shown = {
        "answers by release": shown_table(_by_release(table)),
        "new in this run": table.num_rows - online.kept.num_rows,
        "forgotten by the log": ", ".join(forgotten) or "nothing",
    }
    return Product(table, digest_table(table, key=[ID]), verdict, {}, shown=shown)


def online_answers(model: "Model", platform: Platform, week: str) -> Online:
    """What is known now of a week's online answers, compacted or not."""
    kept = compacted(platform.lake, f"{model.name}/{SERVED}", week)
    answers = list(platform.predictions.answers(model.name, window_of(model.weeks(), week)))
    types = {release: _types_of(platform, model.name, release) for release in {answer.release for answer in answers}}
    entities = model.entities
    return Online(kept, table_of_answers(answers, key=entities.key, asked_at=entities.asked_at, types=types))


def was_asked_online(model: "Model", platform: Platform, week: str) -> bool:
    """Whether there is an online answer about a week, in the lake or in the log."""
    if platform.lake.good(f"{model.name}/{SERVED}", week):
        return True
    return next(iter(platform.predictions.answers(model.name, window_of(model.weeks(), week))), None) is not None


def uncompacted(model: "Model", platform: Platform, weeks: Sequence[str]) -> list[str]:
    """Those of some weeks of which the log has an answer that the lake has not."""
    return [week for week in weeks if _waiting(model, platform, week) - _compacted(model, platform, week)]


def _forget_compacted(model: "Model", platform: Platform, made: str) -> list[str]:
    """The weeks that the log forgets: compacted whole, over for longer than the grace, and not the one being made."""
    now, forgotten = platform.clock.as_of(), []
    for week in platform.lake.partitions(f"{model.name}/{SERVED}"):
        window = window_of(model.weeks(), week)
        if week == made or window.end + GRACE > now:
            continue
        waiting = _waiting(model, platform, week)
        if waiting and waiting <= _compacted(model, platform, week):
            platform.predictions.forget(waiting)
            forgotten.append(week)
    return forgotten


def _waiting(model: "Model", platform: Platform, week: str) -> set[str]:
    """The ids of a week that are in the log."""
    return {answer.id for answer in platform.predictions.answers(model.name, window_of(model.weeks(), week))}


def _compacted(model: "Model", platform: Platform, week: str) -> set[str]:
    """The ids of a week that are in the lake."""
    return compacted_ids(platform.lake, f"{model.name}/{SERVED}", week, column=ID)


def _types_of(platform: Platform, system: str, digest: str) -> Types:
    """The types of a release's features; empty where it keeps no golden rows, or is not of this home."""
    try:
        golden = golden_of(platform.objects, find_release(platform.releases, system, digest))
    except ReleaseError:
        return {}
    return {field.name: field.type for field in golden.features.schema} if golden else {}


def _by_release(table: "pa.Table") -> list[dict[str, object]]:
    counts = (
        table.group_by(["release", ARM])
        .aggregate([(ID, "count")])
        .sort_by([("release", "ascending"), (ARM, "ascending")])
    )
    return [
        {"release": short(row["release"]), "arm": row[ARM], "answers": row[f"{ID}_count"]} for row in counts.to_pylist()
    ]
