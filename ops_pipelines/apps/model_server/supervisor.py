"""The parent of several workers, which hears at once where one of them has died.

uvicorn's parent asks each worker twice a second whether it lives, through a pipe whose far end it keeps open itself. One
that was killed while it was asked was waited for until the time for hung ones was over, and the parent heard no signal.
"""

from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """uvicorn's, without the ends of pipes that belong to its workers."""

    def init_processes(self) -> None:
        """Starts the workers."""
        super().init_processes()
        self._let_go()

    def keep_subprocess_alive(self) -> None:
        """Starts a worker anew for each that has died or hangs."""
        super().keep_subprocess_alive()
        self._let_go()

    def _let_go(self) -> None:
        for process in self.processes:
            process.child_conn.close()
