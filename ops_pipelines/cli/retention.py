"""`ops retention`: deletes what is old and nothing names."""

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.output import AsJson, DryRun, show
from ops_pipelines.core.retention import KEEP_WEEKS

if TYPE_CHECKING:
    from ops_pipelines.core.retention import Fate, Plan

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("retention")
def retain(
    keep_weeks: Annotated[
        int, typer.Option(help="For how many weeks data is kept that no release stands on.", min=1)
    ] = KEEP_WEEKS,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete what is old and no release stands on, and nothing kept was made from: data, objects, snapshots, log rows."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.retention import plan_for, sweep

    platform = Platform.embedded()
    plan = plan_for(platform, keep_weeks=keep_weeks)
    gone = list(plan.going) if dry_run else sweep(platform, plan, actor=actor())
    if as_json:
        print(json.dumps(_told(plan, gone, dry_run=dry_run), indent=2))
        return
    show([fate.to_json() for fate in gone], title="would go" if dry_run else "went")
    print(_summed_up(plan, gone, dry_run=dry_run))


def _told(plan: "Plan", gone: "list[Fate]", *, dry_run: bool) -> dict[str, Any]:
    """What went or would go, how many bytes that is, what was written meanwhile and so stays, and why the rest does."""
    stays = Counter(fate.stored.thing[0] for fate in plan.fates if fate.stays)
    return {
        "dry_run": dry_run,
        "freed_bytes": sum(fate.stored.bytes for fate in gone),
        "gone": [fate.to_json() for fate in gone],
        "written_meanwhile": [fate.to_json() for fate in plan.going if fate not in gone],
        "stays": dict(stays),
    }


def _summed_up(plan: "Plan", gone: "list[Fate]", *, dry_run: bool) -> str:
    freed = sum(fate.stored.bytes for fate in gone)
    said = f"{len(gone)} of {len(plan.fates)} things {'would go' if dry_run else 'went'}: {freed / 1e6:.1f} MB"
    late = len(plan.going) - len(gone)
    return said + (f"; {late} were written meanwhile and stay" if late else "")
