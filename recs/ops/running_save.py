"""A background save in progress."""

from __future__ import annotations

import threading
from typing import Any

from recs.ops.library import ops


class RunningSave:
    """A state on its way into a file, of the moment when the save was begun.

    The process does not end before it does. What it needs of the table it keeps itself.

    Attributes:
        step: The table's `step` at that moment.
    """

    def __init__(self, save: Any, step: int) -> None:
        self.step = step
        self._save = save
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="recs save")
        self._thread.start()

    def done(self) -> bool:
        """Returns whether it has ended, well or not."""
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Waits for the end, and raises what went wrong.

        Raises:
            tf.errors.UnavailableError: the file could not be written. What was at its path before
                is unchanged.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            ops().recs_table_finish_save(self._save)
        except BaseException as error:  # for whoever waits
            self._error = error
        finally:
            self._save = None  # gives its memory back
