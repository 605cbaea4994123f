"""Which rows of a batch are a task's support, and which its query."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.meta.episodes import episodes


def chosen(ids, order=None, present=None, **sizes):
    ids = np.asarray(ids)
    order = np.arange(len(ids)) if order is None else order
    present = np.ones(len(ids), bool) if present is None else present
    sizes = {"tasks": 4, "support": 2, "query": 3, **sizes}
    found = episodes(tf.constant(ids), tf.constant(present), tf.constant(order), **sizes)
    return [part.numpy().tolist() for part in found]


def oracle(ids, order, present, tasks, support, query):
    rows: dict = {}
    for row in np.argsort(order, kind="stable"):
        if present[row]:
            rows.setdefault(ids[row], []).append(int(row))
    found = [[], []]
    for own in [r for r in rows.values() if len(r) > 1][:tasks]:
        given = min(len(own) // 2, support)
        for part, some, size in ((0, own[:given], support), (1, own[given:][:query], query)):
            found[part].append(some + [-1] * (size - len(some)))
    for part, size in ((0, support), (1, query)):
        found[part] += [[-1] * size] * (tasks - len(found[part]))
    return found


def test_half_of_a_tasks_rows_are_support():
    support, query = chosen([7, 8, 7, 9, 8, 7])
    assert support == [[0, -1], [1, -1], [-1, -1], [-1, -1]]
    assert query == [[2, 5, -1], [4, -1, -1], [-1] * 3, [-1] * 3]


def test_no_more_than_there_is_room_for():
    support, query = chosen([1] * 9 + [2] * 4, tasks=1)
    assert (support, query) == ([[0, 1]], [[2, 3, 4]])


@pytest.mark.parametrize("ids", [[], [1], [1, 2, 3]])
def test_without_tasks(ids):
    assert chosen(np.array(ids, np.int64)) == [[[-1] * 2] * 4, [[-1] * 3] * 4]


def test_rows_without_a_label_are_no_samples():
    found = chosen([7, 7, 7, 8, 8], present=np.array([True, False, True, True, False]))
    assert found == oracle([7, 7, 7, 8, 8], range(5), [1, 0, 1, 1, 0], 4, 2, 3)


@pytest.mark.parametrize("seed", range(5))
def test_against_a_loop(seed):
    rng = np.random.default_rng(seed)
    ids = np.array([f"user {i}" for i in rng.integers(0, 12, 60)], object)
    order, present = rng.random(60), rng.random(60) < 0.8
    sizes = {"tasks": 6, "support": 3, "query": 2}
    assert chosen(ids, order, present, **sizes) == oracle(ids, order, present, **sizes)
