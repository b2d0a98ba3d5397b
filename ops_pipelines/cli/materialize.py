"""`ops materialize`: assets made in this process, for CI; a failed check, or one that never ran, can fail the build."""

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
    strict: Annotated[bool, typer.Option(help="Exit 1 on any check that failed or never ran.")] = False,
    module: Annotated[
        str, typer.Option(help="The module whose `defs` holds the assets.")
    ] = "ops_pipelines.definitions",
    dry_run: DryRun = False,
) -> None:
    """Materialize a selection in process and print a JSON summary. Exit 1 where a run failed."""
    import importlib
    import json
    import os

    from ops_pipelines.adapters.dagster_home import prepare
    from ops_pipelines.adapters.project import find_project

    os.environ.update(prepare(find_project()))
    import dagster as dg

    defs = importlib.import_module(module).defs
    keys = _selected(defs, selection)
    partitions = _partitions(defs, keys, partition)
    if dry_run:
        print(json.dumps({"assets": sorted(key.to_user_string() for key in keys), "partitions": partitions}, indent=2))
        return
    with dg.DagsterInstance.get() as instance:
        runs = [_run(defs, keys, chosen, instance) for chosen in partitions]
    wrong = [check for run in runs for check in run["checks"] if check["state"] != "passed"]
    good = all(run["success"] for run in runs) and not (strict and wrong)
    print(json.dumps({"good": good, "runs": runs}, indent=2))
    raise typer.Exit(0 if good else 1)


def _selected(defs: "dg.Definitions", selection: str) -> "list[dg.AssetKey]":
    import dagster as dg

    from ops_pipelines.core.errors import ConfigError, near_miss

    graph = defs.resolve_asset_graph()
    known = [key.to_user_string() for key in graph.get_all_asset_keys()]
    try:
        keys = dg.AssetSelection.from_string(selection).resolve(graph)
    except (dg.DagsterError, ValueError) as error:
        raise ConfigError(
            f"The selection {selection!r} cannot be read: {error}",
            expected="Dagster's selection syntax, for instance 'key:\"flights\"+'",
            action=near_miss(selection, known).rstrip("."),
        ) from error
    if not keys:
        name = selection.removeprefix("key:").strip('"')
        raise ConfigError(
            f"The selection {selection!r} names no asset",
            expected="at least one",
            action=near_miss(name, known).rstrip("."),
        )
    return list(keys)


def _partitions(defs: "dg.Definitions", keys: "list[dg.AssetKey]", wanted: str | None) -> list[str | None]:
    from ops_pipelines.core.errors import ConfigError

    graph = defs.resolve_asset_graph()
    found = [definition for key in keys if (definition := graph.get(key).partitions_def)]
    if not found or wanted is None:
        if found:
            raise ConfigError(
                "The selection is partitioned and no partition is named",
                expected="--partition 2013-01-01, or a span 2013-01-01..2013-01-29",
                action="Name one",
            )
        return [None]
    known = found[0].get_partition_keys()
    first, _, last = wanted.partition("..")
    if first not in known or (last or first) not in known:
        raise ConfigError(
            f"There is no partition {wanted!r}",
            expected=f"partitions from {known[0]} to {known[-1]}",
            action="Name the first day of a week",
        )
    return list(known[known.index(first) : known.index(last or first) + 1])


def _run(defs: "dg.Definitions", keys: "list[dg.AssetKey]", partition: str | None, instance: Any) -> dict[str, Any]:
    graph = defs.resolve_asset_graph()
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        asset_selection=keys, partition_key=partition, instance=instance, raise_on_error=False
    )
    answers = {(e.asset_key, e.check_name): e.passed for e in result.get_asset_check_evaluations()}
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
                "state": _state(answers.get((check.asset_key, check.name))),
            }
            for check in sorted(declared, key=str)
        ],
        "errors": [_message(event) for event in result.all_events if event.is_step_failure],
    }


def _state(passed: bool | None) -> str:
    return "never ran" if passed is None else "passed" if passed else "failed"


def _message(event: Any) -> str:
    error = event.step_failure_data.error
    while error and error.cause:
        error = error.cause
    return f"{event.step_key}: {error.message.strip() if error else 'failed'}"
