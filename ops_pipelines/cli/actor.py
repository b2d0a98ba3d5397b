"""Who decides, for the history."""

import getpass


def actor() -> str:
    """The login name of the person at the command line; their number where a container has no name for it."""
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
