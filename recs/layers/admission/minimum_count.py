"""Admission by an exact count."""

from __future__ import annotations

import dataclasses

import keras

from recs.layers.policy import Policy
from recs.ops.admission_rule import AdmissionRule


@keras.saving.register_keras_serializable("recs.admission")
@dataclasses.dataclass(frozen=True)
class MinimumCount(Policy):
    """Gives an id a row once training has met it `count` times.

    Every occurrence in a training look-up counts, within a step and over steps; masked ones and
    inference do not. Until then the id has the layer's `default_value` and is not trained. Ids that
    wait are kept exactly, with their counts, in about 50 bytes each (string ids and their bytes),
    and are saved with the layer. An id that was evicted waits again.

    Under a bound (`LeastRecentlyUsed`, `LeastFrequentlyUsed`) what waits is bounded too: to a
    quarter of `max_bytes`, or to as many ids as `max_rows`. Beyond, an id that was met less often
    than others is forgotten and counted in `stats()["waiting_dropped"]`.

    Args:
        count: Occurrences that an id needs, 1 for all ids.

    Raises:
        ValueError: `count` is no integer from 1 to 2^32 - 1.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(
    ...     2, embeddings_initializer="ones", admission=recs.layers.admission.MinimumCount(3))
    >>> layer(np.array([7, 7, 8]), training=True).numpy().tolist()
    [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    >>> layer(np.array([7, 8]), training=True).numpy().tolist()
    [[1.0, 1.0], [0.0, 0.0]]
    >>> layer.table.size(), layer.table.stats()["waiting"]
    (1, 1)

    ```

    Reference: the counter filter of DeepRec's `EmbeddingVariable`.
    """

    count: int

    def __post_init__(self) -> None:
        self._require_count("count", most=2**32 - 1)

    def rule(self) -> AdmissionRule:
        """Returns it as the table takes it."""
        return AdmissionRule("minimum_count", count=self.count)
