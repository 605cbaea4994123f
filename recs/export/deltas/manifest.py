"""Which bases and deltas a folder holds, in their order, and to which state each leads."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import tempfile
from typing import Any

from recs.errors import explain
from recs.training.durable import to_disk

NAME = "manifest.json"
VERSION = 1
BASE, DELTA = "base", "delta"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One base or delta.

    Attributes:
        name: Of its folder.
        kind: `"base"`, which stands alone, or `"delta"`, which follows the entry before it.
        step: The greatest number of updates of any of its tables.
        cursors: Of each table, as text: where its changes are known up to.
    """

    name: str
    kind: str
    step: int
    cursors: tuple[str, ...]

    @property
    def number(self) -> int:
        """Counts entries; it never comes again in a folder."""
        return int(self.name.partition("-")[0])


def read(folder: pathlib.Path) -> tuple[Entry, ...]:
    """Returns the entries of a folder, oldest first; none when it has no manifest.

    Raises:
        ValueError: the manifest is not one of these, or its chain does not begin with a base.
    """
    path = folder / NAME
    try:
        text = path.read_text()
    except FileNotFoundError:
        return ()
    try:
        found = json.loads(text)
        version = found["version"]
        entries = tuple(
            Entry(e["name"], e["kind"], int(e["step"]), tuple(map(str, e["cursors"])))
            for e in found["entries"]
        )
        numbers = [entry.number for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _bad(path, f"a file that cannot be read as one ({error!r})") from error
    if version != VERSION:
        raise _bad(path, f"version {version!r}, where this one reads {VERSION}")
    if entries and (entries[0].kind != BASE or numbers != sorted(set(numbers))):
        raise _bad(path, f"the entries {[entry.name for entry in entries]}")
    return entries


def write(folder: pathlib.Path, entries: tuple[Entry, ...]) -> None:
    """Replaces the manifest at once: a reader sees the old one or the new one."""
    content: dict[str, Any] = {
        "version": VERSION,
        "entries": [dataclasses.asdict(entry) for entry in entries],
    }
    descriptor, beside = tempfile.mkstemp(prefix=f".{NAME}-", dir=folder)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o644)  # mkstemp's own rights would keep a server's user out
        os.replace(beside, folder / NAME)
    except BaseException:
        pathlib.Path(beside).unlink(missing_ok=True)
        raise
    to_disk(folder)


def _bad(path: pathlib.Path, received: str) -> ValueError:
    return ValueError(
        explain(
            "The manifest of a folder of deltas",
            rule="must list bases and deltas in their order, a base first",
            received=received,
            where=str(path),
            remedy="Write a new chain into another folder.",
        )
    )
