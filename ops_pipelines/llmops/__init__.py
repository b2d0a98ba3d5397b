"""Models one does not own: prompts, evaluations, retrieval corpora, cost, guardrails.

Each module takes texts, instants and parameters and returns values. Nothing here knows a vendor's SDK, a database, the
network, a clock or the environment; those stand in `components` and `adapters`.
"""
