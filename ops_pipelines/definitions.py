"""The whole tree as one location: what `dg`, CI and `ops materialize` load."""

from dagster import Definitions

import ops_pipelines.defs
from ops_pipelines.components.house import load_tree

defs: Definitions = load_tree(ops_pipelines.defs)
