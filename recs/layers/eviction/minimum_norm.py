"""Eviction of rows that are next to nothing."""

from __future__ import annotations

import dataclasses

import keras

from recs.layers.policy import Policy
from recs.ops.eviction_rule import EvictionRule


@keras.saving.register_keras_serializable("recs.eviction")
@dataclasses.dataclass(frozen=True)
class MinimumNorm(Policy):
    """Evicts a row whose L2 norm is below `norm` after a number of steps without a look-up.

    Rows begin near zero, so a row that is still in use is not looked at: `after_steps` whole steps
    without it must have passed (as `StepsToLive` counts them). With a regularizer, rows that do not
    matter shrink, and this lets go of them. For when rows are looked at, see `StepsToLive`.

    Args:
        norm: Above 0, of the embedding without its optimizer slots.
        after_steps: Whole steps without the row. Defaults to `1000`.

    Raises:
        ValueError: an argument is outside of what it may be.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(2)
    >>> layer.table.upsert([1, 2], [[0.0, 0.1], [3.0, 4.0]])
    >>> layer.table.evict(recs.layers.eviction.MinimumNorm(0.5, after_steps=0))
    1
    >>> layer.table.contains([1, 2]).tolist()
    [False, True]

    ```

    Reference: `L2WeightEvict` of DeepRec's `EmbeddingVariable`, which takes half the squared norm.
    """

    norm: float
    after_steps: int = 1000

    def __post_init__(self) -> None:
        holds = isinstance(self.norm, int | float) and 0 < self.norm < float("inf")
        self._require(holds, "norm", "must be a number above 0")
        self._require_count("after_steps", least=0, most=2**31)

    def rule(self) -> EvictionRule:
        """Returns it as the table takes it."""
        return EvictionRule(minimum_norm=float(self.norm), minimum_norm_steps=self.after_steps)
