import numpy as np
import pytest
import tensorflow as tf

from recs.data import Interactions, RaggedColumn

ROWS = 1000
TAGS = [["t"] * (n % 3) for n in range(ROWS)]
TABLE = Interactions(
    {
        "user": [f"u{n}" for n in range(ROWS)],
        "item": np.arange(ROWS),
        "rating": np.arange(ROWS) / 2,
        "liked": np.arange(ROWS) % 2 == 0,
        "tags": RaggedColumn.from_lists(TAGS),
    }
)


def order(dataset):
    """The rows in the order they come; every other column must belong to its row."""
    rows = []
    for batch in dataset:
        rows.extend(batch["item"].numpy().tolist())
        here = batch["item"].numpy()
        assert batch["user"].numpy().tolist() == [f"u{n}".encode() for n in here]
        assert batch["rating"].numpy().tolist() == (here / 2).tolist()
        assert batch["tags"].to_list() == [[b"t"] * (n % 3) for n in here.tolist()]
    return rows


def test_batches_hold_the_rows_in_order():
    dataset = TABLE.to_dataset(batch_size=64)
    assert order(dataset) == list(range(ROWS))
    assert len(dataset) == 16


def test_dtypes_and_shapes():
    spec = TABLE.to_dataset(batch_size=10, drop_remainder=True).element_spec
    assert spec["user"] == tf.TensorSpec([10], tf.string)
    assert spec["item"] == tf.TensorSpec([10], tf.int64)
    assert spec["rating"] == tf.TensorSpec([10], tf.float32)
    assert spec["liked"] == tf.TensorSpec([10], tf.bool)
    assert isinstance(spec["tags"], tf.RaggedTensorSpec)


@pytest.mark.parametrize("batch_size", [1, 7, 999, 1000, 4096])
def test_shuffling_loses_and_repeats_nothing(batch_size):
    rows = order(TABLE.to_dataset(batch_size=batch_size, shuffle=True))
    assert rows != list(range(ROWS))
    assert sorted(rows) == list(range(ROWS))


def test_epochs_differ_and_are_reproducible():
    first = TABLE.to_dataset(batch_size=100, shuffle=True, seed=3)
    second = TABLE.to_dataset(batch_size=100, shuffle=True, seed=3)
    epochs = [order(first), order(first)]
    assert epochs[0] != epochs[1]
    assert [order(second), order(second)] == epochs
    assert order(TABLE.to_dataset(batch_size=100, shuffle=True, seed=4)) != epochs[0]


def test_one_order_for_all_epochs_if_asked():
    dataset = TABLE.to_dataset(batch_size=50, shuffle=True, reshuffle_each_iteration=False)
    assert order(dataset) == order(dataset)


def test_a_shuffled_row_may_land_anywhere():
    # Mean displacement of a uniform permutation of n rows is n/3, its rank correlation with the
    # old order has standard deviation 1/sqrt(n) = 0.03.
    dataset = TABLE.to_dataset(batch_size=100, shuffle=True)
    for _ in range(5):
        rows = np.array(order(dataset))
        assert abs(np.corrcoef(rows, np.arange(ROWS))[0, 1]) < 0.15
        assert abs(np.abs(rows - np.arange(ROWS)).mean() - ROWS / 3) < 50


def test_single_rows_batch_to_ragged_tensors():
    dataset = TABLE.to_dataset(["user", "tags"])
    assert len(dataset) == ROWS
    first = next(iter(dataset.skip(1)))
    assert first["user"].numpy() == b"u1"
    assert first["tags"].numpy().tolist() == [b"t"]
    batch = next(iter(dataset.batch(5)))
    assert isinstance(batch["tags"], tf.RaggedTensor)
    assert batch["tags"].to_list() == [[b"t"] * (n % 3) for n in range(5)]


def test_drop_remainder_and_small_tables():
    assert [len(b["item"]) for b in TABLE.to_dataset(["item"], batch_size=300)] == [
        300,
        300,
        300,
        100,
    ]
    dropped = TABLE.to_dataset(["item"], batch_size=300, drop_remainder=True, shuffle=True)
    assert [len(b["item"]) for b in dropped] == [300, 300, 300]
    assert len(dropped) == 3
    one = TABLE.take([5]).to_dataset(["item"], batch_size=3, shuffle=True)
    assert [b["item"].numpy().tolist() for b in one] == [[5]]
    for size in (None, 3):
        assert list(TABLE.take([]).to_dataset(batch_size=size, shuffle=True)) == []


def test_errors():
    with pytest.raises(ValueError, match=r"`batch_size` must be a positive integer.*batch_size=0"):
        TABLE.to_dataset(batch_size=0)
    with pytest.raises(KeyError, match=r"The column must be one of user, item"):
        TABLE.to_dataset(["movie_title"])
