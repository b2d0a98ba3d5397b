"""The same evaluation by ours, by a bare loop of the SDK and by each peer: a file each, run by an interpreter of its own.

Each answers the same questions through the same provider, at the same concurrency, scores by an exact match, and tells
how long that took. What is here imports nothing of the project (but `by_ours`), so that a peer's environment can run it.
"""
