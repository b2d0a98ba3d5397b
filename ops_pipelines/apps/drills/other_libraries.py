"""D3: a model is trained with one version of a library and scored with another, whose default is another one.

The library is a small one, of two versions, written into two environments: version 2 bins a value that lies on an edge to
the right of it, version 1 to the left. Nothing warns. Scoring is a process of its own in either environment, with nothing
of ours imported, so that the model meets the library as it would in a team's server.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    from ops_pipelines.core.verdict import Verdict
    from ops_pipelines.mlops.golden import GoldenVectors

LIBRARY = '''
"""Bins of numbers."""


def bin_of(value, edges, right={right}):
    """The number of the bin; a value on an edge belongs to the bin {side} of it."""
    return sum(edge < value if right else edge <= value for edge in edges)
'''
SCORER = """
import json
import sys
from math import exp

from binning import bin_of

model = json.load(open(sys.argv[1]))
bins = [bin_of(value, model["edges"]) for value in json.load(sys.stdin)]
print(json.dumps([1 / (1 + exp(-model["logits"][found])) for found in bins]))
"""
MODEL = {"edges": [2, 4, 6], "logits": [-2.0, -0.5, 0.75, 2.5]}
LOCK = "numpy==2.4.6 --hash=sha256:aa\nbinning=={version} --hash=sha256:{version}\n"
TRAINED, RUNNING = "1.4.0", "2.0.0"
HOLDOUT = [float(n % 9) for n in range(180)]


def unguarded(folder: Path) -> Outcome:
    """The model's file is copied to a server whose library is newer."""
    _install(folder)
    there, here = _scores(folder, RUNNING, HOLDOUT), _scores(folder, TRAINED, HOLDOUT)
    apart = [abs(one - other) for one, other in zip(there, here, strict=True)]
    return Outcome(
        harmed=max(apart) > 0.1,
        caught=False,
        reason=f"{sum(by > 1e-6 for by in apart)} of {len(apart)} rows score otherwise, by up to {max(apart):.2f}",
        evidence={"furthest": max(apart), "mean": sum(apart) / len(apart)},
    )


def guarded(folder: Path) -> Outcome:
    """The release names its lock file by digest and keeps golden vectors; both are judged before it may go live."""
    import numpy as np

    from ops_pipelines.core.verdict import Blocked, Passed, reasons_of

    _install(folder)
    golden = _golden(folder)
    same = _gate(folder, golden, lock=TRAINED, library=TRAINED)
    other = _gate(folder, golden, lock=RUNNING, library=RUNNING)
    by_hand = _gate(folder, golden, lock=TRAINED, library=RUNNING)
    restored = np.abs(np.array(_scores(folder, TRAINED, _values(golden))) - np.array(golden.scores)).max()
    return Outcome(
        harmed=isinstance(other, Passed) or isinstance(by_hand, Passed),
        caught=isinstance(same, Passed) and isinstance(other, Blocked) and isinstance(by_hand, Blocked),
        reason="; ".join(reasons_of(other)),
        evidence={
            "golden_rows": len(golden.scores),
            "furthest_where_trained": float(restored),
            "changed_by_hand_under_the_same_lock": list(reasons_of(by_hand)),
        },
    )


DRILL = Drill(
    number="D3",
    name="other libraries",
    incident="library versions differ between training and serving, and the same model says something else",
    source="the changed default of a preprocessing library",
    names=f"binning {TRAINED} → {RUNNING}",
    unguarded=unguarded,
    guarded=guarded,
)


def _install(folder: Path) -> None:
    """The model, the scorer, and two environments that hold one version of the library each."""
    for version, right in ((TRAINED, True), (RUNNING, False)):
        (folder / version).mkdir()
        side = "left" if right else "right"
        (folder / version / "binning.py").write_text(LIBRARY.format(right=right, side=side))
    (folder / "model.json").write_text(json.dumps(MODEL))
    (folder / "score.py").write_text(SCORER)


def _scores(folder: Path, version: str, values: list[float]) -> list[float]:
    """What the model says of some values in an environment, by a process that treats every warning as an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(folder / "score.py"), str(folder / "model.json")],
        input=json.dumps(values),
        env={**os.environ, "PYTHONPATH": str(folder / version), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    scores: list[float] = json.loads(done.stdout)
    return scores


def _golden(folder: Path) -> "GoldenVectors":
    """The golden vectors of the holdout, picked where the model was trained, through the JSON that is kept."""
    import numpy as np
    import pyarrow as pa

    from ops_pipelines.core.fingerprint import canonical_json
    from ops_pipelines.mlops.golden import GoldenVectors, pick_golden

    scores = np.array(_scores(folder, TRAINED, HOLDOUT))
    picked = pick_golden(pa.table({"value": HOLDOUT}), scores)
    return GoldenVectors.from_json(json.loads(canonical_json(picked.to_json())))


def _values(golden: "GoldenVectors") -> list[float]:
    values: list[float] = golden.features.column("value").to_pylist()
    return values


def _gate(folder: Path, golden: "GoldenVectors", *, lock: str, library: str) -> "Verdict":
    """The gate of a promotion where this lock file is in force and this version of the library is installed."""
    import numpy as np

    from ops_pipelines.adapters.objects import ObjectStore
    from ops_pipelines.core.gate import Judgement, decide
    from ops_pipelines.core.release import Manifest
    from ops_pipelines.mlops.environment import judge_environment
    from ops_pipelines.mlops.golden import judge_golden

    objects = ObjectStore(folder / "objects")
    model = objects.put((folder / "model.json").read_bytes())
    manifest = Manifest("prices", {"model": model, "environment": objects.put(LOCK.format(version=TRAINED).encode())})
    trained, running = objects.get(manifest.behaviour["environment"]), LOCK.format(version=lock).encode()
    scores = np.array(_scores(folder, library, _values(golden)))
    judged = {"environment": judge_environment(trained, running), "golden": judge_golden(golden, scores)}
    judgements = [Judgement(name, manifest.digest, verdict) for name, verdict in judged.items()]
    return decide(manifest.digest, required=list(judged), judgements=judgements)
