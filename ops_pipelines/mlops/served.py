"""Online answers as a table of their week, and as what they are to the week's scores.

A week's scores are one row an entity, all by the release that was live when the week began. Where that release answered
an entity online, what was said then is the week's score, with the vector that was seen then: drift and performance judge
what callers got and not what could be said later. Answers of other releases stay apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite
from typing import TYPE_CHECKING, Any

from ops_pipelines.core import compaction
from ops_pipelines.core.compaction import judge_compaction
from ops_pipelines.core.errors import ConfigError, SchemaMismatch
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.verdict import Verdict
from ops_pipelines.mlops.prediction_log import Answer

if TYPE_CHECKING:
    import pyarrow as pa

SERVED = "served"
"""The asset of a system that holds its online answers by week."""
ID, ARM, SERVED_AT = "prediction_id", "arm", "served_at"
_SAID = ("score", "release", ARM, SERVED_AT)

Types = Mapping[str, "pa.DataType"]
"""The type of each feature of a release, by its name."""


@dataclass(frozen=True, slots=True)
class Blended:
    """A week's scores with the online answers among them, and how many there are of each kind.

    `replaced` stand in the place of a batch row, `added` are of entities that the batch did not have, and `apart` are the
    answers that did not enter: of other releases, of no entity, without a score, or asked again later.
    """

    table: "pa.Table"
    replaced: int
    added: int
    apart: int


def table_of_answers(answers: Sequence[Answer], *, key: str, asked_at: str, types: Mapping[str, Types]) -> "pa.Table":
    """One row an answer, sorted by prediction id: what was said, by whom, about which entity, and what was seen.

    `key` and `asked_at` name the model's columns for the entity and for the instant it was asked about. `types` holds the
    types of the features by release; a feature without one is text, boolean or a 64-bit float, whatever it holds. A
    score or a number that is not finite is missing. Raises SchemaMismatch for a value that its type cannot hold, and
    ConfigError where a feature has the name of a column.
    """
    import pyarrow as pa

    ordered = sorted(answers, key=lambda answer: (answer.release, answer.id))
    parts = [
        _of_one_release(list(rows), key, asked_at, types.get(release, {}))
        for release, rows in groupby(ordered, key=lambda answer: answer.release)
    ]
    return _sorted(pa.concat_tables(parts, promote_options="permissive")) if parts else pa.table({})


def unite(kept: "pa.Table", came: "pa.Table") -> "pa.Table":
    """The rows of both, once by prediction id; those of `kept` stand. Sorted by prediction id."""
    return compaction.unite(kept, came, key=ID)


def judge_served(kept: "pa.Table", came: "pa.Table") -> Verdict:
    """Passed where the two agree on every id that both hold; NotEvaluated where neither holds a row."""
    return judge_compaction(kept, came, key=ID, said=_SAID, what="answers", nothing="nobody asked online")


def blend(scores: "pa.Table", served: "pa.Table", *, key: str, release: str, told: Sequence[str]) -> Blended:
    """The week's scores, in which what `release` answered online stands for an entity, its last answer where several.

    `told` names what an answer tells beside id and score: the instant it was asked about, and the release's features.
    Other columns (slices, join keys) are those of the batch row, and missing where there is none. A column of whole
    numbers becomes one of floats where somebody asked with half a one; SchemaMismatch for text among numbers.
    """
    import pyarrow as pa

    last = _last_answers(served, key, release)
    if not last:
        return Blended(scores, 0, 0, served.num_rows)
    online = served.take(pa.array(list(last.values()), pa.int64()))
    place = {str(entity): row for row, entity in enumerate(scores.column(key).to_pylist())}
    places = pa.array([place.get(entity) for entity in last], pa.int64())
    instead = scores.take(places)  # a place that is missing gives a row of missing values
    for position, field in enumerate(scores.schema):
        if field.name in (ID, "score", "release", key, *told) and field.name in online.column_names:
            said = _as_nearly(online.column(field.name), field.type, field.name)
            instead = instead.set_column(position, field.name, said)
    others = scores.filter(pa.array([entity not in last for entity in place], pa.bool_()))
    table = pa.concat_tables([others, instead], promote_options="permissive")
    return Blended(table, len(last) - places.null_count, places.null_count, served.num_rows - len(last))


def _of_one_release(answers: Sequence[Answer], key: str, asked_at: str, types: Types) -> "pa.Table":
    import pyarrow as pa

    said = {
        ID: pa.array([answer.id for answer in answers], pa.string()),
        "score": pa.array([_finite(answer.score) for answer in answers], pa.float64()),
        "release": pa.array([answer.release for answer in answers], pa.string()),
        ARM: pa.array([answer.arm for answer in answers], pa.string()),
        key: pa.array([answer.entity for answer in answers], pa.string()),
        asked_at: _instants([answer.asked_at for answer in answers]),
        SERVED_AT: _instants([answer.served_at for answer in answers]),
    }
    features = list(dict.fromkeys(name for answer in answers for name in answer.vector))
    if taken := sorted(said.keys() & set(features)):
        raise ConfigError(
            f"{taken} are features of release {short(answers[0].release)}, and also columns of its answers",
            expected=f"other names than {', '.join(said)}",
            action="Rename the feature in feature_repo/",
        )
    seen = {name: [answer.vector.get(name) for answer in answers] for name in features}
    return pa.table(said | {name: _column(name, values, types.get(name)) for name, values in seen.items()})


def _column(name: str, values: Sequence[Any], wanted: "pa.DataType | None") -> "pa.Array":
    """Values of one feature as a column: of the wanted type, or of the one that they have by themselves."""
    import pyarrow as pa

    plain = [_finite(value) if isinstance(value, float) else value for value in values]
    kinds = {type(value) for value in plain if value is not None}
    own = pa.float64() if kinds <= {int, float} else pa.bool_() if kinds == {bool} else pa.string()
    if kinds == {int} and wanted is not None:
        own = pa.int64()  # whose large numbers a float would round
    if own == pa.string():
        plain = [None if value is None else str(value) for value in plain]
    return _as_type(pa.array(plain, own), wanted or own, name)


def _as_type(column: Any, wanted: "pa.DataType", name: str) -> Any:
    import pyarrow as pa

    try:
        return column if column.type == wanted else column.cast(wanted)
    # Arrow's own words: a value that the type cannot hold is Invalid, two types without a cast between them NotImplemented.
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaMismatch(
            f"Feature {name!r} was answered with values of type {column.type} that cannot be {wanted}: {error}",
            expected="vectors of the types that the release was trained with",
            action="Ask with such values; `ops why` of a prediction id shows what was seen",
            column=name,
        ) from error


def _as_nearly(column: Any, wanted: "pa.DataType", name: str) -> Any:
    """A column as the wanted type, or as floats where it holds numbers that this one cannot."""
    import pyarrow as pa

    try:
        return _as_type(column, wanted, name)
    except SchemaMismatch:
        if not (pa.types.is_floating(column.type) and pa.types.is_integer(wanted)):
            raise
        return column


def _last_answers(served: "pa.Table", key: str, release: str) -> dict[str, int]:
    """The row of the last answer of a release to each entity."""
    if not served.num_rows:
        return {}
    told = served.select([key, "release", "score", SERVED_AT, ID]).to_pylist()
    mine = [
        (row[SERVED_AT], row[ID], row[key], position)
        for position, row in enumerate(told)
        if row["release"] == release and row[key] is not None and row["score"] is not None
    ]
    return {entity: position for _, _, entity, position in sorted(mine)}


def _instants(values: Sequence[Any]) -> "pa.Array":
    import pyarrow as pa

    return pa.array(values, pa.timestamp("us", tz="UTC"))


def _sorted(table: "pa.Table") -> "pa.Table":
    return table.sort_by(ID)


def _finite(number: float | None) -> float | None:
    return number if number is not None and isfinite(number) else None
