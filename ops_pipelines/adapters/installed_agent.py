"""A recorded run held against the code that is installed here, released or not: what an edit would have done to it."""

from ops_pipelines.adapters.agent_place import environment_of_run, system_of
from ops_pipelines.adapters.agents import OpenAgent, equipped, writer_of
from ops_pipelines.adapters.nothing_live import nothing_live
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.agent import read_agent
from ops_pipelines.agentops.regression import Regressed, regress
from ops_pipelines.agentops.run_log import Recording
from ops_pipelines.agentops.run_state import has_ended
from ops_pipelines.core.release import find_release
from ops_pipelines.mlops.training import import_function


def replayed_by_what_is_installed(platform: Platform, recording: Recording) -> Regressed:
    """A run beside its replay with the installed program, and the settings of the release that made it; nothing is touched.

    ReleaseError for a run that no release of ours made, ConfigError where the program is no longer there.
    """
    first = recording.steps[0]
    system = system_of(platform, first.release, otherwise=first.agent)
    kept = read_agent(find_release(platform.releases, system, first.release).manifest, platform.objects.get)
    agent = equipped(platform, system, kept)
    program = import_function(agent.program, what="agent's program")
    where = environment_of_run(platform, recording)
    conductor = OpenAgent(platform, agent.manifest(system), agent, {}, program, where).conductor()
    with nothing_live():
        return regress(
            recording,
            conductor.replayed(recording),
            writer=writer_of(platform),
            release=conductor.release,
            as_far=not has_ended(recording),
        )
