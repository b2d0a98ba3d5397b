"""MLOps, LLMOps and AgentOps as one lifecycle on Dagster.

The rooms, from the shell inwards: `cli`, `locations`, `defs`, `components`, `testing`, `adapters`, `mlops`, `core`.
Imports point down that list only; `lint-imports` holds it.
"""
