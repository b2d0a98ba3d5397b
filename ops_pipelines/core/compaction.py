"""What a log holds of a partition beside what was compacted of it before: united by id, and compared where both have it.

What was compacted stands. A log that tells another thing of the same id is refused, and its rows are then the evidence.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

if TYPE_CHECKING:
    import pyarrow as pa


def unite(kept: "pa.Table", came: "pa.Table", *, key: str) -> "pa.Table":
    """The rows of both, once by the column `key`; those of `kept` stand. Sorted by it."""
    import pyarrow as pa

    if not kept.num_rows or not came.num_rows:
        return kept if kept.num_rows else came
    known = set(kept.column(key).to_pylist())
    new = came.filter(pa.array([found not in known for found in came.column(key).to_pylist()], pa.bool_()))
    return pa.concat_tables([kept, new], promote_options="permissive").sort_by([(key, "ascending")])


def judge_compaction(
    kept: "pa.Table", came: "pa.Table", *, key: str, said: Sequence[str], what: str, nothing: str
) -> Verdict:
    """Passed where the two agree in the columns `said` on every row that both hold; NotEvaluated where neither has one.

    `what` names the rows in the plural, and `nothing` says in words that there is none.
    """
    if not kept.num_rows and not came.num_rows:
        return NotEvaluated(nothing)
    before, after = (_by_key(table, key, said) for table in (kept, came))
    apart = sorted(found for found in before.keys() & after.keys() if before[found] != after[found])
    if apart:
        return Blocked(
            (f"{len(apart)} {what} of the log are not those that were compacted before, the first {apart[0]}",),
            {"apart": len(apart)},
        )
    return Passed({"rows": len(before.keys() | after.keys())})


def _by_key(table: "pa.Table", key: str, said: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    if not table.num_rows:
        return {}
    columns = [table.column(name).to_pylist() for name in (key, *said)]
    return {row[0]: row for row in zip(*columns, strict=True)}
