"""The `ops` command. One file a family of verbs, imported when its verb is used.

Every verb exits 0 when it is done, 1 when a gate said no, 2 for wrong usage, and 3 when it could not tell. With --json an
error is JSON, too. OPS_TRACEBACK=1 shows where an error that nobody expected came from.
"""

import importlib
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_type_hints

import typer
from typer.core import TyperArgument, TyperGroup

if TYPE_CHECKING:
    from ops_pipelines.core.errors import OpsError

VERBS = {
    "demo": "demo",
    "ui": "ui",
    "new": "new",
    "materialize": "materialize",
    "promote": "pointer",
    "rollback": "pointer",
    "releases": "releases",
    "canary": "canary",
    "serve": "serve",
    "gateway": "gateway",
    "ask": "ask",
    "why": "why",
    "impact": "impact",
    "retention": "retention",
    "data": "data",
    "drift": "drift",
    "prompt": "prompt",
    "corpus": "corpus",
    "eval": "eval",
    "clock": "clock",
    "cost": "cost",
    "agent": "agent",
    "policy": "policy",
    "principal": "principal",
    "audit": "audit",
    "drill": "drill",
    "doctor": "doctor",
}
DONE, REFUSED, USAGE, COULD_NOT_TELL = 0, 1, 2, 3


class _LazyVerbs(TyperGroup):
    def list_commands(self, ctx: typer.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        family = importlib.import_module(f"ops_pipelines.cli.{VERBS[cmd_name]}")
        return _explained(typer.main.get_command(family.app).commands[cmd_name])

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:
        if args[0] not in VERBS:
            from ops_pipelines.core.errors import near_miss

            ctx.fail(f"There is no verb {args[0]!r}. {near_miss(args[0], VERBS)}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_LazyVerbs,
    name="ops",
    help="MLOps, LLMOps and AgentOps as one lifecycle on Dagster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _ops() -> None:
    """What a release names by its import path is found from the project's root, also where the package is not installed."""
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.cli.dg_project import make_importable
    from ops_pipelines.core.errors import ConfigError

    with suppress(ConfigError):  # `ops new project` has none yet; whoever needs one says so
        make_importable(find_project().root)


def main() -> None:
    """Runs one verb; an error becomes its message and an exit code, and never a traceback."""
    from ops_pipelines.core.errors import OpsError

    try:
        app()
    except OpsError as error:
        code = exit_code_of(error)
        print(f"ops: {error}", file=sys.stderr)
        _told(type(error).__name__, code, error.wrong, error.expected, error.action, error.facts)
        sys.exit(code)
    except SystemExit as ended:
        if usage := getattr(ended.__context__, "format_message", None):  # what was typed is none of the verb's words
            _told(type(ended.__context__).__name__, USAGE, usage(), "the words of the verb", "Its --help lists them")
        raise
    except Exception as error:
        if os.environ.get("OPS_TRACEBACK"):
            raise
        do = "`ops doctor` says what is missing, and OPS_TRACEBACK=1 before the command shows where it comes from"
        print(f"ops: {type(error).__name__}: {error}. Nobody expected this error: {do}.", file=sys.stderr)
        _told(type(error).__name__, COULD_NOT_TELL, str(error), "no such error", do)
        sys.exit(COULD_NOT_TELL)


def exit_code_of(error: "OpsError") -> int:
    """What a verb that ended with an error of ours exits with."""
    from ops_pipelines.core.errors import ConfigError, LostRace, NotAllowed, NotPromotable, ReleaseError

    if isinstance(error, NotPromotable):
        return REFUSED if error.facts.get("verdict") == "blocked" else COULD_NOT_TELL
    if isinstance(error, NotAllowed):
        return REFUSED
    if isinstance(error, (ConfigError, ReleaseError)) and not isinstance(error, LostRace):
        return USAGE
    return COULD_NOT_TELL


def _told(name: str, code: int, wrong: str, expected: str, action: str, facts: Mapping[str, Any] | None = None) -> None:
    """The error as JSON, where that was asked for."""
    if "--json" in sys.argv:
        parts = {"wrong": wrong, "expected": expected, "action": action}
        print(json.dumps({"error": name, "exit": code, **parts, "facts": facts or {}}, indent=2, default=str))


def _explained(command: Any) -> Any:
    """The command with the help of its arguments, which typer before 0.26 loses where click is 8.5 or later."""
    for nested in getattr(command, "commands", {}).values():
        _explained(nested)
    for argument in command.params:
        if isinstance(argument, TyperArgument) and argument.help is None:
            hint = get_type_hints(command.callback, include_extras=True)[argument.name]
            argument.help = hint.__metadata__[0].help
    return command
