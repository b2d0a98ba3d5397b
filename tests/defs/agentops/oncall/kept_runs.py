"""The runs of `oncall` that are kept beside its code, made anew: run this where a change of its turns is meant.

.venv/bin/python tests/defs/agentops/oncall/kept_runs.py
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[4]
RUNS = ROOT / "evals" / "agents" / "oncall" / "runs"
AGENT = "oncall"


def declared() -> Mapping[str, Any]:
    """What the project's YAML says of the agent."""
    from ops_pipelines.adapters.declared import declared_in

    return declared_in(ROOT / "ops_pipelines" / "defs").named("Agent", AGENT)


def keep_each() -> list[Path]:
    """The files of every story, each on a platform of its own in a working directory of its own."""
    return [_kept(story, f"{number:x}" * 32) for number, story in enumerate(STORIES, start=1)]


def _better_before(watched: Any) -> None:
    first, _ = watched.releases("first", "second")
    watched.week(loss=0.7, before=(first, 0.6))


def _worse_before(watched: Any) -> None:
    first, _ = watched.releases("first", "second")
    watched.week(loss=0.7, before=(first, 0.8))


def _only_drift(watched: Any) -> None:
    first, _ = watched.releases("first", "second")
    watched.week(loss=0.5, before=(first, 0.6), drifted=["dep_delay", "wind"])


STORIES = (
    (_better_before, "performance", True),
    (_better_before, "performance", False),
    (_worse_before, "performance", True),
    (_only_drift, "feature_drift", True),
)
"""What the platform looks like, which alarm rings, and what a person says where one is asked."""


def _kept(story: tuple[Any, str, bool], run: str) -> Path:
    from ops_pipelines.adapters.agents import open_agent
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.policy_files import policy_in
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.adapters.recorded_runs import keep_run
    from ops_pipelines.agentops.agent import Agent
    from ops_pipelines.testing.refund_agent import kept
    from ops_pipelines.testing.watched_system import Watched

    (arrange, finding, granted), said = story, declared()
    with TemporaryDirectory() as folder:
        _project(Path(folder))
        platform = Platform.embedded(find_project(Path(folder)))
        watched = Watched(platform)
        arrange(watched)
        parts = {name: said[name] for name in ("program", "toolset", "settings")}
        agent = Agent(**parts, policy=policy_in(ROOT / said["policy"]), operates=tuple(said["operates"]))
        opened = open_agent(platform, kept(platform, agent, AGENT))
        _to_its_end(opened, opened.start({"alarm": watched.alarm(finding)}, run=run), granted)
        return keep_run(platform, run, RUNS)


def _to_its_end(opened: Any, ran: Any, granted: bool) -> None:
    from ops_pipelines.agentops.approval import Answer

    while ran.waits:
        answer = Answer("ben", granted, opened.platform.clock.wall())
        opened.platform.approvals.answer(ran.waits["approval"], answer)
        ran = opened.resume(ran.run)


def _project(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.ops]\n")
    (folder / "requirements.lock").write_text("nothing==1\n")
    os.chdir(folder)
    for name in ("OPS_TOKEN", "OPS_HOME", "OPS_NOTIFY"):
        os.environ.pop(name, None)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.stdout.writelines(f"{file.relative_to(ROOT)}\n" for file in keep_each())
