import re

import numpy as np
import pytest
import tensorflow as tf

from recs.data.ranking import RankingFeature, RankingFeatures, read_records
from tests.data.ranking import protos, test_parse

PRICE = RankingFeatures(examples=[RankingFeature("price")])


def write(path, records, compression=""):
    with tf.io.TFRecordWriter(str(path), compression) as file:
        for record in records:
            file.write(record)
    return str(path)


@pytest.mark.parametrize("format", ["elwc", "example_in_example", "sequence_example"])
def test_columns_and_batches_are_what_parse_gives(format, tmp_path):
    records = test_parse.records(format)
    paths = [write(tmp_path / "a", records[:1]), write(tmp_path / "b.gz", records[1:], "GZIP")]
    lists = read_records(paths, test_parse.FEATURES, format)
    assert lists.row_splits.tolist() == [0, 3, 4, 4]
    assert lists.context["history"].to_list() == [[7, 2**40], [3], []]
    assert lists.context["country"].tolist() == ["nl", "de", "none"]
    assert lists.examples["tags"].to_list() == [["a", "b"], [], ["c"], ["d"]]
    (batch,) = lists.to_dataset(3, list_size=2)
    there = test_parse.parse(records, test_parse.FEATURES, format, list_size=2)
    for name, value in there.items():
        found = batch[name]
        if isinstance(value, tf.RaggedTensor):
            assert found.to_list() == value.to_list()
        else:
            np.testing.assert_array_equal(found, value)


def bad_records():
    good = protos.elwc([protos.example(price=[1.0], label=[0.0])])
    no_price = protos.elwc([protos.example(price=[1.0], label=[0.0]), protos.example(label=[1.0])])
    return [good, b"\x0a\xff", good, no_price, good]


def test_a_malformed_record_is_named_with_its_reason(tmp_path):
    path = write(tmp_path / "lists", bad_records())
    with pytest.raises(
        ValueError, match=r"record 1, must be well-formed. Received: .*Failed skipping.*lists"
    ):
        read_records(path, PRICE)
    path = write(tmp_path / "lists", bad_records()[2:])
    with pytest.raises(ValueError, match=r"record 1, .*(price).*(Index: 1|required)"):
        read_records(path, PRICE)


def test_malformed_records_are_counted(tmp_path):
    path = write(tmp_path / "lists", bad_records())
    lists = read_records(path, PRICE, malformed="skip")
    assert len(lists) == 3
    assert [one.split(":")[0] for one in lists.skipped] == [f"{path}, record {i}" for i in (1, 3)]
    assert repr(lists).endswith("; 2 skipped)")


def test_a_file_that_breaks_off(tmp_path):
    path = tmp_path / "lists"
    write(path, bad_records()[:1] * 3)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match="record 2"):
        read_records(path, PRICE)
    assert len(read_records(path, PRICE, malformed="skip")) == 2
    with pytest.raises(ValueError, match="`malformed` must be 'raise' or 'skip'"):
        read_records(path, PRICE, malformed="ignore")


def broken(format):
    """Returns a good record, and others by what is wrong with them."""
    good, whole = protos.example(price=[1.0], label=[0.0]), protos.example(price=[1], label=[0.0])
    bare, context = protos.example(label=[0.0]), protos.example()
    if format == "sequence_example":
        steps = {"price": [[1.0], [2.0]], "label": [[0.0], [1.0]]}
        changed = {
            "have a step for every item": {**steps, "label": [[0.0]]},
            "have 1 values": {**steps, "price": [[1.0], [2.0, 3.0]]},
            "[Dd]ata types|price": {**steps, "price": [[1], [2]]},
        }
        bad = {reason: protos.sequence_example(one) for reason, one in changed.items()}
        return protos.sequence_example(steps), bad
    wrap = {
        "elwc": lambda one: protos.elwc([good, one]),
        "example_in_example": lambda one: protos.example_in_example([good, one], context),
        "tf_example": lambda one: one,
    }[format]
    bad = {"price": bare, "price|[Dd]ata types": whole, "parse|serialized": b"\x0a\xff"}
    return wrap(good), {reason: wrap(one) for reason, one in bad.items()}


@pytest.mark.parametrize("format", ["elwc", "example_in_example", "sequence_example", "tf_example"])
def test_every_format_names_its_malformed_records(format, tmp_path):
    good, bad = broken(format)
    path = write(tmp_path / "lists", [good, *bad.values(), good])
    lists = read_records(path, PRICE, format, malformed="skip")
    assert len(lists) == 2
    assert len(lists.skipped) == len(bad)
    for number, (reason, told) in enumerate(zip(bad, lists.skipped, strict=True), 1):
        assert re.match(rf"{path}, record {number}: .*({reason})", told), told
    with pytest.raises(ValueError, match="record 1, must be well-formed"):
        read_records(path, PRICE, format)
