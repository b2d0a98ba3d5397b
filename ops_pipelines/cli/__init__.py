"""The `ops` command. One file a family of verbs, imported when its verb is used.

Every verb exits 0 when it is done, 1 when a gate said no, 2 for wrong usage, and 3 when it could not tell.
"""

import importlib
import sys

import typer
from typer.core import TyperGroup

VERBS = {
    "demo": "demo",
    "ui": "ui",
    "materialize": "materialize",
    "promote": "pointer",
    "rollback": "pointer",
    "releases": "pointer",
    "why": "why",
    "data": "data",
    "doctor": "doctor",
}
DONE, REFUSED, USAGE, COULD_NOT_TELL = 0, 1, 2, 3


class _LazyVerbs(TyperGroup):
    def list_commands(self, ctx: typer.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: typer.Context, cmd_name: str):  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        family = importlib.import_module(f"ops_pipelines.cli.{VERBS[cmd_name]}")
        return typer.main.get_command(family.app).commands[cmd_name]


app = typer.Typer(
    cls=_LazyVerbs, name="ops", help="MLOps, LLMOps and AgentOps as one lifecycle on Dagster.", no_args_is_help=True
)


@app.callback()
def _ops() -> None:
    pass


def main() -> None:
    """Runs one verb; an error of ours becomes its message and an exit code, and never a traceback."""
    from ops_pipelines.core.errors import ConfigError, NotPromotable, OpsError, ReleaseError

    try:
        app()
    except OpsError as error:
        print(f"ops: {error}", file=sys.stderr)
        refused = isinstance(error, NotPromotable) and error.facts.get("verdict") == "blocked"
        wrong_usage = isinstance(error, (ConfigError, ReleaseError)) and not isinstance(error, NotPromotable)
        sys.exit(REFUSED if refused else USAGE if wrong_usage else COULD_NOT_TELL)
