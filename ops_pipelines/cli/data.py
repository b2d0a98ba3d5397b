"""`ops data accept|exclude`: what a person decides about a refused partition."""

import getpass
from typing import Annotated, Any

import typer

from ops_pipelines.cli.output import AsJson, show

app = typer.Typer()
data = typer.Typer(help="Rule on a refused partition.", no_args_is_help=True)
app.add_typer(data, name="data")
Asset = Annotated[str, typer.Argument(help="The dataset, for instance landings.")]
Partition = Annotated[str, typer.Argument(help="The partition, for instance 2013-02-05.")]
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
    """Leave the partition out of everything that reads several."""
    _rule("exclude", asset, partition, reason, as_json)


def _rule(action: str, asset: str, partition: str, reason: str, as_json: bool) -> None:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.errors import ConfigError
    from ops_pipelines.core.verdict import Passed
    from ops_pipelines.mlops.admission import Ruling

    platform = Platform.embedded()
    latest = platform.lake.latest(asset, partition)
    if latest is None or isinstance(latest.verdict, Passed):
        raise ConfigError(
            f"{asset}@{partition} {'was never written' if latest is None else 'was not refused'}",
            expected="a partition whose last content was refused",
            action="Look at its check in the UI",
        )
    ruling = Ruling(action, latest.digest, getpass.getuser(), reason, platform.clock.wall())
    platform.lake.decide(asset, partition, ruling.to_json())
    done: dict[str, Any] = {"partition": latest.address, **ruling.to_json()}
    show([done], as_json=as_json)
