"""`ops materialize`: assets made in this process, for CI; a failed check, or one that never ran, can fail the build."""

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.output import DryRun

if TYPE_CHECKING:
    import dagster as dg

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("materialize")
def materialize_selection(
    selection: Annotated[str, typer.Argument(help="Dagster's selection syntax, for instance 'key:\"flights\"+'.")],
    partition: Annotated[str | None, typer.Option(help="A partition, or a span: 2013-01-01..2013-01-29.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 on any check that failed or never ran.")] = False,
    module: Annotated[
        str | None, typer.Option(help="The module whose `defs` holds the assets; the project's own without it.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Tell each event of Dagster's log, too.")] = False,
    dry_run: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, which it does anyway.")] = False,  # noqa: ARG001
) -> None:
    """Materialize a selection in process and print a JSON summary, with why a check failed. Exit 1 where a run failed."""
    import json

    with redirect_stdout(sys.stderr):  # what a team's code prints would spoil the JSON
        log = "DEBUG" if verbose else "ERROR"
        summary = _materialize(selection, partition, module, strict=strict, dry_run=dry_run, log=log)
    print(json.dumps(summary, indent=2))
    raise typer.Exit(0 if summary.get("good", True) else 1)


def _materialize(
    selection: str, partition: str | None, module: str | None, *, strict: bool, dry_run: bool, log: str
) -> dict[str, Any]:
    import os

    from ops_pipelines.adapters.dagster_home import QUIET, prepare
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.cli.dg_project import load_definitions

    project = find_project()
    os.environ.update(QUIET if dry_run else prepare(project))
    import dagster as dg

    defs = load_definitions(project.root, module)
    keys = _selected(defs, selection)
    partitions = _partitions(defs, keys, partition)
    if dry_run:
        return {"assets": sorted(key.to_user_string() for key in keys), "partitions": partitions}
    with dg.DagsterInstance.get() as instance:
        runs = [_run(defs, keys, chosen, instance, log) for chosen in partitions]
    wrong = [check for run in runs for check in run["checks"] if check["state"] != "passed"]
    return {"good": all(run["success"] for run in runs) and not (strict and wrong), "runs": runs}


def _selected(defs: "dg.Definitions", selection: str) -> "list[dg.AssetKey]":
    import dagster as dg

    from ops_pipelines.core.errors import ConfigError, near_miss

    graph = defs.resolve_asset_graph()
    known = [key.to_user_string() for key in graph.get_all_asset_keys()]
    near = near_miss(selection.removeprefix("key:").strip('+"'), known)
    try:
        keys = dg.AssetSelection.from_string(selection).resolve(graph)
    except dg.DagsterInvalidSubsetError:  # a bare name that no asset has; a pattern finds nothing instead
        keys = set()
    except (dg.DagsterError, ValueError) as error:
        raise ConfigError(
            f"The selection {selection!r} cannot be read",
            expected='Dagster\'s selection syntax, for instance \'key:"flights"+\' or \'key:"flights" or key:"weather"\'',
            action=near if near.endswith("?") else "`dg list defs` lists the assets",
        ) from error
    if not keys:
        raise ConfigError(f"The selection {selection!r} names no asset", expected="at least one", action=near)
    return list(keys)


def _partitions(defs: "dg.Definitions", keys: "list[dg.AssetKey]", wanted: str | None) -> list[str | None]:
    """The partitions to run, one run each; None alone for a selection without partitions."""
    from ops_pipelines.core.errors import ConfigError

    graph = defs.resolve_asset_graph()
    found = {definition for key in keys if (definition := graph.get(key).partitions_def)}
    if not found and wanted is None:
        return [None]
    if not found:
        raise ConfigError(
            f"The selection has no partitions, and {wanted!r} is named",
            expected="no --partition for assets that are made whole",
            action="Leave it out",
        )
    if len(found) > 1:
        raise ConfigError(
            "The selection's assets are partitioned in different ways",
            expected="one calendar for all of them",
            action="Select the assets of each one by themselves",
        )
    definition = found.pop()
    known = definition.get_partition_keys()
    if wanted is None:
        raise ConfigError(
            "The selection is partitioned and no partition is named",
            expected=f"--partition {known[0]}, or a span {known[0]}..{known[-1]}",
            action="Name one",
        )
    return list(_span(definition, wanted))


def _span(definition: "dg.PartitionsDefinition[str]", wanted: str) -> list[str]:
    from ops_pipelines.core.errors import ConfigError

    known = definition.get_partition_keys()
    first, dots, last = wanted.partition("..")
    for name in (first, last) if dots else (first,):
        if name not in known:
            raise ConfigError(
                f"There is no partition {name!r}",
                expected=f"partitions from {known[0]} to {known[-1]}",
                action=_nearest(definition, name),
            )
    span = list(known[known.index(first) : known.index(last or first) + 1])
    if not span:
        raise ConfigError(
            f"The span {wanted!r} ends before it begins", expected="the earlier partition first", action="Turn it round"
        )
    return span


def _nearest(definition: "dg.PartitionsDefinition[str]", name: str) -> str:
    """The partition that a day lies in, where partitions are spans of time; else the one that is spelt most alike."""
    import dagster as dg

    from ops_pipelines.core.errors import near_miss

    known = definition.get_partition_keys()
    earlier = [key for key in known if key <= name]
    if isinstance(definition, dg.TimeWindowPartitionsDefinition) and earlier:
        return f"Did you mean {earlier[-1]!r}?"
    near = near_miss(name, known)
    return near if near.endswith("?") else "Name one of them, or two with .. between"


def _run(
    defs: "dg.Definitions", keys: "list[dg.AssetKey]", partition: str | None, instance: Any, log: str
) -> dict[str, Any]:
    graph = defs.resolve_asset_graph()
    job = defs.resolve_implicit_global_asset_job_def()
    # A project with loggers of its own says itself what is told.
    quietly = {"loggers": {"console": {"config": {"log_level": log}}}} if "console" in job.loggers else {}
    result = job.execute_in_process(
        run_config=quietly,
        asset_selection=keys,
        partition_key=partition,
        instance=instance,
        raise_on_error=False,
    )
    answers = {(e.asset_key, e.check_name): e for e in result.get_asset_check_evaluations()}
    declared = [key for key in graph.asset_check_keys if key.asset_key in keys]
    return {
        "run": result.run_id,
        "partition": partition,
        "success": result.success,
        "assets": sorted(
            key.to_user_string() for key in {e.asset_key for e in result.get_asset_materialization_events()}
        ),
        "checks": [
            {
                "asset": check.asset_key.to_user_string(),
                "check": check.name,
                **_answered(answers.get((check.asset_key, check.name))),
            }
            for check in sorted(declared, key=str)
        ],
        "errors": [_message(event) for event in result.all_events if event.is_step_failure],
    }


def _answered(evaluation: "dg.AssetCheckEvaluation | None") -> dict[str, Any]:
    """How a check came out; one that did not pass says why, as far as it does."""
    if evaluation is None:
        return {"state": "never ran"}
    if evaluation.passed:
        return {"state": "passed"}
    listed = evaluation.metadata.get("reasons")
    reasons = [line.removeprefix("- ") for line in str(listed.value).splitlines()] if listed else []
    return {"state": "failed", "because": reasons or [evaluation.description or "it does not say"]}


def _message(event: Any) -> str:
    from ops_pipelines.adapters.dagster_runs import root_cause

    error = event.step_failure_data.error
    return f"{event.step_key}: {root_cause(error) if error else 'failed'}"
