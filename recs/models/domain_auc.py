"""The area under the curve of each domain, while a model trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


class DomainAUC(keras.metrics.Metric):
    """AUC within each domain, from a histogram of probabilities.

    One metric for all domains: so many of Keras's would take longer than a step.

    Args:
        domains: Names of the domains.
        suffix: What follows them in the names of results.
        bins: How many bins; those of one bin count as equal.
    """

    def __init__(self, domains: Sequence[str], suffix: str = "auc", bins: int = 400) -> None:
        super().__init__(name=f"domains_{suffix}")
        self.domains = list(domains)
        self.suffix = suffix
        self.bins = bins
        shape = (len(self.domains) * bins,)
        self.positives, self.negatives = (
            self.add_variable(shape=shape, initializer="zeros", name=name)
            for name in ("positives", "negatives")
        )

    def update_state(self, labels: Any, probabilities: Any, domain: Any) -> None:
        """Counts a batch.

        Args:
            labels: `(batch,)`, 1 or above for positives, NaN where there is none.
            probabilities: `(batch,)`.
            domain: `(batch,)` numbers of domains; what is none of them is left out.
        """
        labels = ops.cast(labels, "float32")
        domain = ops.cast(domain, "int32")
        counts = (domain >= 0) & (domain < len(self.domains)) & ops.logical_not(ops.isnan(labels))
        place = ops.cast(ops.cast(probabilities, "float32") * self.bins, "int32")
        place = ops.clip(place, 0, self.bins - 1)
        place = ops.where(counts, domain * self.bins + place, 0)
        for total, kind in ((self.positives, labels >= 1), (self.negatives, labels < 1)):
            ones = ops.cast(kind & counts, "float32")
            found = ops.segment_sum(ones, place, num_segments=len(self.domains) * self.bins)
            total.assign(total + found)

    def result(self) -> dict[str, Any]:
        """Returns the area of each domain by name, 0 where labels are all alike."""
        shape = (len(self.domains), self.bins)
        up, down = (ops.reshape(total, shape) for total in (self.positives, self.negatives))
        below = ops.cumsum(down, axis=1) - down / 2
        pairs = ops.sum(up, axis=1) * ops.sum(down, axis=1)
        areas = ops.sum(up * below, axis=1) / ops.maximum(pairs, 1.0)
        return {f"{name}_{self.suffix}": areas[d] for d, name in enumerate(self.domains)}
