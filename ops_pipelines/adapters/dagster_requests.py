"""What a person asks for in Dagster's UI, as rows of its instance: a run of a job, a backfill of assets."""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import AssetKey, DagsterRun, DagsterRunStatus
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.remote_representation.external import RemoteRepository
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._time import get_current_timestamp

from ops_pipelines.adapters.dagster_locations import code_of, job_definition
from ops_pipelines.adapters.dagster_runs import DaemonError


def partition_of(
    context: WorkspaceProcessContext, repository: RemoteRepository, job_name: str, key: str
) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """The tags and the run config that a job's partition gives its run; DaemonError for one that it does not have."""
    job = job_definition(context, repository, job_name)
    with partition_loading_context(dynamic_partitions_store=context.instance):
        if job.partitions_def is None or not job.partitions_def.has_partition_key(key):
            kind = "no partitions" if job.partitions_def is None else "other partitions"
            raise DaemonError(
                f"The job {job_name!r} of {repository.handle.location_name!r} has no partition {key!r}",
                expected=f"one of its partitions; it has {kind}",
                action="See its launchpad in the UI",
            )
        return job.get_tags_for_partition_key(key, None), job.get_run_config_for_partition_key(key)


def create_run(
    context: WorkspaceProcessContext,
    repository: RemoteRepository,
    job_name: str,
    *,
    run_config: Mapping[str, Any],
    tags: Mapping[str, str],
) -> DagsterRun:
    """A run of a job, recorded and not yet submitted."""
    job = repository.get_full_job(job_name)
    plan = code_of(context, repository).get_execution_plan(job, run_config, None, None, context.instance)
    return context.instance.create_run(
        job_name=job_name,
        run_id=None,
        run_config=run_config,
        status=DagsterRunStatus.NOT_STARTED,
        tags={**job.run_tags, **tags},
        root_run_id=None,
        parent_run_id=None,
        step_keys_to_execute=None,
        execution_plan_snapshot=plan.execution_plan_snapshot,
        job_snapshot=job.job_snapshot,
        parent_job_snapshot=job.parent_job_snapshot,
        asset_selection=None,
        asset_check_selection=None,
        resolved_op_selection=None,
        op_selection=None,
        remote_job_origin=job.get_remote_origin(),
        job_code_origin=job.get_python_origin(),
        asset_graph=repository.asset_graph,
    )


def request_backfill(
    context: WorkspaceProcessContext, backfill_id: str, assets: Sequence[str], partition_keys: Sequence[str]
) -> None:
    """A backfill of assets over partitions, recorded for the daemon to carry through; DaemonError for unknown assets."""
    workspace = context.create_request_context()
    graph = workspace.asset_graph
    keys = [AssetKey.from_user_string(asset) for asset in assets]
    unknown = [key.to_user_string() for key in keys if not graph.has(key)]
    if unknown:
        raise DaemonError(
            f"There is no asset {unknown}",
            expected=f"assets of the locations {', '.join(workspace.code_location_names)}",
            action="Check the keys",
        )
    request = PartitionBackfill.from_asset_partitions(
        backfill_id=backfill_id,
        asset_graph=graph,
        partition_names=list(partition_keys),
        asset_selection=keys,
        backfill_timestamp=get_current_timestamp(),
        tags={},
        dynamic_partitions_store=context.instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    context.instance.add_backfill(request)
