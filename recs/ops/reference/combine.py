"""From rows to the output of a look-up, and from its gradient back to the distinct rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

COMBINERS = ("none", "sum", "mean", "sqrtn")


@dataclasses.dataclass(frozen=True)
class Batch:
    """The keys of one look-up, and how they form bags.

    Attributes:
        keys: `(n,)` ints or bytes.
        mask: `(n,)` bool, false where there is no key; None when all are there.
        splits: `(bags + 1,)`, where each bag begins; None without a combiner.
        weights: `(n,)` float32; None for ones. Without a combiner they have no meaning.
        combiner: `"none"`, `"sum"`, `"mean"` or `"sqrtn"`.
    """

    keys: Sequence[int | bytes]
    mask: np.ndarray | None = None
    splits: np.ndarray | None = None
    weights: np.ndarray | None = None
    combiner: str = "none"

    def present(self) -> np.ndarray:
        """Returns `(n,)` bool, where there is a key."""
        if self.mask is None:
            return np.ones(len(self.keys), bool)
        return np.asarray(self.mask, bool)

    def weight(self, position: int) -> np.float32:
        """Returns the weight of a position."""
        return np.float32(1.0 if self.weights is None else self.weights[position])

    def bags(self) -> Iterator[tuple[int, range]]:
        """Yields each row of the output and the positions it is made of."""
        if self.combiner == "none":
            yield from ((p, range(p, p + 1)) for p in range(len(self.keys)))
        else:
            assert self.splits is not None
            for s in range(len(self.splits) - 1):
                yield s, range(int(self.splits[s]), int(self.splits[s + 1]))

    def size(self) -> int:
        """Returns the number of rows of the output."""
        if self.combiner == "none":
            return len(self.keys)
        assert self.splits is not None
        return len(self.splits) - 1

    def factor(self, bag: range) -> np.float32:
        """Returns what the weighted sum of a bag is multiplied by; 0 when its weights cancel."""
        one = np.float32(1.0)
        if self.combiner in ("none", "sum"):
            return one
        total = np.float32(0.0)
        for p in bag:
            if self.present()[p]:
                w = self.weight(p)
                total += w if self.combiner == "mean" else w * w
        if total == 0.0:
            return np.float32(0.0)
        return one / (total if self.combiner == "mean" else np.sqrt(total))


def combine(batch: Batch, rows: np.ndarray) -> np.ndarray:
    """Returns the output `(bags, dim)` of a look-up from the row of each position `(n, dim)`."""
    output = np.zeros((batch.size(), rows.shape[1]), np.float32)
    present = batch.present()
    for s, bag in batch.bags():
        for p in bag:
            if present[p]:
                combined = batch.combiner != "none"
                output[s] += batch.weight(p) * rows[p] if combined else rows[p]
        output[s] *= batch.factor(bag)
    return output


def sum_gradients(
    batch: Batch, gradient: np.ndarray, inverse: np.ndarray, distinct: int
) -> np.ndarray:
    """Returns the gradient `(distinct, dim)` of each distinct row, summed in order of positions."""
    sums = np.zeros((distinct, gradient.shape[1]), np.float32)
    for s, bag in batch.bags():
        factor = batch.factor(bag)
        for p in bag:
            if inverse[p] >= 0:
                weight = factor * batch.weight(p) if batch.combiner != "none" else factor
                sums[inverse[p]] += weight * gradient[s]
    return sums


def weight_gradients(batch: Batch, gradient: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns the gradient `(n,)` of each weight, from the row of each position `(n, dim)`.

    The output of a bag is `f * sum_p(w_p * x_p)`; `df / dw_p` is 0 for a sum, `-f^2` for a mean
    and `-f^3 * w_p` for sqrtn.
    """
    result = np.zeros(len(batch.keys))
    present = batch.present()
    if batch.combiner == "none":
        return result.astype(np.float32)
    for s, bag in batch.bags():
        f = float(batch.factor(bag))
        along = {
            p: f * float(np.sum(rows[p].astype(float) * gradient[s])) for p in bag if present[p]
        }
        along_output = sum(along[p] * float(batch.weight(p)) for p in along)
        for p in along:
            result[p] = along[p]
            if batch.combiner == "mean":
                result[p] -= f * along_output
            elif batch.combiner == "sqrtn":
                result[p] -= f * f * float(batch.weight(p)) * along_output
    return result.astype(np.float32)
