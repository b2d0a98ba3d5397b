"""`ops new`: a project, or a dataset, a model, a prompt, a corpus and so on in one, written to be filled in.

What goes into a project's defs is written by the scaffolders that `dg scaffold defs` uses.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ops_pipelines.cli.output import AsJson, DryRun, show
from ops_pipelines.core.errors import ConfigError, near_miss

if TYPE_CHECKING:
    from ops_pipelines.cli.dg_project import DgProject

ROOMS = {
    "Dataset": "mlops",
    "FeatureSet": "mlops",
    "Model": "mlops",
    "Prompt": "llmops",
    "Corpus": "llmops",
    "Release": "mlops",
    "Alarms": "agentops",
    "Agent": "agentops",
}
"""The folder of defs that a component goes into, where a project has it."""


class _Kinds(TyperGroup):
    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:
        if args[0] not in self.commands:
            ctx.fail(f"There is no kind {args[0]!r}. {near_miss(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


app = typer.Typer()
new = typer.Typer(
    cls=_Kinds,
    help="write a project, or a dataset, feature set, model, prompt, corpus, agent, release or alarms to fill in.",
    no_args_is_help=True,
)
app.add_typer(new, name="new")
Name = Annotated[
    str,
    typer.Argument(
        help="Its name, for instance late_bags; it goes into mlops/, llmops/ or agentops/ where that is, by its kind."
    ),
]


@app.callback()
def _family() -> None:
    pass


@new.command("project")
def write_project(
    name: Annotated[str, typer.Argument(help="The folder to make here; its package has the same name.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write a project of one's own around this package: settings, a package with its defs, a feature repo and a test."""
    from ops_pipelines.cli.new_project import project_files

    (package,) = _checked(name.replace("-", "_"))
    _refuse_importable(package)
    root = Path.cwd() / name
    _refuse_existing(root)
    files = project_files(package)
    if not dry_run:
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
    written = f"{name}/: {', '.join(files)}"
    rows = [
        ("would write" if dry_run else "written", written),
        ("next", f"cd {name}, then ops new dataset NAME, or ops new agent NAME"),
    ]
    _say(rows, title=f"project {name}", as_json=as_json)


@new.command("dataset")
def write_dataset(name: Name, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Write a dataset: its declaration, and a loader to fill in."""
    _scaffold("Dataset", name, {}, dry_run=dry_run, as_json=as_json)


@new.command("feature-set")
def write_feature_set(
    name: Name,
    of: Annotated[
        str | None, typer.Option(help="A dataset whose columns become a view and a service in feature_repo/.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write a feature set, and the features of a dataset where one is named."""
    _scaffold("FeatureSet", name, {"of": of}, dry_run=dry_run, as_json=as_json)


@new.command("model")
def write_model(
    name: Name,
    task: Annotated[str, typer.Option(help="classification or regression.")] = "classification",
    rows: Annotated[str | None, typer.Option(help="The dataset whose rows are scored.")] = None,
    labels: Annotated[str | None, typer.Option(help="The dataset of their outcomes.")] = None,
    features: Annotated[str | None, typer.Option(help="The feature set.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write a model: a training function to fill in, over rows, labels and features of the project.

    Without any of the three it is over what the project's first model of its task is over.
    """
    over = {"task": task, "rows": rows, "labels": labels, "features": features}
    _scaffold("Model", name, over, dry_run=dry_run, as_json=as_json)


@new.command("alarms")
def write_alarms(name: Name, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Write an inbox of alarms over the project's models."""
    _scaffold("Alarms", name, {}, dry_run=dry_run, as_json=as_json)


@new.command("prompt")
def write_prompt(name: Name, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Write a prompt: its file in evals/prompts/, and its declaration."""
    _scaffold("Prompt", name, {}, dry_run=dry_run, as_json=as_json)


@new.command("corpus")
def write_corpus(name: Name, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Write a corpus over a folder of documents, with a first one."""
    _scaffold("Corpus", name, {}, dry_run=dry_run, as_json=as_json)


@new.command("release")
def write_release(name: Name, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Write a composite that pins the project's models."""
    _scaffold("Release", name, {}, dry_run=dry_run, as_json=as_json)


@new.command("agent")
def write_agent(name: Name, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Write an agent: its program, its tools, its policy, and the tasks that it has to be good at."""
    _scaffold("Agent", name, {}, dry_run=dry_run, as_json=as_json)


FILL_IN = {
    "Dataset": "load() in loader.py, and the columns in defs.yaml",
    "FeatureSet": "the service in defs.yaml is one of feature_repo/, and the datasets are those that its views read",
    "Model": "train() in training.py; look over the rows, labels and features in defs.yaml",
    "Prompt": "the messages and variables in evals/prompts/{name}/prompt.yaml; then `ops prompt lint {name}`",
    "Corpus": "the sources in defs.yaml, and documents in evals/corpora/",
    "Release": "the systems that it uses and operates in defs.yaml",
    "Alarms": "the systems to watch in defs.yaml",
    "Agent": "program.py, tools.py, and evals/agents/{name}/: its policy and its tasks",
}
FIRST = {
    "Dataset": "{name} --partition {week}",
    "FeatureSet": "{name}/definitions",
    "Model": "{name}/training_set --partition {later}",
    "Prompt": "{name}/prompt",
    "Corpus": "{name}/snapshot",
    "Release": "{name}/composition",
    "Alarms": "{name} --partition {later}",
    "Agent": "+{name}/release",
}
"""What to materialize first, with all before it where there is a plus, and for which week."""
THEN = {"Agent": 'ops agent run {name} --task \'{{"item": "bolts"}}\''}
"""What can be done once that is made."""
TRAINING_WEEKS = 10


def _scaffold(component: str, name: str, params: Mapping[str, str | None], *, dry_run: bool, as_json: bool) -> None:
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.cli.dg_project import read_dg_project

    project = read_dg_project(find_project().root)
    parts = _checked(name)
    folder = _room(component, project.defs_folder, parts).joinpath(*parts)
    _refuse_existing(folder)
    if not dry_run:
        _write(component, folder, project, params)
    written = ("would write" if dry_run else "written", str(folder.relative_to(project.root)))
    rows = [written, ("fill in", FILL_IN[component].format(name=folder.name)), ("check", "dg check defs && ops doctor")]
    rows.append(("run", _first_run(component, project, folder.name)))
    if component in THEN:
        rows.append(("then", THEN[component].format(name=folder.name)))
    _say(rows, title=f"{component} {folder.name}", as_json=as_json)


def _write(component: str, folder: Path, project: "DgProject", params: Mapping[str, str | None]) -> None:
    import dagster as dg

    from ops_pipelines.components import scaffolding

    scaffolder = getattr(scaffolding, f"{component}Scaffolder")()
    request = dg.ScaffoldRequest(
        type_name=f"ops_pipelines.components.{component}",
        target_path=folder,
        scaffold_format="yaml",
        project_root=project.root,
        params=scaffolder.get_scaffold_params()(**params),
    )
    scaffolder.scaffold(request)


def _first_run(component: str, project: "DgProject", name: str) -> str:
    from datetime import date, timedelta

    from ops_pipelines.adapters.declared import declared_in

    week = date.fromisoformat(str(declared_in(project.defs_folder).weekly()["start"]))
    later = week + timedelta(weeks=TRAINING_WEEKS - 1)
    key, _, partition = FIRST[component].format(name=name, week=week, later=later).partition(" ")
    before = "+" if key.startswith("+") else ""
    return f"ops materialize '{before}key:\"{key.removeprefix('+')}\"' {partition}".strip()


def _say(rows: list[tuple[str, str]], *, title: str, as_json: bool) -> None:
    show([{"step": step, "what": what} for step, what in rows], title=title, as_json=as_json)


def _checked(name: str) -> tuple[str, ...]:
    """The name's folders; ConfigError where one of them cannot be imported or cannot name an asset."""
    from keyword import iskeyword

    parts = tuple(name.split("/"))
    if not all(part.isidentifier() and part.isascii() and part.islower() and not iskeyword(part) for part in parts):
        raise ConfigError(
            f"{name!r} cannot be a name",
            expected="small letters, digits and underscores, not beginning with a digit; a slash between folders",
            action="Choose another one, for instance late_bags or mlops/late_bags",
        )
    return parts


def _room(component: str, defs: Path, parts: tuple[str, ...]) -> Path:
    """The discipline's folder, which its code location loads, where the project has one and the name gives none."""
    room = defs / ROOMS[component]
    return room if len(parts) == 1 and room.is_dir() else defs


def _refuse_existing(folder: Path) -> None:
    if folder.exists():
        raise ConfigError(
            f"{folder} is there already", expected="a folder that does not exist", action="Choose another name"
        )


def _refuse_importable(package: str) -> None:
    """A project whose package is named like an installed one would be imported instead of it, or be hidden by it."""
    from importlib.util import find_spec

    if find_spec(package):
        raise ConfigError(
            f"A package {package!r} is installed already",
            expected="a name that no package of this environment has",
            action=f"Choose another one, for instance {package}_models",
        )
