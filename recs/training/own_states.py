"""Checks whether a folder's states belong to this training."""

from __future__ import annotations

import pathlib
import weakref
from typing import Any

from recs.errors import explain
from recs.files.locks import alone_in
from recs.files.workspace import remove_whole
from recs.training import checkpoint_folder


class OwnStates:
    """The states of a folder that a training has restored or written itself.

    Any other is of another training. It could be taken for a state of this one when this one is
    restored, so nothing is written beside it. What tells them apart is the names that were seen,
    no clock and no process number.

    Args:
        folder: The folder.
        overwrite: Whether a training that begins removes states of others, or is refused.
    """

    def __init__(self, folder: pathlib.Path, overwrite: bool) -> None:
        self._folder = folder
        self._overwrite = overwrite
        self._names: set[str] = set()
        self._models: weakref.WeakSet[Any] = weakref.WeakSet()

    def note_restored(self, model: Any, states: list[pathlib.Path]) -> None:
        """Takes the states that were there when a model got the newest for its own."""
        self._models.add(model)
        self._names |= {state.name for state in states}

    def begin(self, model: Any) -> bool:
        """Begins a training; returns whether it goes on from what is known here.

        Raises:
            ValueError: the folder has states of another training.
        """
        goes_on = model in self._models
        if not goes_on:
            self._names.clear()
            self._models = weakref.WeakSet([model])
        if self._overwrite and self._others():
            with alone_in(self._folder):
                for state in self._others():
                    remove_whole(state)
        self.check()
        return goes_on

    def add(self, begun: checkpoint_folder.Begun, keep: int) -> None:
        """Completes a state, and removes the oldest of more than `keep`.

        Raises:
            ValueError: another training has written into the folder meanwhile.
        """
        begun.finish()
        try:
            with alone_in(self._folder):
                self.check()
                begun.publish()
                self._names.add(begun.name)
                for old in checkpoint_folder.complete(self._folder)[:-keep]:
                    remove_whole(old)
        finally:
            begun.close()

    def _others(self) -> list[pathlib.Path]:
        states = checkpoint_folder.complete(self._folder)
        return [state for state in states if state.name not in self._names]

    def check(self) -> None:
        """Raises a ValueError where the folder has states of another training."""
        if not (others := self._others()):
            return
        raise ValueError(
            explain(
                "The folder of states",
                rule="must hold states of this training alone, or none",
                received=f"{others[-1].name}, which was neither restored nor written by it",
                where=str(self._folder),
                remedy="Call `restore(model)` before `fit` to go on from them, give another "
                "folder, or give `overwrite=True` to have `fit` remove them. While two trainings "
                "run, each needs a folder of its own.",
            )
        )
