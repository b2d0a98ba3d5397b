"""`ops agent regress`: the recorded runs beside the code, replayed with the code as it is here; what CI asks."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import COULD_NOT_TELL, REFUSED
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.declared import Attributes
    from ops_pipelines.adapters.project import Project
    from ops_pipelines.agentops.regression import Regressed


def regress_runs(
    agent: Annotated[str, typer.Argument(help="An agent of the project; all of them without.")] = "",
    as_json: AsJson = False,
) -> None:
    """Whether each kept run would be run as it was, with no home and nothing outside touched.

    Exit 1 where one would run otherwise, with the first step that differs and why; 3 where one could not be replayed, and
    where no run is kept.
    """
    from ops_pipelines.adapters.project import find_project

    project = find_project()
    found = [one for name, said in _declared(project, agent).items() for one in _replayed(project, name, said)]
    rows = [{"agent": name, **one.to_row()} for name, one in found]
    show(rows if as_json else [_told(row) for row in rows], as_json=as_json, title="kept runs")
    if any(one.divergence for _, one in found):
        raise typer.Exit(REFUSED)
    if not found or any(one.problem for _, one in found):
        raise typer.Exit(COULD_NOT_TELL)


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """A row for people."""
    same = "yes" if row["same"] else "no"
    return {"agent": row["agent"], "run": row["run"][:12], "as it was": same, "because": row["words"]}


def _declared(project: "Project", agent: str) -> dict[str, "Attributes"]:
    """What the YAML says of an agent, or of each; ConfigError for one that is none."""
    from ops_pipelines.adapters.declared import declared_in
    from ops_pipelines.cli.dg_project import read_dg_project

    declared = declared_in(read_dg_project(project.root).defs_folder)
    return {agent: declared.named("Agent", agent)} if agent else dict(declared.kinds.get("Agent", {}))


def _replayed(project: "Project", name: str, said: "Attributes") -> list[tuple[str, "Regressed"]]:
    from ops_pipelines.adapters.recorded_runs import replayed_by, runs_of
    from ops_pipelines.mlops.training import import_function

    program: Any = import_function(str(said["program"]), what="agent's program")
    recordings = runs_of(project, name, (said.get("replays") or {}).get("runs"))
    return [(name, one) for one in replayed_by(name, program, said.get("settings") or {}, recordings)]
