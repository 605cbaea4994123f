"""A layer that remembers the last inputs of every id."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from recs.layers.id_input import IdInput
from recs.layers.policy import checked_admission, checked_eviction, saved_policies
from recs.layers.resource_layer import ResourceLayer
from recs.layers.table_arguments import KEY_DTYPES, bad_argument, check_bags
from recs.layers.table_weight import TableWeight
from recs.ops.as_keys import as_keys
from recs.ops.eviction_rule import combined
from recs.ops.record_table import Recent, RecordTable, check_size
from recs.ops.table import stand_in


@keras.saving.register_keras_serializable("recs")
class RecentRecords(IdInput, ResourceLayer):
    """Returns the last records that were appended to each id: a memory of recent inputs.

    What a user did last, or an item's last prices, need not travel with every request: `append`
    stores a record of `width` floats where it arises, and a call returns the last `capacity` of
    each id, the oldest first. They lie in a table that grows with its ids, beside the model's
    embeddings and saved as those are. `append` works in a training step, in `tf.function` and in
    serving code alike.

    Only `append` changes anything; a call never does, whatever `training` says. Records are inputs:
    no gradient flows into or out of them, and no optimizer touches them. To read what was there
    before this batch, call the layer before `append`.

    Masking: an id has `capacity` places, of which the first are filled; the output carries a Keras
    mask that says which, so a recurrent or attention layer that follows leaves the others out, and
    they are zeros. Masked ids, and ids equal to `mask_key`, have no records and get none.
    `tf.RaggedTensor.from_tensor(records, lengths)`, with what `table.recent` returns, leaves the
    padding out.

    State: ids with their records and times, saved with the layer in `.keras`, in weights files and
    in `tf.train.Checkpoint`.

    Args:
        width: Floats of a record.
        capacity: How many records of an id are kept; the next one takes the oldest one's place. An
            id takes `4 * (1 + capacity * (1 + width))` bytes as soon as it has one.
        key_dtype: `"int64"` (any integer, none reserved) or `"string"`. Defaults to `"int64"`.
        mask_key: The id that stands for "no id". Defaults to `None`: every id counts.
        return_times: Whether a call also returns the times of the records. Defaults to `False`.
        admission: Which new ids get a place: a policy of `recs.layers.admission`. A record is an
            occurrence of its id, and an append a step. Records of an id that is turned away are
            dropped. Defaults to `None`: all.
        eviction: Which ids are given up with their records, one or a list of
            `recs.layers.eviction`, all but `MinimumNorm`. The time of an id is the newest of its
            records, so `SecondsToLive` goes by the time of the events. Defaults to `None`: none
            are.
        **kwargs: `name`, `dtype`, `trainable` as for every Keras layer.

    Call arguments:
        inputs: Ids, dense of any rank.
        mask: Bools of the shape of the inputs.

    Shapes: `(...)` -> `(..., capacity, width)` in the layer's compute dtype (records are stored as
        float32); with `return_times` a pair with `(..., capacity)` int64, in seconds.

    Raises:
        ValueError: an argument is not of the kinds above, or ids are not of `key_dtype`.

    Example:
    ```python
    >>> layer = recs.layers.RecentRecords(width=2, capacity=3)
    >>> layer.append([7, 7], [[1.0, 1.0], [2.0, 2.0]])
    >>> layer.append([7], [[3.0, 3.0]])
    >>> layer.append([7, -1], [[4.0, 4.0], [5.0, 5.0]])
    >>> layer([7, -1])[:, :, 0].numpy().tolist()
    [[2.0, 3.0, 4.0], [5.0, 0.0, 0.0]]
    >>> layer.table.size()
    2

    ```

    Reference: the item-state and recent-history stores of online recommenders, within the model.
    """

    def __init__(
        self,
        width: int,
        capacity: int,
        key_dtype: str = "int64",
        mask_key: int | str | None = None,
        return_times: bool = False,
        admission: Any = None,
        eviction: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        check_size("width", width, where=self._where)
        check_size("capacity", capacity, where=self._where)
        if key_dtype not in KEY_DTYPES:
            rule = f"must be one of {', '.join(KEY_DTYPES)}"
            raise bad_argument("key_dtype", rule, key_dtype, self._where)
        check_bags(None, mask_key, key_dtype, self._where)
        self.width = width
        self.capacity = capacity
        self.key_dtype = key_dtype
        self.mask_key = mask_key
        self.return_times = bool(return_times)
        self._admission = checked_admission(admission, self._where)
        self._eviction = checked_eviction(eviction, self._where)
        table = RecordTable(
            width,
            capacity,
            key_dtype,
            name=self.name,
            admission=None if self._admission is None else self._admission.rule(),
            eviction=combined(self._eviction, where=self._where),
        )
        self._own_resources([table])
        contents = TableWeight(self, "contents", trainable=False)
        # Not an attribute: files have the records from the table, and nothing of this weight.
        self._contents = lambda: contents
        self._masked = _Masked(name="masked", dtype=self.dtype_policy)

    @property
    def table(self) -> RecordTable:
        """The table of ids and their records."""
        table: RecordTable = self.tables[0]
        return table

    @property
    def weights(self) -> list[keras.Variable]:
        """The weights, with one whose value in memory is the ids and their records."""
        return [*super().weights, self._contents()]

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables, with the weight that stands for ids and records."""
        return [*super().variables, self._contents()]

    def append(self, keys: Any, records: Any, timestamps: Any = None, mask: Any = None) -> None:
        """Adds a record to each id, in the order of the ids; the oldest ones give way.

        Args:
            keys: Ids of any shape; an id may come several times.
            records: Finite floats of shape `keys.shape + (width,)`.
            timestamps: Integers, seconds since 1970, of the ids' shape or one for all. They are
                returned with the records, and do not order them. Defaults to `None`: the time of
                the call.
            mask: Bools of the ids' shape; false where nothing is to be added. Defaults to `None`.

        Raises:
            ValueError: shapes that do not fit, or times that are no integers.
            tf.errors.InvalidArgumentError: a record is not finite, or a time is not from 0 to
                2^32 - 1. Nothing was added then.
        """
        keys = self._keys(keys)
        self.table.append(keys, records, timestamps, self._present(keys, mask))

    def recent(self, keys: Any, mask: Any = None) -> Recent:
        """Returns the last records of ids of any shape, how many they are, and their times.

        As `table.recent`; a model that is to be exported asks the layer.

        Args:
            keys: Ids of any shape.
            mask: Bools of the ids' shape; where it is false, an id has none. Defaults to `None`.
        """
        keys = self._keys(keys)
        find = stand_in(self.table) or self.table.recent
        found: Recent = find(keys, self._present(keys, mask))
        return found

    def call(self, inputs: Any, mask: Any | None = None) -> Any:
        """Returns the last records of each id."""
        recent = self.recent(inputs, mask)
        records = self._masked(
            [
                tf.cast(recent.records, self._output_dtype),
                tf.sequence_mask(recent.lengths, self.capacity),
            ]
        )
        return (records, recent.times) if self.return_times else records

    def compute_mask(self, inputs: Any, mask: Any | None = None) -> Any | None:
        """Returns nothing: what is padding depends on the table, and `call` marks it."""
        return None

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Returns shapes and dtypes of the output without looking anything up."""
        shape = (*inputs.shape, self.capacity)
        records = keras.KerasTensor((*shape, self.width), dtype=self._output_dtype)
        return (records, keras.KerasTensor(shape, dtype="int64")) if self.return_times else records

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments; the records are state and are saved as such."""
        return {
            **super().get_config(),
            "width": self.width,
            "capacity": self.capacity,
            "key_dtype": self.key_dtype,
            "mask_key": self.mask_key,
            "return_times": self.return_times,
            "admission": saved_policies(self._admission),
            "eviction": saved_policies(self._eviction),
        }

    def _keys(self, ids: Any) -> tf.Tensor:
        return as_keys(tf.convert_to_tensor(ids), self.table.key_dtype, where=self._where)

    def _present(self, keys: tf.Tensor, mask: Any | None) -> tf.Tensor | None:
        if self.mask_key is None:
            return mask
        present = tf.not_equal(keys, tf.constant(self.mask_key, keys.dtype))
        return present if mask is None else tf.logical_and(present, tf.cast(mask, tf.bool))


class _Masked(keras.layers.Layer):
    """Passes its first input on, with the second as its mask."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any) -> Any:
        return inputs[0]

    def compute_mask(self, inputs: Any, mask: Any | None = None) -> Any:
        return inputs[1]
