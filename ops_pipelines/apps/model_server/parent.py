"""What a worker does when the process that started it is gone: it ends, so that another server can listen on its port."""

import multiprocessing
import os
import signal

from ops_pipelines.apps.model_server.events import tell


def end_without_parent() -> None:
    """Asks this process to end, after the requests under way, where it is a worker whose parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        tell("parent_gone", {"parent": parent.pid})
        os.kill(os.getpid(), signal.SIGTERM)
