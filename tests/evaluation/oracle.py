"""The protocol once more, in plain Python, one user at a time."""

from __future__ import annotations

import math


def naive(train, test, catalogue, score, ks):
    """Returns recall@k and ndcg@k; `score(user, item)` is any number."""
    had, asked = {}, {}
    for user, item in train:
        had.setdefault(user, set()).add(item)
    for user, item in test:
        if user in had and item not in had[user]:
            asked.setdefault(user, set()).add(item)
    sums = {f"{name}@{k}": 0.0 for k in ks for name in ("recall", "ndcg")}
    for user, wanted in asked.items():
        left = [item for item in catalogue if item not in had[user]]
        left.sort(key=lambda item: -score(user, item))  # stable: ties stay in catalogue order
        for k in ks:
            hits = [item in wanted for item in left[:k]]
            sums[f"recall@{k}"] += sum(hits) / len(wanted)
            gain = sum(hit / math.log2(rank + 2) for rank, hit in enumerate(hits))
            best = sum(1 / math.log2(rank + 2) for rank in range(min(k, len(wanted))))
            sums[f"ndcg@{k}"] += gain / best
    return {name: value / len(asked) for name, value in sums.items()}
