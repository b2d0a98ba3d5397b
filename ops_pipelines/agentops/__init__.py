"""Watching what runs: alarms made from stored verdicts, each told to people once."""
