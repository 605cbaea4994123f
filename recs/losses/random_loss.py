"""Losses that draw orders at random."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.losses.functional.ranking import gumbel
from recs.losses.functional.ranking.lists import Lists


class RandomLoss:
    """Gives a loss its samples, its seed and its noise."""

    def __init__(self, sample_size: int, seed: Any) -> None:
        if isinstance(sample_size, bool) or not isinstance(sample_size, int) or sample_size < 1:
            raise ValueError(
                explain(
                    "`sample_size`",
                    rule="must be a positive integer",
                    received=f"sample_size={sample_size!r}",
                    where=type(self).__name__,
                )
            )
        self.sample_size = sample_size
        self.seed = seed
        given = isinstance(seed, keras.random.SeedGenerator)
        self._seed_generator = seed if given else keras.random.SeedGenerator(seed)

    def noise(self, lists: Lists) -> Any:
        """Returns Gumbel noise, `(batch, sample_size, list)`, new with every call."""
        batch, size = ops.shape(lists.labels)
        return gumbel.noise((batch, self.sample_size, size), self._seed_generator)

    def random_config(self) -> dict[str, Any]:
        """Returns the arguments of randomness."""
        seed = self.seed
        if isinstance(seed, keras.random.SeedGenerator):
            seed = keras.saving.serialize_keras_object(seed)
        return {"sample_size": self.sample_size, "seed": seed}
