"""The reference agent: woken by an alarm, it looks at the numbers, asks the runbooks, and proposes what to do."""
