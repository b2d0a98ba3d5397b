"""The city as a code location."""

import city

from ops_pipelines.components.house import load_tree

defs = load_tree(city)
