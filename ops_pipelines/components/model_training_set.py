"""The rows of some weeks with their features as known when asked, and the training set of a cut-off week."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.calendar import trailing, window_of
from ops_pipelines.components.feature_inputs import addresses_of, applied_service, feature_inputs, join
from ops_pipelines.components.publishing import Product
from ops_pipelines.core.errors import ConfigError, SchemaMismatch, near_miss
from ops_pipelines.core.fingerprint import canonical_json, digest_json, digest_table
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.mlops.admission import admit
from ops_pipelines.mlops.dataset_quality import repeated_keys
from ops_pipelines.mlops.training_window import TrainingWindow

if TYPE_CHECKING:
    import pyarrow as pa

    from ops_pipelines.components.model import Model
    from ops_pipelines.mlops.feature_set import FeatureService


OPEN_CALENDAR_WEEKS = 520
"""How far beyond today a calendar without an end is mapped for an expanding window: a code server is restarted before."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Rows with their features, what they were read from, and whether all of that had passed; no table where not."""

    table: "pa.Table | None"
    inputs: Mapping[str, str]
    excluded: Mapping[str, str]
    verdict: Verdict


def gather(
    model: "Model", platform: Platform, service: "FeatureService", weeks: Sequence[str], *, also: Sequence[str] = ()
) -> Vectors:
    """The model's rows of some weeks with the features of a service.

    `also` are further addresses that have to have passed, for instance those of the labels.
    """
    wanted = [*addresses_of(platform, model.entities.dataset, weeks), *also]
    rows = admit(wanted, latest=platform.latest, ruling=platform.ruling)
    if not isinstance(rows.verdict, Passed):
        return Vectors(None, rows.inputs, rows.excluded, rows.verdict)
    read = {address: digest for address, digest in rows.inputs.items() if address not in also}
    entities = _taken(platform.read_all(read), _columns(model, service), of=model.entities.dataset)
    twice = repeated_keys(entities, model.entities.key, of=model.entities.dataset)
    if twice:
        return Vectors(None, rows.inputs, rows.excluded, Blocked((twice,)))
    first_asked = min(entities.column(model.entities.asked_at).to_pylist())
    features = feature_inputs(platform, service, model.weeks(), first_asked=first_asked, last_week=weeks[-1])
    inputs = {**rows.inputs, **features.admission.inputs}
    excluded = {**rows.excluded, **features.admission.excluded}
    if not isinstance(features.admission.verdict, Passed):
        return Vectors(None, inputs, excluded, features.admission.verdict)
    joined = join(platform, entities, asked_at=model.entities.asked_at, service=service, inputs=features)
    return Vectors(joined, inputs, excluded, Passed())


def window_mapping(model: "Model") -> dg.TimeWindowPartitionMapping:
    """Which weeks of its inputs a training set depends on in Dagster: those that its window reads, and no later one.

    Dagster has no mapping for "all up to this one", so an expanding window is a trailing one as long as the calendar.
    """
    weeks = model.weeks()
    known = len(weeks.get_partition_keys(current_time=weeks.end)) + (0 if weeks.end else OPEN_CALENDAR_WEEKS)
    return trailing(window_of_model(model).reach(known))


def window_of_model(model: "Model") -> TrainingWindow:
    """The window that a model's YAML asks for."""
    return TrainingWindow(model.window_weeks, model.window)


def make_training_set(model: "Model", platform: Platform, week: str) -> Product:
    """Every row of the window with its features and its label; no row and no pass where an input had not passed."""
    import pyarrow as pa

    window, calendar = window_of_model(model), model.weeks()
    weeks = window.weeks_of(calendar.get_partition_keys(current_time=window_of(calendar, week).end), week)
    enough = window.judge(weeks)
    if not isinstance(enough, Passed):
        return Product(pa.table({}), digest_json(None), enough, {})
    service, definitions = applied_service(platform, model.features)
    labelled = addresses_of(platform, model.labels.dataset, weeks)
    vectors = gather(model, platform, service, weeks, also=labelled)
    inputs = {f"{model.features}/definitions@-": definitions, **vectors.inputs}
    if vectors.table is None:
        return Product(pa.table({}), digest_json(None), vectors.verdict, inputs)
    labels = platform.read_all({found: vectors.inputs[found] for found in labelled if found in vectors.inputs})
    twice = repeated_keys(labels, model.entities.key, of=model.labels.dataset)
    if twice:
        return Product(pa.table({}), digest_json(None), Blocked((twice,)), inputs)
    table = _with_labels(model, vectors.table, labels)
    manifest = {
        "rows": digest_table(table, key=[model.entities.key]),
        "inputs": inputs,
        "excluded": sorted(vectors.excluded),
    }
    digest = platform.objects.put(canonical_json(manifest))
    facts = {"excluded": dict(vectors.excluded), "window": model.window, "weeks": [weeks[0], weeks[-1]]}
    return Product(table, digest, vectors.verdict, inputs, facts=facts)


def _with_labels(model: "Model", vectors: "pa.Table", labels: "pa.Table") -> "pa.Table":
    known = _taken(labels, [model.entities.key, model.labels.column, model.labels.known_at], of=model.labels.dataset)
    return vectors.join(known, keys=model.entities.key, join_type="left outer").sort_by(model.entities.key)


def _taken(table: "pa.Table", names: Sequence[str], *, of: str) -> "pa.Table":
    """Some columns of a dataset; SchemaMismatch that names the first it lacks, with the nearest one."""
    for name in names:
        if name not in table.column_names:
            raise SchemaMismatch(
                f"Dataset {of!r} has no column {name!r}, which the model's YAML names",
                expected=f"one of {', '.join(table.column_names)}",
                action=f"{near_miss(name, table.column_names)} Correct the YAML, or load the dataset's weeks again",
                column=name,
            )
    return table.select(list(names))


def _columns(model: "Model", service: "FeatureService") -> list[str]:
    """What is taken from the entities: key, when it is asked, join keys, and slices and a weight that are no feature."""
    keys = [key for table in service.tables for key in table.keys]
    also = [*model.slices, *([model.weights.column] if model.weights.column else [])]
    own = [name for name in also if name not in service.features]
    columns = list(dict.fromkeys([model.entities.key, model.entities.asked_at, *keys, *own]))
    twice = [name for name in columns if name in service.features]
    if twice:
        raise ConfigError(
            f"{twice} are columns of {model.entities.dataset!r} that model {model.name!r} needs, and also features of "
            f"{service.name!r}",
            expected="one meaning for each name",
            action="Rename the feature in feature_repo/",
        )
    return columns
