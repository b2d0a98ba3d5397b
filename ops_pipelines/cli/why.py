"""`ops why`: what made this prediction, model version, release or artefact."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.lineage import Node

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("why")
def explain(
    name: Annotated[
        str, typer.Argument(help="A prediction id, models:/SYSTEM/VERSION, ASSET@PARTITION, or a release.")
    ],
    depth: Annotated[int, typer.Option(help="How far to walk.", min=0)] = 3,
    as_json: AsJson = False,
) -> None:
    """Walk from an output to its release, run, dataset, features and commit."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.lineage import walk
    from ops_pipelines.mlops.provenance import ARTEFACT, locate, resolvers

    platform = Platform.embedded()
    sources = _sources(platform, asked=_in_full(name, platform))
    kind, found = locate(_in_full(name, platform), sources)
    if kind == ARTEFACT and sources.artefact(found) is None:
        raise _never_written(found, platform)
    near = list(walk(kind, found, resolvers(sources), depth=depth))
    show(_in_full_rows(near) if as_json else _grouped_rows(near), title=f"why {name}", as_json=as_json)


def _in_full_rows(nodes: "list[tuple[int, Node]]") -> list[dict[str, Any]]:
    return [{"what": node.kind, "id": node.id, "depth": level, "facts": dict(node.facts)} for level, node in nodes]


def _grouped_rows(nodes: "list[tuple[int, Node]]") -> list[dict[str, str]]:
    """One row a thing, and one for all partitions of an asset that were read at one depth."""
    groups: dict[tuple[int, str, str], list[Node]] = {}
    for level, node in nodes:
        groups.setdefault((level, node.kind, node.id.partition("@")[0]), []).append(node)
    return [
        {"what": "  " * level + kind, "id": _span(sorted(node.id for node in group)), "facts": _facts(group)}
        for (level, kind, _), group in groups.items()
    ]


def _span(ids: list[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1].partition('@')[2]}"


def _facts(group: "list[Node]") -> str:
    """What is known of a thing; of several, how many there are and what they have in common."""
    first = group[0].facts
    shared = {name: value for name, value in first.items() if all(node.facts.get(name) == value for node in group)}
    words = [f"{name} {value}" for name, value in shared.items() if value is not None]
    return ", ".join(([] if len(group) == 1 else [f"{len(group)} partitions"]) + words)


def _sources(platform: "Platform", *, asked: str) -> Any:
    """Where the walk looks: what is asked about as it was written last, accepted or not; what was read as it was good."""
    from ops_pipelines.mlops.provenance import Sources

    return Sources(
        releases=platform.releases,
        artefact=lambda at: platform.latest(at) if at == asked else platform.good(at) or platform.latest(at),
        prediction=platform.prediction,
        systems=platform.systems(),
        inputs=platform.inputs_of,
    )


def _in_full(name: str, platform: "Platform") -> str:
    """The name, with the partition of an asset that has none."""
    from ops_pipelines.core.lineage import address

    return address(name) if platform.lake.is_static(name) else name


def _never_written(address: str, platform: "Platform") -> Exception:
    from ops_pipelines.core.errors import ConfigError, near_miss

    files = platform.lake.root.rglob("*.parquet")
    written = {f"{f.parent.parent.relative_to(platform.lake.root).as_posix()}@{f.parent.name}" for f in files}
    near = near_miss(address, written)
    return ConfigError(
        f"{address} was never written",
        expected="ASSET@PARTITION of something in the lake",
        action=near if near.endswith("?") else "`ops materialize` writes it",
    )
