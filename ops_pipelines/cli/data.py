"""`ops data accept|exclude`: what a person decides about a refused partition."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.lake import Lake
    from ops_pipelines.core.lineage import Artefact

app = typer.Typer()
data = typer.Typer(help="accept or exclude: rule on a refused partition.", no_args_is_help=True, suggest_commands=False)
app.add_typer(data, name="data")
Asset = Annotated[str, typer.Argument(help="The dataset, for instance landings.")]
Partition = Annotated[str, typer.Argument(help="The partition, for instance 2013-02-05; - where it has none.")]
Reason = Annotated[str, typer.Option(help="Why; it goes into the training set's manifest.")]


@app.callback()
def _family() -> None:
    pass


@data.command("accept")
def accept(asset: Asset, partition: Partition, reason: Reason, as_json: AsJson = False) -> None:
    """Accept exactly the content that was refused; materialize the partition again to let it in."""
    _rule("accept", asset, partition, reason, as_json)


@data.command("exclude")
def exclude(asset: Asset, partition: Partition, reason: Reason, as_json: AsJson = False) -> None:
    """Leave the partition out of everything that reads several; start those by hand, automation still waits for it."""
    _rule("exclude", asset, partition, reason, as_json)


def _rule(action: str, asset: str, partition: str, reason: str, as_json: bool) -> None:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.errors import ConfigError
    from ops_pipelines.core.principal import APPROVE, EVERY
    from ops_pipelines.mlops.admission import ACCEPT, Ruling, is_acceptable

    platform = Platform.embedded()
    who = platform.access.whoever_may(APPROVE, asset, EVERY, otherwise=actor())
    refused = _refused(platform.lake, asset, partition)
    if action == ACCEPT and not is_acceptable(refused):
        raise ConfigError(
            f"{refused.address} cannot be accepted: it is no loaded content, or was never made because of what it reads",
            expected="a dataset's own refused content",
            action="Rule on what it was made from; what a model's gate refuses stays refused",
        )
    ruling = Ruling(action, refused.digest, who, reason, platform.clock.wall())
    platform.lake.decide(asset, partition, ruling.to_json())
    done: dict[str, Any] = {"partition": refused.address, **ruling.to_json()}
    show([done], as_json=as_json)


def _refused(lake: "Lake", asset: str, partition: str) -> "Artefact":
    """The refused content of a partition; ConfigError, with the nearest partition that was refused, for any other."""
    from ops_pipelines.core.errors import ConfigError, near_miss
    from ops_pipelines.core.lineage import address
    from ops_pipelines.core.verdict import Passed

    latest = lake.latest(asset, partition)
    if latest is not None and not isinstance(latest.verdict, Passed):
        return latest
    waiting = [
        address(file.parent.parent.relative_to(lake.root).as_posix(), file.parent.name)
        for file in lake.root.rglob("refused.parquet")
    ]
    raise ConfigError(
        f"{address(asset, partition)} {'was not refused' if latest else 'was never written'}",
        expected="a partition whose last content was refused",
        action=near_miss(address(asset, partition), waiting) if waiting else "Nothing is refused now",
    )
