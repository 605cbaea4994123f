"""Saves and restores the state of a table."""

from __future__ import annotations

import os
from typing import Any, Literal, overload

import tensorflow as tf

from recs.ops.cursor import Cursor, text_of
from recs.ops.delta import Delta
from recs.ops.library import ops
from recs.ops.running_save import RunningSave

Path = str | os.PathLike[str]


class StateResource(tf.saved_model.experimental.TrackableResource):
    """A table as something that is saved and restored, wholly or by its changes.

    A save is of one moment, though training goes on: it stops for an instant when the save begins.
    One save of a table runs at a time; others wait for it, and so do `clear`, `restore` and the
    first update by another optimizer. `docs/formats/table.md` says what is in the files.
    """

    key_dtype: tf.DType

    @property
    def handle(self) -> tf.Tensor:
        """The op's handle; the table lives as long as a handle to it."""
        return self.resource_handle

    @overload
    def save(self, path: Path, slots: bool = ..., background: Literal[False] = ...) -> None: ...
    @overload
    def save(self, path: Path, slots: bool = ..., *, background: Literal[True]) -> RunningSave: ...

    def save(self, path: Path, slots: bool = True, background: bool = False) -> RunningSave | None:
        """Writes the whole state to a file: ids, rows, slots, what was counted, step and seed.

        The file is written beside `path` and takes its name when it is complete and on the disk.

        Args:
            path: The file; what was there before stays until the end.
            slots: Whether to write the optimizer's slots. Whoever restores a state without them
                begins with initial ones. Defaults to `True`.
            background: Whether to return as soon as the state of this moment is sure, and write it
                beside training. Defaults to `False`.

        Returns:
            With `background`, the save, to wait for.

        Raises:
            tf.errors.UnavailableError: the file cannot be written. The table, and what was at the
                path before, are unchanged.

        Example:
        ```python
        >>> import pathlib, tempfile
        >>> layer = recs.layers.DynamicEmbedding(2)
        >>> layer.table.upsert([7], [[1.0, 2.0]])
        >>> path = pathlib.Path(tempfile.mkdtemp(), "table")
        >>> save = layer.table.save(path, background=True)
        >>> layer.table.upsert([7], [[3.0, 4.0]])
        >>> save.wait()
        >>> layer.table.restore(path)
        >>> layer.table.lookup([7]).tolist()
        [[1.0, 2.0]]

        ```
        """
        if not background:
            ops().recs_table_save(self.handle, os.fspath(path), "", slots=slots)
            return None
        begun = ops().recs_table_begin_save(self.handle, os.fspath(path), "", slots=slots)
        return RunningSave(begun.save, int(begun.step))

    def restore(self, path: Path, merge: bool = False, slots: bool = True) -> None:
        """Replaces the state with that of a file from `save`, or adds it to what is there.

        Readers see the state of before or that of after. A file with rows of another storage type
        is converted.

        Args:
            path: The file.
            merge: Whether to keep what is there and add the file's ids to it; of ids in both, the
                file's rows, counts and slots count. The table keeps its seed, and its step unless
                the file's is later. Defaults to `False`.
            slots: Whether to take the optimizer's slots over. Rows without begin with initial ones,
                and so do those of a file that has none. Defaults to `True`.

        Raises:
            tf.errors.InvalidArgumentError: it is of a table with another dimension or key type, or,
                with `merge` and `slots`, trained by another optimizer; or it is a delta.
            tf.errors.DataLossError: it is damaged or cut.
            tf.errors.UnavailableError: it cannot be read. The table is as it was in all cases.
        """
        ops().recs_table_restore(self.handle, os.fspath(path), merge=merge, slots=slots)

    def save_delta(
        self, path: Path, since: Cursor | str | None = None, slots: bool = False
    ) -> Cursor:
        """Writes what changed since a cursor to a file: changed rows, and ids that are gone.

        From the first call on, the table notes when each of its rows changes and which ids go: four
        bytes a row, and up to a million ids that went (or as many as it has rows, if those are
        more). Each consumer of its changes has a cursor of its own.

        Args:
            path: The file.
            since: Where the consumer stands: the cursor that the last call for it returned.
                Defaults to `None`: the whole state is written, a base for deltas to follow.
            slots: Whether to write slots, and what admission has counted: for who is to train on.
                Defaults to `False`: rows and counts, for who looks up.

        Returns:
            The cursor for the next delta.

        Raises:
            tf.errors.FailedPreconditionError: the cursor is of another table, the table was cleared
                or restored since, or too many ids went since to be known. Take a new base then.
            tf.errors.UnavailableError: the file cannot be written.

        Example:
        ```python
        >>> import pathlib, tempfile
        >>> table = recs.layers.DynamicEmbedding(2).table
        >>> table.upsert([1, 2], [[1.0, 1.0], [2.0, 2.0]])
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> cursor = table.save_delta(folder / "base")
        >>> table.upsert([2, 3], [[5.0, 5.0], [3.0, 3.0]])
        >>> table.remove([1])
        1
        >>> cursor = table.save_delta(folder / "delta", since=cursor)
        >>> server = recs.layers.DynamicEmbedding(2).table
        >>> server.restore(folder / "base")
        >>> server.apply(folder / "delta")
        >>> server.lookup([1, 2, 3])[:, 0].tolist()
        [0.0, 5.0, 3.0]

        ```
        """
        kind = "base" if since is None else "delta"
        saved = ops().recs_table_save(
            self.handle, os.fspath(path), text_of(since), kind=kind, slots=slots
        )
        return Cursor.from_string(saved.cursor.numpy().decode())

    def apply(self, path: Path) -> None:
        """Takes over the changes of a file from `save_delta`; readers see all of them or none.

        The table must have been restored from the base of the chain and have taken its deltas over
        in their order. It is not to be trained meanwhile. Of a delta without slots, changed rows
        begin with initial ones where the table has slots.

        Raises:
            tf.errors.FailedPreconditionError: the delta does not follow the table's state.
            tf.errors.DataLossError: it is damaged or cut. The table is as it was in both cases.
        """
        ops().recs_table_apply(self.handle, os.fspath(path))

    def follows(self) -> Cursor | None:
        """Returns up to where it has taken another table's changes over; None for nowhere."""
        text = ops().recs_table_follows(self.handle).numpy().decode()
        return Cursor.from_string(text) if text else None

    def delta(self, since: Cursor | str | None = None) -> Delta:
        """Returns what changed since a cursor as arrays; see `save_delta`.

        Args:
            since: The cursor of the delta before. Defaults to `None`: all rows.

        Raises:
            tf.errors.FailedPreconditionError: as for `save_delta`.
        """
        found = ops().recs_table_delta(self.handle, text_of(since), K=self.key_dtype)
        cursor = Cursor.from_string(found.cursor.numpy().decode())
        return Delta(found.keys.numpy(), found.rows.numpy(), found.removed.numpy(), cursor)

    def serialize(self) -> tf.Tensor:
        """Returns the whole state as a vector of byte strings, about one megabyte each."""
        return ops().recs_table_serialize(self.handle)

    def deserialize(self, blocks: Any) -> None:
        """Replaces the state with that of `serialize`; raises what `restore` raises."""
        ops().recs_table_deserialize(self.handle, tf.convert_to_tensor(blocks, tf.string))

    def contents(self) -> tf.Tensor:
        """Returns ids, rows and what is noted with them, without slots, as byte strings."""
        return ops().recs_table_contents(self.handle)

    def assign(self, blocks: Any) -> None:
        """Replaces ids and rows with those of `contents`, at one moment for all readers.

        Slots of ids that are in both stay, and so do step and optimizer; rows of other ids begin
        with initial slots. Deltas go on: `save_delta` writes what the assignment changed.

        Args:
            blocks: What `contents` of a table of the same kind returned.

        Raises:
            tf.errors.InvalidArgumentError: it is of a table with another dimension or key type.
            tf.errors.DataLossError: it is damaged. The table is as it was in both cases.
        """
        ops().recs_table_assign(self.handle, tf.convert_to_tensor(blocks, tf.string))

    def _serialize_to_tensors(self) -> dict[str, tf.Tensor]:
        return {"blocks": self.serialize()}

    def _restore_from_tensors(self, restored: dict[str, tf.Tensor]) -> tf.Operation:
        return ops().recs_table_deserialize(self.handle, restored["blocks"])
