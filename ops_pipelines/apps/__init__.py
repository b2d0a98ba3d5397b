"""What runs beside Dagster and not inside it: processes of the hot path, and the drills.

A drill re-enacts a public incident (`ops_pipelines.apps.drills`). It may use every room below this one; where it needs a
component it writes a small project into its own folder and lets Dagster's daemon drive that, as a team would.
"""
