"""Code locations, loaded into this process: what a workspace opens, and the definitions behind it."""

import importlib
import sys
import warnings
from collections.abc import Mapping

from dagster import DagsterInstance, JobDefinition
from dagster import _check as check
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.remote_representation.code_location import CodeLocation, InProcessCodeLocation
from dagster._core.remote_representation.external import RemoteRepository
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget

from ops_pipelines.adapters.dagster_runs import DaemonError


def open_workspace(instance: DagsterInstance, locations: Mapping[str, str]) -> WorkspaceProcessContext:
    """A workspace of code locations, given by name and module; DaemonError where a module cannot be imported."""
    origins = [_origin(name, module) for name, module in locations.items()]
    with warnings.catch_warnings():
        # The location's own load error says the same, and becomes the error raised.
        warnings.filterwarnings("ignore", message="Error loading repository location")
        # The target needs a list: it takes any other sequence for a single origin.
        return WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origins))


def load_repositories(context: WorkspaceProcessContext, locations: Mapping[str, str]) -> dict[str, RemoteRepository]:
    """What each location defines; DaemonError where one did not load, or has a job that would leave this process."""
    return {name: _load(context, name, module) for name, module in locations.items()}


def code_of(context: WorkspaceProcessContext, repository: RemoteRepository) -> CodeLocation:
    """The code location that a repository belongs to, as it is loaded now."""
    return context.create_request_context().get_code_location(repository.handle.location_name)


def job_definition(context: WorkspaceProcessContext, repository: RemoteRepository, name: str) -> JobDefinition:
    """The definition of a job itself, which only a location in this process can give."""
    code = check.inst(code_of(context, repository), InProcessCodeLocation)
    return code.get_reconstructable_job(repository.name, name).get_definition()


def _load(context: WorkspaceProcessContext, name: str, module: str) -> RemoteRepository:
    entry = context.create_request_context().get_code_location_entries()[name]
    if entry.code_location is None:
        raise _load_error(name, module, entry.load_error.message.strip() if entry.load_error else "no error given")
    repository = next(iter(entry.code_location.get_repositories().values()))
    for job in repository.get_all_jobs():
        executor = job_definition(context, repository, job.name).executor_def.name
        if executor != "in_process":
            raise DaemonError(
                f"The job {job.name!r} in the location {name!r} uses the executor {executor!r}",
                expected="runs that stay in this process",
                action=f"Give the Definitions in {module!r} `executor=dagster.in_process_executor`",
            )
    return repository


def _origin(name: str, module: str) -> InProcessCodeLocationOrigin:
    try:
        # Dagster's own import leaves out sys.path[0]; of a module already imported it does not notice.
        importlib.import_module(module)
    except Exception as error:
        raise _load_error(name, module, _innermost(error)) from error
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=module, attribute="defs")
    return InProcessCodeLocationOrigin(target, location_name=name)


def _innermost(error: BaseException) -> str:
    """The error that began a chain: Dagster wraps it in a drawing of the whole component tree."""
    while error.__cause__:
        error = error.__cause__
    return f"{type(error).__name__}: {error}"


def _load_error(name: str, module: str, cause: str) -> DaemonError:
    return DaemonError(
        f"The code location {name!r} did not load: {cause}",
        expected=f"an importable module {module!r} with a `defs` attribute that holds dagster.Definitions",
        action=f"Run `python -c 'import {module}'` to see more of the error",
    )
