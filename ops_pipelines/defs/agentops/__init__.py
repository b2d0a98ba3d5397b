"""Agents and what watches for people: so far the inbox of alarms."""
