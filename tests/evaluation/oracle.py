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
        left.sort(key=lambda item: (-score(user, item), item in wanted, item))
        for k in ks:
            hits = [item in wanted for item in left[:k]]
            sums[f"recall@{k}"] += sum(hits) / len(wanted)
            gain = sum(hit / math.log2(rank + 2) for rank, hit in enumerate(hits))
            best = sum(1 / math.log2(rank + 2) for rank in range(min(k, len(wanted))))
            sums[f"ndcg@{k}"] += gain / best
    return {name: value / len(asked) for name, value in sums.items()}


def more(train, test, catalogue, score, ks, allowed=None):
    """Returns further figures at k, and recall, among `allowed(user)` items."""
    had, asked = {}, {}
    for user, item in train:
        had.setdefault(user, set()).add(item)
    for user, item in test:
        if user in had and item not in had[user]:
            asked.setdefault(user, set()).add(item)
    taken = {item: sum(i == item for _, i in train) for item in catalogue}
    figures = {}
    for k in ks:
        shown, first, precise, recalled, precision, hit = [], 0.0, 0.0, 0.0, 0.0, 0.0
        for user, wanted in asked.items():
            left = [i for i in catalogue if i not in had[user]]
            left = [i for i in left if allowed is None or i in allowed(user)]
            left.sort(key=lambda item: (-score(user, item), item in wanted, item))
            ranks = [rank for rank, item in enumerate(left[:k], start=1) if item in wanted]
            first += 1 / ranks[0] if ranks else 0.0
            precise += sum(n / r for n, r in enumerate(ranks, start=1)) / min(k, len(wanted))
            recalled += len(ranks) / len(wanted)
            precision += len(ranks) / k
            hit += bool(ranks)
            shown += left[:k]
        bits = [math.log2((len(train) + len(catalogue)) / (taken[i] + 1)) for i in shown]
        figures[f"mrr@{k}"] = first / len(asked)
        figures[f"map@{k}"] = precise / len(asked)
        figures[f"recall@{k}"] = recalled / len(asked)
        figures[f"precision@{k}"] = precision / len(asked)
        figures[f"hit_rate@{k}"] = hit / len(asked)
        figures[f"coverage@{k}"] = len(set(shown)) / len(catalogue)
        figures[f"novelty@{k}"] = sum(bits) / len(bits) if bits else 0.0
    return figures
