"""The only door to the outside: files, SQLite, Feast, MLflow, LightGBM, and Dagster's own daemon.

Each has a file, or several that begin with its name.

An adapter implements a port of a domain room, or gives a library a narrow shape. Heavy libraries are imported inside the
functions that use them.
"""
