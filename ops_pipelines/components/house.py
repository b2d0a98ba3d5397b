"""The rules of the house, put over every tree of definitions in one place.

Resources, the executor, automation and who owns what nobody claimed. Each code location and the single tree go through
`furnish`, so that they cannot differ.
"""

import warnings
from types import ModuleType

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.components.agent_jobs import run_jobs
from ops_pipelines.components.agent_log import agent_log_defs
from ops_pipelines.components.agent_runs import ACTS
from ops_pipelines.components.approvals import approvals_defs
from ops_pipelines.components.arrivals import arrivals
from ops_pipelines.components.conditions import sensor_status, tick_seconds
from ops_pipelines.components.dataset import ARRIVES
from ops_pipelines.components.going_on import going_on_defs


def load_tree(module: ModuleType) -> dg.Definitions:
    """The definitions of a folder of components, furnished."""
    with warnings.catch_warnings():
        # Dagster marks its own component loading, which it recommends, as beta and preview: 56 lines at each start.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return furnish(dg.ComponentTree.from_module(module, project_root=find_project().root).build_defs())


def furnish(tree: dg.Definitions, platform: Platform | None = None) -> dg.Definitions:
    """A tree with the platform as its resource, in-process steps, automation, and owners."""
    merged = dg.Definitions.merge(
        tree,
        _weekly_arrivals(tree),
        _of_agents(tree),
        dg.Definitions(
            resources={"platform": platform or dg.ResourceDefinition(lambda _: Platform.embedded())},
            executor=dg.in_process_executor,
            sensors=_automation(tree),
        ),
    )
    return merged.permissive_map_resolved_asset_specs(func=_owned, selection=None)


def _weekly_arrivals(tree: dg.Definitions) -> dg.Definitions:
    arriving = [spec for spec in _specs(tree) if ARRIVES in spec.tags]
    if not arriving:
        return dg.Definitions()
    weeks = {spec.partitions_def for spec in arriving}
    if len(weeks) > 1:
        raise dg.DagsterInvalidDefinitionError(
            f"The datasets {[spec.key.to_user_string() for spec in arriving]} arrive in different weeks. Expected: one "
            "`weekly` for all of a location. Give them the same start and end."
        )
    calendar = weeks.pop()
    assert isinstance(calendar, dg.TimeWindowPartitionsDefinition)  # what Weekly declares
    return arrivals([spec.key for spec in arriving], calendar)


def _of_agents(tree: dg.Definitions) -> dg.Definitions:
    """What all agents of a tree share, once a tree: the days of their runs, what waits for people, what goes on by itself,
    and replay and fork.
    """
    acting = [spec.key.path[0] for spec in _specs(tree) if ACTS in spec.tags]
    if not acting:
        return dg.Definitions()
    days = agent_log_defs(acting)
    return dg.Definitions.merge(days, approvals_defs(), going_on_defs(), dg.Definitions(jobs=run_jobs()))


def _specs(tree: dg.Definitions) -> list[dg.AssetSpec]:
    return [spec for asset in tree.assets or [] if isinstance(asset, dg.AssetsDefinition) for spec in asset.specs]


def _automation(tree: dg.Definitions) -> list[dg.AutomationConditionSensorDefinition]:
    """The sensor that evaluates the tree's conditions; none for a tree without any, whose ticks would cost time."""
    if not any(spec.automation_condition for spec in _specs(tree)):
        return []
    return [
        dg.AutomationConditionSensorDefinition(
            "automation",
            target=dg.AssetSelection.all(),
            default_status=sensor_status(),
            minimum_interval_seconds=tick_seconds(),
        )
    ]


def _owned(spec: dg.AssetSpec) -> dg.AssetSpec:
    return spec if spec.owners else spec.replace_attributes(owners=["team:platform"])
