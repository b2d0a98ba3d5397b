"""`ops new`: a dataset, a feature set or a model to fill in, written by the scaffolders that `dg scaffold defs` uses."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ops_pipelines.cli.output import AsJson, DryRun, show

app = typer.Typer()
ROOM = "mlops"


class Kind(StrEnum):
    """What can be written."""

    DATASET = "dataset"
    FEATURE_SET = "feature-set"
    MODEL = "model"


COMPONENTS = {Kind.DATASET: "Dataset", Kind.FEATURE_SET: "FeatureSet", Kind.MODEL: "Model"}
FILL_IN = {
    Kind.DATASET: "Fill in load() in loader.py, and the columns in defs.yaml",
    Kind.FEATURE_SET: "Name the feature service in defs.yaml, and the datasets that its views read",
    Kind.MODEL: "Fill in train() in training.py, and the entities, labels and features in defs.yaml",
}
FIRST_ASSET = {Kind.DATASET: "{name}", Kind.FEATURE_SET: "{name}/definitions", Kind.MODEL: "{name}/training_set"}
WEEK = {Kind.DATASET: " --partition 2013-01-01", Kind.FEATURE_SET: "", Kind.MODEL: " --partition 2013-03-05"}


@app.callback()
def _family() -> None:
    pass


@app.command("new")
def scaffold_component(
    kind: Annotated[Kind, typer.Argument(help="What to write.")],
    name: Annotated[str, typer.Argument(help="Its name, for instance late_bags; it goes into mlops/ where that is.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write a folder under the project's defs that loads as it is, and say what to fill in."""
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.cli.dg_project import read_dg_project

    project = read_dg_project(find_project().root)
    parts = _checked(name)
    folder = _room(project.defs_folder, parts).joinpath(*parts)
    _refuse_existing(folder)
    if not dry_run:
        _write(kind, folder, project.root)
    rows = [
        {"step": step, "what": what}
        for step, what in (
            ("would write" if dry_run else "written", str(folder.relative_to(project.root))),
            ("fill in", FILL_IN[kind]),
            ("check", "dg check yaml && dg check defs"),
            ("run", f"ops materialize 'key:\"{FIRST_ASSET[kind].format(name=folder.name)}\"'{WEEK[kind]}"),
        )
    ]
    show(rows, title=f"{kind} {folder.name}", as_json=as_json)


def _write(kind: Kind, folder: Path, root: Path) -> None:
    import dagster as dg
    from dagster.components.scaffold.scaffold import NoParams

    from ops_pipelines.components import scaffolding

    scaffolder = getattr(scaffolding, f"{COMPONENTS[kind]}Scaffolder")()
    request = dg.ScaffoldRequest(
        type_name=f"ops_pipelines.components.{COMPONENTS[kind]}",
        target_path=folder,
        scaffold_format="yaml",
        project_root=root,
        params=NoParams(),
    )
    scaffolder.scaffold(request)


def _checked(name: str) -> tuple[str, ...]:
    """The name's folders; ConfigError where one of them cannot be imported or cannot name an asset."""
    from keyword import iskeyword

    from ops_pipelines.core.errors import ConfigError

    parts = tuple(name.split("/"))
    if not all(part.isidentifier() and part.isascii() and part.islower() and not iskeyword(part) for part in parts):
        raise ConfigError(
            f"{name!r} cannot be a name",
            expected="small letters, digits and underscores, not beginning with a digit; a slash between folders",
            action="Choose another one, for instance late_bags or mlops/late_bags",
        )
    return parts


def _room(defs: Path, parts: tuple[str, ...]) -> Path:
    """The discipline's folder, which its code location loads, where the project has one and the name gives none."""
    return defs / ROOM if len(parts) == 1 and (defs / ROOM).is_dir() else defs


def _refuse_existing(folder: Path) -> None:
    from ops_pipelines.core.errors import ConfigError

    if folder.exists():
        raise ConfigError(
            f"{folder} is there already", expected="a folder that does not exist", action="Choose another name"
        )
