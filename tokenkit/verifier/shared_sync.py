"""Bringing commits to the disk together: one fsync for all that wait for one."""

import os
import threading

_sync = getattr(os, "fdatasync", os.fsync)


class SharedSync:
    """For a file that is appended to, such as SQLite's write-ahead log; threads share it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._turn = threading.Condition()
        self._begun = self._done = 0  # counts of syncs
        self._under_way = False

    def wait(self) -> None:
        """Return when all that was written before the call is on the disk. OSError.

        One that is under way may have begun too early to count. If there is no such file, there
        is nothing to wait for.
        """
        with self._turn:
            wanted = self._begun + 1
            while self._under_way and self._done < wanted:
                self._turn.wait()
            if self._done >= wanted:
                return
            self._begun += 1
            mine = self._begun
            self._under_way = True
        try:
            self._bring()
        except BaseException:
            mine = 0  # the others try for themselves
            raise
        finally:
            with self._turn:
                self._under_way = False
                self._done = max(self._done, mine)
                self._turn.notify_all()

    def _bring(self) -> None:
        # opened each time: SQLite makes the file anew when the last connection has closed it
        try:
            file = os.open(self._path, os.O_RDWR)
        except FileNotFoundError:
            return
        try:
            _sync(file)
        finally:
            os.close(file)
