"""A folder that takes its name when it is complete."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

from recs.errors import explain
from recs.files.workspace import replacing

GRAPH = "saved_model.pb"


@contextlib.contextmanager
def replace_folder(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Gives a new folder beside `path` and has it take the place of `path` in the end.

    When the body raises, the new folder is removed and what was at `path` is as it was. A server
    that watches the parent sees the old folder or the new one, never a part: the new one's name is
    no number until then.

    Args:
        path: Where the SavedModel is to be. A SavedModel or an empty folder there is replaced.

    Raises:
        FileExistsError: there is something else at `path`.
    """
    target = pathlib.Path(path).absolute()
    _check(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as beside:
        beside.mkdir()
        yield beside


def _check(target: pathlib.Path) -> None:
    if not target.exists() or (target / GRAPH).exists():
        return
    if target.is_dir() and not any(target.iterdir()):
        return
    raise FileExistsError(
        explain(
            "`path`",
            rule="must be new, an empty folder, or a SavedModel, which is replaced",
            received=f"{target}, which holds something else",
            where="recs.export.saved_model",
            remedy=f"Give it a version, as TensorFlow Serving expects: {target / '1'}.",
        )
    )
