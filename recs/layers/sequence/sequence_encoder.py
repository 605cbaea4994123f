"""The interface of the layers from a sequence to a vector."""

from __future__ import annotations

import abc
from typing import Any, Literal

import keras
from keras import ops

from recs.errors import explain
from recs.layers.found_parts import FoundParts
from recs.layers.sequence.masked import dense_with_mask, from_the_end, is_ragged


class SequenceEncoder(FoundParts, keras.layers.Layer, abc.ABC):
    """Base of the layers from the vectors of what a user did to a vector of the user.

    A subclass writes `encode`, which returns a vector for every position, made of that position and
    the ones before it, never of later ones. The encoder's result is that of the newest position
    that counts, `h = encode(x)[last]`; with `return_sequences` it is all of them, so that one pass
    predicts what comes after each position.

    Masking: sequences come with a mask, from `DynamicEmbedding(mask_key=...)`, from Keras or as an
    argument, or they are ragged. Where the padding stands, and how much there is, changes nothing.
    A sequence in which nothing counts gives what `empty` says; padded positions of
    `return_sequences` give zeros, and the mask is passed on.

    Args:
        max_length: The newest positions to look at; older ones are taken for padding. Defaults to
            `None`: all.
        empty: `"zeros"`, or `"learned"`: a vector that is trained. Defaults to `"zeros"`.
        return_sequences: Whether to return a vector a position. Defaults to `False`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The vectors, oldest first.
        mask: Bools `(batch, n)`.
        training: Whether the layer trains.
        return_sequences: Overrides the constructor's. Defaults to `None`.

    Shapes: `(batch, n, dim)`, or ragged `(batch, None, dim)`, -> `(batch, dim)`; with
        `return_sequences` `(batch, n, dim)`. In the compute dtype.

    Raises:
        ValueError: when `max_length` is not positive or `empty` is neither of the two.

    Example:
    ```python
    >>> from keras import ops
    >>> from recs.layers.sequence import SequenceEncoder
    >>> class Newest(SequenceEncoder):
    ...     def encode(self, inputs, mask, training):
    ...         return inputs
    >>> x = ops.reshape(ops.arange(6.0), (1, 3, 2))
    >>> Newest()(x, mask=np.array([[True, True, False]])).numpy().tolist()
    [[2.0, 3.0]]

    ```
    """

    def __init__(
        self,
        max_length: int | None = None,
        empty: Literal["zeros", "learned"] = "zeros",
        return_sequences: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        if max_length is not None:
            self._check_positive("max_length", max_length)
        if empty not in ("zeros", "learned"):
            raise self._bad("`empty`", "must be 'zeros' or 'learned'", f"empty={empty!r}")
        self.max_length = max_length
        self.empty = empty
        self.return_sequences = return_sequences
        self._empty_vector: Any = None

    def build(self, input_shape: Any) -> None:
        """Makes the weights of the layer, for vectors of `input_shape[-1]` numbers."""
        if self.empty == "learned":
            self._empty_vector = self.add_weight(
                name="empty_vector",
                shape=(self.output_dim(int(input_shape[-1])),),
                initializer="zeros",
            )
        self.built = True

    @abc.abstractmethod
    def encode(self, inputs: Any, mask: Any, training: bool | None) -> Any:
        """Returns a vector for every position, of it and the ones before it.

        Args:
            inputs: `(batch, n, dim)`, zeros in padding.
            mask: Bools `(batch, n)`.
            training: Whether the layer trains.
        """

    def output_dim(self, input_dim: int) -> int:
        """Returns the length of the vectors that are made of vectors of `input_dim` numbers."""
        return input_dim

    def call(
        self,
        inputs: Any,
        mask: Any | None = None,
        training: bool | None = None,
        return_sequences: bool | None = None,
    ) -> Any:
        """Returns the vectors of a batch of sequences."""
        inputs, mask = self._prepared(inputs, mask)
        vectors = self.encode(inputs, mask, training)
        chosen = mask if self._returns_all(return_sequences) else mask & (from_the_end(mask) == 0)
        vectors = ops.where(ops.expand_dims(chosen, -1), vectors, ops.zeros_like(vectors))
        if self._returns_all(return_sequences):
            return vectors
        # One position at most is left of each row.
        pooled = ops.sum(vectors, axis=1)
        if self._empty_vector is None:
            return pooled
        present = ops.any(mask, axis=1, keepdims=True)
        return ops.where(present, pooled, ops.cast(self._empty_vector, pooled.dtype))

    def _prepared(self, inputs: Any, mask: Any | None) -> tuple[Any, Any]:
        """Returns dense vectors and the mask of those that count."""
        inputs, mask = dense_with_mask(inputs, mask)
        if self.max_length is not None:
            mask = mask & (from_the_end(mask) < self.max_length)
            inputs = ops.where(ops.expand_dims(mask, -1), inputs, ops.zeros_like(inputs))
        return inputs, mask

    def _returns_all(self, asked: bool | None) -> bool:
        return self.return_sequences if asked is None else asked

    def compute_mask(self, inputs: Any, previous_mask: Any | None = None) -> Any | None:
        """Returns which positions count, of vectors a position; none of one a sequence."""
        if not self.return_sequences:
            return None
        if isinstance(inputs, keras.KerasTensor) and is_ragged(inputs):
            return None  # Found when there are values.
        return self._prepared(inputs, previous_mask)[1]

    def compute_output_shape(
        self, input_shape: Any, return_sequences: bool | None = None
    ) -> tuple[int | None, ...]:
        """Returns the shape of the vectors."""
        dim = self.output_dim(int(input_shape[-1]))
        return (*input_shape[: 2 if self._returns_all(return_sequences) else 1], dim)

    def compute_output_spec(
        self,
        inputs: Any,
        mask: Any | None = None,
        training: bool | None = None,
        return_sequences: bool | None = None,
    ) -> keras.KerasTensor:
        """Returns shape and dtype of the vectors; Keras cannot trace a ragged input."""
        shape = self.compute_output_shape(inputs.shape, return_sequences)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def _check_positive(self, name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self._bad(f"`{name}`", "must be a positive integer", f"{name}={value!r}")

    def _bad(self, what: str, rule: str, received: str) -> ValueError:
        where = f"{type(self).__name__} '{self.name}'"
        return ValueError(explain(what, rule=rule, received=received, where=where))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "empty": self.empty,
            "return_sequences": self.return_sequences,
        }
