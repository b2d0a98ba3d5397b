"""The code location `llmops`."""

import ops_pipelines.defs.llmops
from ops_pipelines.components.house import load_tree

defs = load_tree(ops_pipelines.defs.llmops)
