"""Dagster's side: what a team writes in YAML becomes assets, checks, jobs and sensors. Wiring only.

`Agent`, `Alarms`, `Corpus`, `Dataset`, `FeatureSet`, `Model`, `Prompt` and `Release` are the types that `defs.yaml` names.
Every asset is four moves: read, call one domain function, write, report.
"""

from ops_pipelines.components.agent import Agent
from ops_pipelines.components.alarms import Alarms
from ops_pipelines.components.corpus import Corpus
from ops_pipelines.components.dataset import Dataset
from ops_pipelines.components.feature_set import FeatureSet
from ops_pipelines.components.model import Model
from ops_pipelines.components.prompt import Prompt
from ops_pipelines.components.release import Release

__all__ = ["Agent", "Alarms", "Corpus", "Dataset", "FeatureSet", "Model", "Prompt", "Release"]
