"""Ids and rows: what is taken, what is refused, and how they get into a table."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import recs
from recs.warm_start import Filled, Rows, from_numpy, from_table

DIM = 3
INTEGERS = st.integers(-(2**63), 2**63 - 1)
STRINGS = st.binary(max_size=12)


def layer(key_dtype="int64", **kwargs):
    return recs.layers.DynamicEmbedding(DIM, key_dtype=key_dtype, seed=1, **kwargs)


def contents(target):
    ids, rows = target.table.export()
    return dict(zip(ids.tolist(), rows.tolist(), strict=True))


@st.composite
def rows_of(draw, ids):
    chosen = draw(st.lists(ids, unique=True, max_size=12))
    numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
    return chosen, draw(hnp.arrays(np.float32, (len(chosen), DIM), elements=numbers))


@settings(deadline=None, max_examples=40)
@given(rows_of(INTEGERS), st.integers(1, 5))
def test_integers_arrive_bit_for_bit_whatever_the_batches(case, batch_size):
    ids, rows = case
    target = layer()
    filled = from_numpy(np.array(ids, np.int64), rows).into(target, batch_size=batch_size)
    assert filled == Filled(len(ids), 0, 0)
    assert target.table.size() == len(ids)
    assert target.table.lookup(np.array(ids, np.int64)).tobytes() == rows.tobytes()


@settings(deadline=None, max_examples=40)
@given(rows_of(STRINGS), st.integers(1, 5))
def test_strings_arrive_and_go_from_table_to_table(case, batch_size):
    ids, rows = case
    first, second = layer("string"), layer("string")
    from_numpy(ids, rows).into(first, batch_size=batch_size)
    assert from_table(first).into(second.table) == Filled(len(ids), 0, 0)
    expected = dict(zip(ids, rows.tolist(), strict=True))
    assert contents(first) == contents(second) == expected


@settings(deadline=None, max_examples=40)
@given(rows_of(INTEGERS))
def test_integers_to_digits_and_back(case):
    ids, rows = case
    digits, back = layer("string"), layer()
    from_numpy(np.array(ids, np.int64), rows).into(digits, id_type="string")
    assert set(contents(digits)) == {str(i).encode() for i in ids}
    from_table(digits).into(back, id_type="int64")
    assert contents(back) == dict(zip(ids, rows.tolist(), strict=True))


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (np.array([1, 2], np.int8), [1, 2]),
        (np.array([2**63 - 1, 0], np.uint64), [2**63 - 1, 0]),
        (np.array([5, -6], object), [5, -6]),
        ([np.int32(5), -(2**63)], [5, -(2**63)]),
        (tf.constant([3, 4], tf.int64), [3, 4]),
        (["é", b"\xff\0"], ["é".encode(), b"\xff\0"]),
        (np.array(["a", "bc"]), [b"a", b"bc"]),
        (np.array([b"a", b"bc"]), [b"a", b"bc"]),
        (tf.constant(["a", b"\0"]), [b"a", b"\0"]),
        (["\udcff", "x"], [b"\xff", b"x"]),  # as `to_pandas` gives bytes that are no UTF-8
    ],
)
def test_ids_of_every_kind(ids, expected):
    assert from_numpy(ids, np.zeros((2, DIM), np.float32)).ids.tolist() == expected


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_rows_of_every_width(dtype):
    given = np.array([[1.5, -0.0, 2.0]], tf.as_dtype(dtype).as_numpy_dtype)
    rows = from_numpy([1], given).rows
    assert rows.dtype == np.float32
    assert rows.tobytes() == np.array([[1.5, -0.0, 2.0]], np.float32).tobytes()


def test_a_mapped_file_is_not_copied(tmp_path):
    np.save(tmp_path / "rows.npy", np.ones((4, DIM), np.float32))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    rows = from_numpy(np.arange(4), mapped)
    assert np.shares_memory(rows.rows, mapped)
    assert rows.into(layer()).new == 4


@pytest.mark.parametrize(
    ("ids", "rows", "message"),
    [
        ([1, 2, 1], np.zeros((3, 2)), "`ids` must differ. Received: 1 ids more than once: 1"),
        (["a", b"a"], np.zeros((2, 2)), "must differ.*b'a'"),
        ([1.0, 2.0], np.zeros((2, 2)), "integers that fit int64, or strings.*float"),
        ([1, "a"], np.zeros((2, 2)), "integers that fit int64, or strings.*int and str"),
        ([True, False], np.zeros((2, 2)), "integers that fit int64, or strings.*bool"),
        (np.array([True]), np.zeros((1, 2)), "dtype bool"),
        (np.array([2**63], np.uint64), np.zeros((1, 2)), "the id 9223372036854775808"),
        ([2**63], np.zeros((1, 2)), "the ids 9223372036854775808"),
        ([[1]], np.zeros((1, 2)), "must be integers"),
        (np.array([[1]]), np.zeros((1, 2)), r"on one axis. Received: shape \(1, 1\)"),
        ([1, 2], np.zeros((3, 2)), r"one row an id. Received: shapes \(3, 2\) of rows and \(2,\)"),
        ([1, 2], np.zeros(2), "must be a matrix"),
        ([1, 2], np.zeros((2, 0)), "must be a matrix"),
        ([1], np.zeros((1, 2), int), "must be floats. Received: dtype int64"),
        ([1, 2], [[0.0, 1.0], [np.nan, 0.0]], "finite.*NaN or infinity in the rows of 2 "),
        (["a"], [[1e39]], "finite as float32.*b'a'"),
    ],
)
def test_what_is_refused(ids, rows, message):
    with pytest.raises(ValueError, match=message):
        from_numpy(ids, rows)


def test_not_finite_beyond_the_first_batch():
    rows = np.zeros((70_000, 1), np.float32)
    rows[69_999] = np.inf
    with pytest.raises(ValueError, match="in the rows of 69999 "):
        Rows(np.arange(70_000), rows)


def test_known_rows_are_replaced_or_kept():
    target = layer()
    from_numpy([1, 2], np.zeros((2, DIM))).into(target)
    again = from_numpy([2, 3], np.ones((2, DIM)))
    assert again.into(target, only_new=True) == Filled(1, 1, 0)
    assert contents(target) == {1: [0.0] * DIM, 2: [0.0] * DIM, 3: [1.0] * DIM}
    assert again.into(target) == Filled(0, 2, 0)
    assert contents(target) == {1: [0.0] * DIM, 2: [1.0] * DIM, 3: [1.0] * DIM}


def test_what_a_bound_costs_is_reported():
    bound = recs.layers.eviction.LeastRecentlyUsed(max_rows=10)
    target = layer(eviction=bound)
    filled = from_numpy(np.arange(1000), np.ones((1000, DIM))).into(target)
    assert filled.new == 1000
    assert filled.evicted == 1000 - target.table.size() > 0


def test_admission_is_not_asked():
    target = layer(admission=recs.layers.admission.MinimumCount(5))
    assert from_numpy([1], np.ones((1, DIM))).into(target).new == 1
    assert target.table.contains([1]).all()


def test_a_table_of_a_collection():
    table = recs.layers.TableConfig("items", DIM)
    collection = recs.layers.EmbeddingCollection([recs.layers.FeatureConfig("item", table)])
    rows = from_numpy([1], np.ones((1, DIM)))
    assert rows.into(collection.table("items")).new == 1
    with pytest.raises(ValueError, match=r"Received: EmbeddingCollection.*`collection.table\(name"):
        rows.into(collection)
    with pytest.raises(ValueError, match="of 'items'"):
        from_table(collection)


def test_what_is_no_table():
    for target in (recs.layers.RecentRecords(1, 1), recs.layers.RecentRecords(1, 1).table, "users"):
        with pytest.raises(ValueError, match="The table must be a DynamicEmbedding"):
            from_numpy([1], np.ones((1, DIM))).into(target)


@pytest.mark.parametrize(
    ("key_dtype", "ids", "id_type", "message"),
    [
        ("string", [1, 2], None, "must be strings.*int64 ids, such as 1 .*`id_type='string'`"),
        ("int64", ["1", "2"], None, "must be integers.*such as b'1' .*`id_type='int64'`"),
        ("int64", ["1", "07"], "int64", r"whole numbers.*b'07'.*key_dtype='string'"),
        ("int64", ["1", "x"], "int64", "b'x'"),
        ("int64", ["1", " 2"], "int64", "b' 2'"),
        ("int64", ["1", "+2"], "int64", r"b'\+2'"),
        ("int64", ["1", str(2**63)], "int64", "9223372036854775808"),
        ("int64", [1, 2], "string", "must be integers.*string ids"),
        ("int64", [1, 2], "float", "`id_type` must be None, 'int64' or 'string'"),
    ],
)
def test_types_are_converted_exactly_or_not_at_all(key_dtype, ids, id_type, message):
    target = layer(key_dtype)
    rows = from_numpy(ids, np.zeros((2, DIM)))
    with pytest.raises(ValueError, match=message):
        rows.into(target, id_type=id_type, batch_size=1)
    assert target.table.size() == 0


def test_another_length_is_an_error_in_four_parts():
    target = recs.layers.DynamicEmbedding(5, name="users")
    with pytest.raises(ValueError, match=r"must have the length of the table's, 5.*3 numbers") as e:
        from_numpy([1], np.zeros((1, 3))).into(target)
    assert "(in arrays into table 'users'). Make the layer with `output_dim=3`" in str(e.value)
    assert target.table.size() == 0


def test_training_goes_on_from_the_rows():
    target = layer(optimizer="sgd")
    from_numpy([7], np.full((1, DIM), 2.0)).into(target)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(target(np.array([7]), training=True))
    weights = target.trainable_variables
    import keras

    keras.optimizers.SGD(1.0).apply_gradients(
        zip(tape.gradient(loss, weights), weights, strict=True)
    )
    np.testing.assert_allclose(target.table.lookup([7]), np.full((1, DIM), 2.0 - 0.01), rtol=1e-6)
