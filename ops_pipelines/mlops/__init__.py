"""The classical-model factory: datasets, feature joins, training, evaluation, checkpoints and scores.

Each module takes rows, instants and parameters and returns values. Nothing here knows Dagster, MLflow, Feast or a model
library; those stand in `components` and `adapters`.
"""
