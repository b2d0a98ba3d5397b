"""`ops impact`: what a change of something reaches."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from pathlib import Path

    from ops_pipelines.adapters.declared import Declared
    from ops_pipelines.core.reach import Reached

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("impact")
def show_impact(
    name: Annotated[
        str,
        typer.Argument(
            help="An asset, ASSET@PARTITION, a file, a feature, a feature view, a system, an agent's tool, or a release."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Walk from a thing to the assets, checks, systems, live releases and consumers that a change of it reaches."""
    from ops_pipelines.adapters.impact_sources import impact_of
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    found = impact_of(name, platform, _declared(platform.project.root))
    show([each.to_json() for each in found] if as_json else _rows(found), title=f"reached by {name}", as_json=as_json)


def _declared(root: "Path") -> "Declared":
    """What the project's YAML declares; nothing where it does not say where its definitions lie."""
    from ops_pipelines.adapters.declared import Declared, declared_in
    from ops_pipelines.cli.dg_project import make_importable, read_dg_project
    from ops_pipelines.core.errors import ConfigError

    make_importable(root)
    try:
        return declared_in(read_dg_project(root).defs_folder)
    except ConfigError:
        return Declared()


def _rows(found: "list[Reached]") -> list[dict[str, str | int]]:
    """One row a thing, and one for all partitions of an asset that are as far away."""
    groups: dict[tuple[int, str, str], list[Reached]] = {}
    for each in found:
        kind, id = each.thing
        groups.setdefault((each.distance, kind, id.partition("@")[0]), []).append(each)
    return [
        {
            "distance": distance,
            "what": kind,
            "id": _named(sorted(each.thing[1] for each in group)),
            "through": " ".join(group[0].through),
        }
        for (distance, kind, _), group in groups.items()
    ]


def _named(ids: list[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1].partition('@')[2]}, {len(ids)} partitions"
