"""Which files of the lake the features of some weeks are read from, and whether all of them may be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.calendar import window_of
from ops_pipelines.core.errors import NoAcceptedData
from ops_pipelines.core.lineage import address
from ops_pipelines.mlops.admission import Admission, admit
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable, earliest_needed, join_features

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class FeatureInputs:
    """The addresses that each feature table is read from, and what may be read of them."""

    addresses: Mapping[str, Sequence[str]]
    admission: Admission


def applied_service(platform: Platform, feature_set: str) -> tuple[FeatureService, str]:
    """The feature service that a feature set applied last, and its digest; NoAcceptedData where none was."""
    key = f"{feature_set}/definitions"
    artefact = platform.lake.good(key)
    if artefact is None:
        raise NoAcceptedData(
            f"The features of {feature_set!r} were never applied",
            expected=f"the asset {key}",
            action=f"Materialize it: `ops materialize 'key:\"{key}\"'`",
        )
    return FeatureService.from_json(artefact.facts["service"]), artefact.digest


def feature_inputs(
    platform: Platform,
    service: FeatureService,
    weeks: dg.TimeWindowPartitionsDefinition,
    *,
    first_asked: datetime,
    last_week: str,
) -> FeatureInputs:
    """What the features of rows asked from `first_asked` until the end of `last_week` are read from."""
    addresses = {
        table.name: _addresses(platform, table, weeks, first_asked=first_asked, last_week=last_week)
        for table in service.tables
    }
    wanted = list(dict.fromkeys(found for listed in addresses.values() for found in listed))
    return FeatureInputs(addresses, admit(wanted, latest=platform.latest, ruling=platform.ruling))


def sources_of(platform: Platform, inputs: FeatureInputs) -> dict[str, list[str]]:
    """The admitted files of each feature table."""
    return {
        table: [str(platform.lake.file(*found.split("@"))) for found in listed if found in inputs.admission.inputs]
        for table, listed in inputs.addresses.items()
    }


def join(
    platform: Platform,
    entities: "pa.Table",
    *,
    asked_at: str,
    service: FeatureService,
    inputs: FeatureInputs,
    known_at: bool = False,
) -> "pa.Table":
    """The entity rows with their features, read from the admitted files alone."""
    sources = sources_of(platform, inputs)
    joined = join_features(entities, asked_at=asked_at, service=service, sources=sources, known_at=known_at)
    platform.check_unmoved(inputs.admission.inputs)
    return joined


def addresses_of(platform: Platform, dataset: str, weeks: Sequence[str]) -> list[str]:
    """A dataset's addresses for some weeks; one for a dataset without partitions."""
    return (
        [address(dataset)]
        if not weeks or platform.lake.is_static(dataset)
        else [address(dataset, week) for week in weeks]
    )


def _addresses(
    platform: Platform,
    table: FeatureTable,
    weeks: dg.TimeWindowPartitionsDefinition,
    *,
    first_asked: datetime,
    last_week: str,
) -> list[str]:
    earliest = earliest_needed(table, first_asked)
    known = weeks.get_partition_keys(current_time=window_of(weeks, last_week).end)
    return addresses_of(
        platform, table.dataset, [week for week in known if earliest is None or window_of(weeks, week).end > earliest]
    )
