"""A release of a model: the checkpoint of a cut-off week, made live."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.going_live import make_live
from ops_pipelines.components.publishing import Product
from ops_pipelines.core.verdict import name_of, reasons_of, verdict_from_json

if TYPE_CHECKING:
    from ops_pipelines.components.model import Model


def make_release(model: "Model", platform: Platform, week: str, *, actor: str) -> Product:
    """Promote the checkpoint of a week; errors as `make_live`."""
    key = f"{model.name}/checkpoint"
    latest = platform.lake.latest(key, week)
    shown = {"repeatable": _repeatable(latest.facts)} if latest else {}
    return make_live(model.name, platform, latest, f"{key}@{week}", actor=actor, shown=shown)


def _repeatable(facts: Mapping[str, Any]) -> str:
    """Whether the same inputs give this release again, in words."""
    if "repeatable" not in facts:
        return "passed"  # checkpoints that were made before it was kept had to pass
    verdict = verdict_from_json(facts["repeatable"])
    return "; ".join((name_of(verdict), *reasons_of(verdict)))
