"""The user's side of a model of sequences: from a history of ids to a vector."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.layers.found_parts import FoundParts
from recs.layers.row_shapes import check_same_rows, checked_ids, list_per_row, value_per_row
from recs.layers.sequence import SequenceEncoder


class Positions(NamedTuple):
    """Result of `SequenceTower.positions`.

    Attributes:
        vectors: `(positions, dim)`, of all histories one after the other.
        histories: The ids they stand at, ragged `(batch, None)`.
    """

    vectors: Any
    histories: Any


@keras.saving.register_keras_serializable("recs")
class SequenceTower(FoundParts, keras.layers.Layer):
    """A vector of a user, from the items they had, in the order of time.

    `v = encoder(e_1 ... e_n)`, where `e` are the embeddings of the ids of a history. So a user
    needs no row of their own: one that training has never met is served, and a new event counts at
    once. Give the item tower's embedding, and both sides score in one space of items.

    Histories are ragged, or dense and padded. Padding has no part in anything: it is looked up and
    trained by none, and takes no position. Which ids are padding is said by `mask_key`, or for
    each row by the column `<column>_lengths`, as an exported model takes it. Without either all ids
    of a dense history count. Only the newest `encoder.max_length` ids are looked at. An item that
    training does not know has zeros, and keeps its position.

    Masking: as above; an empty history gives what the encoder makes of it. State: the encoder's,
    and the table's unless it was given.

    Args:
        encoder: A layer of `recs.layers.sequence`: `SASRec`, `GRU4Rec`, `MeanHistory`, or your
            `SequenceEncoder`.
        column: The name of the column of histories. Defaults to `"history"`.
        embedding: `DynamicEmbedding` of the ids, without a combiner, such as an item tower's.
            Defaults to `None`: one of its own, of the two arguments that follow.
        embedding_dim: int. Its length. Defaults to `32`.
        id_dtype: `"string"` or `"int64"`. Defaults to `"string"`.
        mask_key: The id that means that there is none. Defaults to `None`: that of the embedding,
            which is none unless said.
        normalize: bool. Whether vectors have length 1. Defaults to `False`.
        bias: bool. Whether a 1 is put behind the vector, for items with a bias. Defaults to
            `False`.
        seed: int. Decides the initial values of its own embedding. Defaults to `None`: drawn from
            Python's `random`, which `keras.utils.set_random_seed` seeds.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: a dict with ids `(batch, n)` or ragged `(batch, None)` -> `(batch, dim)`.

    Raises:
        ValueError: when the column is missing, or the encoder or the embedding are of another kind.

    Example:
    ```python
    >>> from recs.layers.sequence import GRU4Rec
    >>> from recs.models import SequenceTower
    >>> tower = SequenceTower(GRU4Rec(), embedding_dim=4)
    >>> tower({"history": tf.ragged.constant([["Heat", "Ran"], []])}).shape
    TensorShape([2, 4])
    >>> padded = tf.constant([["Heat", "Ran"], ["", ""]])
    >>> tower({"history": padded, "history_lengths": tf.constant([2, 0])}).shape
    TensorShape([2, 4])

    ```
    """

    def __init__(
        self,
        encoder: SequenceEncoder,
        column: str = "history",
        embedding: DynamicEmbedding | None = None,
        embedding_dim: int = 32,
        id_dtype: str = "string",
        mask_key: int | str | None = None,
        normalize: bool = False,
        bias: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if not isinstance(encoder, SequenceEncoder):
            raise self._bad(
                "`encoder`", "must be a layer of `recs.layers.sequence`", type(encoder).__name__
            )
        if embedding is not None and getattr(embedding, "combiner", "other") is not None:
            raise self._bad(
                "`embedding`",
                "must be a `DynamicEmbedding` without a combiner: a vector an id",
                f"{type(embedding).__name__} '{embedding.name}'",
            )
        self.encoder = encoder
        self.column = column
        self.normalize = normalize
        self.bias = bias
        self.seed = seed
        self._owns_embedding = embedding is None
        if embedding is None:
            drawn = random.randrange(2**31) if seed is None else seed
            embedding = DynamicEmbedding(
                embedding_dim, key_dtype=id_dtype, seed=drawn, name="embedding"
            )
        self.embedding = embedding
        self.mask_key = embedding.mask_key if mask_key is None else mask_key
        if not encoder.built:
            # All sizes are known: a model is complete, and saved, before its first batch.
            encoder.build((None, None, embedding.output_dim))
        self.features: list[str] = []
        self.built = True

    @property
    def columns(self) -> list[str]:
        """The names of the columns the tower cannot do without."""
        return [self.column]

    @property
    def id_dtype(self) -> str:
        """The dtype of the ids."""
        return self.embedding.key_dtype

    @property
    def output_dim(self) -> int:
        """The length of the vectors."""
        return self.encoder.output_dim(self.embedding.output_dim) + self.bias

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """Returns the vectors of a batch of histories."""
        vectors = self.embedding(self._histories(inputs), training=training)
        encoded = self.encoder(vectors, training=training, return_sequences=False)
        return self._finished(encoded)

    def positions(self, inputs: Mapping[str, Any], training: bool | None = None) -> Positions:
        """Returns a vector for every id of the histories: of a user who has had it and no more.

        Args:
            inputs: as for a call.
            training: whether the tower trains.
        """
        histories = self._histories(inputs)
        vectors = self.embedding(histories, training=training)
        encoded = self.encoder(vectors, training=training, return_sequences=True)
        lengths = histories.row_lengths()
        present = tf.sequence_mask(lengths, tf.shape(encoded)[1])
        return Positions(self._finished(tf.boolean_mask(encoded, present)), histories)

    def count_positions(self, inputs: Mapping[str, Any]) -> Any:
        """Returns how many vectors `positions` gives for a batch."""
        return tf.size(self._histories(inputs).flat_values)

    def _finished(self, vectors: Any) -> Any:
        vectors = ops.normalize(vectors, axis=-1) if self.normalize else vectors
        if not self.bias:
            return vectors
        return ops.concatenate([vectors, ops.ones_like(vectors[:, :1])], axis=-1)

    def _histories(self, inputs: Mapping[str, Any]) -> tf.RaggedTensor:
        """Returns the ids that count, the newest `max_length` of each row."""
        if self.column not in inputs:
            raise self._bad(
                "The batch",
                f"must have the column {self.column}",
                ", ".join(inputs) or "none",
                "`recs.data.sequences.windows` makes it of interactions.",
            )
        where = f"SequenceTower '{self.name}'"
        ids = inputs[self.column]
        if not isinstance(ids, tf.RaggedTensor):
            ids = list_per_row(ids, self.column, where)
            name = f"{self.column}_lengths"
            lengths = None
            if name in inputs:
                lengths = tf.cast(value_per_row(inputs[name], name, where), tf.int64)
                ids, lengths = check_same_rows({self.column: ids, name: lengths}, where).values()
            ids = tf.RaggedTensor.from_tensor(ids, lengths=lengths)
        fixed = not self._owns_embedding
        ids = checked_ids(ids, self.column, self.id_dtype, where, fixed=fixed)
        if self.mask_key is not None:
            present = tf.not_equal(ids.flat_values, tf.constant(self.mask_key, ids.dtype))
            ids = tf.ragged.boolean_mask(ids, ids.with_flat_values(present))
        longest = self.encoder.max_length
        return ids if longest is None else ids[:, -longest:]

    def serving_specs(self) -> dict[str, tf.TensorSpec]:
        """Returns what a served tower takes: ids `(batch, n)`, and how many of each row count."""
        name = self.column
        return {
            name: tf.TensorSpec([None, None], self.id_dtype, name=name),
            f"{name}_lengths": tf.TensorSpec([None], tf.int64, name=f"{name}_lengths"),
        }

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """Returns the shape of the vectors."""
        return (input_shape[self.column][0], self.output_dim)

    def _bad(self, what: str, rule: str, received: str, remedy: str = "") -> ValueError:
        where = f"SequenceTower '{self.name}'"
        return ValueError(explain(what, rule=rule, received=received, where=where, remedy=remedy))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the tower; a table that was given is one of them."""
        given = None if self._owns_embedding else self.embedding
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "column": self.column,
            "embedding": None if given is None else keras.saving.serialize_keras_object(given),
            "embedding_dim": self.embedding.output_dim,
            "id_dtype": self.id_dtype,
            "mask_key": self.mask_key,
            "normalize": self.normalize,
            "bias": self.bias,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SequenceTower:
        """Rebuilds a tower from `get_config`."""
        config = dict(config)
        for name in ("encoder", "embedding"):
            if config.get(name) is not None:
                config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)
