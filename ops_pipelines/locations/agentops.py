"""The code location `agentops`."""

import ops_pipelines.defs.agentops
from ops_pipelines.components.house import load_tree

defs = load_tree(ops_pipelines.defs.agentops)
