"""`ops agent`: runs of agents started, watched, approved, replayed, forked; what they did and what they remember."""

from importlib import import_module

import typer

from ops_pipelines.cli.agent_memory import memory

app = typer.Typer()
family = typer.Typer(
    help="run, watch, approve, replay and fork agents; their effects and memories.",
    no_args_is_help=True,
    suggest_commands=False,
)
app.add_typer(family, name="agent")
VERBS = {
    "run": "agent_run:start",
    "resume": "agent_run:resume",
    "runs": "agent_runs:list_runs",
    "show": "agent_show:show_run",
    "graph": "agent_graph:draw",
    "diff": "agent_diff:compare",
    "approvals": "agent_approvals:list_approvals",
    "approve": "agent_approvals:approve",
    "deny": "agent_approvals:deny",
    "effects": "agent_effects:list_effects",
    "settle": "agent_effects:settle",
    "replay": "agent_replay:replay_run",
    "step": "agent_step:step_through",
    "fork": "agent_fork:fork_run",
    "keep": "agent_keep:keep",
    "regress": "agent_regress:regress_runs",
    "receive": "agent_receive:receive",
    "export": "agent_export:export",
}
"""Each verb with the function that does it, in a file of this folder."""


@app.callback()
def _family() -> None:
    pass


for verb, place in VERBS.items():
    file, _, name = place.partition(":")
    family.command(verb)(getattr(import_module(f"ops_pipelines.cli.{file}"), name))
family.add_typer(memory, name="memory")
