"""The city's components."""
