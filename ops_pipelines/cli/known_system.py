"""Whether anybody knows a system: an empty list about a misspelt name would look like good news."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform


def check_known(platform: "Platform", system: str) -> None:
    """ConfigError with the nearest name for a system that has no release, was never trained and is declared nowhere."""
    from ops_pipelines.core.errors import ConfigError, near_miss

    known = {*platform.releases.systems(), *platform.systems()}
    if system in known or system in (declared := _declared(platform)):
        return
    raise ConfigError(
        f"There is no system {system!r}",
        expected="a name that has a release, was trained, or is declared by a Model, a Release or an Agent",
        action=near_miss(system, known | declared),
    )


def _declared(platform: "Platform") -> set[str]:
    """What the project's YAML declares; nothing where the project has no definitions."""
    from ops_pipelines.adapters.declared import declared_in
    from ops_pipelines.cli.dg_project import read_dg_project
    from ops_pipelines.core.errors import ConfigError

    try:
        kinds = declared_in(read_dg_project(platform.project.root).defs_folder).kinds
    except ConfigError:
        return set()
    return {*kinds.get("Model", {}), *kinds.get("Release", {}), *kinds.get("Agent", {})}
