"""Admission rules as the engine takes them."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class AdmissionRule:
    """What decides about ids without a row; `recs.layers.admission` has the layer's forms of it.

    Attributes:
        kind: `"everything"`, `"minimum_count"`, `"counting_bloom_filter"` or `"probability"`.
        count: Occurrences that an id needs (minimum count, Bloom filter).
        capacity: Ids that the Bloom filter is made for.
        rate: Its false-positive rate, or the probability of `"probability"`; in single precision.
    """

    kind: str = "everything"
    count: int = 0
    capacity: int = 0
    rate: float = 0.0

    def attributes(self) -> dict[str, Any]:
        """Returns the attributes of the op."""
        return {
            "admission": self.kind,
            "admission_count": self.count,
            "admission_capacity": self.capacity,
            "admission_rate": self.rate,
        }
