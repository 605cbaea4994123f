"""Base class of layers that own a resource of the compiled op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from recs.layers.table_weight import TableWeight
from recs.ops.table_resource import TableResource


class ResourceLayer(keras.layers.Layer):
    """A layer whose input is ids and whose state is in tables, which are saved with it.

    A subclass makes its tables and gives them to `_own_resources`.

    Args:
        **kwargs: `name`, `dtype`, `trainable` as for every Keras layer.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.autocast = False  # ids are not to be rounded
        self.supports_jit = False  # XLA has no such op; the rest of the model runs without it

    def _own_resources(self, tables: Sequence[TableResource]) -> None:
        # One attribute a table: a list of resources would be absent from `tf.train.Checkpoint`.
        self._table_names = [f"_table_{t}" for t in range(len(tables))]
        for name, table in zip(self._table_names, tables, strict=True):
            setattr(self, name, table)

    @property
    def tables(self) -> list[Any]:
        """The layer's tables."""
        return [getattr(self, name) for name in self._table_names]

    @property
    def _output_dtype(self) -> str:
        return str(self.dtype_policy.compute_dtype)

    @property
    def _where(self) -> str:
        return f"{type(self).__name__} '{self.name}'"

    def save_own_variables(self, store: Any) -> None:
        """Stores the tables' state, in blocks of about a megabyte."""
        for table, prefix in zip(self.tables, self._block_prefixes, strict=True):
            for i, block in enumerate(table.serialize()):
                store[f"{prefix}{i:06d}"] = np.frombuffer(block.numpy(), np.uint8)

    def load_own_variables(self, store: Any) -> None:
        """Replaces the tables' state; a damaged or foreign one raises and changes nothing."""
        names = sorted(store.keys())
        for table, prefix in zip(self.tables, self._block_prefixes, strict=True):
            own = [name for name in names if name.startswith(prefix)]
            table.deserialize([np.asarray(store[name]).tobytes() for name in own])

    @property
    def _block_prefixes(self) -> list[str]:
        return [f"table_{t:03d}_block_" for t in range(len(self._table_names))]


def layers_with_resources(model: keras.layers.Layer) -> list[Any]:
    """Returns the layers of a model whose state is in tables, however deep they are nested."""
    layers = [v.layer for v in model.variables if isinstance(v, TableWeight)]
    return list({id(layer): layer for layer in layers}.values())
