"""The harbour as a code location."""

import harbour

from ops_pipelines.components.house import load_tree

defs = load_tree(harbour)
