"""One side of a two-tower model: from ids and features to a vector."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.layers.dense_chain import through
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.layers.found_parts import FoundParts


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
        features: Names of further columns, of strings, numbers or lists of them, each value taken
            as a category, by its text. Defaults to `()`.
        id_dtype: `"string"` or `"int64"`. Defaults to `"string"`.
        normalize: bool. Whether vectors get length 1. Defaults to `False`.
        regularization: float. Factor of the squares of the batch's distinct embeddings in the
            loss; larger keeps rare ids closer to zero. Defaults to `0.0`.
        bias: `None`, `"learned"` or `"one"`, see above. Defaults to `None`.
        seed: int. Decides all initial values. Defaults to `None`: drawn from Python's `random`,
            which `keras.utils.set_random_seed` seeds.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: a dict of columns `(batch,)`, or `(batch, None)` for lists, -> `(batch, dim)`, with
        `dim` the last of `units`, or `embedding_dim`, and one more with `bias`.

    Raises:
        ValueError: when a column is missing, or `bias` is none of the three.

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
        self.built = True

    @property
    def columns(self) -> list[str]:
        """The names of all columns the tower reads, the id's first."""
        return [self.column, *self.features]

    @property
    def output_dim(self) -> int:
        """The length of the vectors."""
        own = self.units[-1] if self.units else self.embedding_dim
        return own + (self.bias is not None)

    def call(self, inputs: Mapping[str, Any]) -> Any:
        """Returns the vectors of a batch of columns."""
        for name in self.columns:
            if name not in inputs:
                raise ValueError(
                    explain(
                        "The batch",
                        rule=f"must have the columns {', '.join(self.columns)}",
                        received=f"{', '.join(inputs) or 'none'}",
                        where=f"Tower '{self.name}'",
                        remedy="Put them into the dataset: "
                        "`interactions.with_item_features(...).to_dataset()`.",
                    )
                )
        parts = [self.embedding(inputs[self.column])]
        for name, layer in zip(self.features, self.feature_embeddings, strict=True):
            parts.append(layer(_categories(inputs[name])))
        if self.dense:
            vectors = through(self.dense, ops.concatenate(parts, axis=-1))
        else:
            vectors = sum(parts[1:], start=parts[0])
        vectors = ops.normalize(vectors, axis=-1) if self.normalize else vectors
        if self.bias is None:
            return vectors
        last = ops.ones_like(vectors[:, :1])
        if self.bias_embedding is not None:
            last = self.bias_embedding(inputs[self.column])
        return ops.concatenate([vectors, last], axis=-1)

    def serving_specs(self) -> dict[str, tf.TensorSpec]:
        """Returns what a served tower takes: ids `(batch,)`, and features as text `(batch, n)`.

        Rows of a feature are filled up with "", which is no value of it.
        """
        specs = {self.column: tf.TensorSpec([None], self.id_dtype, name=self.column)}
        for name in self.features:
            specs[name] = tf.TensorSpec([None, None], tf.string, name=name)
        return specs

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


def _categories(values: Any) -> Any:
    """Returns values as strings with an axis of values an example, which may be ragged."""
    if not isinstance(values, tf.RaggedTensor):
        values = tf.convert_to_tensor(values)
    if values.dtype != tf.string:
        values = tf.strings.as_string(values)
    return values if len(values.shape) > 1 else tf.expand_dims(values, 1)
