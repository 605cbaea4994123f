"""Columns of several domains as vectors: what domains share, and what is one domain's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.layers.categories import TrainedColumns
from recs.layers.embedding_collection import EmbeddingCollection
from recs.layers.feature_config import FeatureConfig
from recs.layers.found_parts import FoundParts
from recs.layers.multi_domain.routing import Routing
from recs.layers.row_shapes import check_same_rows, value_per_row
from recs.layers.table_config import TableConfig


class ColumnVectors(FoundParts, keras.layers.Layer):
    """Embeddings of categories beside numbers that are tamed and scaled.

    A category is text, an integer, or a list of these, of which the mean is taken; "" is none. Each
    column keeps the form that training had, a value or a list per row. A number that is NaN is as
    the mean.

    Args:
        categories: Columns with embeddings.
        numbers: Columns of numbers.
        embedding_dim: Length of each embedding.
        regularization: Factor of the squares of the batch's distinct embeddings.
        seed: Decides the initial embeddings.
    """

    def __init__(
        self,
        categories: Sequence[str],
        numbers: Sequence[str],
        embedding_dim: int,
        regularization: float,
        seed: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.categories, self.numbers = list(categories), list(numbers)
        self.columns = [*self.categories, *self.numbers]
        self.width = embedding_dim * len(self.categories) + len(self.numbers)
        regularizer = keras.regularizers.L2(regularization) if regularization else None
        features = [
            FeatureConfig(
                name,
                TableConfig(name, embedding_dim, key_dtype="string", seed=seed + number,
                            regularizer=regularizer),
                mask_key="",
            )
            for number, name in enumerate(self.categories)
        ]  # fmt: skip
        self.embeddings = EmbeddingCollection(features, name="embeddings") if features else None
        self._trained = None
        if self.categories:
            self._trained_columns = self.add_weight(
                name="trained_columns", shape=(len(self.categories), 2), dtype="int32",
                initializer="zeros", trainable=False, autocast=False,
            )  # fmt: skip
            self._trained = TrainedColumns(self.categories, self._trained_columns, self._where)
        count = len(self.numbers)
        self.means, self.deviations = (
            self.add_weight(shape=(count,), initializer=start, trainable=False, name=name)
            for name, start in (("means", "zeros"), ("deviations", "ones"))
        )
        self.built = True

    def adapt(self, columns: Mapping[str, Any]) -> None:
        """Takes means and deviations of the numbers from training samples."""
        if self.numbers:
            tamed = np.stack([_tame(np.asarray(columns[n], np.float64), np) for n in self.numbers])
            self.means.assign(np.nan_to_num(np.nanmean(tamed, 1)))
            self.deviations.assign(np.maximum(np.nan_to_num(np.nanstd(tamed, 1)), 1e-6))

    @property
    def _where(self) -> str:
        return f"columns '{self.name}' of CrossDomain"

    def serving_specs(self, lists: Sequence[str]) -> dict[str, tf.TensorSpec]:
        """Returns what a server is sent: categories as training had them, and numbers `(batch,)`.

        Args:
            lists: The categories that are lists, as far as training has not shown it.
        """
        specs = self._trained.serving_specs(lists) if self._trained else {}
        numbers = {name: tf.TensorSpec([None], tf.float32, name=name) for name in self.numbers}
        return {**numbers, **specs}

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """Returns a vector for each row, `(batch, width)`."""
        columns = {name: value_per_row(inputs[name], name, self._where) for name in self.numbers}
        if self._trained is not None:
            columns.update(self._trained.categories(inputs, training))
        inputs = check_same_rows(columns, self._where)
        parts = []
        if self.embeddings is not None:
            found = self.embeddings({name: inputs[name] for name in self.categories})
            parts = [ops.cast(found[name], self.compute_dtype) for name in self.categories]
        if self.numbers:
            numbers = ops.stack([ops.cast(inputs[n], "float32") for n in self.numbers], axis=-1)
            scaled = (_tame(numbers, ops) - self.means) / self.deviations
            scaled = ops.where(ops.isnan(scaled), 0.0, scaled)
            parts.append(ops.cast(scaled, self.compute_dtype))
        return ops.concatenate(parts, axis=-1)


class DomainFeatures(FoundParts, keras.layers.Layer):
    """Vectors of all rows from columns that domains share, and of each domain's rows from its own.

    Only rows of a domain are looked up in its tables, so that what others have in its columns is
    never met. A batch without a domain's columns gives zeros for it.

    Args:
        domains: Names of the domains.
        shared: Categories and numbers that all have.
        own: For each domain its own categories and numbers.
        seed: Decides the initial embeddings.
        dims: Lengths of embeddings, shared ones and own.
        regularization: As in `ColumnVectors`.
    """

    def __init__(
        self,
        domains: Sequence[str],
        shared: tuple[Sequence[str], Sequence[str]],
        own: Mapping[str, tuple[Sequence[str], Sequence[str]]],
        seed: int,
        dims: tuple[int, int],
        regularization: float,
    ) -> None:
        super().__init__(name="features", autocast=False)
        self.domains = list(domains)
        self.shared = ColumnVectors(*shared, dims[0], regularization, seed, name="shared")
        self.own = {
            d: ColumnVectors(
                *own[name], dims[1], regularization, seed + 1009 * (d + 1), name=f"own_{d}"
            )
            for d, name in enumerate(self.domains)
            if any(own.get(name, ((), ())))
        }
        self.built = True

    def columns_of(self, d: int) -> list[str]:
        """Returns the columns that a domain reads, shared ones first."""
        own = self.own[d].columns if d in self.own else []
        return list(dict.fromkeys([*self.shared.columns, *own]))

    def call(self, inputs: Mapping[str, Any], routing: Routing) -> tuple[Any, dict[str, Any]]:
        """Returns the vectors of all rows, and those of each domain's rows by its name."""
        if missing := [name for name in self.shared.columns if name not in inputs]:
            raise ValueError(
                explain(
                    "The batch",
                    rule="must have the columns that domains share",
                    received=f"no {', '.join(missing)} among {', '.join(inputs) or 'none'}",
                    where="CrossDomain",
                )
            )
        x = self.shared(inputs)
        return x, {
            self.domains[d]: self._own(d, inputs, x, routing)
            for d in routing.present
            if d in self.own
        }

    def _own(self, d: int, inputs: Mapping[str, Any], x: Any, routing: Routing) -> Any:
        layer = self.own[d]
        if all(name in inputs for name in layer.columns):
            lengths = [f"{name}_lengths" for name in layer.categories]
            names = [*layer.columns, *(name for name in lengths if name in inputs)]
            return layer({name: picked(routing, inputs[name], d) for name in names})
        rows = ops.shape(routing.split(x)[d])[0]
        return ops.zeros((rows, layer.width), dtype=x.dtype)


def picked(routing: Routing, column: Any, d: int) -> Any:
    """Returns the rows of a column, which may be ragged, that are of a domain."""
    if routing.only is not None:
        return column
    if not isinstance(column, tf.RaggedTensor):
        column = tf.convert_to_tensor(column)
    return tf.gather(column, routing.places()[d])


def _tame(values: Any, library: Any) -> Any:
    return library.sign(values) * library.log1p(library.abs(values))
