import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recs.data import read_csv, read_items


def test_csv_with_a_delimiter(tmp_path):
    path = tmp_path / "films.csv"
    path.write_text("id;name;kind;year\n007;Heat;Crime, Drama;1995\n7;;;1985\n")
    films = read_items(
        path, item="id", title="name", genres="kind", genres_delimiter=", ", delimiter=";"
    )
    assert films.item.tolist() == ["007", "7"]
    assert films.title.tolist() == ["Heat", ""]
    assert films.genres.to_list() == [["Crime", "Drama"], []]
    assert films["year"].tolist() == [1995, 1985]


@pytest.mark.parametrize("suffix", ["parquet", "pq"])
def test_parquet_with_lists(tmp_path, suffix):
    path = tmp_path / f"films.{suffix}"
    pq.write_table(
        pa.table({"id": [7, 8, 9], "kind": [["a", "b"], [], None], "x": [1, 2, 3]}), path
    )
    films = read_items(path, item="id", genres="kind", columns=[], id_type="int64")
    assert films.item.tolist() == [7, 8, 9]
    assert films.genres.to_list() == [["a", "b"], [], []]
    assert films.keys() == ["id", "kind"]


def test_features_meet_interactions(tmp_path):
    (tmp_path / "films.csv").write_text("id,name\n1,A\n2,B\n")
    (tmp_path / "log.csv").write_text("u,film\nx,2\ny,1\nz,2\n")
    films = read_items(tmp_path / "films.csv", item="id", title="name", id_type="int64")
    log = read_csv(tmp_path / "log.csv", user="u", item="film", items=films)
    assert log.with_item_features()["name"].tolist() == ["B", "A", "B"]


def test_errors(tmp_path):
    path = tmp_path / "films.csv"
    path.write_text("id,kind\n1,5\n1,6\n")
    with pytest.raises(
        ValueError, match=r"Each item must have one row. Received: '1' in rows 0, 1"
    ):
        read_items(path, item="id")
    with pytest.raises(ValueError, match=r"`title` must name a column of the file: id, kind"):
        read_items(path, item="id", title="name")
    with pytest.raises(ValueError, match=r"`genres_delimiter` must be the text between two genres"):
        read_items(path, item="id", genres="kind", genres_delimiter="")
    pq.write_table(pa.table({"id": [7], "kind": [5]}), tmp_path / "films.parquet")
    with pytest.raises(
        ValueError, match=r"'kind' must hold lists of strings, or text .* type int64"
    ):
        read_items(tmp_path / "films.parquet", item="id", genres="kind")
    pq.write_table(pa.table({"id": [7], "kind": [[5]]}), tmp_path / "films.parquet")
    with pytest.raises(ValueError, match=r"'kind' must hold lists of strings.* type list<"):
        read_items(tmp_path / "films.parquet", item="id", genres="kind")
