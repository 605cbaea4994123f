"""Candidates in lists of neighbours, by k-means."""

from __future__ import annotations

import dataclasses

import numpy as np

from recs.errors import explain

ROWS = 8192  # assigned at once
SAMPLES = 64  # a cluster, which is enough to place its centre


@dataclasses.dataclass(frozen=True)
class Clusters:
    """Rows in the order of their lists, and where each list is.

    Attributes:
        order: `(candidates,)`, the row of each place.
        offsets: `(lists,)` int32, where each list begins.
        lengths: `(lists,)` int32.
        centres: `(lists, dim)` float32, the mean of each list.
    """

    order: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    centres: np.ndarray


def find_clusters(rows: np.ndarray, count: int, seed: int, where: str) -> Clusters:
    """Parts rows into lists of neighbours, none of them half as long again as the mean.

    Longer clusters are cut, for a search takes as long as its longest list.

    Args:
        rows: `(candidates, dim)` float32.
        count: How many clusters.
        seed: Decides the first centres.
        where: The layer, for messages.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    count = min(count, len(rows))
    means = _centres(rows, count, seed, where)
    halves = 0.5 * np.square(means).sum(1)
    cluster = np.concatenate(
        [
            np.argmax(rows[begin : begin + ROWS] @ means.T - halves, axis=1)
            for begin in range(0, len(rows), ROWS)
        ]
    )
    order = np.argsort(cluster, kind="stable")
    sizes = np.bincount(cluster, minlength=count)
    lengths = _lengths(sizes, max(1, -(-3 * len(rows) // (2 * count))))
    offsets = np.cumsum(lengths) - lengths
    sums = np.add.reduceat(rows[order].astype(np.float64), offsets, axis=0)
    centres = (sums / lengths[:, None]).astype(np.float32)
    return Clusters(order, offsets.astype(np.int32), lengths.astype(np.int32), centres)


def _centres(rows: np.ndarray, count: int, seed: int, where: str) -> np.ndarray:
    try:
        from sklearn.cluster import MiniBatchKMeans
    except ImportError as error:
        raise ImportError(
            explain(
                "An index of clusters",
                rule="needs scikit-learn for k-means",
                received="no package `sklearn`",
                where=where,
                remedy='Run `pip install "recs[ivf]"`.',
            )
        ) from error
    drawn = np.random.RandomState(seed).permutation(len(rows))[: count * SAMPLES]
    found = MiniBatchKMeans(
        count, init="random", n_init=1, max_iter=5, batch_size=max(4096, 4 * count),
        reassignment_ratio=0.0, random_state=seed,
    ).fit(rows[np.sort(drawn)])  # fmt: skip
    return found.cluster_centers_.astype(np.float32)


def _lengths(sizes: np.ndarray, longest: int) -> np.ndarray:
    """Returns the lengths of lists that clusters of these sizes are cut into, as even as can be."""
    pieces = -(-sizes[sizes > 0] // longest)
    of = np.repeat(np.arange(len(pieces)), pieces)
    nth = np.arange(len(of)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    whole = sizes[sizes > 0]
    return whole[of] // pieces[of] + (nth < whole[of] % pieces[of])
