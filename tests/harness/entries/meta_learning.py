"""What towers are adapted by."""

from __future__ import annotations

import numpy as np

from recs.layers.loss import QueuedSoftmax
from tests.harness.case import Case

_RNG = np.random.default_rng(31)
VECTORS = tuple(_RNG.normal(size=(6, 3)).astype("float32") for _ in range(2))


def _filled() -> QueuedSoftmax:
    """A loss whose queue has gone round."""
    loss = QueuedSoftmax(5, 3, temperature=0.5)
    loss.remember(np.arange(21, dtype="float32").reshape(7, 3) / 21)
    return loss


CASES = {
    QueuedSoftmax: [
        Case(make=lambda: QueuedSoftmax(4, 3), inputs=VECTORS, label="empty"),
        Case(
            make=_filled,
            inputs=VECTORS,
            label="filled",
            extreme=tuple(x * 1e15 for x in VECTORS),
        ),
    ]
}
