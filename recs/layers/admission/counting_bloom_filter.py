"""Admission by an approximate count in fixed memory."""

from __future__ import annotations

import dataclasses

import keras

from recs.layers.policy import Policy
from recs.ops.admission_rule import AdmissionRule


@keras.saving.register_keras_serializable("recs.admission")
@dataclasses.dataclass(frozen=True)
class CountingBloomFilter(Policy):
    """Gives an id a row after an estimated `count` occurrences, by a counting Bloom filter.

    Memory does not grow with the ids: `n * -ln(p) / ln(2)**2` counters for a `capacity` of n and a
    rate of p, of one byte each, or two when `count` is above 255 (n = 1 million at 1 %: 9.6 MB),
    shared out evenly among the table's 64 parts, 64 or more to each. An id has
    `round(log2(1 / p))` of them, and its count is the smallest; counting raises only those that are
    below the new count (conservative update). So no id needs more occurrences than `count`, and an
    id that was never met before passes at its first occurrence, because others share its counters,
    at most with probability p while no more than n ids were counted. Beyond, the rate rises.

    Counters never go down. An id that was evicted passes at once when it comes back.

    Args:
        count: Occurrences that an id needs, up to 65,535.
        capacity: Distinct ids that training is to meet, admitted ones too.
        false_positive_rate: p, when that many were met. Defaults to `0.01`.

    Raises:
        ValueError: an argument is outside of what it may be.

    Example:
    ```python
    >>> admission = recs.layers.admission.CountingBloomFilter(2, capacity=100_000)
    >>> layer = recs.layers.DynamicEmbedding(
    ...     2, embeddings_initializer="ones", admission=admission)
    >>> layer(np.array([7, 7, 8]), training=True).numpy().tolist()
    [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    >>> layer.table.size()
    1

    ```

    Reference: Estan and Varghese, "New Directions in Traffic Measurement and Accounting" (2002),
        for the conservative update; the CBF filter of DeepRec's `EmbeddingVariable`.
    """

    count: int
    capacity: int
    false_positive_rate: float = 0.01

    def __post_init__(self) -> None:
        self._require_count("count", most=2**16 - 1)
        self._require_count("capacity", most=2**31)
        rate = self.false_positive_rate
        holds = isinstance(rate, int | float) and 1e-9 <= rate < 1
        self._require(holds, "false_positive_rate", "must be from 1e-9 to below 1")

    def rule(self) -> AdmissionRule:
        """Returns it as the table takes it."""
        return AdmissionRule(
            "counting_bloom_filter", self.count, self.capacity, float(self.false_positive_rate)
        )
