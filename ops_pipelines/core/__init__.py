"""What every layer shares: errors, fingerprints, verdicts, gates, statistics, time, releases, principals, audit, lineage.

Nothing here knows an orchestrator, a registry, a feature store or a database, and nothing here reads a clock, the
environment or the network: instants, rows and seeds are arguments. Modules are imported by name
(`from ops_pipelines.core.verdict import Passed`), so that a process pays only for what it uses.
"""
