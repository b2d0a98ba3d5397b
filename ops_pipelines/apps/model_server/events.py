"""What happens in a server, as one line of JSON each on standard error, with the process that it happened in."""

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def tell(event: str, facts: Mapping[str, Any]) -> None:
    """Writes an event with its facts; a reader that went away changes nothing."""
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, "worker": os.getpid(), **facts}
    try:
        sys.stderr.write(json.dumps(line, default=str) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return
