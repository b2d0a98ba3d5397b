"""The harbour's components."""
