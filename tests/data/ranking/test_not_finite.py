"""Numbers that are not finite do not enter a ranking, by whichever reader."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from recs.data.ranking import (
    RankingFeature,
    RankingFeatures,
    RankingLists,
    read_libsvm,
    read_parquet,
    read_records,
)

FEATURES = RankingFeatures(
    [RankingFeature("age")],
    [RankingFeature("price"), RankingFeature("tag", "sequence", weights="share"),
     RankingFeature("size", shape=(2,))],
)  # fmt: skip


def columns(name, value):
    rows = {
        "query": ["a", "b", "b"], "age": [1.0, 2, 2], "price": [1.0, 2, 3], "label": [0.0, 1, 0],
        "tag": [[1], [2], [3]], "share": [[1.0], [2.0], [3.0]], "size": [[1.0, 2]] * 3,
    }  # fmt: skip
    entry = np.array(rows[name])
    entry[0, ...] = value
    return {**rows, name: entry.tolist()}


def by_rows(rows, _, malformed):
    return RankingLists.from_rows(FEATURES, rows, "query")


def by_parquet(rows, folder, malformed):
    pq.write_table(pa.table(rows), folder / "rows.parquet")
    return read_parquet(folder / "rows.parquet", FEATURES, query="query", malformed=malformed)


def by_records(rows, folder, malformed):
    path = str(folder / "rows.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for row in range(3):
            feature = {}
            for name, values in rows.items():
                value = np.ravel(values[row])
                kind = {"tag": "int64_list", "query": "bytes_list"}.get(name, "float_list")
                value = [v.encode() for v in value.tolist()] if name == "query" else value
                lists = {"int64_list": tf.train.Int64List, "float_list": tf.train.FloatList,
                         "bytes_list": tf.train.BytesList}  # fmt: skip
                feature[name] = tf.train.Feature(**{kind: lists[kind](value=value)})
            features = tf.train.Features(feature=feature)
            writer.write(tf.train.Example(features=features).SerializeToString())
    return read_records(path, FEATURES, "tf_example", malformed=malformed)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["age", "price", "label", "share", "size"])
@pytest.mark.parametrize(
    ("read", "malformed"),
    [(by_rows, "raise"), *((r, m) for r in (by_parquet, by_records) for m in ("raise", "skip"))],
)
def test_it_is_refused_or_left_out(read, name, value, malformed, tmp_path):
    rows = columns(name, value)
    if malformed == "raise":
        with pytest.raises(ValueError, match=rf"(?s)'{name}'.*(finite|nan|inf)"):
            read(rows, tmp_path, malformed)
    else:
        lists = read(rows, tmp_path, malformed)
        assert lists.row_splits[-1] == 2
        assert len(lists.skipped) == 1


def test_svm(tmp_path):
    (tmp_path / "rows.txt").write_text("0 qid:1 1:nan\n1 qid:2 1:2\n")
    with pytest.raises(ValueError, match="not finite"):
        read_libsvm(tmp_path / "rows.txt")
    assert len(read_libsvm(tmp_path / "rows.txt", malformed="skip").skipped) == 1
