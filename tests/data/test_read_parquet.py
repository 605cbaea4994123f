import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recs.data import read_parquet

DAY = datetime.datetime(2020, 1, 31, 12, 0, 0, 500_000, tzinfo=datetime.UTC)
SECONDS = 1580472000  # date -u -d '2020-01-31 12:00:00' +%s


@pytest.fixture
def write(tmp_path):
    def write(columns, name="log.parquet"):
        pq.write_table(pa.table(columns), tmp_path / name)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        (pa.array(["a", "b"]), ["a", "b"]),
        (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([2**64 - 1, 0], pa.uint64()), [str(2**64 - 1), "0"]),
        (pa.array([-3, 4], pa.int8()), ["-3", "4"]),
    ],
)
def test_ids_of_any_type(write, ids, text):
    log = read_parquet(write({"u": ids, "i": ids}), user="u", item="i")
    assert log.user.tolist() == log.item.tolist() == text


def test_integers_stay_integers(write):
    path = write({"u": pa.array([-3, 4], pa.int8()), "i": ["5", "-6"]})
    log = read_parquet(path, user="u", item="i", id_type="int64")
    assert log.user.dtype == log.item.dtype == np.int64
    assert log.item.tolist() == [5, -6]


@pytest.mark.parametrize(
    "kind",
    [
        pa.timestamp("s"),
        pa.timestamp("ms"),
        pa.timestamp("ns", "UTC"),
        pa.timestamp("us", "Asia/Tokyo"),
    ],
)
def test_times_become_seconds(write, kind):
    times = pa.array([DAY], pa.timestamp("us", "UTC")).cast(kind, safe=False)
    path = write({"u": [1], "i": [2], "t": times, "seen": times})
    log = read_parquet(path, user="u", item="i", timestamp="t")
    assert log.timestamp.tolist() == log["seen"].tolist() == [SECONDS]


def test_dates_are_midnights(write):
    path = write({"u": [1], "i": [2], "t": [DAY.date()]})
    log = read_parquet(path, user="u", item="i", timestamp="t")
    assert log.timestamp.tolist() == [SECONDS - 12 * 3600]


def test_further_columns(write):
    path = write(
        {
            "u": [1, 2],
            "i": [3, 4],
            "r": pa.array([1, 2], pa.int8()),
            "tags": [["a", "b"], None],
            "flag": [True, False],
            "count": [1, None],
            "place": pa.array(["x", None]).dictionary_encode(),
        }
    )
    log = read_parquet(path, user="u", item="i", rating="r")
    assert log.rating.tolist() == [1.0, 2.0]
    assert log["tags"].to_list() == [["a", "b"], []]
    assert log["flag"].dtype == bool
    np.testing.assert_array_equal(log["count"], [1, np.nan])
    assert log["place"].tolist() == ["x", ""]
    batch = next(iter(log.to_dataset(batch_size=2)))
    assert batch["tags"].to_list() == [[b"a", b"b"], []]


def test_a_folder_of_files(write, tmp_path):
    write({"u": [1], "i": [2]}, "a.parquet")
    write({"u": [3], "i": [4]}, "b.parquet")
    assert sorted(read_parquet(tmp_path, user="u", item="i").user) == ["1", "3"]


def test_errors(write, tmp_path):
    big = pa.array([1, 2**64 - 1], pa.uint64())
    with pytest.raises(
        ValueError, match=r"`item` must name a column of the file: u, j\. Received: item='i'"
    ):
        read_parquet(write({"u": [1], "j": [2]}), user="u", item="i")
    with pytest.raises(
        ValueError, match=r"'u' must hold an id in every row. Received: null in rows 0, 2"
    ):
        read_parquet(write({"u": [None, 1, None], "i": [2] * 3}), user="u", item="i")
    with pytest.raises(
        ValueError, match=r"'u' must hold ids: strings or integers. Received: type double"
    ):
        read_parquet(write({"u": [1.5], "i": [2]}), user="u", item="i")
    with pytest.raises(
        ValueError, match=r"'u' must hold ids that fit int64. Rec.* 18446744073709551615 in row 1"
    ):
        read_parquet(write({"u": big, "i": [2, 2]}), user="u", item="i", id_type="int64")
    with pytest.raises(ValueError, match=r"'r' must hold numbers. Received: type bool"):
        read_parquet(write({"u": [1], "i": [2], "r": [True]}), user="u", item="i", rating="r")
    with pytest.raises(ValueError, match=r"'r' must hold finite numbers. Received: nan in row 0"):
        read_parquet(write({"u": [1], "i": [2], "r": [np.nan]}), user="u", item="i", rating="r")
    with pytest.raises(
        ValueError, match=r"Column 's' must hold numbers, booleans.*struct.*`columns`"
    ):
        read_parquet(write({"u": [1], "i": [2], "s": [{"a": 1}]}), user="u", item="i")
    (tmp_path / "bad.parquet").write_text("u,i\n1,2\n")
    with pytest.raises(ValueError, match=r"The file must be well-formed Parquet"):
        read_parquet(tmp_path / "bad.parquet", user="u", item="i")
    with pytest.raises(FileNotFoundError, match=r"`path` must be a file that exists"):
        read_parquet(tmp_path / "none.parquet", user="u", item="i")
