from dataclasses import dataclass


@dataclass
class LogState:
    pending: int = 0
    oldest_seconds: float = 0.0
    written: int = 0
    refused: int = 0
    failing: str | None = None


class LogWriter:
    def __init__(self, log, *, most_pending):
        pass

    def start(self):
        pass

    def stop(self, timeout_seconds):
        return 0

    def offer(self, b):
        return True

    async def room(self, t):
        return True

    async def durably(self, b):
        pass

    def state(self):
        return LogState()
