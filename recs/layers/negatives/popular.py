"""Negatives by popularity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from recs.errors import explain
from recs.layers.negatives.from_corpus import FromCorpus


@keras.saving.register_keras_serializable("recs")
class Popular(FromCorpus):
    """Negatives drawn from the whole corpus, with probability `q_i ~ count_i ^ power`.

    Popular items are the negatives that matter: they are what a model recommends when it knows
    nothing else. `power=1` is how often in-batch negatives come, `0` is `Uniform`, and between the
    two rare items come more often than they are chosen.

    `adapt(counts)` says what the corpus is; it is saved with the model. The task needs `encode`.

    Args:
        number: int, positive. How many negatives a batch gets.
        power: float. Larger makes popular items more likely. Defaults to `0.75`.
        seed: int. Decides what is drawn. Defaults to `None`: drawn by Keras, so that
            `keras.utils.set_random_seed` makes it repeatable.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `number` negatives a batch, drawn with replacement.

    Raises:
        ValueError: when `number` is not a positive integer, `power` is not finite, the corpus is
            empty, a count is not positive, or a draw is asked for before `adapt` or without
            `encode`.

    Example:
    ```python
    >>> import recs
    >>> popular = recs.layers.negatives.Popular(100).adapt({"Heat": 90, "Ran": 8, "Up": 2})
    >>> popular.power
    0.75

    ```

    Reference: [Mikolov et al., 2013](https://arxiv.org/abs/1310.4546), whose power is the default.
    """

    def __init__(
        self, number: int, power: float = 0.75, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(number, seed, **kwargs)
        if not np.isfinite(power):
            raise ValueError(
                explain("`power`", rule="must be finite", received=f"{power=}", where=self._where)
            )
        self.power = power

    def adapt(self, counts: Mapping[Any, float]) -> Popular:
        """Replaces the corpus; returns the layer.

        Args:
            counts: id to how often it was chosen, as `train.item_counts()` gives it.
        """
        self._adapt(list(counts), np.array(list(counts.values()), np.float64))
        return self

    def _weights(self, counts: np.ndarray) -> np.ndarray:
        # Divided first: a large power of a large count would overflow.
        return (counts / counts.max()) ** self.power

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer; the corpus is state."""
        return {**super().get_config(), "power": self.power}
