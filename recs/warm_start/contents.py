"""Opening a checkpoint or a SavedModel, and finding a table in it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import tensorflow as tf

from recs.errors import explain
from recs.warm_start import saved_model, tensors
from recs.warm_start.table_info import TableInfo
from recs.warm_start.wrong import wrong


class Contents(NamedTuple):
    """The rows and ids that were found.

    Attributes:
        entries: Tables, embeddings and vocabularies.
        note: What could not be read, for messages; `""` as a rule.
    """

    entries: list[tensors.Entry]
    note: str


def contents_of(path: str | os.PathLike[str]) -> Contents:
    """Returns what a checkpoint (its prefix or folder) or a SavedModel (its folder) holds.

    Raises:
        FileNotFoundError: it is neither.
        ValueError: it cannot be read.
    """
    where = os.fspath(path)
    if not tf.io.gfile.exists(f"{where}/saved_model.pb"):
        return Contents(tensors.entries_of(_reader(where), where), "")
    variables = f"{where}/variables/variables"
    stored: list[tensors.Entry] = []
    if tf.io.gfile.exists(f"{variables}.index"):
        stored = tensors.entries_of(_reader(variables), where)
    try:
        loaded = saved_model.entries_of(tf.saved_model.load(where))
    # What TensorFlow raises where an op is missing has changed from release to release.
    except Exception as error:
        reason = str(error).strip().split("\n")[0][:200].rstrip(".")
        note = f"The model itself does not load ({reason}); this is what is stored of it."
        return Contents(stored, note)
    # What the loaded model has it knows by better names.
    return Contents(loaded + [entry for entry in stored if entry.info.kind == "table"], "")


def one_of(found: list[TableInfo], name: str | None, *, where: str, note: str = "") -> int:
    """Returns the place of the only one that is called this, or (None) of the only one.

    Raises:
        ValueError: there is none or there are several; the message lists them.
    """
    places = [i for i, info in enumerate(found) if name is None or info.name == name]
    if len(places) == 1:
        return places[0]
    raise not_one("name", found, f"name={name!r}", where, note)


def not_one(
    argument: str, found: list[TableInfo], received: str, where: str, remedy: str
) -> ValueError:
    """Returns the error of a name that means none or several, with a list of what is there."""
    listed = "; ".join(_described(info) for info in found) or "none"
    return wrong(
        f"`{argument}`", f"must name one that is there ({listed})", received, where, remedy
    )


def _described(info: TableInfo) -> str:
    parts = [f"{info.rows:,} rows" if info.rows is not None else "", info.key_dtype or ""]
    parts += [f"dim {info.dim}" if info.dim is not None else ""]
    details = ", ".join(filter(None, parts))
    return f"{info.kind} '{info.name}'" + (f" ({details})" if details else "")


def _reader(path: str) -> Any:
    prefix = _latest(path) if tf.io.gfile.isdir(path) else path
    if prefix is None or not tf.io.gfile.exists(f"{prefix}.index"):
        raise FileNotFoundError(
            explain(
                "`path`",
                rule="must be a checkpoint, by its prefix or its folder, or a SavedModel",
                received=path,
                where="recs.warm_start",
                remedy="A prefix is the path of the `.index` file without that ending. TFRA's own "
                "files are read by `from_tfra_files`, and a `.keras` file by "
                "`keras.saving.load_model` and `from_keras`.",
            )
        )
    try:
        return tf.train.load_checkpoint(prefix)
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        received = str(error).strip().rstrip(".")
        raise wrong(
            "The checkpoint", "must be one that TensorFlow reads", received, path
        ) from error


def _latest(folder: str) -> str | None:
    """Returns the prefix that the file `checkpoint` of a folder names, which lies in the folder."""
    prefix = tf.train.latest_checkpoint(folder)
    if prefix is None or os.path.dirname(os.path.abspath(prefix)) == os.path.abspath(folder):
        return prefix
    raise wrong(
        "The file `checkpoint`",
        "must name a checkpoint of its own folder",
        f"'{prefix}'",
        folder,
        "Give the prefix itself, where that is the checkpoint you mean.",
    )
