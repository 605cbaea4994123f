from __future__ import annotations

import numpy as np
import pytest

from recs.data import Interactions
from recs.errors import NonFiniteScoresWarning
from recs.evaluation import HeldOut, evaluate_top_k, recommend_top_k, top_k
from tests.evaluation.oracle import more, naive


def random_case(rng, users=12, items=30, kind="int"):
    pairs = rng.integers(0, [users, items], size=(150, 2))
    test = rng.integers(0, [users + 3, items], size=(60, 2))  # with unknown users and repeats
    name = (lambda n: n) if kind == "int" else (lambda n: f"id-{n}")

    def log(rows):
        return Interactions(
            {"user": [name(int(u)) for u, _ in rows], "item": [name(int(i)) for _, i in rows]}
        )

    return log(pairs), log(test), np.array([name(i) for i in range(items)])


def pairs_of(log):
    return list(zip(log.user.tolist(), log.item.tolist(), strict=True))


@pytest.mark.parametrize("kind", ["int", "string"])
@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_figures_are_those_of_a_plain_loop(rng, kind, levels):
    train, test, catalogue = random_case(rng, kind=kind)
    held_out = HeldOut.of(train, test, catalogue)
    # Few levels make many ties, across the border of the list too.
    users = rng.integers(0, levels, size=(len(held_out.users), 1)).astype("float32")
    items = rng.integers(-levels, levels, size=(len(catalogue), 1)).astype("float32")
    row = {user: n for n, user in enumerate(held_out.users.tolist())}
    column = {item: n for n, item in enumerate(catalogue.tolist())}
    ks = (1, 3, 10, 30)
    expected = naive(
        pairs_of(train),
        pairs_of(test),
        catalogue.tolist(),
        lambda u, i: users[row[u], 0] * items[column[i], 0],
        ks,
    )
    assert evaluate_top_k(users, items, held_out, ks) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", ["int", "string"])
@pytest.mark.parametrize("listed", [False, True])
def test_further_figures_and_lists_of_what_is_allowed(rng, kind, listed):
    train, test, catalogue = random_case(rng, kind=kind)
    held_out = HeldOut.of(train, test, catalogue)
    users = rng.normal(size=(len(held_out.users), 3)).astype("float32")
    items = rng.normal(size=(len(catalogue), 3)).astype("float32")
    row = {user: n for n, user in enumerate(held_out.users.tolist())}
    column = {item: n for n, item in enumerate(catalogue.tolist())}
    may = rng.random((len(users), len(items))) < 0.4
    may[0] = False  # nothing at all
    ks = (1, 3, 10, 30)
    expected = more(
        pairs_of(train),
        pairs_of(test),
        catalogue.tolist(),
        lambda u, i: users[row[u]] @ items[column[i]],
        ks,
        (lambda u: catalogue[may[row[u]]].tolist()) if listed else None,
    )
    got = evaluate_top_k(
        users,
        items,
        held_out,
        ks,
        ("recall", "precision", "hit_rate", "mrr", "map", "coverage", "novelty"),
        allowed=np.argwhere(may) if listed else None,
        item_counts=train.item_counts(),
    )
    assert got == pytest.approx(expected, abs=1e-12)


def test_metrics_have_to_be_known_and_have_what_they_need():
    one = Interactions({"user": [1], "item": [1]}), Interactions({"user": [1], "item": [2]})
    given = np.ones((1, 1)), np.ones((2, 1)), HeldOut.of(*one)
    with pytest.raises(ValueError, match=r"`metrics` must be some of recall, ndcg, .*'auc'"):
        evaluate_top_k(*given, metrics=("auc",))
    with pytest.raises(ValueError, match="`item_counts` must be given for novelty"):
        evaluate_top_k(*given, metrics=("novelty",))
    with pytest.raises(ValueError, match="`allowed` must be sorted by user"):
        recommend_top_k(np.ones((2, 1)), np.ones((3, 1)), [], 1, allowed=[[1, 0], [0, 0]])


def test_chunks_of_users_change_nothing(rng, monkeypatch):
    train, test, catalogue = random_case(rng)
    held_out = HeldOut.of(train, test, catalogue)
    users = rng.normal(size=(len(held_out.users), 4))
    items = rng.normal(size=(len(catalogue), 4))
    whole = recommend_top_k(users, items, held_out.seen, 7)
    monkeypatch.setattr(top_k, "_SCORES_AT_ONCE", 5 * len(catalogue))
    assert (recommend_top_k(users, items, held_out.seen, 7) == whole).all()


def test_a_list_longer_than_what_is_left_ends_with_minus_one():
    best = recommend_top_k(np.ones((1, 1)), np.ones((3, 1)), np.array([[0, 1]]), k=5)
    assert best.tolist() == [[0, 2, -1]]


def test_seen_items_never_come_back_even_with_the_worst_scores_around():
    scores = np.array([[np.nan], [-np.inf], [5.0]])
    with pytest.warns(NonFiniteScoresWarning, match="2 that are NaN or infinite"):
        best = recommend_top_k(np.ones((1, 1)), scores, np.array([[0, 2]]), k=2)
    assert best.tolist() == [[0, 1]]


def test_no_users_and_nothing_seen():
    nothing = np.zeros((0, 2))
    assert recommend_top_k(np.zeros((0, 2)), np.ones((3, 2)), nothing, 2).shape == (0, 2)
    assert recommend_top_k(np.ones((1, 1)), np.ones((3, 1)), [], 2).tolist() == [[0, 1]]


def test_a_user_with_more_held_out_items_than_k_has_full_ndcg_but_not_full_recall():
    train = Interactions({"user": [1], "item": [0]})
    test = Interactions({"user": [1, 1, 1, 1], "item": [1, 2, 3, 4]})
    held_out = HeldOut.of(train, test)
    scores = np.arange(5.0)[:, None]
    figures = evaluate_top_k(np.ones((1, 1)), scores, held_out, (2,))
    assert figures == {"recall@2": 0.5, "ndcg@2": pytest.approx(1.0)}


@pytest.mark.parametrize("ks", [(), (0,), (1.5,), (True,)])
def test_ks_must_be_positive_integers(ks):
    held_out = HeldOut.of(
        Interactions({"user": [1], "item": [1]}), Interactions({"user": [1], "item": [2]})
    )
    with pytest.raises(ValueError, match=r"`ks` must be positive integers\. Received: ks="):
        evaluate_top_k(np.ones((1, 1)), np.ones((2, 1)), held_out, ks)


def test_vectors_of_two_widths_are_refused():
    with pytest.raises(ValueError, match=r"one width\. Received: shapes \(1, 2\) and \(3, 4\)"):
        recommend_top_k(np.ones((1, 2)), np.ones((3, 4)), [], 1)


def test_seen_out_of_order_is_refused():
    with pytest.raises(ValueError, match="`seen` must be sorted by user"):
        recommend_top_k(np.ones((2, 1)), np.ones((3, 1)), [[1, 0], [0, 0]], 1)


def test_lists_longer_than_the_catalogue_are_refused():
    log = Interactions({"user": [1], "item": [1]}), Interactions({"user": [1], "item": [2]})
    vectors, held_out = (np.ones((1, 1)), np.arange(2.0)[:, None]), HeldOut.of(*log)
    with pytest.raises(ValueError, match=r"`ks` must be at most 2, .*Received: ks=\(1, 3\)"):
        evaluate_top_k(*vectors, held_out, (1, 3))
    assert evaluate_top_k(*vectors, held_out) == {"recall@1": 1.0, "ndcg@1": 1.0}


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        (np.ones((1, 2)), np.ones((4, 2)), r"`item_vectors` must have a row for each of the 3 "),
        (np.ones((1, 2)), np.ones((2, 2)), r"`item_vectors` must have a row.*shape \(2, 2\)"),
        (np.ones((3, 2)), np.ones((3, 2)), r"`user_vectors` must have a row for each of the 1 "),
        (np.ones((0, 2)), np.ones((3, 2)), r"`user_vectors` must have a row.*shape \(0, 2\)"),
        (np.ones(2), np.ones((3, 2)), "must be matrices of one width"),
        (np.array([["a", "b"]]), np.ones((3, 2)), "`user_vectors` must be numbers.*dtype <U1"),
        (np.ones((1, 2)), np.ones((3, 2), object), "`item_vectors` must be numbers.*dtype object"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(users, items, message):
    held_out = HeldOut.of(
        Interactions({"user": [1, 2], "item": [1, 2]}), Interactions({"user": [1], "item": [3]})
    )
    with pytest.raises(ValueError, match=message):
        evaluate_top_k(users, items, held_out, (1,))


def test_pairs_outside_the_matrix_are_refused():
    for pairs in ([[0, 3]], [[1, 0]], [[0, -1]]):
        with pytest.raises(ValueError, match=r"`seen` must be rows of the 1 users and of the 3 "):
            recommend_top_k(np.ones((1, 1)), np.ones((3, 1)), pairs, 1)
    for k in (0, True, 1.5):
        with pytest.raises(ValueError, match="`k` must be a positive integer"):
            recommend_top_k(np.ones((1, 1)), np.ones((3, 1)), [], k)


def test_equal_scores_do_not_follow_the_catalogue():
    """A model that scores all alike gets nothing, in whatever order the catalogue stands."""
    train = Interactions({"user": [1, 2], "item": [8, 9]})
    test = Interactions({"user": [1, 2], "item": [3, 1]})
    for catalogue in (np.arange(10), np.arange(10)[::-1], np.array([3, 1, 0, 9, 8, 2, 4, 5, 6, 7])):
        held_out = HeldOut.of(train, test, catalogue)
        vectors = np.zeros((2, 1)), np.zeros((10, 1))
        found = evaluate_top_k(*vectors, held_out, (5,), ("recall", "coverage"))
        # Without held-out and seen items each list starts with the lowest ids.
        assert found == {"recall@5": 0.0, "coverage@5": 0.6}


def test_items_with_equal_vectors_tie_wherever_they_stand(rng):
    # Every item is there seven times: by row among equals, whatever a product in float32 rounds.
    items = np.tile(rng.normal(size=(61, 700)), (7, 1)).astype("float32")
    user = rng.normal(size=(1, 700)).astype("float32")
    best = recommend_top_k(user, items, seen=np.zeros((0, 2), int), k=427)
    exact = (items[:61].astype("float64") @ user[0].astype("float64")).argsort()[::-1]
    np.testing.assert_array_equal(best[0], (exact[:, None] + 61 * np.arange(7)).ravel())
