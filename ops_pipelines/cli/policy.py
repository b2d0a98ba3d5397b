"""`ops policy check|explain|backtest`: what an agent may do, looked at before it is released."""

import typer

from ops_pipelines.cli.policy_backtest import backtest
from ops_pipelines.cli.policy_check import check
from ops_pipelines.cli.policy_explain import explain

app = typer.Typer()
family = typer.Typer(
    help="check, explain or backtest what agents may do.", no_args_is_help=True, suggest_commands=False
)
app.add_typer(family, name="policy")
for verb in (check, explain, backtest):
    family.command(verb.__name__)(verb)


@app.callback()
def _family() -> None:
    pass
