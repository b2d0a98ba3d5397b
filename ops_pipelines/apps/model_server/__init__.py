"""The hot path of models: a process that answers requests by the release that the pointer names, and changes it under way.

`app` is one worker and its routes, `board` says which release answers and swaps it, `doors` answers requests, `scored`
stamps answers, `feature_lookup` turns entity keys into vectors, `protocol` is what callers send and get. Dagster is not
here: requests never wait for it.
"""
