"""TFRA's own files: the bytes of keys and values, written here by NumPy as its kernels write them.

TFRA itself does not install beside the TensorFlow of these tests.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from recs.warm_start import TableInfo, from_tfra_files, tables_in
from tests.warm_start.test_rows import DIM, INTEGERS, rows_of


def write(folder, name, ids, rows, count=1, suffix="", kept=None):
    """Writes shards by the remainder of the id; those in `kept`, counted from 1."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        if kept is None or i + 1 in kept:
            part = ids % count == i
            base = folder / f"{name}_mht_{i + 1}of{count}{suffix}"
            ids[part].tofile(f"{base}-keys")
            rows[part].tofile(f"{base}-values")


def sample(n=20, dtype=np.float32):
    ids = np.arange(-n, n)
    return ids, (ids[:, None] * np.ones(DIM)).astype(dtype)


def by_id(rows):
    return dict(zip(rows.ids.tolist(), rows.rows.tolist(), strict=True))


@settings(deadline=None, max_examples=30)
@given(rows_of(INTEGERS))
def test_bit_for_bit(tmp_path_factory, case):
    folder = tmp_path_factory.mktemp("tfra")
    ids, rows = np.array(case[0], np.int64), case[1]
    for count in (1, 3):
        write(folder, f"in_{count}", ids, rows, count, "_rank0_size1")
        found = from_tfra_files(folder, f"in_{count}", dim=DIM)
        order = [case[0].index(i) for i in found.ids.tolist()]
        assert sorted(order) == list(range(len(ids)))
        assert found.rows.tobytes() == rows[order].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "bfloat16"])
@pytest.mark.parametrize("key_dtype", ["int64", "int32"])
def test_every_type(tmp_path, dtype, key_dtype):
    ids, rows = sample(dtype=tf.as_dtype(dtype).as_numpy_dtype)
    write(tmp_path, "users", ids.astype(key_dtype), rows, 2)
    found = from_tfra_files(tmp_path, dim=DIM, dtype=dtype, key_dtype=key_dtype)
    assert by_id(found) == {i: [i] * DIM for i in range(-20, 20)}


@pytest.mark.parametrize("place", ["TFRADynamicEmbedding", "variables/TFRADynamicEmbedding-100"])
def test_beside_a_checkpoint(tmp_path, place):
    ids, rows = sample()
    tf.train.Checkpoint(step=tf.Variable(1)).save(str(tmp_path / "model"))
    write(tmp_path / place, "users", ids, rows, 2, "_rank0_size1")
    write(tmp_path / place, "items", ids, rows, 2, "_rank0_size1")
    assert tables_in(tmp_path) == [
        TableInfo(f"{place}/{name}", "files", None, None, None, None) for name in ("items", "users")
    ]
    assert len(from_tfra_files(tmp_path, f"{place}/users", dim=DIM)) == 40
    assert len(from_tfra_files(tmp_path / place, "users", dim=DIM)) == 40
    with pytest.raises(ValueError, match=rf"files '{place}/items'; files '{place}/users'"):
        from_tfra_files(tmp_path, dim=DIM)


def test_shards_of_several_processes(tmp_path):
    ids, rows = sample()
    for rank in range(3):
        part = ids % 3 == rank
        write(tmp_path, "users", ids[part], rows[part], 2, f"_rank{rank}_size3")
    assert by_id(from_tfra_files(tmp_path, dim=DIM)) == {i: [i] * DIM for i in range(-20, 20)}


@pytest.mark.parametrize(
    "runs",
    [
        [(3, "", (1, 3))],
        [(2, "", None), (3, "", None)],
        [(1, "_rank0_size2", None)],
        [(1, "_rank0_size2", None), (1, "_rank1_size2", None), (1, "_rank0_size1", None)],
        [(2, "_rank0_size2", None), (2, "_rank1_size2", (2,))],
        [(1, "", None), (1, "_rank0_size1", None)],
    ],
)
def test_incomplete_or_mixed_shards(tmp_path, runs):
    ids, rows = sample()
    for count, suffix, kept in runs:
        write(tmp_path, "users", ids, rows, count, suffix, kept)
    with pytest.raises(ValueError, match=r"must all be there, of one way|must be of one run"):
        from_tfra_files(tmp_path, dim=DIM)


def test_lengths_must_fit(tmp_path):
    ids, rows = sample()
    write(tmp_path, "users", ids, rows)
    for wrong in ({"dim": 4}, {"dim": DIM, "dtype": "float64"}, {"dim": DIM, "key_dtype": "int32"}):
        with pytest.raises(ValueError, match=r"must fit the lengths.*320 bytes of ids and 480"):
            from_tfra_files(tmp_path, **wrong)
    with pytest.raises(ValueError, match="40 ids of int64 have 12 bytes a row"):
        from_tfra_files(tmp_path, dim=4)
    (tmp_path / "users_mht_1of1-values").unlink()
    with pytest.raises(ValueError, match="must have its file of rows"):
        from_tfra_files(tmp_path, dim=DIM)


def test_arguments(tmp_path):
    ids, rows = sample()
    write(tmp_path, "users", ids, rows)
    for wrong, message in (
        ({"dim": 0}, "`dim` must be a positive integer"),
        ({"dim": DIM, "key_dtype": "string"}, "`key_dtype` must be one of int64, int32"),
        ({"dim": DIM, "dtype": "int8"}, "`dtype` must be one of float32"),
        ({"dim": DIM, "name": "items"}, "files 'users'.*name='items'"),
    ):
        with pytest.raises(ValueError, match=message):
            from_tfra_files(tmp_path, **wrong)
    with pytest.raises(ValueError, match=r"\(none\)"):
        from_tfra_files(tmp_path / "nothing", dim=DIM)
