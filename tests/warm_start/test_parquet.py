"""To Parquet and back, and Parquet from elsewhere."""

from __future__ import annotations

import datetime
import sys

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recs
from recs.warm_start import Filled, from_numpy, from_parquet, to_parquet
from tests.warm_start.test_rows import DIM, INTEGERS, STRINGS, contents, layer, rows_of


@settings(deadline=None, max_examples=40)
@given(st.one_of(rows_of(INTEGERS), rows_of(STRINGS)), st.integers(1, 5), st.booleans())
def test_bit_for_bit(tmp_path_factory, case, batch_size, slots):
    ids, rows = case
    key_dtype = "string" if ids and isinstance(ids[0], bytes) else "int64"
    path = tmp_path_factory.mktemp("parquet") / "rows.parquet"
    first, second = layer(key_dtype), layer(key_dtype)
    if ids:
        from_numpy(ids, rows).into(first)
    to_parquet(first, path, slots=slots)
    batches = from_parquet(path, batch_size=batch_size)
    assert len(batches) == len(ids)
    assert batches.dim == DIM
    assert batches.into(second) == Filled(len(ids), 0, 0)
    keys = first.table.export()[0]
    assert second.table.lookup(keys).tobytes() == first.table.lookup(keys).tobytes()
    assert set(contents(second)) == set(ids)
    assert sorted(batches.to_rows().ids.tolist()) == sorted(ids)


def trained(optimizer, key_dtype="string"):
    target = layer(key_dtype, optimizer=optimizer)
    model = keras.Sequential([target, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    ids = np.array([["a"], ["b"], ["a"]], object) if key_dtype == "string" else [[1], [2], [1]]
    model.fit(keras.ops.convert_to_tensor(ids), np.ones((3, 1)), batch_size=1, verbose=0)
    target.table.upsert(["set"] if key_dtype == "string" else [9], np.ones((1, DIM)))
    return target


@pytest.mark.parametrize("key_dtype", ["string", "int64"])
@pytest.mark.parametrize("optimizer", ["adam", recs.optimizers.LazyAdam(0.1)])
@pytest.mark.parametrize("group", [2, 65_536])
def test_pandas_reads_what_the_table_says(tmp_path, monkeypatch, optimizer, key_dtype, group):
    # The package's name for the module is that of the function.
    monkeypatch.setattr(sys.modules["recs.warm_start.to_parquet"], "ROW_GROUP", group)
    target = trained(optimizer, key_dtype)
    path = tmp_path / "rows.parquet"
    to_parquet(target, path, slots=True)
    found = pd.read_parquet(path).set_index("id")
    expected = target.table.to_pandas(slots=True)
    assert found.index.tolist() == expected.index.tolist()
    assert found["count"].tolist() == expected["count"].tolist()
    assert found["last_step"].tolist() == expected["last_step"].tolist()
    times = found["last_time"].dt.tz_convert(None).astype("datetime64[s]")
    np.testing.assert_array_equal(times.to_numpy(), expected["last_time"].to_numpy())
    for name in found.columns.drop(["count", "last_step", "last_time"]):
        if name in expected:  # one number a row
            assert found[name].tolist() == expected[name].tolist()
        else:
            columns = [f"{name}_{i}" for i in range(DIM)]
            np.testing.assert_array_equal(np.stack(found[name]), expected[columns])
    assert {"row", "momentum", "velocity"} <= set(found.columns)


def test_groups_are_written_one_after_the_other(tmp_path):
    target = layer()
    ids, rows = np.arange(140_000), np.arange(140_000.0)[:, None] * np.ones(DIM)
    from_numpy(ids, rows).into(target)
    to_parquet(target, tmp_path / "rows.parquet")
    groups = pq.ParquetFile(tmp_path / "rows.parquet").metadata
    assert [groups.row_group(g).num_rows for g in range(groups.num_row_groups)] == [
        65_536, 65_536, 8_928,
    ]  # fmt: skip
    again = layer()
    assert from_parquet(tmp_path / "rows.parquet").into(again).new == 140_000
    np.testing.assert_array_equal(again.table.lookup(ids), rows)


def test_ids_that_are_no_text_are_binary(tmp_path):
    target = layer("string")
    target.table.upsert([b"\xff", b"a"], np.ones((2, DIM)))
    to_parquet(target, tmp_path / "rows.parquet")
    assert pq.read_schema(tmp_path / "rows.parquet").field("id").type == pa.binary()
    target.table.remove([b"\xff"])
    to_parquet(target, tmp_path / "rows.parquet")
    assert pq.read_schema(tmp_path / "rows.parquet").field("id").type == pa.string()


def test_what_fails_leaves_the_old_file(tmp_path, monkeypatch):
    target = trained("sgd")
    path = tmp_path / "rows.parquet"
    to_parquet(target, path)
    before = path.read_bytes()
    monkeypatch.setattr(pq.ParquetWriter, "write_table", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        to_parquet(target, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["rows.parquet"]


def test_ids_that_go_while_it_writes_are_left_out(tmp_path, monkeypatch):
    target = trained("sgd", "int64")
    records = target.table.records

    def then_remove(**kwargs):
        found = records(**kwargs)
        target.table.remove([2])
        return found

    monkeypatch.setattr(target.table, "records", then_remove)
    to_parquet(target, tmp_path / "rows.parquet")
    found = pd.read_parquet(tmp_path / "rows.parquet").set_index("id")
    assert sorted(found.index) == [1, 9]
    assert found.loc[1, "count"] == 2
    np.testing.assert_array_equal(found.loc[9, "row"], np.ones(DIM))


LISTS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


@pytest.mark.parametrize(
    "rows",
    [
        pa.array(LISTS, pa.list_(pa.float32())),
        pa.array(LISTS, pa.large_list(pa.float64())),
        pa.array(LISTS, pa.list_(pa.float64(), 2)),
        pa.array(np.array(LISTS, np.float16).tolist(), pa.list_(pa.float16())),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "ids",
    [
        pa.array(["a", "b", "c"]),
        pa.array(["a", "b", "c"], pa.large_string()),
        pa.array([b"a", b"b", b"c"], pa.binary()),
        pa.array(["a", "b", "c"]).dictionary_encode(),
    ],
    ids=lambda ids: str(ids.type),
)
def test_parquet_from_elsewhere(tmp_path, ids, rows):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"rows": rows, "other": [None] * 3, "item": ids}), path)
    found = from_parquet(path, "item", "rows", batch_size=2).to_rows()
    assert found.ids.tolist() == [b"a", b"b", b"c"]
    np.testing.assert_array_equal(found.rows, LISTS)


def test_columns_of_numbers_and_a_folder(tmp_path):
    for name, start in (("b", 2), ("a", 0)):
        ids = np.arange(start, start + 2, dtype=np.int32)
        table = pa.table({"y": ids * 2.0, "id": ids, "x": (ids * 1.0).astype(np.float32)})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    batches = from_parquet(tmp_path, columns=["x", "y"])
    assert [rows.ids.tolist() for rows in batches] == [[0, 1], [2, 3]]
    np.testing.assert_array_equal(batches.to_rows().rows, [[0, 0], [1, 2], [2, 4], [3, 6]])


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        ({"id": [1, 1], "row": LISTS[:2]}, "row", "`ids` must differ"),
        ({"id": [1, None], "row": LISTS[:2]}, "row", "'id' must hold an id in every row.*1 nulls"),
        ({"id": [1.0, 2.0], "row": LISTS[:2]}, "row", "must be integers.*double|float64"),
        ({"key": [1], "row": LISTS[:1]}, "row", "must be one of the file's: key, row.*'id'"),
        ({"id": [1], "row": LISTS[:1]}, "rows", "must be one of the file's: id, row.*'rows'"),
        ({"id": [1], "row": [1.0]}, "row", r"lists of floats.*double.*`columns=\[...\]`"),
        ({"id": [1], "row": [[1, 2]]}, "row", "lists of floats.*int64"),
        ({"id": [1], "x": [1]}, ["x"], "must hold floats. Received: int64"),
        ({"id": [1], "row": LISTS[:1]}, ["row"], "must hold floats. Received: list"),
    ],
)
def test_what_is_refused_at_once(tmp_path, table, columns, message):
    pq.write_table(pa.table(table), tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match=message):
        from_parquet(tmp_path / "bad.parquet", columns=columns)


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        ({"id": [1, 2], "row": [[1.0], [1.0, 2.0]]}, "row", "must hold 1 numbers.*2 numbers"),
        ({"id": [1, 2], "row": [[1.0], None]}, "row", "must hold 1 numbers.*null"),
        ({"id": [1, 2], "row": [[1.0], [None]]}, "row", "a number in every row.*1 nulls"),
        ({"id": [1, 2], "x": [1.0, None]}, ["x"], "a number in every row.*1 nulls"),
        ({"id": [1, 2], "x": [1.0, np.inf]}, ["x"], "finite.*in the rows of 2 "),
    ],
)
def test_what_is_refused_while_it_reads(tmp_path, table, columns, message):
    pq.write_table(pa.table(table), tmp_path / "bad.parquet")
    target = recs.layers.DynamicEmbedding(1)
    with pytest.raises(ValueError, match=message):
        from_parquet(tmp_path / "bad.parquet", columns=columns, batch_size=1).into(target)
    assert target.table.size() == 1  # the batch before


def test_what_is_no_parquet(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing.parquet \(in from_parquet\)"):
        from_parquet(tmp_path / "nothing.parquet")
    with pytest.raises(FileNotFoundError, match="or a folder of them"):
        from_parquet(tmp_path)
    (tmp_path / "text.parquet").write_text("id,row")
    with pytest.raises(ValueError, match="must be well-formed Parquet"):
        from_parquet(tmp_path / "text.parquet")


def test_wrong_targets(tmp_path):
    target = trained("sgd")
    to_parquet(target, tmp_path / "rows.parquet")
    batches = from_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match="must have the length of the table's, 7"):
        batches.into(recs.layers.DynamicEmbedding(7, key_dtype="string"))
    with pytest.raises(ValueError, match="must be integers"):
        batches.into(layer())
    with pytest.raises(ValueError, match="The table must be a DynamicEmbedding"):
        to_parquet(recs.layers.RecentRecords(1, 1), tmp_path / "records.parquet")
    assert not (tmp_path / "records.parquet").exists()


def test_memory_is_that_of_a_batch(tmp_path):
    """The rows of the file are 26 MB; what is read at a time stays far below."""
    import tracemalloc

    rows = np.ones((100_000, 64), np.float32)
    table = {"id": np.arange(100_000), "row": pa.FixedSizeListArray.from_arrays(rows.ravel(), 64)}
    pq.write_table(pa.table(table), tmp_path / "rows.parquet", row_group_size=5_000)
    batches = from_parquet(tmp_path / "rows.parquet", batch_size=5_000)
    pa.default_memory_pool().release_unused()
    tracemalloc.start()
    before, most = pa.total_allocated_bytes(), 0
    for part in batches:
        most = max(most, pa.total_allocated_bytes() - before)
        assert len(part) <= 5_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most + peak < rows.nbytes / 3


def test_now_is_utc(tmp_path):
    target = trained("sgd")
    to_parquet(target, tmp_path / "rows.parquet")
    last = pq.read_table(tmp_path / "rows.parquet")["last_time"].to_pylist()
    now = datetime.datetime.now(datetime.UTC)
    assert sum(time is None for time in last) == 1
    assert all(abs(now - time) < datetime.timedelta(minutes=5) for time in last if time)
