"""Recorded runs that releases of an agent are held against: files beside the code, and what its platform recorded lately.

evals/agents/<agent>/runs/*.json
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.agents import recording_in
from ops_pipelines.adapters.files import written_aside
from ops_pipelines.adapters.nothing_live import nothing_live
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import Project
from ops_pipelines.adapters.secret_scan import find_secrets
from ops_pipelines.agentops.conductor import Acting, Conductor
from ops_pipelines.agentops.recorded_run import portable, read_recording, recording_to_json
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.regression import Regressed, regress
from ops_pipelines.agentops.replay import first_of
from ops_pipelines.agentops.run_log import AGENT, Recording, RunFilter, Tally, recording_of
from ops_pipelines.agentops.run_state import has_ended, state_of
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.core.clock import Window
from ops_pipelines.core.errors import DataError, NotAllowed
from ops_pipelines.core.fingerprint import digest_json

_MOST = 10_000
_NAME = re.compile(r"[\w-]{1,100}")
PORTABLE = Writer(lambda entries: Tally(len(entries)), Redactor(find_secrets))
"""Keeps nothing, and redacts as `portable` leaves a recording: the same on every machine."""


def runs_folder(project: Project, agent: str) -> Path:
    """Where the recorded runs of an agent lie, or would."""
    return project.agent_folder(agent) / "runs"


def runs_of(project: Project, agent: str, folder: str | None) -> tuple[Recording, ...]:
    """The kept runs of an agent, in a folder from the project's root or where they lie without one.

    DataError for a file that is no recorded run, and for a folder that is named and not there.
    """
    named = project.root / folder if folder else None
    if named and not named.is_dir():
        raise DataError(
            f"The recorded runs of {agent!r} do not lie in {folder}",
            expected="a folder from the project's root",
            action="Correct `runs` under `replays`, or keep a run there: `ops agent keep RUN`",
        )
    return recorded_in(named or runs_folder(project, agent))


def keep_run(platform: Platform, run: str, folder: Path | None = None) -> Path:
    """The file of a run that has ended, written beside the others of its agent or into a folder; errors of `file_of`."""
    file = file_of(platform, run, folder)
    record = recording_to_json(portable(recording_in(platform, run)))
    with written_aside(file) as aside:
        aside.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    return file


def file_of(platform: Platform, run: str, folder: Path | None = None) -> Path:
    """Where a run would be kept.

    NotAllowed for a run that has not ended: what it would have done next is not recorded. DataError for no such run.
    """
    recording = recording_in(platform, run)
    if not has_ended(recording):
        state = state_of(recording.steps, platform.clock.wall())
        raise NotAllowed(
            f"The run {run} is {state}", expected="a run that has ended", action="Keep it when it has", run=run
        )
    return (folder or runs_folder(platform.project, first_of(recording).agent)) / f"{_file_name(run)}.json"


def recorded_in(folder: Path) -> tuple[Recording, ...]:
    """The recorded runs of a folder by their file names, none where there is no folder; DataError for one that is none."""
    files = sorted(folder.glob("*.json"))
    return tuple(read_recording(_read(file), where=file.name) for file in files)


def recorded_lately(platform: Platform, agent: str, days: int) -> tuple[Recording, ...]:
    """What the platform recorded of an agent in some days, up to the wall's instant: the runs of its own that have ended."""
    now = platform.clock.wall()
    if days < 1:
        return ()
    of = RunFilter(agent=agent, kind=AGENT)
    summaries = platform.runs.runs(Window(now - timedelta(days=days), now + timedelta(minutes=1)), of, limit=_MOST)
    found = (recording_of(platform.runs, one.run) for one in reversed(summaries))
    return tuple(portable(one) for one in found if has_ended(one) and first_of(one).agent == agent)


def _file_name(run: str) -> str:
    """The id of a run, or a digest of it where it is no name for a file."""
    return run if _NAME.fullmatch(run) else digest_json(run)[:32]


def replayed_by(
    agent: str, program: Acting, settings: Mapping[str, Any], recordings: Iterable[Recording], *, release: str = ""
) -> list[Regressed]:
    """Each recorded run beside its replay with a program and its settings, with sockets and processes refused."""
    conductor = Conductor(agent, release, program, settings, _no_gate, PORTABLE, lambda: datetime.now(UTC))
    with nothing_live():
        return [regress(one, conductor.replayed(), writer=PORTABLE, release=release) for one in recordings]


def _no_gate(run: str, began: datetime) -> Gate:  # noqa: ARG001  (the shape)
    raise NotAllowed("A replay has no gate", expected="a program that is only replayed", action="Start a run for that")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"The recorded run {file} cannot be read: {error}",
            expected="a file in UTF-8",
            action="Keep it anew: `ops agent keep RUN`",
        ) from error
