import pytest
import tensorflow as tf

from recs.data import stream_tfrecord


def example(number):
    def of(**given):
        return tf.train.Feature(**given)

    feature = {
        "at": of(int64_list=tf.train.Int64List(value=[number])),
        "half": of(float_list=tf.train.FloatList(value=[number / 2])),
        "text": of(bytes_list=tf.train.BytesList(value=[b"t%d" % number])),
        "many": of(int64_list=tf.train.Int64List(value=range(number % 3))),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


@pytest.fixture
def folder(tmp_path):
    for shard in range(6):
        zipped = shard == 5
        path = tmp_path / f"log.tfrecord-{shard}{'.gz' if zipped else ''}"
        with tf.io.TFRecordWriter(str(path), "GZIP" if zipped else None) as writer:
            for number in range(shard * 50, shard * 50 + 50):
                writer.write(example(number))
    return tmp_path


FEATURES = {"at": "int64", "half": "float32", "text": "string"}


def rows_of(dataset):
    return [int(one) for batch in dataset for one in batch["at"]]


def test_all_examples_in_order(folder):
    features = {**FEATURES, "many": tf.io.RaggedFeature(tf.int64)}
    batches = list(stream_tfrecord(folder, features, batch_size=64))
    assert rows_of(batches) == list(range(300))
    assert [len(batch["half"]) for batch in batches] == [64] * 4 + [44]
    first = batches[0]
    assert first["half"].numpy().tolist() == [i / 2 for i in range(64)]
    assert first["text"].numpy().tolist() == [b"t%d" % i for i in range(64)]
    assert first["many"].to_list() == [list(range(i % 3)) for i in range(64)]
    full = stream_tfrecord(folder, FEATURES, batch_size=64, drop_remainder=True)
    assert len(rows_of(full)) == 256


def test_an_epoch_has_each_example_once_in_another_order(folder):
    def made(seed):
        return stream_tfrecord(
            folder,
            FEATURES,
            batch_size=30,
            shuffle=True,
            seed=seed,
            buffer_rows=40,
            cycle_length=3,
        )

    data = made(3)
    first, second = rows_of(data), rows_of(data)
    assert sorted(first) == sorted(second) == list(range(300))
    assert first != second
    again = made(3)
    assert [rows_of(again), rows_of(again)] == [first, second]
    files = [len({int(one) // 50 for one in batch["at"]}) for batch in data]
    assert files[0] >= 3


def test_what_is_wrong(folder, tmp_path):
    with pytest.raises(ValueError, match="'int32'"):
        stream_tfrecord(folder, {"at": "int32"}, batch_size=8)
    with pytest.raises(ValueError, match="batch_size=0"):
        stream_tfrecord(folder, FEATURES, batch_size=0)
    with pytest.raises(FileNotFoundError, match="tfrecord"):
        stream_tfrecord([], FEATURES, batch_size=8)
    with pytest.raises(Exception, match="when"):
        list(stream_tfrecord(folder, {"when": "int64"}, batch_size=8))
