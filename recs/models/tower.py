"""One side of a two-tower model: from ids and features to a vector."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.layers.categories import TrainedColumns
from recs.layers.dense_chain import is_replaced, through
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.layers.found_parts import FoundParts
from recs.layers.row_shapes import check_same_rows, ids_per_row


@keras.saving.register_keras_serializable("recs")
class Tower(FoundParts, keras.layers.Layer):
    """A vector of a user or an item, from its id and its categorical features.

    Each id and each value of a feature has an embedding, made when training first sees it. A
    feature with several values (genres) counts with their mean. Without `units` the embeddings
    are added, `v = e_id + sum_f e_f`, so that an item never seen is still placed by its features;
    with `units` they are concatenated and go through dense layers, ReLU between them and the last
    one linear. `normalize` divides by the length: scores are then cosines.

    With `bias`, the vector gets one more number: of an item `"learned"`, a number of its own that
    starts at 0, of a user `"one"`. The dot product of the two then has the item's bias in it, and a
    user never seen, whose vector is zero otherwise, gets items by their bias.

    Masking: missing values of a feature (an empty list, an empty string) add nothing. State:
    tables and weights.

    Args:
        column: The name of the id's column.
        embedding_dim: int, positive. Length of each embedding. Defaults to `32`.
        units: Sizes of the dense layers. Defaults to `()`, for none.
        features: Names of further columns, of strings, integers or lists of them, each value taken
            as a category, by its text. Floats, datetimes and bools are refused. Defaults to `()`.
        id_dtype: `"string"` or `"int64"`. Defaults to `"string"`.
        normalize: bool. Whether vectors get length 1. Defaults to `False`.
        regularization: float. Factor of the squares of the batch's distinct embeddings in the
            loss; larger keeps rare ids closer to zero. Defaults to `0.0`.
        bias: `None`, `"learned"` or `"one"`, see above. Defaults to `None`.
        seed: int. Decides all initial values. Defaults to `None`: drawn from Python's `random`,
            which `keras.utils.set_random_seed` seeds.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: a dict of columns `(batch,)`, or `(batch, None)` for lists, -> `(batch, dim)`, with
        `dim` the last of `units`, or `embedding_dim`, and one more with `bias`. A feature has the
        form that training had, a value or a list per row; `(batch,)` and `(batch, 1)` are taken
        for one another.

    Raises:
        ValueError: when a column is missing, has another form or number of rows than it should,
            holds no categories, or `bias` is none of the three.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.models import Tower
    >>> tower = Tower("user_id", embedding_dim=4, units=[8, 2])
    >>> tower({"user_id": np.array(["ann", "bob"], dtype=object)}).shape
    TensorShape([2, 2])

    ```
    """

    def __init__(
        self,
        column: str,
        embedding_dim: int = 32,
        units: Sequence[int] = (),
        features: Sequence[str] = (),
        id_dtype: str = "string",
        normalize: bool = False,
        regularization: float = 0.0,
        bias: Literal["learned", "one"] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if bias not in (None, "learned", "one"):
            raise ValueError(
                explain(
                    "`bias`",
                    rule="must be None, 'learned' or 'one'",
                    received=f"bias={bias!r}",
                    where=f"Tower '{self.name}'",
                )
            )
        self.column = column
        self.embedding_dim = embedding_dim
        self.units = list(units)
        self.features = list(features)
        self.id_dtype = id_dtype
        self.normalize = normalize
        self.regularization = regularization
        self.bias = bias
        self.seed = seed
        # Python's, not a fresh one: `keras.utils.set_random_seed` must make a model repeatable.
        drawn = random.randrange(2**31) if seed is None else seed
        regularizer = keras.regularizers.L2(regularization) if regularization else None
        self.embedding = DynamicEmbedding(
            embedding_dim,
            embeddings_regularizer=regularizer,
            key_dtype=id_dtype,
            seed=drawn,
            name="embedding",
        )
        self.feature_embeddings = [
            DynamicEmbedding(
                embedding_dim,
                embeddings_regularizer=regularizer,
                key_dtype="string",
                combiner="mean",
                mask_key="",
                seed=drawn + 1 + number,
                name=f"{name}_embedding",
            )
            for number, name in enumerate(self.features)
        ]
        self.dense = [
            keras.layers.Dense(
                size,
                activation="relu" if number < len(self.units) - 1 else None,
                kernel_initializer=keras.initializers.GlorotUniform(drawn + 101 + number),
                name=f"dense_{number}",
            )
            for number, size in enumerate(self.units)
        ]
        width = embedding_dim * (1 + len(self.features))
        for layer in self.dense:
            # Built here, as all sizes are known: a model is complete, and saved, before its first
            # batch.
            layer.build((None, width))
            width = layer.units
        self.bias_embedding = (
            DynamicEmbedding(
                1, "zeros", regularizer, key_dtype=id_dtype, seed=drawn, name="bias_embedding"
            )
            if bias == "learned"
            else None
        )
        self._trained = None
        if self.features:
            self._trained_columns = self.add_weight(
                name="trained_columns", shape=(len(self.features), 2), dtype="int32",
                initializer="zeros", trainable=False, autocast=False,
            )  # fmt: skip
            self._trained = TrainedColumns(self.features, self._trained_columns, self._where)
        self.built = True

    @property
    def _where(self) -> str:
        return f"Tower '{self.name}'"

    @property
    def columns(self) -> list[str]:
        """The names of all columns the tower reads, the id's first."""
        return [self.column, *self.features]

    @property
    def output_dim(self) -> int:
        """The length of the vectors."""
        own = self.units[-1] if self.units else self.embedding_dim
        return own + (self.bias is not None)

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """Returns the vectors of a batch of columns."""
        ids, categories = self._checked(inputs, training)
        parts = self._embedded(ids, categories)
        if self.dense:
            vectors = through(self.dense, ops.concatenate(parts, axis=-1))
        else:
            vectors = sum(parts[1:], start=parts[0])
        vectors = ops.normalize(vectors, axis=-1) if self.normalize else vectors
        if self.bias is None:
            return vectors
        last = ops.ones_like(vectors[:, :1])
        if self.bias_embedding is not None:
            last = self.bias_embedding(ids)
        return ops.concatenate([vectors, last], axis=-1)

    def answers(self, inputs: Mapping[str, Any]) -> tf.Tensor:
        """Returns for each row, as a bool tensor `(batch,)`, whether the model knows it.

        A row is known where its id or a value of a feature has an embedding. All rows are known
        with `bias`, and while a `MetaLearner` adapts the dense layers to new users.

        Args:
            inputs: A batch of columns, as for a call.
        """
        ids, categories = self._checked(inputs, training=False)
        if self.bias is not None or is_replaced(self.dense):
            return tf.ones(tf.shape(ids), tf.bool)
        embedded = tf.concat(self._embedded(ids, categories), axis=-1)
        return tf.reduce_any(embedded != 0, axis=-1)

    def _embedded(self, ids: tf.Tensor, categories: Mapping[str, Any]) -> list[Any]:
        """Returns the embeddings of the id and of each feature, `(batch, embedding_dim)` each."""
        layers = zip(self.features, self.feature_embeddings, strict=True)
        return [self.embedding(ids), *(layer(categories[name]) for name, layer in layers)]

    def _checked(
        self, inputs: Mapping[str, Any], training: bool | None
    ) -> tuple[tf.Tensor, dict[str, Any]]:
        """Returns ids `(batch,)` and the features as text, all of as many rows."""
        for name in self.columns:
            if name not in inputs:
                raise ValueError(
                    explain(
                        "The batch",
                        rule=f"must have the columns {', '.join(self.columns)}",
                        received=f"{', '.join(inputs) or 'none'}",
                        where=self._where,
                        remedy="Put them into the dataset: "
                        "`interactions.with_item_features(...).to_dataset()`.",
                    )
                )
        ids = ids_per_row(inputs[self.column], self.column, self.id_dtype, self._where)
        if self._trained is None:
            return ids, {}
        categories = self._trained.categories(inputs, training)
        columns = check_same_rows({self.column: ids, **categories}, self._where)
        return columns.pop(self.column), columns

    def serving_specs(self) -> dict[str, tf.TensorSpec]:
        """Returns what a served tower takes: ids `(batch,)`, and features as training had them.

        A feature with a value per row is `(batch,)`. Lists are `(batch, n)`: of text filled up with
        "", which is no value; of integers with anything, beside `<name>_lengths`, `(batch,)`.
        Features that training has not shown are lists of text.
        """
        specs = {self.column: tf.TensorSpec([None], self.id_dtype, name=self.column)}
        return {**specs, **(self._trained.serving_specs() if self._trained else {})}

    def knows(self, ids: Any) -> Any:
        """Returns for each id, as a bool array, whether training has seen it."""
        return self.embedding.table.contains(ids)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """Returns the shape of the vectors."""
        return (input_shape[self.column][0], self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the tower; embeddings are state."""
        return {
            **super().get_config(),
            "column": self.column,
            "embedding_dim": self.embedding_dim,
            "units": self.units,
            "features": self.features,
            "id_dtype": self.id_dtype,
            "normalize": self.normalize,
            "regularization": self.regularization,
            "bias": self.bias,
            "seed": self.seed,
        }
