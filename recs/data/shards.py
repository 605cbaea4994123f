"""The files that a stream reads."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path

from recs.errors import explain


def shard_files(
    path: str | PathLike[str] | Sequence[str | PathLike[str]], ending: str, where: str
) -> list[str]:
    """Returns the files of a path, sorted by name; those of a list as they are.

    Args:
        path: a file, a folder of files, or a list of files.
        ending: what the name of a file of a folder has in it: `".parquet"`.
        where: the function, for errors.

    Raises:
        FileNotFoundError: when there are none, or one does not exist.
    """
    if not isinstance(path, str | PathLike):
        files = [fspath(one) for one in path]
    elif Path(path).is_dir():
        files = sorted(fspath(one) for one in Path(path).iterdir() if ending in one.name)
    else:
        files = [fspath(path)]
    missing = [file for file in files if not Path(file).is_file()]
    if missing or not files:
        raise FileNotFoundError(
            explain(
                "`path`",
                rule=f"must be files, or a folder with files of {ending}",
                received=missing[0] if missing else repr(path),
                where=where,
                remedy=f"The working directory is {Path.cwd()}.",
            )
        )
    return files


def check_sizes(where: str, **sizes: int) -> None:
    """Raises a ValueError unless all numbers are positive."""
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(
                explain(
                    f"`{name}`",
                    rule="must be a positive integer",
                    received=f"{name}={value}",
                    where=where,
                )
            )
