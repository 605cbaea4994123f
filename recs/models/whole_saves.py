"""Saves of a model that leave the old file whole until the new one is."""

from __future__ import annotations

import os
import pathlib
import re
from typing import TYPE_CHECKING, Any

from recs.errors import explain
from recs.files.durable import to_disk
from recs.files.workspace import Workspace, replacing

if TYPE_CHECKING:
    from keras import Model as _Mixin
else:
    _Mixin = object

# As Keras tells remote paths from local ones.
REMOTE = re.compile(r"/cns|/cfs|/gcs|/hdfs|/readahead|/placer|/tfhub|.*://")
ENDINGS = (".keras", ".h5", ".hdf5")
IN_FOLDER = {"config.json", "metadata.json", "model.weights.h5", "model.weights.npz", "assets"}


class WholeSaves(_Mixin):
    """Saves a Keras model atomically."""

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> None:
        """Saves the model, with the arguments of `keras.Model.save`.

        The file, or with `zipped=False` the folder, is written beside its name, brought to the disk
        and renamed: an old one stays whole until then, whether the process is killed or the disk is
        full. (Keras truncates the old file first.) `keras.saving.save_model` and remote paths are
        Keras's own.

        Args:
            filepath: Where to.
            overwrite: Whether to replace what is there, or to ask first. Defaults to `True`.
            zipped: As in Keras. Defaults to `None`.
            **kwargs: As in Keras.

        Raises:
            FileExistsError: with `zipped=False`, the folder holds something else than a model.
        """
        path = _local(filepath)
        if path is not None and zipped is False:
            path = _folder(path)
        elif path is not None and not str(path).endswith(ENDINGS):
            path = None
        if path is None:
            super().save(filepath, overwrite, zipped, **kwargs)
        elif overwrite or _may_replace(path):
            with replacing(path) as beside:
                super().save(beside, zipped=zipped, **kwargs)

    def save_weights(
        self, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """Saves all weights, with the arguments of `keras.Model.save_weights`.

        The file is written beside its name and renamed, as `save` does. With `max_shard_size` all
        files are complete and on the disk before the first takes its name, but they are renamed one
        after another: a process that is killed between leaves some old and some new.

        Args:
            filepath: Where to.
            overwrite: Whether to replace what is there, or to ask first. Defaults to `True`.
            max_shard_size: As in Keras. Defaults to `None`.
        """
        path = _local(filepath)
        sharded = max_shard_size is not None
        if path is None or not str(path).endswith(
            ("weights.h5", "weights.json") if sharded else ".weights.h5"
        ):
            super().save_weights(filepath, overwrite, max_shard_size)
        elif not (overwrite or _may_replace(path)):
            return
        elif sharded:
            workspace = Workspace(path.absolute())
            try:
                super().save_weights(workspace.product, True, max_shard_size)
                _publish_shards(workspace.path, path.absolute().parent)
            finally:
                workspace.close()
        else:
            with replacing(path) as beside:
                super().save_weights(beside)


def _local(filepath: Any) -> pathlib.Path | None:
    """Returns the path of a file or folder of this machine, None for what is Keras's own matter."""
    if not isinstance(filepath, str | os.PathLike) or REMOTE.match(str(filepath)):
        return None
    path = pathlib.Path(filepath)
    special = path.exists() and not path.is_file() and not path.is_dir()
    return path if path.absolute().parent.is_dir() and not special else None


def _folder(path: pathlib.Path) -> pathlib.Path | None:
    if path.is_file() or path.name.endswith(".keras"):
        return None
    others = {item.name for item in path.iterdir()} - IN_FOLDER if path.is_dir() else ()
    if not others:
        return path
    raise FileExistsError(
        explain(
            "`filepath` of an unzipped model",
            rule="must be new, an empty folder, or the folder of a model, which is replaced",
            received=f"{path}, which holds {', '.join(sorted(others)[:3])}",
            where="save",
            remedy="Give a folder of its own.",
        )
    )


def _may_replace(path: pathlib.Path) -> bool:
    """Returns whether the path is free, or the user lets it be replaced, as Keras asks."""
    if not path.exists():
        return True
    answer = input(f"[WARNING] {path} already exists - overwrite? [y/n]").strip().lower()
    while answer not in ("y", "n"):
        answer = input('Enter "y" (overwrite) or "n" (cancel).').strip().lower()
    return answer == "y"


def _publish_shards(made: pathlib.Path, folder: pathlib.Path) -> None:
    """Moves files of weights into a folder, the one that lists them last."""
    files = [path for path in made.iterdir() if path.name.endswith((".h5", ".json"))]
    for path in files:
        to_disk(path)
    for path in sorted(files, key=lambda path: (path.suffix == ".json", path.name)):
        os.replace(path, folder / path.name)
    to_disk(folder)
