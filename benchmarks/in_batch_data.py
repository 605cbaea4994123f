"""What both sides of in_batch_loss.py are given."""

from __future__ import annotations

import numpy as np

DIM, USERS, ITEMS = 64, 100_000, 20_000

# What the task is made with; `corrected` and `hits` also need what `given` adds.
OPTIONS: dict[str, dict] = {
    "plain": {},
    "temperature, logQ, hits": {"temperature": 0.05, "remove_accidental_hits": True},
    "50 hard negatives": {"num_hard_negatives": 50},
}


def rows_of(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns embeddings of queries and candidates."""
    rng = np.random.default_rng(1)
    return tuple(rng.normal(0, 0.1, (batch, DIM)).astype("float32") for _ in range(2))


def batch_of(batch: int) -> dict[str, np.ndarray]:
    """Returns ids of users and items, the items by Zipf's law, and how likely each item is."""
    rng = np.random.default_rng(2)
    share = 1.0 / np.arange(1, ITEMS + 1)
    share /= share.sum()
    items = rng.choice(ITEMS, batch, p=share)
    return {
        "user": rng.integers(0, USERS, batch),
        "item": items,
        "probability": share[items].astype("float32"),
    }


def given(task, inputs) -> dict:
    """Returns what a call of the task is given besides embeddings."""
    if not task.options.get("remove_accidental_hits"):
        return {}
    return {
        "candidate_ids": inputs["item"],
        "candidate_sampling_probability": inputs["probability"],
    }
