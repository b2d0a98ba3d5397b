"""The only door to the outside: files, SQLite, Feast, MLflow, LightGBM, and Dagster's own daemon. One file each.

An adapter implements a port of a domain room, or gives a library a narrow shape. Heavy libraries are imported inside the
functions that use them.
"""
