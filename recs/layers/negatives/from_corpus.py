"""Base class of sources that draw negatives from a corpus."""

from __future__ import annotations

import abc
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.layers.factorized_top_k import identifiers
from recs.layers.id_numbers import id_numbers
from recs.layers.negatives.negatives import Batch, Drawn, Negatives


class FromCorpus(Negatives):
    """Draws ids of a corpus with given probabilities, with replacement.

    Args:
        number: int, positive. How many negatives a batch gets; more estimate the sum over the
            corpus better, and cost a look-up and a column of scores each.
        seed: int. Decides what is drawn. Defaults to `None`: drawn by Keras, so that
            `keras.utils.set_random_seed` makes it repeatable.
        **kwargs: The arguments of `keras.layers.Layer`.
    """

    def __init__(self, number: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(
                explain(
                    "`number`",
                    rule="must be a positive integer",
                    received=f"number={number!r}",
                    where=self._where,
                )
            )
        self.number = number
        self.seed = seed
        self._generator = keras.random.SeedGenerator(seed)
        # Of unknown length, so that whatever is saved can be loaded. The ids are kept as they came,
        # in one of the first two, and sorted by number for what is asked of any id.
        self._strings = _growing(tf.constant([], tf.string))
        self._integers = _growing(tf.zeros([0], tf.int64))
        self._sums = _growing(tf.zeros([0], tf.float64))
        self._numbers = _growing(tf.zeros([0], tf.int64))
        self._shares = _growing(tf.zeros([0], tf.float32))

    @property
    def _where(self) -> str:
        return f"{type(self).__name__} '{self.name}'"

    @abc.abstractmethod
    def _weights(self, counts: np.ndarray) -> np.ndarray:
        """Returns what the ids' probabilities are proportional to, from their counts."""

    def _adapt(self, ids: Any, counts: np.ndarray) -> None:
        # TensorFlow takes an empty list for floats.
        ids = tf.convert_to_tensor(ids if len(ids) else tf.zeros([0], tf.int64))
        numbers = id_numbers(ids, self._where)
        order = np.argsort(numbers.numpy(), kind="stable")
        self._check(ids, numbers.numpy()[order], counts)
        weights = self._weights(counts.astype(np.float64))
        sums = np.cumsum(weights) / weights.sum()
        is_string = ids.dtype == tf.string
        self._strings.assign(ids if is_string else tf.constant([], tf.string))
        self._integers.assign(tf.zeros([0], tf.int64) if is_string else numbers)
        self._sums.assign(sums)
        self._numbers.assign(numbers.numpy()[order])
        self._shares.assign((weights / weights.sum()).astype(np.float32)[order])

    def _check(self, ids: tf.Tensor, ordered: np.ndarray, counts: np.ndarray) -> None:
        rule = received = ""
        if len(ids.shape) != 1 or not len(ordered):
            rule, received = "must be a list of at least one id", f"shape {tuple(ids.shape)}"
        elif counts.shape != tuple(ids.shape) or not (counts > 0).all():
            rule = "must have a positive count each"
            received = f"{len(ordered)} ids, counts of shape {counts.shape}, smallest "
            received += f"{counts.min(initial=np.inf)}"
        elif (np.diff(ordered) == 0).any():
            rule, received = "must all be different", f"{int((np.diff(ordered) == 0).sum())} twice"
        if rule:
            raise ValueError(
                explain("The ids of a corpus", rule=rule, received=received, where=self._where)
            )

    def draw(self, batch: Batch) -> Drawn | None:
        """Returns `number` candidates of the corpus, encoded."""
        with tf.init_scope():
            missing = not self._sums.read_value().shape[0]
            is_string = bool(self._strings.read_value().shape[0])
        if missing or batch.encode is None:
            what, remedy = "`encode`", "Pass the tower: `task(..., encode=self.item_tower)`."
            if missing:
                what, remedy = "The corpus", f"Call `adapt` of the {type(self).__name__} first."
            raise ValueError(
                explain(
                    what,
                    rule="must be given to draw negatives from a corpus",
                    received="nothing",
                    where=f"{self._where} of {batch.where}",
                    remedy=remedy,
                )
            )
        places = keras.random.uniform((self.number,), dtype="float64", seed=self._generator)
        rows = tf.searchsorted(self._sums.read_value(), places, side="right")
        # A uniform number may be rounded to 1.
        rows = tf.minimum(rows, tf.shape(self._sums.read_value())[0] - 1)
        stored = self._strings if is_string else self._integers
        ids = tf.gather(stored.read_value(), rows)
        embeddings = tf.cast(tf.convert_to_tensor(batch.encode(ids)), batch.embeddings.dtype)
        return Drawn(embeddings, id_numbers(ids, self._where))

    def expected_count(self, numbers: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns `number` times the probability of each id, 0 for those not in the corpus."""
        del batch
        stored = self._numbers.read_value()
        place = tf.minimum(tf.searchsorted(stored, numbers), tf.shape(stored)[0] - 1)
        share = tf.gather(self._shares.read_value(), place)
        return self.number * tf.where(tf.gather(stored, place) == numbers, share, 0.0)

    def save_own_variables(self, store: Any) -> None:
        """Saves the corpus and the state of what is drawn, for Keras's files."""
        store["bytes"], store["lengths"] = identifiers.strings_to_arrays(self._strings.numpy())
        for name in ("integers", "sums", "numbers", "shares"):
            store[name] = getattr(self, f"_{name}").numpy()
        # What is drawn goes on where it was.
        store["state"] = np.asarray(self._generator.state)

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved, of any number of ids."""
        strings = identifiers.arrays_to_strings(store["bytes"], store["lengths"])
        self._strings.assign(tf.constant(strings, tf.string, shape=[len(strings)]))
        for name in ("integers", "sums", "numbers", "shares"):
            getattr(self, f"_{name}").assign(store[name][...])
        self._generator.state.assign(store["state"][...])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer; the corpus is state."""
        return {**super().get_config(), "number": self.number, "seed": self.seed}


def _growing(initial: tf.Tensor) -> tf.Variable:
    """Returns a variable of one axis whose length may change."""
    return tf.Variable(initial, trainable=False, shape=[None])
