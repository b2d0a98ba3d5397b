"""How people name runs, and give JSON, at the command line."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.run_log import Recording

RunId = Annotated[str, typer.Argument(help="The first digits of a run's id; `ops agent runs` lists them.")]
_SPANS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def recording_named(platform: "Platform", digits: str) -> "Recording":
    """The run that begins with some digits, as it was kept; ConfigError for none and for several."""
    from ops_pipelines.agentops.run_log import recording_of
    from ops_pipelines.agentops.run_named import run_named

    return recording_of(platform.runs, run_named(platform.runs, digits))


def json_given(text: str, *, option: str) -> Any:
    """The value of an option: JSON, `@file` or `@-` for what is piped in; ConfigError that says where it breaks."""
    from ops_pipelines.core.errors import ConfigError

    try:
        return json.loads(_text(text), parse_constant=no_constant)
    except ValueError as error:
        raise ConfigError(
            f"{option} is no JSON: {error}",
            expected="""JSON such as '{"order": "A17"}', or @file with it""",
            action="A text needs quotes of its own: '\"text\"'",
            option=option,
        ) from error


def instant_since(text: str, now: datetime) -> datetime:
    """The instant of `2h`, `3d`, a day or an ISO instant, UTC where it names no zone; ConfigError for anything else."""
    from ops_pipelines.core.errors import ConfigError

    if text[:-1].isdecimal() and text[-1] in _SPANS:
        return now - timedelta(**{_SPANS[text[-1]]: min(int(text[:-1]), 10_000)})
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is no time", expected="a span such as 2h or 3d, or a day such as 2026-03-05", action="Write one"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _text(given: str) -> str:
    from ops_pipelines.core.errors import ConfigError

    if not given.startswith("@"):
        return given
    try:
        return sys.stdin.read() if given == "@-" else Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{given[1:]} cannot be read: {error}", expected="a file with JSON", action="Check its name"
        ) from error


def no_constant(name: str) -> Any:
    """Refuses NaN and infinities where JSON is read; ValueError for each."""
    raise ValueError(f"{name} is no value that JSON can hold")
