import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from recs.data.ranking import RankingFeature, RankingFeatures, read_parquet

FEATURES = RankingFeatures(
    context=[
        RankingFeature("country", "ids", dtype="string", default="none"),
        RankingFeature("history", "sequence", weights="seconds"),
    ],
    examples=[
        RankingFeature("item", "ids"),
        RankingFeature("vector", shape=(2,)),
        RankingFeature("tags", "sequence", dtype="string"),
        RankingFeature("price", default=-1.0),
    ],
)
LISTS = {
    "country": ["nl", None, "de"],
    "history": [[7, 2**40], None, [3]],
    "seconds": [[0.5, 1.0], [], [2.0]],
    "item": [[1, 2], [], [2**62]],
    "vector": [[[0.0, 1.0], [2.0, 3.0]], [], [[4.0, 5.0]]],
    "tags": [[["a"], None], [], [["b", "c"]]],
    "price": [[1.5, None], [], [2]],
    "label": [[0, 1], [], [2]],
    "more": [1, 2, 3],
}
OF_ITEMS = ("item", "vector", "tags", "price", "label")


def write(tmp_path, columns):
    path = tmp_path / "lists.parquet"
    parquet.write_table(pa.table(columns), path)
    return path


def check(lists):
    assert lists.context["country"].tolist() == ["nl", "none", "de"]
    assert lists.context["history"].to_list() == [[7, 2**40], [], [3]]
    assert lists.context["seconds"].to_list() == [[0.5, 1.0], [], [2.0]]
    assert lists.row_splits.tolist() == [0, 2, 2, 3]
    assert lists.examples["item"].tolist() == [1, 2, 2**62]
    assert lists.examples["vector"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert lists.examples["tags"].to_list() == [["a"], [], ["b", "c"]]
    assert lists.examples["price"].tolist() == [1.5, -1.0, 2.0]
    assert lists.examples["label"].dtype == np.float32
    assert lists.examples["label"].tolist() == [0.0, 1.0, 2.0]


def test_a_row_is_a_list(tmp_path):
    check(read_parquet(write(tmp_path, LISTS), FEATURES))


def test_columns_of_other_arrow_types(tmp_path):
    table = dict(LISTS)
    table["country"] = pa.array(LISTS["country"]).dictionary_encode()
    table["item"] = pa.array(LISTS["item"], pa.large_list(pa.uint64()))
    table["vector"] = pa.array(LISTS["vector"], pa.list_(pa.list_(pa.float64(), 2)))
    table["label"] = pa.array([[False, True], [], [True]])
    lists = read_parquet(write(tmp_path, table), FEATURES)
    assert lists.examples["label"].tolist() == [0.0, 1.0, 1.0]
    assert lists.examples["vector"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert lists.examples["item"].tolist() == [1, 2, 2**62]
    assert lists.context["country"].tolist() == ["nl", "none", "de"]


def rows_of_items():
    """The same lists, a row an item, rows of the lists in turn; an empty list has no row."""
    order = [(0, 0), (2, 0), (0, 1)]
    columns = {
        name: [LISTS[name][i] if name not in OF_ITEMS else LISTS[name][i][j] for i, j in order]
        for name in LISTS
    }
    return {**columns, "search": ["x", "y", "x"]}


def test_a_row_is_an_item(tmp_path):
    lists = read_parquet(write(tmp_path, rows_of_items()), FEATURES, query="search")
    whole = read_parquet(write(tmp_path, LISTS), FEATURES).take([0, 2])
    assert lists.row_splits.tolist() == whole.row_splits.tolist() == [0, 2, 3]
    for part in ("context", "examples"):
        for name, column in getattr(whole, part).items():
            found = getattr(lists, part)[name]
            both = [x.to_list() if hasattr(x, "to_list") else x.tolist() for x in (found, column)]
            assert both[0] == both[1], name


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("item", [2, 1, 1], "'label' has 1 items, 'item' 3|'item' has 3 items, 'vector' 1"),
        ("item", [None], "'item' is null"),
        ("vector", [[1.0, 2.0, 3.0]], "'vector' has 3 values, not 2"),
        ("vector", [[1.0, None]], "'vector' is null"),
        ("tags", [["a", None]], "'tags' is null"),
    ],
)
def test_malformed_lists(tmp_path, column, value, reason):
    path = write(tmp_path, {**LISTS, column: [*LISTS[column][:2], value]})
    with pytest.raises(ValueError, match=rf"row 2, must be well-formed\. Received: ({reason})"):
        read_parquet(path, FEATURES)
    lists = read_parquet(path, FEATURES, malformed="skip")
    assert lists.row_splits.tolist() == [0, 2, 2]
    assert lists.examples["item"].tolist() == [1, 2]
    assert len(lists.skipped) == 1


def test_malformed_rows_of_items(tmp_path):
    columns = rows_of_items()
    columns["search"][1], columns["label"][2] = None, None
    path = write(tmp_path, columns)
    with pytest.raises(
        ValueError, match=r"row 1, must be well-formed\. Received: 'search' is null"
    ):
        read_parquet(path, FEATURES, query="search")
    lists = read_parquet(path, FEATURES, query="search", malformed="skip")
    assert lists.skipped == ("row 1: 'search' is null", "row 2: 'label' is null")
    assert lists.examples["item"].tolist() == [1]
    columns["search"], columns["label"] = ["x"] * 3, [0, 1, 2]
    with pytest.raises(ValueError, match="'country' must be the same in all rows of a query"):
        read_parquet(write(tmp_path, columns), FEATURES, query="search")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"item": [[1.5, 2.0], [], [3.0]]}, "Column 'item' must hold int64. Received: type double"),
        ({"item": [1, 2, 3]}, "Column 'item' must hold lists of values"),
        ({"item": [[[1]], [], []]}, "Column 'item' must hold lists of values"),
        ({"tags": [["a"], [], ["b"]]}, "Column 'tags' must hold lists of lists of values"),
        ({"label": None}, "must name a column of the file"),
    ],
)
def test_columns_that_do_not_fit(tmp_path, columns, message):
    kept = {name: value for name, value in {**LISTS, **columns}.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        read_parquet(write(tmp_path, kept), FEATURES)
