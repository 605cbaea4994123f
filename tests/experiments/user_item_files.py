"""A miniature in the files of LightGCN's splits."""

from __future__ import annotations

import numpy as np

PARTS = {"train": slice(2, None), "valid": slice(0, 1), "test": slice(1, 2)}


def write(folder, users=60, items=40, seed=0):
    """Writes train.txt, valid.txt and test.txt: users take items of one of four kinds."""
    rng = np.random.default_rng(seed)
    of_kind = [np.arange(kind, items, 4) for kind in range(4)]
    taken = [rng.permutation(of_kind[user % 4])[: rng.integers(6, 10)] for user in range(users)]
    for name, part in PARTS.items():
        lines = [" ".join(map(str, [user, *own[part]])) for user, own in enumerate(taken)]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder
