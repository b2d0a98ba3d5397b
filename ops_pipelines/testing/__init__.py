"""Public fakes, and one conformance suite for each port: the fake and every adapter run the same one.

A team that writes its own flavour or store runs the suite on it.
"""
