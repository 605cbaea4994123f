"""The folder of a run and its files."""

from __future__ import annotations

import shutil
from os import PathLike
from pathlib import Path

from recs.errors import explain
from recs.files.workspace import remove_leftovers


class RunFolder:
    """The folder of one run, `runs/<name>/<number>/`, and the names of the files in it.

    Runs are numbered from 1. A folder is taken by making it, so that two runs that start together
    get two numbers. A file `UNFINISHED` stands in it until everything is written: a run that was
    killed or met a full disk never passes for a finished one.

    Args:
        path: the folder.

    Example:
    ```python
    >>> import tempfile
    >>> from recs.experiments import RunFolder
    >>> parent = tempfile.mkdtemp()
    >>> RunFolder.create(parent).path.name, RunFolder.create(parent).path.name
    ('1', '2')

    ```
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self.config = self.path / "config.yaml"
        self.metrics = self.path / "metrics.json"
        self.model = self.path / "model.keras"
        self.history = self.path / "history.csv"
        self.curves = self.path / "training_curves.png"
        self.saved_model = self.path / "saved_model"
        self._unfinished = self.path / "UNFINISHED"

    @property
    def is_finished(self) -> bool:
        """Whether the run has written everything."""
        whole = self.config.exists() and self.model.exists()
        return whole and not self._unfinished.exists()

    def finish(self) -> None:
        """Marks a run that `create` made as finished."""
        self._unfinished.unlink(missing_ok=True)

    def discard(self) -> None:
        """Removes the folder of a run that failed."""
        shutil.rmtree(self.path, ignore_errors=True)

    def next_export(self) -> Path:
        """Returns `saved_model/<number>` with the first number that is free."""
        return self.saved_model / str(max(_numbers(self.saved_model), default=0) + 1)

    @classmethod
    def create(cls, parent: str | PathLike[str]) -> RunFolder:
        """Makes the next folder in `parent`, unfinished as yet.

        Raises:
            OSError: when `parent` cannot be written.
        """
        folder = Path(parent)
        folder.mkdir(parents=True, exist_ok=True)
        number = max(_numbers(folder), default=0) + 1
        while True:
            try:
                (folder / str(number)).mkdir()
            except FileExistsError:
                number += 1
            else:
                break
        for other in map(str, _numbers(folder)):  # of runs that were killed
            remove_leftovers(folder / other)
            remove_leftovers(folder / other / "saved_model")
        run = cls(folder / str(number))
        run._unfinished.touch()
        return run

    @classmethod
    def find(cls, path: str | PathLike[str]) -> RunFolder:
        """Returns the run at `path`: the folder itself, or the newest finished one within it.

        Args:
            path: a run's folder, or the parent of runs, whose largest number is taken.

        Raises:
            FileNotFoundError: when there is no finished run.
        """
        given = Path(path)
        candidates = [given, *(given / str(n) for n in sorted(_numbers(given), reverse=True))]
        for candidate in candidates:
            run = cls(candidate)
            if run.is_finished:
                return run
        if cls(given)._unfinished.exists():
            there = f"{path}, which is unfinished: its training goes on, or was interrupted, or "
            there += "its files could not be written"
        elif given.is_dir():
            names = sorted(p.name for p in given.iterdir() if p.is_dir())[:8]
            there = f"{path}, with the folders {', '.join(names)}" if names else f"{path}, empty"
        else:
            there = f"{path}, which does not exist"
        raise FileNotFoundError(
            explain(
                "RUN",
                rule="must be the folder of a finished run (with config.yaml and model.keras), or "
                "the folder of several, of which the newest is taken",
                received=there,
                where="recs",
                remedy="`recs train` prints the folder it writes.",
            )
        )


def _numbers(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    return [int(p.name) for p in folder.iterdir() if p.name.isdecimal() and p.is_dir()]
