"""`ops why`: what made this prediction, answer, action of an agent, model version, release or artefact."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ops_pipelines.cli import COULD_NOT_TELL, REFUSED
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.walk import Node

app = typer.Typer()
DIGITS = 64  # of a whole digest


@app.callback()
def _family() -> None:
    pass


@app.command("why")
def explain_thing(
    name: Annotated[
        str,
        typer.Argument(
            help="A prediction or answer id, an agent's run, approval or effect, models:/SYSTEM/VERSION, "
            "ASSET@PARTITION, or a release."
        ),
    ],
    depth: Annotated[int | None, typer.Option(help="How far to walk; to the very beginning without it.", min=0)] = None,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild", help="Make the release again from the bytes of its parts; exit 1 where another comes out."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Walk from an output to its release, run, dataset, features, commit and raw data. Exit 3 where a link is missing."""
    from ops_pipelines.adapters.lineage_sources import rooms_of
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.walk import explain

    platform = Platform.embedded()
    if rebuild:
        _rebuild(name, platform, as_json)
        return
    found = explain(name, rooms_of(platform), depth=depth)
    if as_json:
        print(json.dumps(found.to_json(), indent=2, default=str))
    else:
        show(_grouped_rows(found.nodes), title=f"why {name}")
    if found.missing:
        raise typer.Exit(COULD_NOT_TELL)


def _rebuild(name: str, platform: "Platform", as_json: bool) -> None:
    """Shows each part of a release as it lies there now; exit 1 where one is changed or gone, 3 where there is none."""
    from ops_pipelines.adapters.lineage_sources import rebuild_release, rooms_of
    from ops_pipelines.core.errors import ConfigError
    from ops_pipelines.core.fingerprint import short
    from ops_pipelines.core.verdict import Blocked, Passed
    from ops_pipelines.core.walk import locate
    from ops_pipelines.mlops.provenance import RELEASE

    kind, id = locate(name, rooms_of(platform))
    if kind != RELEASE:
        raise ConfigError(f"{name} is no release", expected="the first digits of one", action="Leave --rebuild out")
    made = rebuild_release(platform, *id.split("/", maxsplit=1))
    rows = [
        {"part": part.name, "digest": short(part.digest), "state": part.problem or "the same"} for part in made.parts
    ]
    whole = {"part": "release", "digest": short(made.release), "state": f"rebuilt as {short(made.again)}"}
    if as_json:
        print(json.dumps(made.to_json(), indent=2))
    else:
        show([*rows, whole], title=f"{name} rebuilt")
    if not isinstance(made.verdict, Passed):
        raise typer.Exit(REFUSED if isinstance(made.verdict, Blocked) else COULD_NOT_TELL)


def _grouped_rows(nodes: "tuple[tuple[int, Node], ...]") -> list[dict[str, str]]:
    """One row a thing, and one for all partitions of an asset that were read at one depth."""
    groups: dict[tuple[int, str, str], list[Node]] = {}
    for level, node in nodes:
        groups.setdefault((level, node.kind, node.id.partition("@")[0]), []).append(node)
    return [
        {"what": "  " * level + kind, "id": _span(sorted(node.id for node in group)), "facts": _facts(group)}
        for (level, kind, _), group in groups.items()
    ]


def _span(ids: list[str]) -> str:
    return _readable(ids[0]) if len(ids) == 1 else f"{_readable(ids[0])} to {_readable(ids[-1]).partition('@')[2]}"


def _readable(id: str) -> str:
    """An id as people read it: a part of a release by the first digits of its digest."""
    from ops_pipelines.core.fingerprint import short

    name, at, where = id.partition("@")
    return f"{name}@{short(where)}" if at and len(where) == DIGITS else id


def _facts(group: "list[Node]") -> str:
    """What is known of a thing; of several, how many there are and what they have in common."""
    first = group[0].facts
    shared = {name: value for name, value in first.items() if all(node.facts.get(name) == value for node in group)}
    words = [f"{name} {value}" for name, value in shared.items() if value is not None]
    missing = [f"missing: {node.missing}" for node in group if node.missing]
    return ", ".join(([] if len(group) == 1 else [f"{len(group)} partitions"]) + words + missing)
