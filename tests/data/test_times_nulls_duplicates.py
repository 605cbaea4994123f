"""Data as it comes: times in every form, missing values, rows that come twice."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recs.data import Interactions, Items, read_csv, read_items, read_parquet

NOON = 1580472000  # date -u -d '2020-01-31 12:00:00' +%s
ZONE = datetime.timezone(datetime.timedelta(hours=2))
TIMES = {
    "datetime64[s]": np.array(["2020-01-31T12:00:00"], "datetime64[s]"),
    "datetime64[ns]": np.array(["2020-01-31T12:00:00.9"], "datetime64[ns]"),
    "datetime64[m]": np.array(["2020-01-31T12:00"], "datetime64[m]"),
    "datetime": [datetime.datetime(2020, 1, 31, 12)],
    "datetime with a zone": [datetime.datetime(2020, 1, 31, 14, tzinfo=ZONE)],
    "text": ["2020-01-31T12:00:00"],
    "text with a space": ["2020-01-31 12:00:00.25"],
    "text with Z": ["2020-01-31T12:00:00Z"],
    "text with a zone": ["2020-01-31T14:00:00+02:00"],
    "text, array": np.array(["2020-01-31T12:00"]),
}


@pytest.mark.parametrize("form", TIMES)
def test_times_become_seconds(form):
    log = Interactions({"user": ["a"], "item": ["x"], "timestamp": TIMES[form]})
    assert log.timestamp.tolist() == [NOON]
    assert log.timestamp.dtype == np.int64


def test_times_before_1970_and_dates():
    times = [datetime.date(1970, 1, 2), datetime.date(1969, 12, 31)]
    log = Interactions({"user": [1, 2], "item": [1, 2], "timestamp": times})
    assert log.timestamp.tolist() == [86400, -86400]
    fraction = np.array(["1969-12-31T23:59:59.5"], "datetime64[ms]")
    early = Interactions({"user": [1], "item": [1], "timestamp": fraction, "seen": fraction})
    assert early.timestamp.tolist() == early["seen"].tolist() == [-1]


@pytest.mark.parametrize(
    ("times", "match"),
    [
        (np.array(["2020-01-31", "NaT"], "datetime64[s]"), "NaT in row 1"),
        (["2020-01-31", "yesterday"], "'yesterday' in row 1"),
        (["2020-01-31", ""], "'' in row 1"),
    ],
)
def test_what_is_no_time_is_refused(times, match):
    with pytest.raises(ValueError, match=match):
        Interactions({"user": [1, 2], "item": [1, 2], "timestamp": times})


@pytest.fixture(params=["csv", "parquet"])
def read(request, tmp_path):
    """Writes columns of text as either kind of file, and reads it."""

    def read(columns, reader=None, **arguments):
        path = tmp_path / f"log.{request.param}"
        if request.param == "csv":
            rows = zip(*columns.values(), strict=True)
            lines = [",".join("" if value is None else value for value in row) for row in rows]
            path.write_text("\n".join([",".join(columns), *lines]) + "\n")
        else:
            pq.write_table(pa.table(columns), path)
        if reader is None:
            reader = read_csv if request.param == "csv" else read_parquet
            arguments = {"user": "u", "item": "i", **arguments}
        return reader(path, **arguments)

    return read


def test_texts_of_times_in_files(read):
    times = ["2020-01-31T12:00:00Z", "2020-01-31 12:00:01"]
    log = read({"u": ["a", "b"], "i": ["x", "y"], "t": times}, timestamp="t")
    assert log.timestamp.tolist() == [NOON, NOON + 1]
    with pytest.raises(ValueError, match="'soon' in row 1"):
        read({"u": ["a", "b"], "i": ["x", "y"], "t": [times[0], "soon"]}, timestamp="t")
    whole = {"u": ["a", "b"], "i": ["x", "y"], "t": ["7", "8"]}
    assert read(whole, timestamp="t").timestamp.tolist() == [7, 8]


NULLS = {"u": ["a", None, "c", "d"], "i": ["x", "y", None, "z"], "t": ["1", "2", "3", None]}


def test_nulls_are_refused_dropped_or_filled(read):
    with pytest.raises(ValueError, match=r'null in row 1.*`nulls="drop"`'):
        read(NULLS, timestamp="t")
    dropped = read(NULLS, timestamp="t", nulls="drop")
    assert (dropped.user.tolist(), dropped.timestamp.tolist()) == (["a"], [1])
    assert read(NULLS, nulls="drop").user.tolist() == ["a", "d"]  # `t` plays no part then
    filled = read(NULLS, timestamp="t", nulls="0")
    assert filled.user.tolist() == ["a", "0", "c", "d"]
    assert filled.item.tolist() == ["x", "y", "0", "z"]
    assert filled.timestamp.tolist() == [1, 2, 3, 0]
    each = read(NULLS, timestamp="t", nulls={"u": "nobody", "i": "nothing", "t": "9"})
    assert (each.user[1], each.item[2], each.timestamp[3]) == ("nobody", "nothing", 9)
    with pytest.raises(ValueError, match=r"`nulls` must be .* one of u, i, t"):
        read(NULLS, nulls={"v": "0"})
    with pytest.raises(ValueError, match="'t' must hold a number in every row"):
        read(NULLS, timestamp="t", nulls={"u": "nobody", "i": "nothing"})


def test_a_value_of_another_type_is_refused(tmp_path):
    pq.write_table(pa.table({"u": [1, None], "i": [1, 2]}), tmp_path / "log.parquet")
    with pytest.raises(ValueError, match="a value of type int64"):
        read_parquet(tmp_path / "log.parquet", user="u", item="i", nulls="nobody")
    found = read_parquet(tmp_path / "log.parquet", user="u", item="i", nulls=-1, id_type="int64")
    assert found.user.tolist() == [1, -1]


def test_rows_that_come_twice(read):
    rows = {"u": ["a", "a", "b", "a"], "i": ["x", "x", "x", "x"], "t": ["1", "2", "1", "1"]}
    assert len(read(rows, timestamp="t")) == 4
    dropped = read(rows, timestamp="t", duplicates="drop")
    assert (dropped.user.tolist(), dropped.timestamp.tolist()) == (["a", "a", "b"], [1, 2, 1])
    assert read(rows, duplicates="drop").user.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match=r"must occur once.*again in row 3"):
        read(rows, timestamp="t", duplicates="error")
    with pytest.raises(ValueError, match="`duplicates` must be 'keep' or 'drop' or 'error'"):
        read(rows, duplicates="first")


def test_items_that_come_twice_or_not_at_all(read):
    rows = {"i": ["x", "y", "x", None], "title": ["X", "Y", "Z", "W"]}
    with pytest.raises(ValueError, match="null in row 3"):
        read(rows, read_items, item="i", title="title")
    with pytest.raises(ValueError, match="'x' in rows 0, 2"):
        read(rows, read_items, item="i", title="title", nulls="drop")
    found = read(rows, read_items, item="i", title="title", nulls="drop", duplicates="drop")
    assert found.title.tolist() == ["X", "Y"]


def test_names_that_both_have_take_a_prefix():
    items = Items({"item": ["x", "y"], "title": ["X", "Y"], "price": [1.0, 2.0]})
    log = Interactions({"user": [1], "item": ["y"], "price": [3.0]}, items=items)
    with pytest.raises(ValueError, match=r"'price'.*`prefix="):
        log.with_item_features("price")
    joined = log.with_item_features("price", "title", prefix="item_")
    assert joined["price"].tolist() == [3.0]
    assert joined["item_price"].tolist() == [2.0]
    assert joined["item_title"].tolist() == ["Y"]
