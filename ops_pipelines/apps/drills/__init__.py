"""The drills: public incidents, each done to an unguarded pipeline and refused by this one.

`ops drill list` shows them and `ops drill run` runs them; the tests run the same. A new one is a file with a `DRILL`,
added to `DRILLS`. What is heavy is imported inside the variants.
"""

from ops_pipelines.apps.drills import (
    constant_run_key,
    cut_stream,
    dear_refactor,
    deleted_documents,
    deleted_volume,
    doubled_rows,
    drift_noise,
    dropped_spans,
    dropped_table,
    endless_loop,
    expired_features,
    flattering_update,
    flipped_labels,
    hostile_model,
    invented_policy,
    killed_writer,
    moved_alias,
    other_embedder,
    other_libraries,
    poisoned_document,
    quiet_inputs,
    repeated_effect,
    spoofed_approval,
    template_injection,
    three_changes,
    traced_secrets,
)
from ops_pipelines.apps.drills.drill import Drill, Outcome, Result, run_drill

DRILLS: tuple[Drill, ...] = (
    expired_features.DRILL,
    doubled_rows.DRILL,
    other_libraries.DRILL,
    flipped_labels.DRILL,
    quiet_inputs.DRILL,
    drift_noise.DRILL,
    constant_run_key.DRILL,
    killed_writer.DRILL,
    three_changes.DRILL,
    flattering_update.DRILL,
    moved_alias.DRILL,
    other_embedder.DRILL,
    dropped_table.DRILL,
    deleted_documents.DRILL,
    dear_refactor.DRILL,
    endless_loop.DRILL,
    deleted_volume.DRILL,
    repeated_effect.DRILL,
    spoofed_approval.DRILL,
    poisoned_document.DRILL,
    invented_policy.DRILL,
    cut_stream.DRILL,
    traced_secrets.DRILL,
    hostile_model.DRILL,
    template_injection.DRILL,
    dropped_spans.DRILL,
)
"""All drills, in the order of their numbers."""

__all__ = ["DRILLS", "Drill", "Outcome", "Result", "run_drill"]
