"""The folder through which changes of a model in training reach those that serve it."""

from __future__ import annotations

import functools
import os
import pathlib
import shutil
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.export.deltas import manifest
from recs.export.deltas.manifest import BASE, DELTA, Entry
from recs.export.deltas.target import Target, table_file, target_of
from recs.files.locks import alone_in
from recs.files.workspace import replacing
from recs.layers.resource_layer import layers_with_resources
from recs.training import dense_variables


class DeltaFolder:
    """A chain of changes: a base, which is a whole model's state, and deltas that follow it.

    The side that trains calls `write` now and then; the first time, and whenever a table no longer
    knows its changes (it was cleared, restored, or lives in a new process), that gives a base, else
    a delta: the rows that changed since, the ids that are gone, and all dense variables. The side
    that serves calls `apply`, which brings it from where it is to the end of the chain. Base and
    deltas together give every table bit for bit.

    Each entry is written beside its name, brought to the disk and renamed, and the manifest that
    lists the entries is replaced last: whatever stops the writer, a reader sees a complete chain,
    and the next write removes what was left. Writers wait for one another; there may be any number
    of readers, each with a place of its own in the chain.

    Whoever reads from a table while a delta is applied sees the table of before or after it, never
    a part. Between the tables, and between them and the dense variables, the order is not fixed;
    but an entry whose files are not all there and whole changes neither.

    The folder is data: a name in the manifest is a name of an entry, never a path, and links in
    the folder are not followed. Nothing outside it is read, written or removed.

    Args:
        path: The folder; made by the first `write`.
        slots: Whether to write the optimizer's slots and what admission has counted, for a replica
            that is to train on. Defaults to `False`.

    Example:
    ```python
    >>> ids = keras.Input((), dtype="int64", name="user_id")
    >>> layer = recs.layers.DynamicEmbedding(2)
    >>> import tempfile
    >>> trainer = keras.Model(ids, layer(ids))
    >>> layer.table.upsert([7], [[1.0, 2.0]])
    >>> server = keras.models.clone_model(trainer)
    >>> folder = recs.export.DeltaFolder(tempfile.mkdtemp() + "/changes")
    >>> folder.write(trainer)
    '000001-base'
    >>> layer.table.upsert([8], [[3.0, 4.0]])
    >>> folder.write(trainer)
    '000002-delta'
    >>> folder.apply(server)
    ['000001-base', '000002-delta']
    >>> server(np.array([7, 8])).numpy().tolist()
    [[1.0, 2.0], [3.0, 4.0]]

    ```
    """

    def __init__(self, path: str | os.PathLike[str], slots: bool = False) -> None:
        self.path = pathlib.Path(path)
        self.slots = slots

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries of the folder, oldest first.

        Raises:
            ValueError: its manifest is damaged.
        """
        return manifest.read(self.path)

    def write(self, model: keras.layers.Layer, base: bool = False) -> str:
        """Writes what changed in a model since the last entry.

        Args:
            model: The model in training, or any layer with tables.
            base: Whether to write the whole state and begin anew. Defaults to `False`: only when
                the changes since the last entry are not known.

        Returns:
            The name of the entry.

        Raises:
            ValueError: the model has no tables.
            OSError, tf.errors.UnavailableError: the folder cannot be written. The chain is as it
                was.
        """
        tables = _tables(model, "DeltaFolder.write")
        _ = self.entries  # a manifest that is none is told before anything is made
        self.path.mkdir(parents=True, exist_ok=True)
        with alone_in(self.path):
            entries = self.entries
            manifest.remove_others(self.path, entries)
            number = 1 + max([entry.number for entry in entries], default=0)
            fits = entries and len(entries[-1].cursors) == len(tables)
            since = entries[-1].cursors if fits and not base else None
            entry = None
            if since is not None:
                try:
                    entry = self._write_entry(number, model, tables, since)
                except tf.errors.FailedPreconditionError:  # a cursor of another life
                    entry = None
            entry = entry or self._write_entry(number, model, tables, None)
            manifest.write(self.path, (*entries, entry))
        return entry.name

    def apply(self, target: Any) -> list[str]:
        """Brings something that serves to the end of the chain.

        Args:
            target: A model with the same tables and variables as the one that wrote, or what
                `tf.saved_model.load` made of its export with `stock_ops=False`.

        Returns:
            The names of the entries that were applied, in their order. Where the target is in the
            chain already is asked of its tables, so none is applied twice.

        Raises:
            ValueError: the folder is empty, its manifest is damaged, or the target has other
                tables.
            OSError, tf.errors.OpError: a file of an entry is missing or damaged. Tables and dense
                variables are at the entry before, and the next call goes on from there.
        """
        end, applied = target_of(target), []
        while True:
            entries = self.entries
            if not entries:
                raise self._empty()
            for entry in _missing(end, entries, self.path):
                try:
                    self._apply(end, entry)
                except (OSError, tf.errors.OpError):
                    if entry in self.entries:
                        raise
                    break  # compaction has replaced the chain meanwhile
                applied.append(entry.name)
            else:
                return applied

    def compact(self, model: keras.layers.Layer) -> str:
        """Replaces the chain by one base with the same state.

        Readers that stand at the last entry, or before the chain, go on from there; others begin
        at the new base. It takes the memory of one table at a time, on this machine, and leaves
        the model's own tables alone.

        Args:
            model: What the tables' arguments are taken from.

        Returns:
            The name of the base.

        Raises:
            ValueError: the folder is empty, or the model has other tables.
        """
        tables = _tables(model, "DeltaFolder.compact")
        if not self.entries:
            raise self._empty()
        with alone_in(self.path):
            entries = self.entries
            chain = _from_last_base(entries)
            last = chain[-1]
            if len(last.cursors) != len(tables):
                raise ValueError(
                    explain(
                        "What is compacted",
                        rule="must be a chain of the model's tables",
                        received=f"{len(chain)} entries of {len(last.cursors)} tables, for "
                        f"{len(tables)} tables",
                        where=str(self.path),
                    )
                )
            manifest.remove_others(self.path, entries)
            if last.kind == BASE:
                return last.name
            files = [manifest.entry_files(self.path, entry) for entry in chain]
            fill = functools.partial(self._fill_compacted, tables, files, last)
            base = self._complete(last.number + 1, BASE, fill, lambda: last.step)
            manifest.write(self.path, (base,))
            manifest.remove_others(self.path, (base,))
        return base.name

    def _fill_compacted(
        self,
        tables: list[Any],
        files: list[dict[str, pathlib.Path]],
        last: Entry,
        beside: pathlib.Path,
    ) -> tuple[str, ...]:
        for t, table in enumerate(tables):
            scratch = table.empty_copy()
            scratch.restore(files[0][table_file(t)])
            for of_entry in files[1:]:
                scratch.apply(of_entry[table_file(t)])
            scratch.save(beside / table_file(t), slots=self.slots)
            del scratch
        for name, part in files[-1].items():
            if name.startswith(dense_variables.PREFIX):
                shutil.copy(part, beside)
        return last.cursors

    def _apply(self, end: Target, entry: Entry) -> None:
        manifest.entry_files(self.path, entry)
        end.apply(self.path / entry.name, entry.kind == BASE, entry.cursors)
        if end.cursors() == entry.cursors:
            return
        raise ValueError(
            explain(
                "An entry of a folder of deltas",
                rule="must lead to where its manifest says",
                received=f"tables at {', '.join(end.cursors())}, not {', '.join(entry.cursors)}",
                where=str(self.path / entry.name),
                remedy="Write a new chain into another folder.",
            )
        )

    def _empty(self) -> ValueError:
        return ValueError(
            explain(
                "A folder of deltas",
                rule="must hold a base before anything is applied",
                received="no entries",
                where=str(self.path),
                remedy="Call `write(model)` on the side that trains.",
            )
        )

    def _write_entry(
        self, number: int, model: Any, tables: list[Any], since: tuple[str, ...] | None
    ) -> Entry:
        def fill(beside: pathlib.Path) -> tuple[str, ...]:
            cursors = [
                str(table.save_delta(beside / table_file(t), since and since[t], self.slots))
                for t, table in enumerate(tables)
            ]
            dense_variables.write(beside, dense_variables.state_variables(model))
            return tuple(cursors)

        steps = lambda: max(int(table.stats()["step"]) for table in tables)  # noqa: E731
        return self._complete(number, BASE if since is None else DELTA, fill, steps)

    def _complete(self, number: int, kind: str, fill: Any, step: Any) -> Entry:
        """Returns an entry whose folder is whole, on the disk, and not yet in the manifest."""
        name = f"{number:06d}-{kind}"
        with replacing(self.path / name) as beside:
            beside.mkdir()
            cursors = fill(beside)
        return Entry(name, kind, step(), cursors)


def _tables(model: keras.layers.Layer, where: str) -> list[Any]:
    tables = [table for layer in layers_with_resources(model) for table in layer.tables]
    if not tables:
        raise ValueError(
            explain(
                "The model",
                rule="must have tables, whose changes are what a delta holds",
                received=f"{type(model).__name__} '{model.name}' without",
                where=where,
            )
        )
    return tables


def _from_last_base(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    bases = [i for i, entry in enumerate(entries) if entry.kind == BASE]
    return entries[bases[-1] :] if bases else ()


def _missing(target: Target, entries: tuple[Entry, ...], path: pathlib.Path) -> tuple[Entry, ...]:
    """Returns what is to be applied to a target, from where its tables are."""
    chain = _from_last_base(entries)
    at = target.cursors()
    if len(at) != len(chain[-1].cursors):
        raise ValueError(
            explain(
                "What a chain is applied to",
                rule="must have the tables of the model that wrote it",
                received=f"{len(at)} tables, where the chain has {len(chain[-1].cursors)}",
                where=str(path),
            )
        )
    for i, entry in enumerate(chain):
        if entry.cursors == at:
            return chain[i + 1 :]
    return chain
