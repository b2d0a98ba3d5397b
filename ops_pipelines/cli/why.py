"""`ops why`: what made this prediction, model version, release or artefact."""

from typing import Annotated, Any

import typer

from ops_pipelines.cli.output import AsJson, show

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("why")
def explain(
    name: Annotated[
        str, typer.Argument(help="A prediction id, models:/SYSTEM/VERSION, ASSET@PARTITION, or a release.")
    ],
    depth: Annotated[int, typer.Option(help="How far to walk.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Walks from an output to its release, run, dataset, features and commit."""
    from ops_pipelines.core.lineage import walk
    from ops_pipelines.mlops.provenance import locate, resolvers

    sources = _sources()
    kind, found = locate(name, sources)
    rows: list[dict[str, Any]] = [
        {
            "what": ("  " * level if not as_json else "") + node.kind,
            "id": node.id,
            **({"depth": level} if as_json else {}),
            "facts": dict(node.facts) if as_json else ", ".join(f"{k} {v}" for k, v in node.facts.items()),
        }
        for level, node in walk(kind, found, resolvers(sources))
        if level <= depth
    ]
    show(rows, title=f"why {name}", as_json=as_json)


def _sources() -> Any:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.mlops.provenance import Sources

    platform = Platform.embedded()
    return Sources(
        releases=platform.releases,
        artefact=platform.good,
        prediction=platform.prediction,
        systems=platform.systems(),
    )
