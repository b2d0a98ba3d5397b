"""`ops doctor`: what is missing or stuck, and what to do about it."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ops_pipelines.cli.doctor_control import access, audit, releases
from ops_pipelines.cli.doctor_llm import asked_provider, corpora, prompts, provider
from ops_pipelines.cli.finding import BAD, GOOD, ODD, Finding
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("doctor")
def examine(
    ask: Annotated[bool, typer.Option("--ask", help="Ask the provider, too: a call of a few tokens.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at the installation and at everything in OPS_HOME. Exit 1 where something is bad."""
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    looks = (
        *(_python, _packages, _libraries, _definitions, _automation),
        *(_services, _leftovers, _refused, releases, access, audit, _runs),
        *(asked_provider if ask else provider, corpora, prompts),
    )
    findings = [finding for look in looks for finding in _guarded(look, platform)]
    show([vars_of(finding) for finding in findings], title="ops doctor", as_json=as_json)
    raise typer.Exit(1 if any(finding.state == BAD for finding in findings) else 0)


def vars_of(finding: Finding) -> dict[str, str]:
    """A finding as a row."""
    return {"about": finding.about, "state": finding.state, "what": finding.what, "do": finding.do}


def _guarded(look: "Callable[[Platform], Iterator[Finding]]", platform: "Platform") -> list[Finding]:
    """What a look finds; what it cannot look at is a finding, too, whatever the reason."""
    from ops_pipelines.core.errors import OpsError

    found, about = [], look.__name__.strip("_")
    try:
        for finding in look(platform):
            found.append(finding)
    except OpsError as error:
        found.append(Finding(about, BAD, error.wrong, error.action))
    except Exception as error:
        found.append(Finding(about, BAD, f"{type(error).__name__}: {error}", "Restore it from a backup"))
    return found


def _python(_platform: "Platform") -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("python", GOOD if fits else BAD, version, "" if fits else "Use Python 3.11 to 3.13")


def _packages(platform: "Platform") -> Iterator[Finding]:
    """What is installed against the lock file, by name and version."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    try:
        lines = platform.project.environment().decode().splitlines()
        pins = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]
    except ValueError as error:  # of packaging, and of bytes that are no text
        yield Finding(
            "packages",
            BAD,
            f"{platform.project.lock} cannot be read: {error}",
            "Write it anew: `make lock`, or `uv pip freeze`",
        )
        return
    different = []
    for pin in pins:
        if pin.marker and not pin.marker.evaluate():
            continue
        try:
            installed = version(pin.name)
        except PackageNotFoundError:
            installed = "missing"
        if installed == "missing" or not pin.specifier.contains(installed, prereleases=True):
            different.append(f"{pin.name} {installed}")
    what = (
        f"{len(different)} differ from the lock: {', '.join(different[:5])}" if different else f"{len(pins)} as locked"
    )
    yield Finding(
        "packages",
        BAD if different else GOOD,
        what,
        "Install what it names (`make install`), or lock what is installed" if different else "",
    )


def _libraries(_platform: "Platform") -> Iterator[Finding]:
    import ctypes.util

    found = ctypes.util.find_library("gomp") or ctypes.util.find_library("omp")
    yield Finding(
        "libgomp", GOOD if found else BAD, found or "missing", "" if found else "Install libgomp1 for LightGBM"
    )


def _definitions(platform: "Platform") -> Iterator[Finding]:
    """Whether everything that is declared loads, and whether what it reads is declared."""
    from ops_pipelines.cli.dg_project import load_definitions

    graph = load_definitions(platform.project.root).resolve_asset_graph()
    yield Finding("definitions", GOOD, f"{len(graph.materializable_asset_keys)} assets load")
    for key in sorted(graph.external_asset_keys):
        readers = ", ".join(sorted(child.to_user_string() for child in graph.get(key).child_keys))
        yield Finding("definitions", ODD, f"{key.to_user_string()} is declared by nobody", f"Correct {readers}")


def _automation(platform: "Platform") -> Iterator[Finding]:
    from ops_pipelines.adapters.project import automation_is_on

    on = automation_is_on()
    yield Finding(
        "automation", GOOD, "on" if on else "off: nothing starts by itself", "" if on else "OPS_AUTOMATION=on"
    )
    yield Finding("clock", GOOD, f"as of {platform.clock.as_of():%Y-%m-%d %H:%M} UTC")


def _services(platform: "Platform") -> Iterator[Finding]:
    """Whether the definitions of every feature set were applied."""
    applied = sorted(folder.parent.name for folder in platform.lake.root.glob("*/definitions"))
    what = ", ".join(applied) or "no feature set was applied yet"
    yield Finding(
        "features", GOOD if applied else ODD, what, "" if applied else "Materialize <feature set>/definitions"
    )


def _leftovers(platform: "Platform") -> Iterator[Finding]:
    """Files whose writer died before its rename, and answers that nobody could read."""
    from ops_pipelines.adapters.answer_spool import set_aside
    from ops_pipelines.adapters.files import leftovers

    found = [str(path) for path in leftovers(platform.project.home)]
    what = f"{len(found)} files of writers that died" if found else "no half-written file"
    yield Finding("lake", ODD if found else GOOD, what, f"Delete {found[0]}" if found else "")
    for file in set_aside(platform.project.home):
        what = f"{file} was set aside: some of its answers cannot be read, and all others are in the log"
        yield Finding("prediction log", ODD, what, "Look for what broke it (a disk, another program), then delete it")


def _refused(platform: "Platform") -> Iterator[Finding]:
    """Partitions whose last content was not accepted."""
    from ops_pipelines.mlops.admission import what_to_do

    for file in sorted(platform.lake.root.rglob("refused.parquet")):
        key, partition = file.parent.parent.relative_to(platform.lake.root).as_posix(), file.parent.name
        refused, ruling = platform.lake.latest(key, partition), platform.ruling(f"{key}@{partition}")
        if refused:
            yield Finding("refused", ODD, refused.address, f"ruled: {ruling.action}" if ruling else what_to_do(refused))


def _runs(platform: "Platform") -> Iterator[Finding]:
    """Runs that say they are running: after a crash nobody ends them."""
    if not (platform.project.home / "dagster").is_dir():
        yield Finding("runs", GOOD, "Dagster was not started here yet")
        return
    from ops_pipelines.adapters.dagster_home import prepare

    os.environ.update(prepare(platform.project))
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        open_runs = instance.get_runs(
            dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
        )
    do = "If nothing is running, terminate it in the UI" if open_runs else ""
    named = ", ".join(f"{run.run_id[:8]} {run.job_name}" for run in open_runs[:5])
    yield Finding("runs", ODD if open_runs else GOOD, f"open: {named}" if open_runs else "Dagster has none open", do)
