"""The look-up on a tape: gradients go to the table, and to whatever else was asked for."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.ops import lookup
from recs.ops.as_keys import as_keys
from recs.ops.library import ops
from recs.ops.row_initializer import CONSTANT, RowInitializer
from recs.ops.table import Table


@pytest.fixture
def table() -> Table:
    return Table(2, "int64", RowInitializer(CONSTANT, 1.0), seed=0, name="items")


def batch(keys, splits=(), weights=(), combiner="none") -> lookup.Batch:
    return lookup.Batch(
        tf.constant(keys, tf.int64),
        tf.constant([], tf.bool),
        tf.constant(splits, tf.int64, shape=[len(splits)]),
        weights if tf.is_tensor(weights) else tf.constant(weights, tf.float32),
        combiner,
    )


def of(table, one):
    return lookup.Lookups([table], [one], [0])


def train(table, one, anchor, *, flag=False, emit=False):
    found = lookup.find_or_insert(
        of(table, one), anchor, emit_unique_rows=emit, flag_bad_gradients=flag
    )
    return found.outputs[0], found.distinct[0]


def commit(table: Table) -> int:
    (updated,) = ops().recs_tables_commit(
        [table.handle], [1.0], [tf.constant(0, tf.int64)], [1.0], [True], optimizers=["sgd"],
        parameters=[0.0, 0.0], parameter_counts=[2],
        weight_decays=[0.0], clipnorms=[0.0], clipvalues=[0.0],
    )  # fmt: skip
    return int(updated)


def test_the_anchor_has_no_gradient_and_the_rows_have_theirs(table):
    anchor = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        rows, _ = train(table, batch([5, 6, 5]), tf.convert_to_tensor(anchor))
        loss = tf.reduce_sum(rows * [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert float(tape.gradient(loss, anchor)) == 0.0
    assert commit(table) == 2
    np.testing.assert_array_equal(table.lookup([5, 6]), [[-5, -7], [-2, -3]])


def test_a_pass_that_asks_for_other_weights_only_is_discarded_by_the_next(table):
    """A tape may run the look-up's gradient function all the same; nobody applies it."""
    anchor, other = tf.Variable(0.0), tf.Variable(2.0)
    with tf.GradientTape() as tape:
        rows, _ = train(table, batch([5]), tf.convert_to_tensor(anchor))
        loss = tf.reduce_sum(rows) * other
    assert float(tape.gradient(loss, other)) == 2.0
    np.testing.assert_array_equal(table.lookup([5]), [[1, 1]])
    train(table, batch([6]), tf.convert_to_tensor(anchor))
    assert commit(table) == 0
    np.testing.assert_array_equal(table.lookup([5]), [[1, 1]])


@pytest.mark.parametrize("flag", [False, True])
def test_a_gradient_that_is_not_finite_reaches_the_anchor_when_asked(table, flag):
    anchor = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        rows, _ = train(table, batch([5, 6]), tf.convert_to_tensor(anchor), flag=flag)
        loss = tf.reduce_sum(rows * [[1.0, 1.0], [np.nan, 1.0]])
    assert float(tape.gradient(loss, anchor)) == (np.inf if flag else 0.0)
    assert commit(table) == 1
    assert table.stats()["refused_updates"] == 1


def test_weights_have_their_gradient(table):
    table.upsert([1, 2], [[1.0, 2.0], [10.0, 20.0]])
    anchor = tf.Variable(0.0)
    weights = tf.Variable([2.0, 3.0])
    with tf.GradientTape() as tape:
        one = batch([1, 2], [0, 2], tf.convert_to_tensor(weights), "sum")
        rows, _ = train(table, one, tf.convert_to_tensor(anchor))
        loss = tf.reduce_sum(rows)
    np.testing.assert_allclose(tape.gradient(loss, weights), [3.0, 30.0])
    commit(table)
    np.testing.assert_array_equal(table.lookup([1, 2]), [[-1, 0], [7, 17]])


def test_distinct_rows_are_differentiable_beside_the_output(table):
    anchor = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        rows, distinct = train(table, batch([5, 6, 5]), tf.convert_to_tensor(anchor), emit=True)
        loss = tf.reduce_sum(rows) + 10.0 * tf.reduce_sum(distinct)
    assert distinct.shape == (2, 2)
    tape.gradient(loss, anchor)
    commit(table)
    np.testing.assert_array_equal(table.lookup([5, 6]), [[-11, -11], [-10, -10]])


def test_the_look_up_in_a_traced_function_knows_its_shapes(table):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def run(keys):
        anchor = tf.constant(0.0)
        rows, _ = train(table, batch_of(keys), anchor)
        assert rows.shape.as_list() == [None, 2]
        return rows, lookup.find(of(table, batch_of(keys))).outputs[0]

    def batch_of(keys):
        none = tf.constant([], tf.int64)
        return lookup.Batch(keys, tf.constant([], tf.bool), none, tf.constant([]), "none")

    for ids in ([1, 2], [3], [], [2, 2, 9]):
        rows, found = run(tf.constant(ids, tf.int64))
        np.testing.assert_array_equal(rows, np.ones((len(ids), 2)))
        np.testing.assert_array_equal(found, rows)
    assert table.size() == 4


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"mask": [True]}, "`mask` must have one value a key. Received: 1 values for 2 keys"),
        ({"weights": [1.0]}, "`weights` must have one value a key. Received: 1 weights for 2"),
        ({"splits": []}, "`splits` must rise from 0 to the number of keys. Received: 0 splits"),
        ({"splits": [0, 1]}, "`splits` must rise from 0"),
        ({"splits": [1, 2]}, "`splits` must rise from 0"),
        ({"splits": [0, 2, 1, 2]}, "`splits` must rise from 0"),
        ({"splits": [0, -1, 2]}, "`splits` must rise from 0"),
        ({"splits": [0, 3, 2]}, "`splits` must rise from 0"),
    ],
)
def test_batches_that_do_not_fit_are_refused(table, changed, rule):
    given = {"mask": [], "splits": [0, 2], "weights": [], **changed}
    one = lookup.Batch(
        tf.constant([1, 2], tf.int64),
        tf.constant(given["mask"], tf.bool),
        tf.constant(given["splits"], tf.int64),
        tf.constant(given["weights"], tf.float32),
        "sum",
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=rule):
        lookup.find(of(table, one))
    with pytest.raises(tf.errors.InvalidArgumentError, match=rule):
        train(table, one, tf.constant(0.0))
    assert table.size() == 0


def test_keys_of_the_other_type_are_refused(table):
    none = tf.constant([], tf.int64)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`keys` must have the table's"):
        ops().recs_tables_find(
            [table.handle], [tf.constant(["a"])], [tf.constant([], tf.bool)], [none],
            [tf.constant([])], dims=[2], combiners=["none"], feature_tables=[0],
        )  # fmt: skip
    for keys, remedy in [
        (tf.constant([1.5]), r"Convert them before, so that no id is rounded"),
        (tf.constant(["a"]), r"Give `key_dtype='string'`"),
        (tf.constant([1], tf.uint64), r"Keep their bits"),
        (tf.constant([True]), r"Ids must be integers"),
    ]:
        with pytest.raises(ValueError, match=remedy):
            as_keys(keys, tf.int64, where="a test")
    assert as_keys(tf.constant([-1], tf.int8), tf.int64, where="a test").dtype == tf.int64


@pytest.mark.parametrize(
    ("inverse", "gradient", "rule"),
    [
        ([0, 7], np.ones((2, 2)), "`inverse` must come from the look-up's own output"),
        ([0, -2], np.ones((2, 2)), "`inverse` must come from the look-up's own output"),
        ([0, 1], np.ones((2, 3)), r"`gradients` must have shape \[2,2\]"),
        ([0, 1], np.ones((1, 2)), "`splits` and `gradient` must have the sizes of the look-up's"),
    ],
)
def test_gradients_that_do_not_fit_are_refused(table, inverse, gradient, rule):
    none = tf.constant([], tf.int64)
    rows = ops().recs_tables_find_or_insert(
        [table.handle], [tf.constant([1, 2], tf.int64)], [tf.constant([], tf.bool)], [none],
        [tf.constant([])], tf.constant(0, tf.int64), dims=[2], combiners=["none"],
        feature_tables=[0],
    ).rows  # fmt: skip
    with pytest.raises(tf.errors.InvalidArgumentError, match=rule):
        ops().recs_tables_add_gradient(
            [table.handle], rows, [tf.constant(inverse)], [none], [tf.constant([])],
            [tf.constant(gradient, tf.float32)], [tf.zeros([0, 2])], [tf.zeros([0, 2])],
            combiners=["none"], feature_tables=[0],
        )  # fmt: skip
    assert commit(table) == 0
