"""The code location `mlops`."""

import ops_pipelines.defs.mlops
from ops_pipelines.components.house import load_tree

defs = load_tree(ops_pipelines.defs.mlops)
