"""What an agent's toolset is made with: the platform, and the agent's own release by which it calls other systems.

    def tools(bench: Workbench) -> Iterable[ToolFunction]: ...

Opening an agent calls its toolset; so it makes functions, and looks at nothing yet.
"""

from dataclasses import dataclass

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.composite import resolve
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Manifest


@dataclass(frozen=True, slots=True)
class Workbench:
    """What tools reach: the platform, who uses them, and which releases they call."""

    platform: Platform
    manifest: Manifest
    environment: str = PRODUCTION

    @property
    def agent(self) -> str:
        """The system that the agent is."""
        return self.manifest.system

    def digest_of(self, system: str) -> str:
        """The digest by which the agent calls a system now: pinned where it uses it, what is live where it operates it.

        ReleaseError for a system that its release neither uses nor operates, and where nothing is live.
        """
        return resolve(self.manifest, system, lambda name: self.platform.live(self.environment, name))
