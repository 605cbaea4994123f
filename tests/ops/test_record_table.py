"""What a record table promises, of the compiled one and of the reference."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tensorflow as tf

from recs.ops.record_table import RecordTable
from recs.ops.reference import ReferenceRecords
from recs.ops.row_initializer import UNIFORM, RowInitializer
from recs.ops.table import Table
from tests.harness.new_process import run_code
from tests.ops.conftest import key_of


class Compiled:
    """The compiled table under the interface of the reference."""

    def __init__(self, width: int, capacity: int, kind: str) -> None:
        self.table = RecordTable(width, capacity, kind, name="tested")

    def append(self, keys, records, times, mask=None):
        try:
            self.table.append(self._keys(keys), self._records(keys, records), times, mask)
        except tf.errors.InvalidArgumentError as error:
            raise ValueError(error.message) from error

    def _records(self, keys, records):
        return np.asarray(records, np.float32).reshape(len(keys), self.table.width)

    def recent(self, keys, mask=None):
        return tuple(x.numpy() for x in self.table.recent(self._keys(keys), mask))

    def remove(self, keys):
        return self.table.remove(self._keys(keys))

    def size(self):
        return self.table.size()

    def _keys(self, keys):
        return tf.constant(list(keys), self.table.key_dtype, shape=[len(keys)])


@pytest.fixture(params=["reference", "compiled"])
def make(request, kind):
    def table(width=2, capacity=3):
        if request.param == "reference":
            return ReferenceRecords(width, capacity)
        return Compiled(width, capacity, kind)

    return table


def records(*firsts: float) -> np.ndarray:
    """Records of two floats, of which the first ones are given."""
    return np.array([[x, -x] for x in firsts], np.float32).reshape(-1, 2)


def firsts(table, keys) -> list[list[float]]:
    """The first float of every record of each key."""
    found, lengths, _ = table.recent(keys)
    return [r[:n, 0].tolist() for r, n in zip(found, lengths, strict=True)]


def test_the_last_records_stay_in_order(make, keys):
    table = make()
    a, b, c = keys(0, 1, 2)
    table.append([a, b, a], records(1, 2, 3), [10, 20, 30])
    assert firsts(table, [a, b, c]) == [[1, 3], [2], []]
    table.append([a, a, c, a], records(4, 5, 6, 7), [5, 50, 2**32 - 1, 0])
    assert firsts(table, [c, a, b, a]) == [[6], [4, 5, 7], [2], [4, 5, 7]]
    found, lengths, times = table.recent([a, b])
    np.testing.assert_array_equal(found[0], records(4, 5, 7))
    np.testing.assert_array_equal(found[1], np.concatenate([records(2), np.zeros((2, 2))]))
    np.testing.assert_array_equal(times, [[5, 50, 0], [20, 0, 0]])
    assert lengths.tolist() == [3, 1]
    assert table.recent([c])[2].tolist() == [[2**32 - 1, 0, 0]]
    assert table.size() == 3


def test_more_records_than_places_in_one_batch(make, keys):
    table = make(capacity=4)
    (a,) = keys(3)
    for many in (9, 1, 4, 6, 3, 17):
        table.append([a] * many, records(*range(many)), np.arange(many))
        expected = list(range(many))[-4:]
        assert firsts(table, [a])[0][-len(expected) :] == expected


def test_masked_positions_add_and_read_nothing(make, keys):
    table = make()
    a, b = keys(0, 1)
    bad = np.concatenate([records(1), [[np.nan, 0]], records(3)])
    table.append([a, b, a], bad, [1, -1, 3], mask=np.array([True, False, True]))
    assert table.size() == 1
    found, lengths, times = table.recent([a, a], mask=np.array([False, True]))
    assert lengths.tolist() == [0, 2]
    assert not found[0].any()
    assert times[0].tolist() == [0, 0, 0]
    table.append([b], records(1), [1], mask=np.array([False]))
    assert table.size() == 1


def test_reading_adds_nothing(make, keys):
    table = make()
    found, lengths, times = table.recent(keys(0, 1, 0))
    assert found.shape == (3, 3, 2)
    assert times.shape == (3, 3)
    assert not found.any()
    assert lengths.tolist() == [0, 0, 0]
    assert table.size() == 0


def test_an_empty_batch(make):
    table = make()
    table.append([], np.zeros((0, 2)), [])
    found, lengths, times = table.recent([])
    assert (found.shape, lengths.shape, times.shape) == ((0, 3, 2), (0,), (0, 3))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_records_that_are_not_finite_are_refused(make, keys, bad):
    table = make()
    table.append(keys(0), records(1), [1])
    with pytest.raises(ValueError, match="`records` must be finite"):
        table.append(keys(0, 1, 0), [[1, 2], [3, bad], [5, 6]], [1, 2, 3])
    assert firsts(table, keys(0, 1)) == [[1], []]
    assert table.size() == 1


@pytest.mark.parametrize("bad", [-1, 2**32, -(2**63)])
def test_times_out_of_range_are_refused(make, keys, bad):
    table = make()
    with pytest.raises(ValueError, match="`timestamps` must be seconds from 0"):
        table.append(keys(0, 1), records(1, 2), [1, bad])
    assert table.size() == 0


def test_a_removed_key_starts_afresh(make, keys):
    table = make()
    table.append(keys(0, 1, 0, 0, 0), records(1, 2, 3, 4, 5), [1] * 5)
    assert table.remove(keys(0, 7)) == 1
    assert firsts(table, keys(0, 1)) == [[], [2]]
    for key in range(30):  # some of them in the place that became free
        table.append(keys(key), records(key), [key])
    assert firsts(table, keys(0, 1, 29)) == [[0], [2, 1], [29]]


@pytest.mark.parametrize(("width", "capacity"), [(1, 1), (1, 7), (5, 2), (16, 50)])
def test_a_long_random_sequence(kind, width, capacity, rng):
    reference, compiled = ReferenceRecords(width, capacity), Compiled(width, capacity, kind)
    every = [key_of(kind, i) for i in range(300)]
    for step in range(40):
        n = int(rng.integers(0, 500))
        # A few keys very often, most of them seldom.
        chosen = [every[int(i)] for i in rng.zipf(1.3, n) % 300]
        batch = rng.normal(size=(n, width)).astype(np.float32)
        times = rng.integers(0, 2**32, n)
        mask = None if step % 3 else rng.random(n) < 0.7
        for table in (reference, compiled):
            table.append(chosen, batch, times, mask)
        if step % 7 == 0:
            gone = [every[int(i)] for i in rng.integers(0, 300, 5)]
            assert reference.remove(gone) == compiled.remove(gone)
        asked = [every[int(i)] for i in rng.integers(0, 300, 200)]
        seen = None if step % 2 else rng.random(200) < 0.5
        for a, b in zip(reference.recent(asked, seen), compiled.recent(asked, seen), strict=True):
            np.testing.assert_array_equal(a, b)
        assert reference.size() == compiled.size()
    keys, exported = compiled.table.export()
    assert len(set(keys.tolist())) == len(keys) == reference.size()
    for a, b in zip(reference.recent(keys.tolist()), exported, strict=True):
        np.testing.assert_array_equal(a, b)


def filled(kind: str, width: int = 2, capacity: int = 3) -> RecordTable:
    table = RecordTable(width, capacity, kind, name="tested")
    keys = [key_of(kind, i % 40) for i in range(100)]
    batch = np.arange(100 * width, dtype=np.float32).reshape(100, width)
    table.append(tf.constant(keys), batch, np.arange(100))
    return table


@pytest.mark.parametrize("way", ["file", "blocks", "checkpoint"])
def test_a_restored_table_goes_on_equally(kind, way, tmp_path):
    table, other = filled(kind), RecordTable(2, 3, kind)
    other.append(tf.constant([key_of(kind, 900)]), [[1.0, 2.0]])
    if way == "file":
        table.save(tmp_path / "state")
        other.restore(tmp_path / "state")
    elif way == "blocks":
        other.deserialize(table.serialize())
    else:
        path = tf.train.Checkpoint(table=table).save(str(tmp_path / "c"))
        tf.train.Checkpoint(table=other).restore(path).assert_consumed()
    keys = tf.constant([key_of(kind, i) for i in (900, *range(45))])
    for _ in range(2):
        for a, b in zip(table.recent(keys), other.recent(keys), strict=True):
            np.testing.assert_array_equal(a, b)
        for one in (table, other):
            one.append(keys, tf.ones([46, 2]), 7)
    np.testing.assert_array_equal(table.recent(keys[1:2]).lengths, [3])


@pytest.mark.parametrize(("width", "capacity"), [(11, 1), (5, 2), (2, 4), (1, 6), (3, 2)])
def test_a_state_of_other_rings_is_refused(kind, width, capacity):
    """All but the last take 13 floats an id, as those that are saved."""
    table = RecordTable(width, capacity, kind, name="tested")
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        table.deserialize(filled(kind, width=3).serialize())
    assert (
        "A table must hold what the saved table holds. Received: a table of "
        f"{capacity} records of {width} values, saved: 3 records of 3 values (in table 'tested', "
        "saved weights). Build the layer with the saved `capacity` and `width`."
    ) in str(caught.value)
    assert table.size() == 0


def test_embeddings_and_records_are_not_read_as_each_other(kind):
    embeddings = Table(10, kind, RowInitializer(UNIFORM, -1.0, 1.0), 0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="a table of embeddings, saved: 3 rec"):
        embeddings.deserialize(filled(kind).serialize())
    with pytest.raises(tf.errors.InvalidArgumentError, match="3 records of 2 values, saved: embed"):
        filled(kind).deserialize(embeddings.serialize())


def test_in_a_function_and_with_any_shape():
    table = RecordTable(2, 3, "int64")

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.int64), tf.TensorSpec([None, 2, 2])])
    def read_then_write(keys, batch):
        before = table.recent(keys)
        assert before.records.shape.as_list() == [None, 2, 3, 2]
        table.append(keys, batch)
        return before.lengths, table.recent(keys).lengths

    before, after = read_then_write(tf.constant([[1, 2], [1, 1]], tf.int64), tf.ones([2, 2, 2]))
    np.testing.assert_array_equal(before, np.zeros((2, 2)))
    np.testing.assert_array_equal(after, [[3, 1], [3, 3]])


def test_the_time_of_the_call_is_the_default():
    table = RecordTable(1, 2, "int64")
    before = int(tf.timestamp())
    table.append([1], [[1.0]])
    assert before <= int(table.recent([1]).times[0, 0]) <= int(tf.timestamp())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [[1.0, 2.0]]), r"`records` must have the shape of the ids and an axis of 2 flo"),
        (([1], [[1.0]]), r"shapes \(1, 1\) of records and \(1,\) of ids"),
        (([1], [[1.0, 2.0]], [1.5]), r"`timestamps` must be integers, seconds since 1970"),
        (([1.0], [[1.0, 2.0]]), "Ids must be integers"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RecordTable(2, 3, "int64").append(*arguments)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 3), "`width` must be a positive integer. Received: width=0"),
        ((2, 1.5), "`capacity` must be a positive integer. Received: capacity=1.5"),
        ((2**12, 2**12), "must be less than 16,777,216"),
    ],
)
def test_sizes_are_checked(sizes, message):
    with pytest.raises(ValueError, match=message):
        RecordTable(*sizes)


def test_readers_see_whole_records_while_others_append():
    """Every record has one value in all its places, and values rise within a writer."""
    table = RecordTable(32, 5, "int64")
    keys = tf.constant(np.arange(8).repeat(3))
    done = threading.Event()

    def write():
        for i in range(300):
            table.append(keys, tf.fill([24, 32], float(i)), i)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        found, lengths, times = (x.numpy() for x in table.recent(np.arange(8)))
        assert (found == found[:, :, :1]).all()
        full = lengths == 5
        assert (np.diff(found[full][:, :, 0]) >= 0).all()
        np.testing.assert_array_equal(found[:, :, 0], times)
    writer.join()
    np.testing.assert_array_equal(table.recent([3]).times[0], [298, 298, 299, 299, 299])


PROGRAM = """
import sys
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
import hashlib
import numpy as np
from recs.ops.record_table import RecordTable

rng = np.random.default_rng(1)
table = RecordTable(4, 6, "int64")
for step in range(5):
    ids = rng.zipf(1.2, 30000) % 20000
    table.append(ids, rng.standard_normal((30000, 4), np.float32), rng.integers(0, 2**32, 30000))
digest = hashlib.sha256()
for tensor in table.recent(np.arange(20000)):
    digest.update(tensor.numpy().tobytes())
keys, rows = table.export()
digest.update(keys.tobytes())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_any_number_of_threads_gives_the_same_records():
    outputs = {run_code(PROGRAM, threads) for threads in (1, 2, 3)}
    assert len(outputs) == 1
