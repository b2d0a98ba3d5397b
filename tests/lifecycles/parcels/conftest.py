"""A project that test_outside.py copies: there is nothing to collect in it."""

collect_ignore_glob = ["*"]
