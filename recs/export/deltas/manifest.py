"""Manifest of a folder: its bases and deltas in order, and the state after each."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import pathlib
import re
from typing import Any

from recs.errors import explain
from recs.files.json_file import MOST_BYTES, integer, read_json, shown
from recs.files.workspace import remove_whole, replacing
from recs.ops.cursor import Cursor

NAME = "manifest.json"
VERSION = 1
BASE, DELTA = "base", "delta"
# The only names that are followed: neither a path nor a number in another script is among them.
ENTRY_NAME = re.compile(r"([0-9]{1,18})-(base|delta)")
FIELDS = {"name", "kind", "step", "cursors"}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One base or delta.

    Attributes:
        name: Of its folder: a number and the kind, such as `"000002-delta"`.
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
        content = read_json(path)
        if not isinstance(content, dict) or "version" not in content:
            raise ValueError(f"{shown(content)}, which has no version")
        if integer(content["version"]) != VERSION:
            version = content["version"]
            raise ValueError(f"version {version}, where this release reads {VERSION}")
        entries = tuple(_entry(found) for found in _list(content.get("entries")))
        _check_order(entries)
    except FileNotFoundError:
        return ()
    except ValueError as error:
        raise _bad(str(error), str(path)) from None
    return entries


def write(folder: pathlib.Path, entries: tuple[Entry, ...]) -> None:
    """Replaces the manifest at once: a reader sees the old one or the new one.

    Raises:
        ValueError: the chain has more entries, or greater numbers, than `read` takes.
    """
    content: dict[str, Any] = {
        "version": VERSION,
        "entries": [dataclasses.asdict(entry) for entry in entries],
    }
    if not all(ENTRY_NAME.fullmatch(entry.name) for entry in entries):
        raise _bad(f"the entries {shown([entry.name for entry in entries])}", str(folder))
    text = json.dumps(content, indent=1) + "\n"
    if len(text) > MOST_BYTES:
        raise ValueError(
            explain(
                "A folder of deltas",
                rule=f"must have a manifest of at most {MOST_BYTES} bytes",
                received=f"{len(entries)} entries",
                where=str(folder),
                remedy="Call `compact(model)`.",
            )
        )
    with replacing(folder / NAME) as beside:
        beside.write_text(text)


def _entry(found: Any) -> Entry:
    if not isinstance(found, dict) or found.keys() != FIELDS:
        raise ValueError(f"{shown(found)}, which is no entry with {', '.join(sorted(FIELDS))}")
    name, kind = found["name"], found["kind"]
    parts = ENTRY_NAME.fullmatch(name) if isinstance(name, str) else None
    if parts is None or parts[2] != kind:
        raise ValueError(f"{shown(name)}, which is no name of a base or a delta")
    cursors = _list(found["cursors"])
    if not cursors or not all(_is_cursor(cursor) for cursor in cursors):
        raise ValueError(f"{shown(cursors)}, which are no cursors")
    return Entry(name, kind, integer(found["step"]), tuple(cursors))


def _is_cursor(value: Any) -> bool:
    try:
        Cursor.from_string(value)
    except (TypeError, ValueError):
        return False
    return True


def _check_order(entries: tuple[Entry, ...]) -> None:
    numbers = [entry.number for entry in entries]
    ordered = all(a < b for a, b in itertools.pairwise(numbers))
    if entries and (entries[0].kind != BASE or not ordered):
        raise ValueError(f"the entries {shown([entry.name for entry in entries])}")
    for before, entry in itertools.pairwise(entries):
        if entry.kind == DELTA and len(entry.cursors) != len(before.cursors):
            raise ValueError(f"{entry.name} of {len(entry.cursors)} tables after {before.name}")


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{shown(value)}, which is no list")
    return value


def _bad(received: str, where: str) -> ValueError:
    return ValueError(
        explain(
            "The manifest of a folder of deltas",
            rule="must list bases and deltas in their order, a base first",
            received=received,
            where=where,
            remedy="Write a new chain into another folder.",
        )
    )


def entry_files(folder: pathlib.Path, entry: Entry) -> dict[str, pathlib.Path]:
    """Returns the files of an entry by their names.

    Raises:
        FileNotFoundError: its folder is missing.
        ValueError: the folder, or something in it, is a link or no file.
    """
    path = folder / entry.name
    found = {}
    is_folder = path.is_dir() and not path.is_symlink()
    if is_folder or not os.path.lexists(path):
        for item in os.scandir(path):
            is_folder &= item.is_file(follow_symlinks=False)
            found[item.name] = pathlib.Path(item.path)
    if not is_folder:
        raise ValueError(
            explain(
                "An entry of a folder of deltas",
                rule="must be a folder with nothing but files in it; links are not followed",
                received=str(path),
                where="DeltaFolder",
                remedy="Copy the files themselves, or write a new chain into another folder.",
            )
        )
    return found


def remove_others(folder: pathlib.Path, entries: tuple[Entry, ...]) -> None:
    """Removes what has the name of an entry and is not listed; of a link, the link.

    A writer that was killed leaves such folders: before it listed its entry, or after a compaction.
    """
    listed = {entry.name for entry in entries}
    for item in list(os.scandir(folder)):
        if not ENTRY_NAME.fullmatch(item.name) or item.name in listed:
            continue
        if item.is_dir(follow_symlinks=False):
            remove_whole(pathlib.Path(item.path))
        else:
            os.unlink(item.path)
