"""The layer for agents: what stands before each tool, what is written of each step, and what people are told.

The gate judges a call before it happens (tool registry, provenance, policy, breaker, spend, approval, effects); the run
log keeps what happened, so that it can be replayed, forked and compared; memories are versioned; alarms are told once.
Nothing here knows an orchestrator, a vendor's SDK or a database, or reads a clock, the environment or the network.
"""
