"""D4: a scheduled retrain learns from a batch whose labels came flipped, and takes the place of the best model.

Somewhere upstream `is_late` became `is_on_time`. Two of the weeks that the next model learns from came that way; the
weeks after them, by which both models are measured, are right. Where the holdout is flipped as well nothing in the rows
tells this from a world that changed: that takes a person, or a check of the dataset.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    import lightgbm as lgb
    import numpy as np
    import pandas as pd

START, WEEK, ROWS = datetime(2013, 1, 1, tzinfo=UTC), timedelta(weeks=1), 400
FLIPPED = (4, 5)
"""The weeks whose labels come flipped; the first model learns from 0 to 2, the next one from 3 to 5."""
SYSTEM = "late"


def unguarded(folder: Path) -> Outcome:
    """A weekly job: fit on the last three weeks and save over the file that is served."""
    import lightgbm as lgb

    served = folder / "model.txt"
    _fit(_weeks(0, 3)).save_model(served)
    best, content = _loss(lgb.Booster(model_file=served)), served.read_bytes()
    _fit(_weeks(3, 6)).save_model(served)
    after = _loss(lgb.Booster(model_file=served))
    gone = served.read_bytes() != content and len(list(folder.iterdir())) == 1
    return Outcome(
        harmed=gone and after > best + 0.1,
        caught=False,
        reason=f"log loss {best:.3f} before and {after:.3f} after, and the better model is gone",
        evidence={"loss_before": best, "loss_after": after},
    )


def guarded(folder: Path) -> Outcome:
    """The same two fits, each a release behind the gate and the pointer."""
    from ops_pipelines.core.errors import NotPromotable
    from ops_pipelines.core.pointer import PRODUCTION, live_release

    line = _line(folder)
    line.train(_weeks(0, 4), week=4)
    line.promote()
    best = live_release(line.releases, SYSTEM, PRODUCTION)
    line.train(_weeks(3, 7), week=7)
    reason = ""
    try:
        line.promote()
    except NotPromotable as error:
        reason = str(error)
    live, kept = live_release(line.releases, SYSTEM, PRODUCTION), line.releases.releases(SYSTEM)
    unmoved = best is not None and live is not None and live.digest == best.digest
    known = len(kept) == 2 and line.objects.has(kept[-1].manifest.behaviour["model"])
    return Outcome(
        harmed=not unmoved,
        caught=bool(reason) and unmoved and known,
        reason=reason,
        evidence={"live": live.digest if live else None, "challenger_kept": known, "releases": len(kept)},
    )


DRILL = Drill(
    number="D4",
    name="flipped labels",
    incident="a scheduled retrain on flipped labels overwrites the best model",
    source="the common failure of a weekly refit without a gate",
    names="not above 0",
    unguarded=unguarded,
    guarded=guarded,
)


@dataclass(frozen=True, slots=True)
class _Line:
    """A release line: the stores, and the two moves of a week."""

    releases: Any
    objects: Any

    def train(self, frame: "pd.DataFrame", *, week: int) -> None:
        """Fit on all weeks but the last, judge on the last against what is live, and keep both with the reason."""
        from ops_pipelines.adapters.lightgbm_flavour import LightGBMFlavour
        from ops_pipelines.core.fingerprint import digest_json
        from ops_pipelines.core.gate import Judgement, decide
        from ops_pipelines.core.pointer import PRODUCTION, live_release
        from ops_pipelines.core.release import Evidence, Manifest
        from ops_pipelines.mlops.checkpoint import judge_repeatability
        from ops_pipelines.mlops.evaluation import GateRule, compare, judge_challenger
        from ops_pipelines.mlops.task import CLASSIFICATION

        train, holdout = frame[frame.week < week - 1], frame[frame.week == week - 1]
        flavour = LightGBMFlavour()
        model = _fit(train)
        content = flavour.dump(model)
        live = live_release(self.releases, SYSTEM, PRODUCTION)
        rule = GateRule()
        comparison = compare(
            task=CLASSIFICATION,
            labels=holdout.late.to_numpy(dtype=float),
            challenger=flavour.predict(model, holdout[["wind"]]),
            champion=self._baseline(live, train, holdout),
            days=holdout.asked_at.dt.date.tolist(),
            slices=holdout[[]],
            rule=rule,
        )
        manifest = Manifest(SYSTEM, {"model": self.objects.put(content), "dataset": digest_json(week)})
        judged = {
            "better": judge_challenger(comparison, rule),
            "repeatable": judge_repeatability(content, flavour.dump(_fit(train))),
        }
        judgements = [Judgement(name, manifest.digest, verdict) for name, verdict in judged.items()]
        verdict = decide(manifest.digest, required=list(judged), judgements=judgements)
        self.releases.save(manifest, Evidence(verdict, live.digest if live else None, START + week * WEEK))

    def promote(self) -> None:
        """Ask for what was trained last to go live; NotPromotable where its gate said no."""
        from ops_pipelines.core.pointer import Decision, promote

        newest = self.releases.releases(SYSTEM)[-1]
        at = newest.latest.cut_off
        decision = Decision(actor="weekly job", reason="it is Monday", as_of=at, at=at)
        promote(
            self.releases, newest, decision, resolves=lambda name, digest: name == "dataset" or self.objects.has(digest)
        )

    def _baseline(self, live: Any, train: "pd.DataFrame", holdout: "pd.DataFrame") -> "np.ndarray":
        import numpy as np

        from ops_pipelines.adapters.lightgbm_flavour import LightGBMFlavour

        if live is None:
            return np.full(len(holdout), train.late.mean())
        flavour = LightGBMFlavour()
        return flavour.predict(flavour.load(self.objects.get(live.manifest.behaviour["model"])), holdout[["wind"]])


def _line(folder: Path) -> _Line:
    from ops_pipelines.adapters.objects import ObjectStore
    from ops_pipelines.adapters.sqlite_releases import SQLiteReleaseStore

    return _Line(SQLiteReleaseStore(folder / "control.db"), ObjectStore(folder / "objects"))


def _weeks(first: int, end: int) -> "pd.DataFrame":
    """The rows that were delivered for some weeks."""
    import pandas as pd

    return pd.concat([_week(number) for number in range(first, end)], ignore_index=True)


def _week(number: int, *, flipped: bool | None = None) -> "pd.DataFrame":
    """One week: late when it is windy, and as delivered the opposite in the weeks that were flipped."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(number)
    wind = draw.normal(0, 1, ROWS)
    late = draw.random(ROWS) < 1 / (1 + np.exp(-2 * wind))
    asked_at = [START + number * WEEK + n * WEEK / ROWS for n in range(ROWS)]
    turned = number in FLIPPED if flipped is None else flipped
    return pd.DataFrame({"week": number, "wind": wind, "late": ~late if turned else late, "asked_at": asked_at})


def _fit(frame: "pd.DataFrame") -> "lgb.Booster":
    import lightgbm as lgb

    settings = {"objective": "binary", "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbose": -1}
    return lgb.train(
        {**settings, "seed": 7}, lgb.Dataset(frame[["wind"]], frame.late.astype(float)), num_boost_round=20
    )


def _loss(model: "lgb.Booster") -> float:
    """The log loss on the week that comes after all of them, whose labels are right."""
    import numpy as np

    later = _week(8, flipped=False)
    scores = model.predict(later[["wind"]], num_threads=1)
    return float(-np.log(np.where(later.late, scores, 1 - scores)).mean())
