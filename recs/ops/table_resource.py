"""Base class of tables: a resource of the compiled op that is saved with a model."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
import warnings
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.ops import records
from recs.ops.admission_rule import AdmissionRule
from recs.ops.as_keys import as_keys
from recs.ops.eviction_rule import EvictionRule, combined
from recs.ops.library import ops
from recs.ops.row_initializer import RowInitializer
from recs.ops.state_resource import StateResource

# In the order in which the op gives them.
STATS = (
    "rows",
    "bytes",
    "index_places",
    "insertions",
    "removals",
    "refused_updates",
    "stale_updates",
    "discarded_passes",
    "step",
    "slots",
    "lookups",
    "hits",
    "training_lookups",
    "training_distinct",
    "training_hits",
    "updates",
    "update_distinct",
    "last_distinct",
    "evictions",
    "unlogged_evictions",
    "not_admitted",
    "waiting",
    "waiting_dropped",
)


class TableResource(StateResource):
    """A map from ids to rows: what does not depend on the meaning of a row.

    Args:
        dim: Length of a row, in floats.
        key_dtype: `"int64"` or `"string"`.
        initializer: The initializer of new rows.
        seed: With the id, it decides the initial row.
        default_value: Every element of the row that an unknown id gets outside training.
        storage: How rows are stored.
        mean_default: Whether an unknown id gets the mean of all rows instead of the default.
        name: For messages. Tables are told apart by identity, never by name.
        admission: Which new ids training gives a row. Defaults to all.
        eviction: Which rows the table gives up. Defaults to none.
    """

    def __init__(
        self,
        dim: int,
        key_dtype: str,
        initializer: RowInitializer,
        seed: int,
        default_value: float = 0.0,
        storage: str = "float32",
        mean_default: bool = False,
        name: str = "table",
        admission: AdmissionRule | None = None,
        eviction: EvictionRule | None = None,
    ) -> None:
        super().__init__()
        self._exported_state: tf.saved_model.Asset | None = None
        self.dim = dim
        self.key_dtype = tf.as_dtype(key_dtype)
        self.name = name
        self._initializer = initializer
        self._seed = seed
        self.default_value = default_value
        self.storage = storage
        self._mean_default = mean_default
        self._admission = admission or AdmissionRule()
        self._eviction = eviction or EvictionRule()
        self._check_eviction(self._eviction)
        self._time_sources: set[bool] = set()  # True for events, False for the clock
        with tf.init_scope():
            _ = self.resource_handle  # the base class creates it, and a copy for a SavedModel

    def empty_copy(self) -> TableResource:
        """Returns a table with the same arguments and without ids."""
        return TableResource(
            self.dim, self.key_dtype.name, self._initializer, self._seed, self.default_value,
            self.storage, self._mean_default, self.name, self._admission, self._eviction,
        )  # fmt: skip

    @property
    def initializer(self) -> RowInitializer:
        """Where the rows of new ids come from."""
        return self._initializer

    def size(self) -> int:
        """Returns the number of ids."""
        return int(self.stats()["rows"])

    def remove(self, keys: Any) -> int:
        """Removes ids with their rows and slots; returns how many were there."""
        keys = tf.reshape(self._keys(keys), [-1])
        return int(ops().recs_table_remove(self.handle, keys))

    def clear(self) -> None:
        """Removes all ids."""
        ops().recs_table_clear(self.handle)

    def evict(self, policy: Any = None) -> int:
        """Goes through the whole table now and removes the rows that a policy gives up.

        Training goes on meanwhile: the table is locked a part at a time. Other than the bound of
        the table itself, a bound given here is kept at this moment only.

        Args:
            policy: From `recs.layers.eviction`, one or a list. Defaults to `None`: the table's own.

        Returns:
            How many rows were removed, with their slots.
        """
        where = f"table '{self.name}'"
        rule = self._eviction if policy is None else combined(policy, where=where)
        self._check_eviction(rule)
        _check_time_sources(self._time_sources, rule, where)
        return int(ops().recs_table_evict(self.handle, **rule.attributes()))

    def evicted_keys(self) -> np.ndarray:
        """Takes the ids that were evicted since the last call, for whoever keeps copies of rows.

        Up to a million are kept (of each of 64 parts of the table a 64th); more are counted in
        `stats()["unlogged_evictions"]`. An id may be in the table again by now. The list is not
        part of the saved state.

        Returns:
            Ids, shape `(n,)`; strings as `bytes`.
        """
        return ops().recs_table_evicted_keys(self.handle, K=self.key_dtype).numpy()

    def metadata(self, keys: Any) -> records.Metadata:
        """Returns how often and when training has looked ids up; counts as no look-up itself.

        Args:
            keys: Ids of any shape, integers or strings as `key_dtype` says.

        Returns:
            Arrays of the ids' shape: `count` (0), `last_step` (-1) and `last_time` (NaT); in
            brackets what an id has that training never met, be it unknown or set by `upsert`.
        """
        keys = self._keys(keys)
        return records.of_keys(self.handle, keys)

    def stats(self) -> dict[str, Any]:
        """Returns counts of the table, exact with any number of threads.

        What it holds now:

        - `rows`: ids with a row. `load`: how full the index of ids is, from 0 to 1.
        - `bytes`: memory in use, of records, index, string ids, what admission counts with and
          rows drawn for new ids. Places of removed ids count, for they are kept for new ones;
          reserved address space that no record has touched does not.
        - `step`: updates so far, those before a restore included. `optimizer` and its number of
          `slots`: what the rows were last updated by; `""` before the first update.
        - `waiting`: ids without a row that `MinimumCount` counts. `waiting_dropped`: those that it
          forgot to keep to a bound, since the state was last cleared or restored.

        What happened since it was made (these are not saved with the state):

        - `insertions`, `removals` of ids; `evictions` are removals too. `unlogged_evictions`: those
          that `evicted_keys` will not name.
        - `not_admitted`: distinct ids of training look-ups that got no row, every look-up counted.
        - `lookups`: positions looked up outside training, masked ones left out; `hits`: those
          whose id had a row; `hit_rate`: their ratio, None before the first.
        - `training_lookups`, `training_hits`, `training_hit_rate`: the same in training, where an
          id that is just being inserted is no hit. `training_distinct`: distinct ids of each
          training look-up, summed.
        - `updates`: steps in which an optimizer applied. `last_distinct`: distinct ids with a
          gradient in the last of them; `mean_distinct`: on average, None before the first.
        - `refused_updates`: rows whose gradient was NaN or infinite. `stale_updates`: rows removed
          between the forward pass and the update. `discarded_passes`: backward passes that no
          optimizer applied.
        """
        counts, optimizer = ops().recs_table_stats(self.handle)
        stats: dict[str, Any] = dict(zip(STATS, (int(c) for c in counts.numpy()), strict=True))
        stats["load"] = stats["rows"] / stats.pop("index_places")
        stats["hit_rate"] = _ratio(stats["hits"], stats["lookups"])
        stats["training_hit_rate"] = _ratio(stats["training_hits"], stats["training_lookups"])
        stats["mean_distinct"] = _ratio(stats.pop("update_distinct"), stats["updates"])
        stats["optimizer"] = optimizer.numpy().decode()
        return stats

    def _check_eviction(self, rule: EvictionRule) -> None:
        """Raises a ValueError if rows of this kind cannot be given up by a rule."""

    def _keys(self, keys: Any) -> tf.Tensor:
        tensor = tf.convert_to_tensor(keys)
        if tensor.shape.num_elements() == 0:
            return (
                tf.cast(tf.zeros(tensor.shape), self.key_dtype)
                if self.key_dtype.is_integer
                else (tf.zeros(tensor.shape, tf.string))
            )  # an empty list has no type of its own
        return as_keys(tensor, self.key_dtype, where=f"table '{self.name}'")

    def _create_resource(self) -> tf.Tensor:
        # In a graph, which is that of a SavedModel, the rows come with the restored state; and a
        # session that runs it must find the same table with every request.
        exported = not tf.executing_eagerly()
        block = None if exported else self._initializer.block
        return ops().recs_table(
            tf.zeros([0, self.dim]) if block is None else tf.constant(block),
            key_dtype=self.key_dtype,
            dim=self.dim,
            initializer=self._initializer.kind,
            initializer_a=self._initializer.a,
            initializer_b=self._initializer.b,
            seed=self._seed,
            default_value=self.default_value,
            storage=self.storage,
            mean_default=self._mean_default,
            table_name=self.name,
            shared_name=f"recs_table_{uuid.uuid4().hex}" if exported else "",
            **self._admission.attributes(),
            **self._eviction.attributes(),
        )

    def _initialize(self) -> None:
        # What whoever loads a SavedModel does with the new resource.
        if self._exported_state is not None:
            ops().recs_table_restore(self.resource_handle, self._exported_state.asset_path)

    def _serialize_to_tensors(self) -> dict[str, tf.Tensor]:
        return {} if self._exported_state is not None else super()._serialize_to_tensors()

    def _restore_from_tensors(self, restored: dict[str, tf.Tensor]) -> tf.Operation:
        return super()._restore_from_tensors(restored) if restored else tf.no_op()

    def _export_to_saved_model_graph(self, *args: Any, **kwargs: Any) -> list[tf.Tensor]:
        """Warns that it needs the compiled op; TensorFlow calls it for SavedModels only."""
        if not _compiled_export_is_wanted.get():
            warnings.warn(
                explain(
                    "A SavedModel with an embedding table",
                    rule="runs in an unmodified TensorFlow Serving only when it is written by "
                    "`recs.export.saved_model(model, path)`",
                    received="an export that needs the compiled op wherever it is loaded",
                    where=f"table '{self.name}'",
                    remedy="Use that call, with `stock_ops=False` where the op is wanted.",
                ),
                stacklevel=2,
            )
        return super()._export_to_saved_model_graph(*args, **kwargs)


def take_time_source(table: TableResource, *, from_events: bool, where: str) -> None:
    """Notes whether training's look-ups come with times of events or with the clock's.

    Of a table that gives rows up by their age the first look-up decides, and it holds as long as
    this object. A file does not say it: after a restore into a new table the next look-up decides.

    Raises:
        ValueError: rows go by their age, and there were look-ups with times of the other kind:
            next to events of last year, the clock would make all rows old at once.
    """
    _check_time_sources({*table._time_sources, from_events}, table._eviction, where)
    table._time_sources.add(from_events)


def _check_time_sources(sources: set[bool], rule: EvictionRule, where: str) -> None:
    if not rule.seconds_to_live or len(sources) < 2:
        return
    raise ValueError(
        explain(
            "`timestamps`",
            rule="must come with every look-up of training or with none where rows go by their "
            "age, `eviction=SecondsToLive(...)`",
            received="look-ups with times of events and others without, which have the clock's",
            where=where,
            remedy="Give `timestamps` in every call, or in none.",
        )
    )


_compiled_export_is_wanted: ContextVar[bool] = ContextVar("compiled_export", default=False)


@contextlib.contextmanager
def compiled_export(
    tables: Iterable[TableResource] = (), folder: str | os.PathLike[str] | None = None
) -> Iterator[list[tf.saved_model.Asset]]:
    """Tells that a SavedModel with the compiled op is what is wanted, so that none warns of it.

    Args:
        tables: Those whose state goes into files of the SavedModel, in a stream, and not into
            tensors, which would hold it in memory.
        folder: Where these files are until TensorFlow has copied them. Defaults to `None`: where
            the system has its temporary files.

    Yields:
        These files. What is exported must hold them, for TensorFlow to find them.
    """
    wanted = list(tables)
    token = _compiled_export_is_wanted.set(True)
    with tempfile.TemporaryDirectory(prefix=".recs_export_", dir=folder) as folder:
        try:
            for t, table in enumerate(wanted):
                path = os.path.join(folder, f"table_{t:03d}")
                table.save(path)
                table._exported_state = tf.saved_model.Asset(path)
            yield [table._exported_state for table in wanted]
        finally:
            _compiled_export_is_wanted.reset(token)
            for table in wanted:
                table._exported_state = None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
