"""Negatives that every item of the corpus is as likely to be."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from recs.layers.negatives.from_corpus import FromCorpus


@keras.saving.register_keras_serializable("recs")
class Uniform(FromCorpus):
    """Negatives drawn from the whole corpus, every item with the same probability.

    In-batch negatives are items that somebody chose; items that nobody does are never among them,
    and a model never learns to rank those below. Some uniform negatives mend that.

    `adapt(ids)` says what the corpus is; it is saved with the model. The task needs `encode`.

    Args:
        number: int, positive. How many negatives a batch gets; more estimate the sum over the
            corpus better, and cost a look-up and a column of scores each.
        seed: int. Decides what is drawn. Defaults to `None`: drawn by Keras, so that
            `keras.utils.set_random_seed` makes it repeatable.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `number` negatives a batch, drawn with replacement.

    Raises:
        ValueError: when `number` is not a positive integer, the corpus is empty or has an id
            twice, or a draw is asked for before `adapt` or without `encode`.

    Example:
    ```python
    >>> import recs
    >>> uniform = recs.layers.negatives.Uniform(100).adapt(["Heat", "Ran", "Up"])
    >>> uniform.number
    100

    ```

    Reference: [Yang et al., 2020](https://doi.org/10.1145/3366424.3386195).
    """

    def adapt(self, ids: Any) -> Uniform:
        """Replaces the corpus; returns the layer.

        Args:
            ids: `(items,)` integers or strings, each once.
        """
        self._adapt(ids, np.ones(len(ids)))
        return self

    def _weights(self, counts: np.ndarray) -> np.ndarray:
        return np.ones_like(counts)
