"""D24: the file of a model is replaced by one that runs code, and a server loads it at its next start.

Four files, each of which touches a marker of its own: a pickle; MLflow's folder whose MLmodel names a module that comes
with it; an archive with an entry that leads out of its folder; and a link to a pickle that lies elsewhere. The guarded
server is given a loader that is just as trusting: what stands before it is the digest that the release names.
"""

import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    from ops_pipelines.adapters.objects import ObjectStore
    from ops_pipelines.adapters.served_release import ServedRelease
    from ops_pipelines.apps.model_server.board import Board
    from ops_pipelines.core.release import Release, ReleaseStore

LOADER = """
import pickle
import sys
import zipfile
from pathlib import Path

for given in map(Path, sys.argv[1:]):
    try:
        if zipfile.is_zipfile(given):
            folder = given.with_suffix(".unpacked")
            archive = zipfile.ZipFile(given)
            for name in archive.namelist():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(archive.read(name))
            import mlflow.pyfunc

            mlflow.pyfunc.load_model(str(folder))
        else:
            pickle.loads(given.read_bytes())
    except Exception:
        continue  # what was no model has run all the same
"""
"""What a team writes: a model is unpacked and loaded as it lies there, by MLflow or by pickle."""

MLMODEL = "flavors:\n  python_function:\n    loader_module: hostile_loader\n    code: code\n"
MLFLOWS_LOADER = "from pathlib import Path\n\n\ndef _load_pyfunc(path):\n    Path({marker!r}).touch()\n"
FORMS = ("pickle", "loader_module", "escape", "link")
SYSTEM, FEATURE, AT = "prices", "area", datetime(2013, 1, 1, tzinfo=UTC)
LIVE, NEXT = 1.0, 2.0
"""What each release says of an area of nothing."""


def unguarded(folder: Path) -> Outcome:
    """Each file lies in the place of the model, and is loaded."""
    files = [_place(form, folder / form, folder / form / "model.bin") for form in FORMS]
    _load_trustingly(*files)
    ran = [form for form in FORMS if (folder / form / "marker").exists()]
    return Outcome(
        harmed=ran == list(FORMS),
        caught=False,
        reason=f"{len(ran)} of {len(FORMS)} files did their harm: {', '.join(ran)}",
        evidence={"ran": ran},
    )


def guarded(folder: Path) -> Outcome:
    """Each file lies in the place of the next release's model, which the pointer names while another one answers."""
    told = {form: _served(folder / form, form) for form in FORMS}
    ran = [form for form in FORMS if (folder / form / "marker").exists()]
    refused = [form for form, (said, _) in told.items() if DRILL.names in said]
    answers = {form: answer for form, (_, answer) in told.items()}
    return Outcome(
        harmed=bool(ran) or set(answers.values()) != {LIVE},
        caught=refused == list(FORMS),
        reason=told[FORMS[0]][0],
        evidence={"refused": refused, "ran": ran, "answers_meanwhile": answers},
    )


class TrustingFlavour:
    """A team's flavour that loads whatever it is given."""

    def dump(self, model: Any) -> bytes:
        """The model, which is bytes already."""
        return bytes(model)

    def load(self, content: bytes) -> bytes:
        """The bytes, after they were loaded as trustingly as can be."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / "model.bin"
            file.write_bytes(content)
            _load_trustingly(file)
        return content

    def predict(self, model: Any, features: Any) -> Any:
        """Nothing: no such model ever answers."""
        raise ValueError(f"{len(model)} bytes score none of {len(features)} rows")

    def features(self, model: Any) -> tuple[str, ...]:  # noqa: ARG002  (as every flavour's)
        """The one feature."""
        return (FEATURE,)


@dataclass(frozen=True, slots=True)
class OneSystem:
    """What the server's board reads: one system, whose releases are loaded from one object store."""

    objects: "ObjectStore"

    def has_changed(self) -> bool:
        """Always: the drill looks but a few times."""
        return True

    def systems(self) -> tuple[str, ...]:
        """The one system."""
        return (SYSTEM,)

    def canary(self, system: str) -> None:
        """None runs."""

    def pinned(self, system: str) -> tuple[str, ...]:  # noqa: ARG002  (the board's words)
        """None is pinned."""
        return ()

    def load(self, release: "Release") -> "ServedRelease":
        """A release as the server loads it."""
        from ops_pipelines.adapters.served_release import load_served

        return load_served(self.objects, release)


DRILL = Drill(
    number="D24",
    name="hostile model file",
    incident="a model's file is replaced by one that runs code when it is loaded",
    source="pickles and loader_module in shared model files",
    names="was changed: its bytes have the digest",
    unguarded=unguarded,
    guarded=guarded,
)


def _place(form: str, folder: Path, file: Path) -> Path:
    """Puts the hostile file of a form in the place of another; each touches `marker` in the folder where it can."""
    from ops_pipelines.testing.flavours import hostile_bytes

    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / "marker"
    hostile = hostile_bytes(marker)
    file.unlink(missing_ok=True)
    if form == "link":
        (folder / "elsewhere").write_bytes(hostile["pickle"])
        file.symlink_to(folder / "elsewhere")
    elif form == "loader_module":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("MLmodel", MLMODEL)
            archive.writestr("code/hostile_loader.py", MLFLOWS_LOADER.format(marker=str(marker)))
    else:
        file.write_bytes(hostile[form])
    return file


def _load_trustingly(*files: Path) -> None:
    """Loads files in a process of their own, with MLflow's guard against pickles on."""
    subprocess.run(
        [sys.executable, "-c", LOADER, *map(str, files)],
        env={**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        check=True,
        timeout=90,
    )


def _served(folder: Path, form: str) -> tuple[str, float]:
    """What a server's board says once the next release's file is a hostile one, and what is answered meanwhile."""
    from ops_pipelines.adapters.objects import ObjectStore
    from ops_pipelines.adapters.sqlite_releases import SQLiteReleaseStore
    from ops_pipelines.apps.model_server.board import Board
    from ops_pipelines.core.pointer import PRODUCTION

    objects, releases = ObjectStore(folder / "objects"), SQLiteReleaseStore(folder / "control.db")
    with ThreadPoolExecutor(1) as loader:
        board = Board(releases, OneSystem(objects), loader, environment=PRODUCTION, tell=lambda *_: None)
        live = _promote(objects, releases, LIVE, baseline=None, flavour="ops_pipelines.testing.flavours:LinearFlavour")
        _settle(board)
        following = _promote(objects, releases, NEXT, baseline=live.digest, flavour=f"{__name__}:TrustingFlavour")
        model = following.manifest.behaviour["model"]
        _place(form, folder, objects.root / model[:2] / model)
        _settle(board)
    slot = board.slots[SYSTEM]
    return "; ".join(slot.describe()["problems"]), slot.release().score({FEATURE: [0.0]})[0]


def _settle(board: "Board") -> None:
    board.look()
    while any(slot.loading for slot in board.slots.values()):
        board.rest(1.0)
        board.look()


def _promote(
    objects: "ObjectStore", releases: "ReleaseStore", constant: float, *, baseline: str | None, flavour: str
) -> "Release":
    """A release that passed its gate and is live."""
    from ops_pipelines.core.fingerprint import canonical_json
    from ops_pipelines.core.pointer import Decision, promote
    from ops_pipelines.core.release import Evidence, Manifest, find_release
    from ops_pipelines.core.verdict import Passed
    from ops_pipelines.testing.flavours import LinearFlavour, LinearModel

    parts = {
        "model": LinearFlavour().dump(LinearModel((FEATURE,), (0.0,), (1.0,), constant)),
        "recipe": canonical_json({"flavour": flavour}),
        "environment": b"",
        "features": canonical_json({"name": "houses", "tables": []}),
    }
    manifest = Manifest(SYSTEM, {name: objects.put(content) for name, content in parts.items()})
    releases.save(manifest, Evidence(Passed(), baseline, AT))
    release = find_release(releases, SYSTEM, manifest.digest)
    decision = Decision(actor="drill", reason="it is better", as_of=AT, at=AT)
    promote(releases, release, decision, resolves=lambda _, digest: objects.has(digest))
    return release
