"""A line on the terminal while something takes its time."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

Progress = Callable[[int, int], None]
_BAR = 24


@contextlib.contextmanager
def status(text: str) -> Iterator[Progress]:
    """Shows a text and the seconds so far while its block runs, if standard error is a terminal.

    The line takes at most 79 columns and is removed when the block ends. Print nothing meanwhile.

    Args:
        text: what goes on, as `Reading the data`, in at most 30 characters.

    Yields:
        A function of the number of things done and of all, which adds a bar to the line.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    sys.stdout.flush()
    # A descriptor of its own: standard error is held back while TensorFlow is imported.
    terminal = os.dup(sys.stderr.fileno())
    counts: list[int] = [0, 0]
    ended = threading.Event()
    writer = threading.Thread(target=_write, args=(terminal, text, counts, ended), daemon=True)
    writer.start()

    def progress(done: int, total: int) -> None:
        counts[:] = done, total

    try:
        yield progress
    finally:
        ended.set()
        writer.join()
        os.write(terminal, b"\r\x1b[K")
        os.close(terminal)


def bar(done: int, total: int, width: int = _BAR) -> str:
    """Returns a bar of a width, `[=====>    ]`."""
    full = width * done // max(total, 1)
    return "[" + ("=" * full + ">" * (full < width)).ljust(width, ".") + "]"


def _write(terminal: int, text: str, counts: list[int], ended: threading.Event) -> None:
    start = time.monotonic()
    while True:
        done, total = counts
        shown = f" {bar(done, total)} {done:,}/{total:,}" if total else " ..."
        seconds = time.monotonic() - start
        line = f"{text}{shown}" + (f" {seconds:.0f} s" if seconds >= 1 else "")
        os.write(terminal, f"\r\x1b[K{line[:79]}".encode())
        if ended.wait(0.2):
            return
