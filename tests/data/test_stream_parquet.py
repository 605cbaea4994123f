import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recs.data import read_parquet, stream_parquet

ROWS = 1000


@pytest.fixture
def folder(tmp_path):
    """Three files of row groups of 50 rows, the last one shorter; rows are numbered."""
    start = 0
    for number, rows in enumerate((400, 90, 510)):
        at = np.arange(start, start + rows)
        table = pa.table(
            {
                "at": pa.array(at, pa.int32()),
                "half": pa.array(at / 2),
                "text": pa.array([f"t{i}" for i in at]).dictionary_encode(),
                "even": pa.array(at % 2 == 0),
                "unused": pa.array([{"x": 1}] * rows),
            }
        )
        pq.write_table(table, tmp_path / f"part-{number}.parquet", row_group_size=50)
        start += rows
    (tmp_path / "_SUCCESS").write_text("")
    return tmp_path


def rows_of(dataset, name="at"):
    return np.concatenate([batch[name].numpy() for batch in dataset]).tolist()


def test_all_rows_in_order(folder):
    data = stream_parquet(folder, ["at", "half", "text", "even"], batch_size=64)
    batches = list(data)
    assert len(batches) == data.cardinality() == 16
    assert [len(batch["at"]) for batch in batches] == [64] * 15 + [40]
    assert {name: one.dtype.name for name, one in batches[0].items()} == {
        "at": "int64",
        "half": "float32",
        "text": "string",
        "even": "bool",
    }
    at = np.concatenate([batch["at"].numpy() for batch in batches])
    assert at.tolist() == list(range(ROWS))
    for name, expected in (
        ("half", at / 2),
        ("text", [f"t{i}".encode() for i in at]),
        ("even", at % 2 == 0),
    ):
        found = np.concatenate([batch[name].numpy() for batch in batches])
        assert found.tolist() == list(expected)


def test_full_batches_only(folder):
    data = stream_parquet(folder, ["at"], batch_size=64, drop_remainder=True)
    assert data.cardinality() == 15
    assert rows_of(data) == list(range(960))


def shuffled(folder, **arguments):
    given = {"batch_size": 64, "shuffle": True, "buffer_rows": 200, "cycle_length": 4, **arguments}
    return stream_parquet(folder, ["at", "text"], **given)


def test_an_epoch_has_each_row_once_in_another_order(folder):
    data = shuffled(folder, seed=3)
    first, second = rows_of(data), rows_of(data)
    assert sorted(first) == sorted(second) == list(range(ROWS))
    assert first != second
    again = shuffled(folder, seed=3)
    assert [rows_of(again), rows_of(again)] == [first, second]
    assert rows_of(shuffled(folder, seed=4)) != first
    for batch in data:  # Columns stay together.
        assert batch["text"].numpy().tolist() == [f"t{i}".encode() for i in batch["at"].numpy()]


def test_a_batch_has_rows_of_many_places(folder):
    # 20 row groups of 50 rows: a batch that was read in one piece would have one or two.
    groups = [len(set(batch["at"].numpy() // 50)) for batch in shuffled(folder)]
    assert np.mean(groups[:-1]) >= 4
    # And within a row group the order is drawn too.
    lone = rows_of(shuffled(folder, buffer_rows=1, cycle_length=1, batch_size=50))
    steps = np.diff(lone[:50])
    assert 0 < (steps > 0).sum() < 45


def test_ids_and_files_that_are_wrong(folder, tmp_path):
    with pytest.raises(ValueError, match="at, half, text, even, unused"):
        stream_parquet(folder, ["when"], batch_size=8)
    with pytest.raises(ValueError, match="'unused'"):
        stream_parquet(folder, ["unused"], batch_size=8)
    for name in ("batch_size", "buffer_rows", "cycle_length"):
        with pytest.raises(ValueError, match=f"{name}=0"):
            stream_parquet(folder, ["at"], **{"batch_size": 8, name: 0})
    with pytest.raises(FileNotFoundError, match="nowhere"):
        stream_parquet(tmp_path / "nowhere.parquet", ["at"], batch_size=8)
    pq.write_table(pa.table({"at": ["x"]}), folder / "part-3.parquet")
    with pytest.raises(ValueError, match=r"part-0\.parquet"):
        stream_parquet(folder, ["at"], batch_size=8)


@pytest.mark.parametrize("statistics", [True, False])
def test_nulls_are_refused_at_opening_dropped_or_filled(tmp_path, statistics):
    path = tmp_path / "log.parquet"
    columns = {"at": [1, None, 3, 4], "text": ["a", "b", None, "d"]}
    pq.write_table(pa.table(columns), path, row_group_size=2, write_statistics=statistics)
    with pytest.raises(ValueError, match=r"'at' must hold a value.* 1 nulls in row group 0"):
        stream_parquet(path, ["at"], batch_size=2)
    dropped = stream_parquet(path, ["at", "text"], batch_size=3, nulls="drop", shuffle=True)
    assert sorted(rows_of(dropped)) == [1, 4]
    filled = stream_parquet(path, ["at"], batch_size=3, nulls=-1)
    assert rows_of(filled) == [1, -1, 3, 4]
    assert len(filled) == 2
    both = stream_parquet(path, ["at", "text"], batch_size=4, nulls={"at": 9, "text": "?"})
    assert rows_of(both) == [1, 9, 3, 4]
    assert rows_of(both, "text") == [b"a", b"b", b"?", b"d"]
    with pytest.raises(ValueError, match="`nulls` must name some of the columns at"):
        stream_parquet(path, ["at"], batch_size=4, nulls={"text": "?"})


def test_it_takes_what_read_parquet_takes(tmp_path, rng):
    rows, path = 40, tmp_path / "log.parquet"
    counts = rng.integers(0, 4, rows)
    lists = {
        "numbers": [rng.integers(-9, 9, n).tolist() for n in counts],
        "shares": [rng.random(n).astype("float32").tolist() for n in counts],
        "texts": [[f"t\u00e4{i}" * (i % 3) for i in range(n)] for n in counts],
        "flags": [(rng.random(n) < 0.5).tolist() for n in counts],
    }
    lists["numbers"][3] = None
    times = np.datetime64("2020-01-31T12:00:00.5") + np.arange(rows).astype("timedelta64[s]")
    columns = {**lists, "user": np.arange(rows), "item": np.arange(rows), "when": times}
    pq.write_table(pa.table(columns), path, row_group_size=7)
    want = read_parquet(path, user="user", item="item", id_type="int64")
    names = [*lists, "user", "when"]
    whole = next(iter(want.to_dataset(names, batch_size=rows)))
    for shuffle in (False, True):
        found = list(stream_parquet(path, names, batch_size=9, shuffle=shuffle, buffer_rows=20))
        order = np.concatenate([batch["user"].numpy() for batch in found])
        assert (order.tolist() == list(range(rows))) != shuffle
        for name in names:
            got = [row for batch in found for row in as_list(batch[name])]
            expected = as_list(whole[name])
            assert got == [expected[row] for row in order]
            assert found[0][name].dtype == whole[name].dtype or name == "shares"


def as_list(column):
    return column.to_list() if hasattr(column, "to_list") else column.numpy().tolist()


def test_a_null_within_a_list_is_refused_at_opening(tmp_path):
    pq.write_table(pa.table({"tags": [["a"], ["b", None]]}), tmp_path / "log.parquet")
    with pytest.raises(ValueError, match="Values within lists must be there"):
        stream_parquet(tmp_path / "log.parquet", ["tags"], batch_size=1, nulls="drop")


def test_no_rows_are_no_batches(tmp_path):
    pq.write_table(pa.table({"at": pa.array([], pa.int64())}), tmp_path / "log.parquet")
    for shuffle in (False, True):
        data = stream_parquet(tmp_path / "log.parquet", ["at"], batch_size=8, shuffle=shuffle)
        assert list(data) == []
