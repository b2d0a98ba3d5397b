"""The layer for models that one does not own: prompts, evaluations, corpora, retrieval, cost and guardrails.

Each module takes texts, values and parameters and returns values. Nothing here knows an orchestrator, a vendor's SDK or a
database, or reads a clock, the environment or the network; those stand in `components` and `adapters`.
"""
