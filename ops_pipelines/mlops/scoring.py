"""Scores that say which release made them.

A week is scored by the release that was live when it began, found in the pointer's history, so that scoring an old week
again after a promotion gives the old scores. Another release must be named, and is refused where it knows more than
anybody could have known then.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from ops_pipelines.core.errors import ConfigError, NotPromotable, ReleaseError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.pointer import live_release
from ops_pipelines.core.release import Release, ReleaseStore, find_release
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, reasons_of
from ops_pipelines.mlops.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def release_for(
    store: ReleaseStore, system: str, environment: str, *, start: datetime, named: str | None = None
) -> Release:
    """The release that scores a window that begins at `start`: the one live then, or the one that is named.

    Raises ReleaseError where none was live then, or where the named one's cut-off lies after `start`.
    """
    if named:
        release = find_release(store, system, named)
        if release.latest.cut_off > start:
            raise NotPromotable(
                f"Release {short(release.digest)} of {system!r} knows everything up to {release.latest.cut_off}, "
                f"after the window begins at {start}",
                expected="a release whose cut-off is not after the window's start",
                action="Name an earlier release, or leave the name out",
                release=release.digest,
            )
        return release
    found = live_release(store, system, environment, as_of=start)
    if found is None:
        raise ReleaseError(
            f"No release of {system!r} was live in {environment!r} at {start}",
            expected="a release that was promoted before the window began",
            action=f"Promote one, or name one in the run's config; `ops releases {system}` lists them",
            system=system,
        )
    return found


def score(
    vectors: "pa.Table",
    *,
    entity: str,
    release: Release,
    partition: str,
    predict: "Callable[[pa.Table], np.ndarray]",
) -> "pa.Table":
    """One row for each row of `vectors`: prediction_id, score and release digest, and beside them what the model saw.

    `prediction_id` is `<system>/<partition>/<entity>/<first digits of the release>`, which `ops why` takes. The vectors
    are kept, since drift is about what was seen and not about what could be joined again later. Raises ConfigError where
    a column of the vectors has one of the three names.
    """
    import pyarrow as pa

    system, digest = release.manifest.system, release.digest
    entities = vectors.column(entity).to_pylist()
    said = {
        "prediction_id": pa.array([f"{system}/{partition}/{key}/{short(digest)}" for key in entities], pa.string()),
        "score": pa.array(predict(vectors), type=pa.float64()),
        "release": pa.array([digest] * len(entities), type=pa.string()),
    }
    taken = [name for name in vectors.column_names if name in said]
    if taken:
        raise ConfigError(
            f"{taken} are columns of the rows that {system!r} scores, and also of its predictions",
            expected=f"other names than {', '.join(said)}",
            action="Rename the column in its dataset or in feature_repo/",
        )
    return pa.table(said | {name: vectors.column(name) for name in vectors.column_names})


def judge_predictions(task: Task, scores: "pa.Table", *, rows: int) -> Verdict:
    """Passed where every row has a score that its task can mean; NotEvaluated where there were none to score."""
    if rows == 0:
        return NotEvaluated("there were no rows to score")
    sound = task.judge_scores(scores.column("score").to_numpy(), rows=rows)
    if isinstance(sound, Passed):
        return Passed({"rows": rows})
    return Blocked(reasons_of(sound), {"rows": rows})
