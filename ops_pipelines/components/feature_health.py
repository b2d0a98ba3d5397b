"""Each week's online features looked at: whether they are what training reads, and how old they are."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.feast_store import Loaded
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.feature_inputs import (
    FeatureInputs,
    addresses_of,
    applied_service,
    feature_inputs,
    join,
    sources_of,
)
from ops_pipelines.components.publishing import Product, shown_table, unmade
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.lineage import address
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict, reasons_of
from ops_pipelines.mlops.admission import admit
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.freshness import FRESHNESS, ViewAge, judge_freshness, measure_ages
from ops_pipelines.mlops.parity import PARITY, FeatureParity, compare_vectors, judge_parity
from ops_pipelines.mlops.parity_sample import sample_entities

if TYPE_CHECKING:
    import pyarrow as pa

    from ops_pipelines.components.feature_set import FeatureSet

MEASURED = "is_measured"
_ASKED = "__asked_at"
_UNKNOWN = 6
"""How many entities that nobody knows are asked for as well: a value of theirs would be somebody else's."""

FINDINGS = (PARITY, FRESHNESS)


class Health(dg.Model, dg.Resolvable):
    """Whose features are looked at each week: a sample of a dataset's rows, those asked by the end of the week.

    `freshness` allows a view's newest value so many hours; by default it is the view's own time to live.
    """

    dataset: str
    asked_at: str
    sample: int = Field(default=1000, ge=1)
    freshness: dict[str, float] = Field(default_factory=dict)


def make_health(features: "FeatureSet", health: Health, platform: Platform, week: str) -> Product:
    """The features of a week's sample, offline and online, at the instant up to which the online store was loaded.

    That instant is later than the week's end where an old week is made again: the store knows the latest values alone.
    """
    online = address(f"{features.name}/online", week)
    wanted = [online, *addresses_of(platform, health.dataset, [week])]
    admitted = admit(wanted, latest=platform.latest, ruling=platform.ruling)
    if not isinstance(admitted.verdict, Passed):
        return unmade(admitted.verdict, admitted.inputs, FINDINGS)
    if admitted.excluded:
        why = "; ".join(f"{at} was excluded by {who}" for at, who in admitted.excluded.items())
        return unmade(NotEvaluated(why), admitted.inputs, FINDINGS)
    service, definitions = applied_service(platform, features.name)
    inputs = {**admitted.inputs, f"{features.name}/definitions@-": definitions}
    end = window_of(features.weekly.definition(), week).end
    rows = platform.read_all({found: digest for found, digest in admitted.inputs.items() if found != online})
    entities = _sample(rows, health, service, before=end)
    loaded = platform.features.loaded(features.service, entities.to_pylist())
    if loaded is None or loaded.service != service:
        why = "nothing was ever loaded into it" if loaded is None else "it was applied again since"
        return unmade(
            NotEvaluated(f"the feature store is not as {features.name}/definitions has it: {why}"), inputs, FINDINGS
        )
    return _look(features, health, platform, entities, loaded, inputs, end=end)


def _sample(rows: "pa.Table", health: Health, service: FeatureService, *, before: datetime) -> "pa.Table":
    return sample_entities(
        rows,
        keys=tuple(dict.fromkeys(key for table in service.tables for key in table.keys)),
        asked_at=health.asked_at,
        before=before,
        count=health.sample,
        unknown=_UNKNOWN,
        seed=f"{before:%Y-%m-%d}",
    )


def _look(
    features: "FeatureSet",
    health: Health,
    platform: Platform,
    entities: "pa.Table",
    loaded: Loaded,
    inputs: Mapping[str, str],
    *,
    end: datetime,
) -> Product:
    """What the store serves of the entities, against what the join reads from the weeks up to what was loaded."""
    weeks, service = features.weekly.definition(), loaded.service
    last = weeks.get_partition_keys(current_time=loaded.until)[-1]
    read = feature_inputs(platform, service, weeks, first_asked=loaded.until, last_week=last)
    inputs = {**inputs, **read.admission.inputs}
    if not isinstance(read.admission.verdict, Passed):
        return unmade(read.admission.verdict, inputs, FINDINGS)
    parity = _compared(platform, entities, service, loaded, read)
    known = loaded.vectors.slice(0, max(0, entities.num_rows - _UNKNOWN))
    ages = measure_ages(known, service=service, asked_at=loaded.until, limits=health.freshness)
    findings: dict[str, Verdict] = {PARITY: judge_parity(parity), FRESHNESS: _fresh(ages, loaded.until, end)}
    return _measured(parity, ages, inputs, findings, loaded.until)


def _compared(
    platform: Platform, entities: "pa.Table", service: FeatureService, loaded: Loaded, read: FeatureInputs
) -> tuple[FeatureParity, ...]:
    import pyarrow as pa

    asked = pa.array([loaded.until] * entities.num_rows, pa.timestamp("us", tz="UTC"))
    asking = entities.append_column(_ASKED, asked)
    offline = join(platform, asking, asked_at=_ASKED, service=service, inputs=read, known_at=True)
    sources = sources_of(platform, read)
    return compare_vectors(offline, loaded.vectors, service=service, asked_at=loaded.until, sources=sources)


def _fresh(ages: tuple[ViewAge, ...], until: datetime, end: datetime) -> Verdict:
    if until > end:
        return NotEvaluated(
            f"the online store was loaded up to {until:%Y-%m-%d %H:%M}, and of a week that ended on {end:%Y-%m-%d} "
            "all is old: the week loaded last tells whether a feed has stopped"
        )
    return judge_freshness(ages)


def _measured(
    parity: tuple[FeatureParity, ...],
    ages: tuple[ViewAge, ...],
    inputs: Mapping[str, str],
    findings: dict[str, Verdict],
    until: datetime,
) -> Product:
    import pyarrow as pa

    by_view = {age.view: age.to_json() for age in ages}
    rows = [{**found.to_json(), **by_view[found.view]} for found in parity]
    evidence = dict(findings[PARITY].evidence)
    return Product(
        pa.Table.from_pylist(rows),
        digest=digest_json([rows, until.isoformat(), [reasons_of(verdict) for verdict in findings.values()]]),
        verdict=Passed(evidence),
        inputs=inputs,
        facts={"asked_at": until.isoformat()},
        shown={
            "asked at": dg.MetadataValue.timestamp(until),
            **evidence,
            "features": shown_table(found.to_json() for found in parity),
            "ages in hours": shown_table(_words(age) for age in ages),
        },
        findings=findings,
    )


def _words(age: ViewAge) -> dict[str, Any]:
    hours = {"newest": age.newest_hours, "median": age.median_hours, "95%": age.p95_hours, "oldest": age.oldest_hours}
    return {
        "view": age.view,
        **{name: "" if found is None else round(found, 1) for name, found in hours.items()},
        "newest may be": "any" if age.limit_hours is None else age.limit_hours,
        "missing": f"{age.missing:.1%}",
        "expired": f"{age.expired:.1%}",
    }
