"""Guardrails as a policy: rules in YAML, each with a check, and the checks themselves.

A check judges one text and knows nothing of actions; a rule says where a check looks and what becomes of what it finds; a
policy is all rules of a system, a value with a digest, and a part of its release. No check is a defence by itself: each knows
some shapes and misses others, and docs/guardrails.md says how many.
"""
