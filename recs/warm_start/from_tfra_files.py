"""Rows from the files that TFRA writes beside a checkpoint."""

from __future__ import annotations

import os
import pathlib
import re
from typing import Any

import numpy as np
import tensorflow as tf

from recs.layers.table_arguments import is_positive
from recs.warm_start.contents import one_of
from recs.warm_start.rows import Rows
from recs.warm_start.table_info import TableInfo
from recs.warm_start.tensors import check_shards
from recs.warm_start.wrong import wrong

FOLDERS = ("", "TFRADynamicEmbedding*/", "variables/TFRADynamicEmbedding*/")
# `users_mht_1of2-keys`, or with processes `users_mht_1of2_rank0_size4-keys`.
FILE = re.compile(r"(?P<name>.+)_mht_(?P<place>\d+)of(?P<of>\d+)(_rank(\d+)_size(\d+))?-keys")


def from_tfra_files(
    path: str | os.PathLike[str],
    name: str | None = None,
    *,
    dim: int,
    dtype: str = "float32",
    key_dtype: str = "int64",
) -> Rows:
    """Returns the rows of a table that TFRA's `FileSystemSaver` or `save_to_file_system` wrote.

    These files, `<name>_mht_{i}of{n}[_rank{r}_size{s}]-keys` and `-values`, are the bytes of ids
    and rows in the order of the machine that wrote them, and nothing else: what they are of must be
    said, and all that can be checked is that the lengths fit. All shards, and those of all
    processes, are read into memory. String ids cannot be had, for TFRA writes the addresses of long
    ones.

    Args:
        path: The folder of the files; or that of the checkpoint or SavedModel which has them in
            `TFRADynamicEmbedding*`.
        name: The table, as `tables_in` calls it. Defaults to `None`: the only one.
        dim: Length of a row.
        dtype: The type of its numbers: `"float32"`, `"float16"`, `"bfloat16"` or `"float64"`.
            Defaults to `"float32"`.
        key_dtype: `"int64"` or `"int32"`. Defaults to `"int64"`.

    Raises:
        ValueError: there is not exactly one table that is meant (the message lists what is there),
            files are missing, or their lengths do not fit.

    Example:
    ```python
    >>> np.array([7, 8]).tofile("users_mht_1of1-keys")
    >>> np.array([[1, 2], [3, 4]], np.float32).tofile("users_mht_1of1-values")
    >>> recs.warm_start.from_tfra_files(".", dim=2).rows.tolist()
    [[1.0, 2.0], [3.0, 4.0]]

    ```
    """
    where = os.fspath(path)
    kinds = {
        "dtype": ("float32", "float16", "bfloat16", "float64"),
        "key_dtype": ("int64", "int32"),
    }
    for argument, given in (("dtype", dtype), ("key_dtype", key_dtype)):
        if given not in kinds[argument]:
            rule = f"must be one of {', '.join(kinds[argument])}"
            raise wrong(f"`{argument}`", rule, repr(given), where)
    if not is_positive(dim):
        raise wrong("`dim`", "must be a positive integer", repr(dim), where)
    found = files_in(pathlib.Path(path))
    infos = [TableInfo(one, "files", None, None, None, None) for one in found]
    shards = list(found.values())[one_of(infos, name, where=where)]
    _check_complete(shards, where)
    parts = [_read(file, dim, dtype, key_dtype) for file in shards]
    keys, rows = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Rows(keys, rows, where)


def files_in(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns the files of ids of each table, by its folder and name."""
    found: dict[str, list[pathlib.Path]] = {}
    for inner in FOLDERS if folder.is_dir() else ():
        for file in sorted(folder.glob(f"{inner}*_mht_*-keys")):
            if match := FILE.fullmatch(file.name):
                name = file.relative_to(folder).with_name(match["name"]).as_posix()
                found.setdefault(name, []).append(file)
    return found


def _check_complete(files: list[pathlib.Path], where: str) -> None:
    """Raises a ValueError unless all shards of all processes are there, of one run."""
    matches: list[Any] = [FILE.fullmatch(file.name) for file in files]
    ranks: dict[tuple[int, int] | None, list[tuple[int, int] | None]] = {}
    for match in matches:
        rank = (int(match[5]) + 1, int(match[6])) if match[4] else None
        ranks.setdefault(rank, []).append((int(match["place"]), int(match["of"])))
    processes = list(ranks)
    if None in processes and len(processes) > 1:
        raise wrong("A table's files", "must be of one run", files[0].name + ", ...", where)
    check_shards(processes, where=where)
    for shards in ranks.values():
        check_shards(shards, where=where)


def _read(
    file: pathlib.Path, dim: int, dtype: str, key_dtype: str
) -> tuple[np.ndarray, np.ndarray]:
    values = file.with_name(file.name.removesuffix("-keys") + "-values")
    if not values.is_file():
        raise wrong("A file of ids", "must have its file of rows", file.name, str(file.parent))
    keys = np.fromfile(file, np.uint8)
    rows = np.fromfile(values, np.uint8)
    number, key = tf.as_dtype(dtype).as_numpy_dtype, np.dtype(key_dtype)
    count, rest = divmod(len(keys), key.itemsize)
    if rest or len(rows) != count * dim * np.dtype(number).itemsize:
        raise wrong(
            "`dim`, `dtype` and `key_dtype`",
            "must fit the lengths of the files",
            f"{len(keys)} bytes of ids and {len(rows)} of rows, for {dim} {dtype} an {key_dtype}",
            str(file),
            f"{count} ids of {key_dtype} have {len(rows) / max(count, 1):g} bytes a row.",
        )
    return keys.view(key), rows.view(number).reshape(count, dim)
