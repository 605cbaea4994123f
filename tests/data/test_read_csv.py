import gzip

import numpy as np
import pytest

from recs.data import Items, read_csv

TEXT = """who,what,stars,at,page,score,empty
ann,007,4.5,1546300800,home,1,
"b, ob",7,2,1546300801,,,
NA,null,0,-5,"x
y",3,
"""
ROLES = {"user": "who", "item": "what", "rating": "stars", "timestamp": "at"}


@pytest.fixture
def write(tmp_path):
    def write(text, name="log.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_every_column_arrives(write):
    log = read_csv(write(TEXT), **ROLES)
    assert log.user.tolist() == ["ann", "b, ob", "NA"]
    assert log.item.tolist() == ["007", "7", "null"]
    assert log.rating.tolist() == [4.5, 2, 0]
    assert log.timestamp.tolist() == [1546300800, 1546300801, -5]
    assert log["page"].tolist() == ["home", "", "x\ny"]
    np.testing.assert_array_equal(log["score"], [1, np.nan, 3])
    assert log["empty"].tolist() == ["", "", ""]
    assert dict(log.roles) == ROLES


def test_only_the_columns_asked_for(write):
    log = read_csv(write(TEXT), user="who", item="what", columns=["page"])
    assert log.keys() == ["who", "what", "page"]
    assert log.rating is None
    assert log.timestamp is None
    assert read_csv(write(TEXT), user="who", item="what", columns=[]).keys() == ["who", "what"]


def test_integers_delimiter_compression_and_items(tmp_path):
    path = tmp_path / "log.tsv.gz"
    path.write_bytes(gzip.compress(b"u\ti\tt\n-1\t9007199254740993\t9007199254740993\n"))
    items = Items({"item": ["9007199254740993"], "title": ["Heat"]})
    log = read_csv(
        path, user="u", item="i", timestamp="t", id_type="int64", delimiter="\t", items=items
    )
    assert log.user.tolist() == [-1]
    assert log.item.tolist() == log.timestamp.tolist() == [2**53 + 1]  # No float on the way.
    assert log.with_item_features()["title"].tolist() == ["Heat"]


def test_times_written_as_floats_are_taken_if_whole(write):
    path = write("u,i,t\na,b,1.5e3\n")
    assert read_csv(path, user="u", item="i", timestamp="t").timestamp.tolist() == [1500]
    with pytest.raises(ValueError, match=r"Column 't' must hold whole numbers.*1.5 in row 0"):
        read_csv(write("u,i,t\na,b,1.5\n"), user="u", item="i", timestamp="t")


def test_a_file_of_a_header_alone_has_no_rows(write):
    assert len(read_csv(write("u,i\n"), user="u", item="i")) == 0


def test_missing_columns_name_those_that_exist(write):
    with pytest.raises(ValueError, match=r"must name a column of the file") as caught:
        read_csv(write(TEXT), user="user", item="what", rating="rating", columns=["x"])
    message = str(caught.value)
    assert message.startswith(
        "`user` and `rating` and `columns[0]` must name a column of the file: "
    )
    assert "who, what, stars, at, page, score, empty. Received: user='user', rating=" in message
    assert "log.csv)." in message


@pytest.mark.parametrize("column", ["u", "i"])
def test_null_ids_name_their_rows(write, column):
    rows = [{"u": "a", "i": "b"} for _ in range(9)]
    for row in (1, 3, 4, 5, 6, 8):
        rows[row][column] = ""
    path = write("u,i\n" + "".join(f"{r['u']},{r['i']}\n" for r in rows))
    with pytest.raises(
        ValueError, match=f"Column '{column}' must hold an id in every row"
    ) as caught:
        read_csv(path, user="u", item="i")
    assert "Received: null in rows 1, 3, 4, 5, 6, ... (6 rows)" in str(caught.value)
    assert "rows counted from 0 without the header" in str(caught.value)


@pytest.mark.parametrize(("role", "bad"), [("rating", "good"), ("timestamp", "2020-01-31")])
def test_what_is_not_a_number_names_its_row(write, role, bad):
    path = write(f"u,i,n\na,b,1\na,b,{bad}\na,b,{bad}\n")
    with pytest.raises(ValueError, match=r"Column 'n' must hold numbers") as caught:
        read_csv(path, user="u", item="i", **{role: "n"})
    assert f"Received: '{bad}' in rows 1, 2 (in {path}" in str(caught.value)
    path = write("u,i,n\na,b,1\na,b,\n")
    with pytest.raises(ValueError, match=r"'n' must hold a number in every row.* null in row 1"):
        read_csv(path, user="u", item="i", **{role: "n"})


def test_other_errors(write, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`path` must be a file that exists.*no\.csv"):
        read_csv(tmp_path / "no.csv", user="u", item="i")
    with pytest.raises(
        ValueError, match=r"The file must be well-formed CSV.*Expected 2 columns, got 3"
    ):
        read_csv(write("u,i\na,b\na,b,c\n"), user="u", item="i")
    with pytest.raises(
        ValueError, match=r"The names of the columns must differ. Received: u, i, u"
    ):
        read_csv(write("u,i,u\na,b,c\n"), user="u", item="i")
    with pytest.raises(ValueError, match=r"`user` and `item` must be different columns.*item='u'"):
        read_csv(write("u,i\na,b\n"), user="u", item="u")
    with pytest.raises(
        ValueError, match=r"`id_type` must be \"string\" or \"int64\".*id_type='int'"
    ):
        read_csv(write("u,i\na,b\n"), user="u", item="i", id_type="int")
    with pytest.raises(
        ValueError, match=r"Column 'i' must hold whole numbers of 64 bits.*'b' in row 0"
    ):
        read_csv(write("u,i\n1,b\n"), user="u", item="i", id_type="int64")


def test_a_line_break_in_quotes_where_a_block_of_the_file_ends(write):
    # Three megabytes: some of these breaks fall where one megabyte is parsed apart from the next.
    path = write("u,i,page\n" + 'a,b,"x\n\n\n\n\n\n\n\ny"\n' * 180_000)
    assert set(read_csv(path, user="u", item="i")["page"]) == {"x\n\n\n\n\n\n\n\ny"}
