import gzip

import numpy as np
import pytest

from recs.data.ranking import read_libsvm

TEXT = "2 qid:7 1:0.5 3:1 # doc 1\n\n0 qid:7 2:0.25\n1 qid:9 1:2\n"


def test_sparse_numbers_and_compression(tmp_path):
    path = tmp_path / "train.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    lists = read_libsvm(path, sparse=True)
    assert lists.context["qid"].tolist() == ["7", "9"]
    assert lists.examples["features"].to_list() == [[1, 3], [2], [1]]
    assert lists.examples["feature_values"].to_list() == [[0.5, 1.0], [0.25], [2.0]]
    assert read_libsvm(path, num_features=5).examples["features"].shape == (3, 5)


def test_sizes_of_queries_in_a_file_of_their_own(tmp_path):
    path, sizes = tmp_path / "train", tmp_path / "train.query"
    path.write_text("1 0:1\nx 0:2\n0 1:3\n2 1:4\n")
    sizes.write_text("2\n2\n")
    lists = read_libsvm(path, query_sizes=sizes, first_number=0, malformed="skip")
    assert lists.row_splits.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(lists.examples["features"], [[1, 0], [0, 3], [0, 4]])
    assert lists.skipped == ("line 2: the label 'x' is not a number",)
    sizes.write_text("2\n3\n")
    with pytest.raises(
        ValueError, match=r"add up to the number of lines, 4. Received: 2 entries, 5"
    ):
        read_libsvm(path, query_sizes=sizes, first_number=0, malformed="skip")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a qid:1 1:2", "label 'a' is not a number"),
        ("1 1:2", "there is no qid"),
        ("1 qid:1 0:2", "feature number 0 is not from 1 on"),
        ("1 qid:1 5:2", "feature number 5 is not from 1 on, below 4"),
        ("1 qid:1 2", "'2' is not number:value"),
        ("1 qid:1 2:x", "'2:x' is not number:value"),
        ("1 qid:1 2:1 2:1", "occurs twice"),
        ("1 qid:1 2:nan", "not finite"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, reason):
    path = tmp_path / "train"
    path.write_text(f"0 qid:1 1:1\n{line}\n")
    with pytest.raises(ValueError, match=rf"line 2, must be well-formed. Received: .*{reason}"):
        read_libsvm(path, num_features=3)


def test_a_query_that_comes_back(tmp_path):
    path = tmp_path / "train"
    path.write_text("0 qid:1 1:1\n0 qid:2 1:1\n0 qid:1 1:1\n")
    with pytest.raises(ValueError, match=r"must stand together\. Received: lines of query 1"):
        read_libsvm(path)
