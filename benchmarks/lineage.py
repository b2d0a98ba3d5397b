"""What it takes to say why: a hundred random predictions, each followed to its raw data, its commit and its run.

The home is the one that OPS_HOME names, where it is set (a demo's, of a real year); else that of a small project which lives
through some weeks first, unmeasured.
"""

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.lifecycle import walk_directly
from benchmarks.processes import measured, timed
from benchmarks.rows import Row, at_most
from benchmarks.village import write_project

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.walk import Explanation

ASKED, LIMIT_MS, SEED = 100, 100.0, 7
_ROOT = Path(__file__).parents[1]


def measure() -> Iterator[Row]:
    """Two claims: how long the slowest takes, and that none has a missing link."""
    if os.environ.get("OPS_HOME"):
        yield from _rows(measured("benchmarks.lineage:ask_why", os.environ["OPS_HOME"], home=_ROOT).answer)
        return
    with tempfile.TemporaryDirectory() as made:
        root = write_project(Path(made))
        home = str(root / "home")
        measured(f"benchmarks.lifecycle:{walk_directly.__name__}", home, home=root)
        yield from _rows(measured("benchmarks.lineage:ask_why", home, home=root).answer)


def ask_why(home: str) -> dict[str, Any]:
    """Milliseconds for each of the predictions, how many were not explained whole, and how many things one has behind it.

    One more is asked before, unmeasured: it pays for importing pyarrow.
    """
    os.environ["OPS_HOME"] = home
    from ops_pipelines.adapters.lineage_sources import rooms_of
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.walk import explain

    platform, found = Platform.embedded(), []
    first, *asked = _predictions(platform, ASKED + 1)
    explain(first, rooms_of(platform))
    took = [timed(lambda name=name: found.append(explain(name, rooms_of(platform)))) for name in asked]
    return {
        "milliseconds": [1000 * seconds for seconds in took],
        "with_a_missing_link": sum(not _is_whole(each) for each in found),
        "nodes": max(len(each.nodes) for each in found),
    }


def _predictions(platform: "Platform", count: int) -> list[str]:
    """The ids of some predictions, drawn over all weeks and systems."""
    weeks = [
        (f"{system}/predictions", week)
        for system in platform.systems()
        for week in platform.lake.partitions(f"{system}/predictions")
    ]
    draw = random.Random(SEED)
    drawn = [draw.choice(weeks) for _ in range(count)]
    ids = {at: platform.lake.read(*at).column("prediction_id").to_pylist() for at in set(drawn)}
    return [draw.choice(ids[at]) for at in drawn]


def _is_whole(found: "Explanation") -> bool:
    """Nothing is missing, and it does reach a release with its run and commit, a training set, and data made from none."""
    nodes = [node for _, node in found.nodes]
    releases = [node for node in nodes if node.kind == "release" and node.facts["run"] and node.facts["commit"]]
    artefacts = [node for node in nodes if node.kind == "artefact"]
    trained_on = [node for node in artefacts if "/training_set@" in node.id]
    raw = [node for node in artefacts if not node.parents and "/" not in node.id]
    return bool(releases and trained_on and raw) and not found.missing


def _rows(answer: dict[str, Any]) -> Iterator[Row]:
    slowest = max(answer["milliseconds"])
    note = f"up to {answer['nodes']} things behind one; median {sorted(answer['milliseconds'])[ASKED // 2]:.0f} ms"
    yield at_most(f"why, slowest of {ASKED} predictions, ms", slowest, LIMIT_MS, note=note)
    yield at_most(f"why, predictions of {ASKED} with a missing link", float(answer["with_a_missing_link"]), 0)
