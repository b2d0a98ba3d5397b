"""What both releases have answered since a canary began, with the outcomes that are known by now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.predictor import predictor_of
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.model_monitoring import label_addresses
from ops_pipelines.components.model_served import online_answers
from ops_pipelines.core.lineage import address
from ops_pipelines.core.release import find_release
from ops_pipelines.core.verdict import Blocked
from ops_pipelines.mlops import prediction_log
from ops_pipelines.mlops.admission import admit
from ops_pipelines.mlops.canary import Canary
from ops_pipelines.mlops.canary_verdict import Arm
from ops_pipelines.mlops.dataset_quality import repeated_keys
from ops_pipelines.mlops.evaluation import compare
from ops_pipelines.mlops.served import ARM, ID, SERVED, SERVED_AT

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ops_pipelines.components.model import Model

OUTCOME, DAY = "__outcome", "__day"


@dataclass(frozen=True, slots=True)
class Answered:
    """Every answer of both arms since the canary began, its outcome and day beside it, and what was read for it.

    Of several answers to one entity the last one of each arm has its outcome: an entity counts once.
    """

    rows: "pd.DataFrame"
    inputs: Mapping[str, str]

    def arm(self, name: str) -> Arm:
        """One arm, `live` or `canary`, as it is judged."""
        rows = self.rows[self.rows[ARM] == name]
        return Arm(rows["score"].to_numpy(dtype=float), rows[OUTCOME].to_numpy(dtype=float), rows[DAY].tolist())

    @property
    def candidate(self) -> Arm:
        return self.arm(prediction_log.CANARY)

    @property
    def champion(self) -> Arm:
        return self.arm(prediction_log.LIVE)


def answered_since(model: "Model", platform: Platform, canary: Canary, week: str) -> Answered | Blocked:
    """The answers from a canary's beginning until now; Blocked where an entity has two outcomes.

    Weeks up to `week` are read with the log of the present one, and outcomes in which weeks they have come in by now.
    """
    weeks = _weeks_since(model, platform, canary, week)
    answers = _of_both(canary, [online_answers(model, platform, one).table for one in weeks])
    labelled = list(dict.fromkeys(at for one in weeks for at in label_addresses(model, platform, one)))
    inputs = _admitted(platform, labelled)
    labels = platform.read_all(inputs) if inputs else None
    if labels is not None and (twice := repeated_keys(labels, model.entities.key, of=model.labels.dataset)):
        return Blocked((twice,))
    outcomes = _outcomes(model, labels, platform.clock.as_of()) if labels is not None else {}
    compacted = [found for one in weeks if (found := platform.good(address(f"{model.name}/{SERVED}", one)))]
    read = {found.address: found.digest for found in compacted} | inputs
    return Answered(_with_outcomes(model, answers, outcomes), read)


def paired(model: "Model", platform: Platform, canary: Canary, answered: Answered) -> dict[str, Any]:
    """Both releases on every row with an outcome, scored again from the vectors that were logged; why not where not.

    Sharper than the arms, since both see the same rows; beside them, since a score that is computed again is not what a
    caller got.
    """
    import pyarrow as pa

    rows = answered.rows[answered.rows[OUTCOME].notna()]
    if not len(rows):
        return {"why": "no outcome is known yet"}
    releases = [find_release(platform.releases, model.name, digest) for digest in (canary.candidate, canary.champion)]
    predictors = [predictor_of(platform.objects, release) for release in releases]
    absent = sorted({name for one in predictors for name in one.features} - set(rows.columns))
    if absent:
        return {"why": f"{absent} were not logged"}
    candidate, champion = (
        one(pa.Table.from_pandas(rows[list(one.features)], preserve_index=False)) for one in predictors
    )
    return compare(
        task=model.asked(),
        labels=rows[OUTCOME].to_numpy(dtype=float),
        challenger=candidate,
        champion=champion,
        days=rows[DAY].tolist(),
        slices=rows[[]],
        rule=model.gate.rule(),
    ).to_json()


def _weeks_since(model: "Model", platform: Platform, canary: Canary, week: str) -> list[str]:
    """The weeks from the one in which a canary began until `week`, and until the present one, which has not ended."""
    calendar = model.weeks()
    until = max(window_of(calendar, week).end, platform.clock.as_of()) + timedelta(weeks=1)
    known = calendar.get_partition_keys(current_time=until)
    return [one for one in known if window_of(calendar, one).end > canary.as_of]


def _of_both(canary: Canary, tables: Sequence["pa.Table"]) -> "pd.DataFrame":
    """The answers of the two arms since the canary began, in the order in which they were given."""
    import pandas as pd
    import pyarrow as pa

    asked = [table for table in tables if table.num_rows]
    if not asked:
        return pd.DataFrame({name: [] for name in (ID, "score", ARM)})
    rows = pa.concat_tables(asked, promote_options="permissive").to_pandas()
    candidate = (rows[ARM] == prediction_log.CANARY) & (rows["release"] == canary.candidate)
    champion = (rows[ARM] == prediction_log.LIVE) & (rows["release"] == canary.champion)
    return rows[(candidate | champion) & (rows[SERVED_AT] >= canary.at)].sort_values([SERVED_AT, ID])


def _admitted(platform: Platform, addresses: Sequence[str]) -> dict[str, str]:
    """Of some addresses those that were written and may be read; outcomes in the others are not known yet."""
    found: dict[str, str] = {}
    for one in addresses:
        found |= admit([one], latest=platform.latest, ruling=platform.ruling).inputs
    return found


def _outcomes(model: "Model", labels: "pa.Table", as_of: datetime) -> dict[str, float]:
    """The outcome of each entity that was known at an instant."""
    names = (model.entities.key, model.labels.column, model.labels.known_at)
    rows = zip(*(labels.column(name).to_pylist() for name in names), strict=True)
    known = ((str(key), label) for key, label, at in rows if label is not None and at is not None and at <= as_of)
    return {key: float(label) for key, label in known}


def _with_outcomes(model: "Model", answers: "pd.DataFrame", outcomes: Mapping[str, float]) -> "pd.DataFrame":
    key, asked_at = model.entities.key, model.entities.asked_at
    if not len(answers):
        return answers.assign(**{OUTCOME: [], DAY: []})
    is_last = ~answers.duplicated([ARM, key], keep="last")
    outcome = answers[key].map(outcomes).astype(float).where(is_last)
    return answers.assign(**{OUTCOME: outcome, DAY: answers[asked_at].dt.date})
