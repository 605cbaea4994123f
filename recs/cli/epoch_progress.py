"""Progress of training on a terminal of 80 columns, and in files and pipes."""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from collections.abc import Mapping
from typing import Any

import keras

from recs_cli.status import bar


class EpochProgress(keras.callbacks.Callback):
    """Prints what each epoch logged, and on a terminal a bar that redraws itself meanwhile.

    Nothing is wider than the terminal, or than 80 columns: figures that do not fit go to a line of
    their own.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_terminal = sys.stdout.isatty()
        self._width = min(shutil.get_terminal_size((80, 24)).columns, 80) - 1
        self._epoch = self._steps = 0
        self._started = self._drawn = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Draws an empty bar."""
        self._epoch, self._started = epoch + 1, time.monotonic()
        self._draw(0, {})

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Redraws the bar, at most ten times a second."""
        if self._is_terminal and time.monotonic() - self._drawn > 0.1:
            self._draw(batch + 1, logs or {})

    def on_test_begin(self, logs: Any = None) -> None:
        """Says that the epoch's validation runs."""
        if self._is_terminal and self._epoch:
            self._show(f"{self._title} validating ...")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Prints the epoch's figures."""
        self._show("")
        seconds = time.monotonic() - self._started
        figures = "  ".join(_figures(logs or {}))
        lines = textwrap.wrap(
            f"{self._title}  {seconds:.1f} s  {figures}",
            self._width,
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
        print("\n".join(lines), flush=True)

    @property
    def _title(self) -> str:
        return f"Epoch {self._epoch}/{self.params.get('epochs') or '?'}"

    def _draw(self, done: int, logs: Mapping[str, Any]) -> None:
        if not self._is_terminal:
            return
        self._drawn = time.monotonic()
        # How long an epoch of a stream is, is known once one is over.
        total = self.params.get("steps") or self._steps
        self._steps = max(self._steps, done)
        line = f"{self._title} {bar(done, total) if total else ''} {done:,}"
        line += f"/{total:,}" if total else ""
        for figure in _figures(logs):
            if len(line) + len(figure) + 2 <= self._width:
                line += f"  {figure}"
        self._show(line)

    def _show(self, line: str) -> None:
        if self._is_terminal:
            print(f"\r\x1b[K{line[: self._width]}", end="", flush=True)


def _figures(logs: Mapping[str, Any]) -> list[str]:
    """Returns each figure as one word to wrap by: `loss 6.9315`."""
    return [f"{name}\N{NO-BREAK SPACE}{float(value):.4g}" for name, value in logs.items()]
