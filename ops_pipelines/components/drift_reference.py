"""What a scored week is compared with: the profiles of its reference windows, and their rows where slices are looked at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.model_monitoring import expectations_of
from ops_pipelines.core.lineage import address
from ops_pipelines.core.release import find_release
from ops_pipelines.core.verdict import NotEvaluated, Passed
from ops_pipelines.mlops.admission import admit
from ops_pipelines.mlops.drift import FEATURE, LABEL, ColumnProfile, profile_column
from ops_pipelines.mlops.reference import TRAINING, reference_windows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ops_pipelines.components.model import Model


@dataclass(frozen=True, slots=True)
class Reference:
    """The profiles of a week's reference, or why there are none; its rows by column, as far as they are needed.

    `inputs` holds what was read beside the release, by address and digest; `windows` the weeks, none for the training
    period.
    """

    profiles: tuple[ColumnProfile, ...] | NotEvaluated
    rows: "Mapping[str, pd.Series[Any]]" = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    windows: tuple[str, ...] = ()


def reference_of(model: "Model", platform: Platform, week: str, release: str) -> Reference:
    """What a week that a release scored is compared with, by the model's YAML."""
    expected = expectations_of(platform, model.name, release)
    if isinstance(expected, NotEvaluated):
        return Reference(expected)
    kept = tuple(column for column in expected.columns if column.role != LABEL)
    rule = model.drift.compared_with()
    if rule.reference == TRAINING:
        return _training_period(model, platform, kept, release)
    passed = _passed(model, platform, before=week)
    chosen = reference_windows(date.fromisoformat(week), passed, rule, min_windows=model.drift.rule().min_windows)
    if isinstance(chosen, NotEvaluated):
        return Reference(chosen)
    return _weeks(model, platform, kept, [day.isoformat() for day in chosen], release)


def columns_of(table: "pa.Table", names: Iterable[str]) -> "dict[str, pd.Series[Any]]":
    """Those of the columns that a table has, each text once."""
    return {name: _series(table.column(name)) for name in dict.fromkeys(names) if name in table.column_names}


def _training_period(model: "Model", platform: Platform, kept: tuple[ColumnProfile, ...], release: str) -> Reference:
    """The profiles that the release keeps, and the rows that it was fitted on where there are slices to look at."""
    if not model.slices:
        return Reference(kept)
    found = find_release(platform.releases, model.name, release)
    for evidence in found.evidence:
        made = platform.good(str(evidence.facts["training_set"])) if "training_set" in evidence.facts else None
        if made and made.digest == found.manifest.behaviour["dataset"]:
            inputs = {made.address: made.digest}
            names = [*model.slices, *(column.name for column in kept)]
            return Reference(kept, columns_of(platform.read_all(inputs), names), inputs)
    return Reference(kept)


def _passed(model: "Model", platform: Platform, *, before: str) -> list[date]:
    """The weeks before one whose scores were accepted, or admitted by a person."""
    weeks = [week for week in platform.lake.partitions(f"{model.name}/predictions") if week < before]
    admitted = admit(_scores(model, weeks), latest=platform.latest, ruling=platform.ruling).inputs
    return [date.fromisoformat(at.rpartition("@")[2]) for at in admitted]


def _weeks(
    model: "Model", platform: Platform, kept: tuple[ColumnProfile, ...], weeks: Sequence[str], release: str
) -> Reference:
    """The profiles of some scored weeks, column by column as the release has them.

    What another release said, and a feature that had another type by then, is no reference for the present one.
    """
    import pyarrow as pa

    admitted = admit(_scores(model, weeks), latest=platform.latest, ruling=platform.ruling)
    if not isinstance(admitted.verdict, Passed):
        return Reference(NotEvaluated("the reference weeks changed while they were read"), inputs=admitted.inputs)
    tables = [platform.read_all({at: digest}) for at, digest in admitted.inputs.items()]
    own = [platform.lake.accepted(*at.split("@")).facts["release"] == release for at in admitted.inputs]
    profiles = tuple(
        _profiled(column, [t for t, mine in zip(tables, own, strict=True) if mine or column.role == FEATURE])
        for column in kept
    )
    names = list(dict.fromkeys([*model.slices, *(column.name for column in kept)])) if model.slices else []
    alike = _alike(tables, names)
    rows = columns_of(pa.concat_tables(alike), names) if alike and names else {}
    return Reference(profiles, rows, admitted.inputs, tuple(weeks))


def _profiled(kept: ColumnProfile, tables: "Sequence[pa.Table]") -> ColumnProfile:
    """A column in some weeks; a profile without rows, and so without a limit, where none of them has it."""
    import numpy as np
    import pyarrow as pa

    alike = _alike(tables, [kept.name])
    if not alike:
        return replace(kept, counts=(0,) * len(kept.counts), strayed=())
    weeks = np.repeat(np.arange(len(alike)), [table.num_rows for table in alike])
    return profile_column(kept.name, kept.role, _series(pa.concat_tables(alike).column(kept.name)), weeks)


def _alike(tables: "Sequence[pa.Table]", names: Sequence[str]) -> "list[pa.Table]":
    """These columns of the tables that have them all, with the types of the newest such table."""
    there = [table.select(names) for table in tables if set(names) <= set(table.column_names) and table.num_rows]
    return [table for table in there if table.schema.equals(there[-1].schema)]


def _series(column: "pa.ChunkedArray") -> "pd.Series[Any]":
    """A column for pandas, its texts as categories: a million of them are then a million small numbers."""
    import pyarrow as pa

    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return (column.dictionary_encode() if is_text else column).to_pandas()


def _scores(model: "Model", weeks: Iterable[str]) -> list[str]:
    return [address(f"{model.name}/predictions", week) for week in weeks]
