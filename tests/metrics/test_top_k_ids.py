"""Metrics of retrieved ids against a loop over users."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from recs.metrics import MAPAtK, MRRAtK, NDCGAtK, RecallAtK


def _value(name, wanted, found, k):
    ranks = [r for r, item in enumerate(found[:k], start=1) if item in wanted]
    if name == "RecallAtK":
        return len(ranks) / len(wanted)
    if name == "MRRAtK":
        return 1 / ranks[0] if ranks else 0.0
    if name == "MAPAtK":
        return sum(n / r for n, r in enumerate(ranks, start=1)) / min(k, len(wanted))
    best = sum(1 / math.log2(r + 1) for r in range(1, min(k, len(wanted)) + 1))
    return sum(1 / math.log2(r + 1) for r in ranks) / best


@pytest.mark.parametrize("metric", [MAPAtK, MRRAtK, NDCGAtK, RecallAtK])
@pytest.mark.parametrize("k", [1, 3, 9])
@pytest.mark.parametrize("kind", ["dense", "ragged", "string"])
def test_agrees_with_a_loop(rng, metric, k, kind):
    wanted = [rng.choice(12, n, replace=False).tolist() for n in (1, 4, 0, 3, 7, 2)]
    found = np.stack([rng.permutation(12)[:6] for _ in wanted])
    weight = rng.random(6)
    rows = [(w, _value(metric.__name__, w, f.tolist(), k)) if w else (w, 0.0)
            for w, f in zip(wanted, found, strict=True)]  # fmt: skip
    weights = [x if w else 0.0 for (w, _), x in zip(rows, weight, strict=True)]
    want = sum(v * x for (_, v), x in zip(rows, weights, strict=True)) / sum(weights)
    given = tf.ragged.constant(wanted, dtype=tf.int64)
    if kind == "dense":
        # An id that is given twice counts once.
        given = np.array([w + w[:1] * (7 - len(w)) if w else [-1] * 7 for w in wanted])
    if kind == "string":
        given, found = tf.strings.as_string(given), found.astype(str)
    made = metric(k=k)
    made.update_state(given[:2], found[:2], sample_weight=weight[:2])
    made.update_state(given[2:], found[2:], sample_weight=weight[2:, None])
    assert float(made.result()) == pytest.approx(want, rel=1e-5)
    assert made.name == f"{metric.__name__[:-3].lower()}@{k}"


def test_padding_of_lists_is_no_hit_and_repeats_count_once():
    metric = RecallAtK(k=4)
    metric.update_state(np.array([[3, -1, 5]]), np.array([[-1, 3, 3, -1]]))
    assert float(metric.result()) == 0.5
    precise = MAPAtK(k=4)
    precise.update_state(np.array([[3]]), np.array([[3, 3, 3, 3]]))
    assert float(precise.result()) == 1.0


def test_errors():
    with pytest.raises(ValueError, match=r"`k` must be a positive integer\. Received: k=0"):
        RecallAtK(k=0)
