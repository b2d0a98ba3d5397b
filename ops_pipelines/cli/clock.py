"""`ops clock`: the logical instant that sensors and promotions go by."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ops_pipelines.cli.output import AsJson, show

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("clock")
def tell_or_set(
    to: Annotated[
        str | None, typer.Argument(help="A day such as 2013-04-02, or `wall` for the wall clock's time.")
    ] = None,
    a_week_takes: Annotated[
        float | None, typer.Option(help="Let it run from there, so that one of its weeks takes so many minutes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell the platform's clock, or move it: past weeks then arrive, and the wall clock is left to go on."""
    from ops_pipelines.adapters.clock import ProjectClock
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.core.errors import ConfigError

    clock = ProjectClock(find_project().home)
    if to == "wall":
        clock.follow_the_wall()
    elif to:
        try:
            start = datetime.fromisoformat(to).replace(tzinfo=UTC)
        except ValueError as error:
            raise ConfigError(
                f"{to!r} is no instant", expected="a day such as 2013-04-02, in UTC, or `wall`", action="Write one"
            ) from error
        if a_week_takes is None:
            clock.set(start)
        else:
            clock.run(start, week=timedelta(minutes=a_week_takes))
    show([{"as of": clock.as_of().isoformat(), "replayed": clock.is_replayed()}], as_json=as_json)
