"""Agents. Empty until the first one arrives."""
