"""Checkpoints and SavedModels of TFRA, and of Keras 3.

TFRA does not install beside the TensorFlow of these tests. Its tables save a tensor of keys and one
of values under the names that TensorFlow's own `MutableHashTable` uses, so that writes them here:
in object-based checkpoints as `<path>/.ATTRIBUTES/table-keys`, by a `Saver` as `<name>-keys`,
sharded as `<name>_mht_{i}of{n}` and `tables_of_<name>/{i}`. An op in the
SavedModel that TensorFlow does not know stands in for TFRA's custom ops.
"""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

import recs
from recs.warm_start import TableInfo, from_checkpoint, tables_in
from tests.warm_start.test_rows import DIM, INTEGERS, STRINGS, contents, layer, rows_of


def hash_table(ids, rows, key_dtype=tf.int64, name="table"):
    rows = tf.convert_to_tensor(rows)
    default = tf.zeros(rows.shape[1:], rows.dtype)
    table = tf.lookup.experimental.MutableHashTable(key_dtype, rows.dtype, default, name=name)
    table.insert(tf.constant(ids, key_dtype), rows)
    return table


class Variable(tf.Module):
    """As TFRA's variable: a list of shards, tracked under a name that says whose they are."""

    def __init__(self, name, shards):
        super().__init__()
        setattr(self, f"tables_of_{name}", shards)


class Model(tf.Module):
    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


def rows_for(ids):
    return np.array([[i, i + 0.25] for i in ids], np.float32)


def by_id(rows):
    return dict(zip(rows.ids.tolist(), rows.rows.tolist(), strict=True))


@settings(deadline=None, max_examples=15)
@given(rows_of(INTEGERS), rows_of(STRINGS))
def test_tables_of_an_object_based_checkpoint(tmp_path_factory, numbers, words):
    if not numbers[0] or not words[0]:
        return
    path = tmp_path_factory.mktemp("tfra") / "model"
    model = Model(users=hash_table(*numbers), words=hash_table(*words, tf.string))
    prefix = tf.train.Checkpoint(embedding=model).write(str(path))
    for name, key_dtype, (ids, rows) in (
        ("embedding/users", "int64", numbers),
        ("embedding/words", "string", words),
    ):
        target = layer(key_dtype)
        assert from_checkpoint(prefix, name).into(target).new == len(ids)
        assert contents(target) == dict(zip(ids, rows.tolist(), strict=True))


def test_what_is_there(tmp_path):
    model = Model(
        users=hash_table([1, 2], rows_for([1, 2])),
        few=hash_table([b"a"], np.array([1.5], np.float32), tf.string),
        lookup=Model(table=hash_table([b"a", b"b"], np.array([1, 2]), tf.string)),
        layer=Model(embeddings=tf.Variable(np.zeros((5, 3), np.float32))),
        kernel=tf.Variable(np.zeros((5, 3), np.float32)),
        counts=hash_table([1], np.array([1], np.int32)),
    )
    tf.train.Checkpoint(model=model).save(str(tmp_path / "model"))
    assert tables_in(tmp_path) == [
        TableInfo("model/layer", "embedding", None, "float32", 5, 3),
        TableInfo("model/few", "table", "string", "float32", 1, 1),
        TableInfo("model/lookup", "vocabulary", "string", None, 2, None),
        TableInfo("model/users", "table", "int64", "float32", 2, 2),
    ]
    assert by_id(from_checkpoint(tmp_path, "model/few")) == {b"a": [1.5]}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("key_dtype", ["int64", "int32"])
def test_every_type(tmp_path, dtype, key_dtype):
    """TensorFlow's table takes no half precision, TFRA's does: the tensors are written alone."""
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "model"),
        tensor_names=["users_mht_1of1-keys", "users_mht_1of1-values"],
        shape_and_slices=["", ""],
        tensors=[tf.constant([1, -2], key_dtype), tf.cast(rows_for([1, -2]), dtype)],
    )
    path = tmp_path / "model"
    assert tables_in(path) == [TableInfo("users", "table", key_dtype, dtype, 2, 2)]
    assert by_id(from_checkpoint(path)) == {1: [1.0, 1.25], -2: [-2.0, -1.75]}


def shards(count, name):
    ids = np.arange(-20, 20)
    parts = [ids[ids % count == i] for i in range(count)]
    return [
        hash_table(part, rows_for(part), name=f"{name}_mht_{i + 1}of{count}")
        for i, part in enumerate(parts)
    ]


@pytest.mark.parametrize("count", [1, 2, 11])
def test_shards_in_a_list(tmp_path, count):
    model = Variable("users", shards(count, "users"))
    tf.train.Checkpoint(emb=model).save(str(tmp_path / "model"))
    (info,) = tables_in(tmp_path)
    assert info == TableInfo("emb/tables_of_users", "table", "int64", "float32", 40, 2)
    assert by_id(from_checkpoint(tmp_path)) == {i: [i, i + 0.25] for i in range(-20, 20)}


def save_by_name(path, count, kept=None):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tables = shards(count, "scope/users") + shards(1, "scope/users/Adam/m")
        collection = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.SAVEABLE_OBJECTS)
        inserts = [op for op in session.graph.get_operations() if "Insert" in op.type]
        assert len(tables) == len(collection)
        session.run(inserts)
        saver = tf.compat.v1.train.Saver(collection[: kept or len(collection)])
        return saver.save(session, str(path / "model.ckpt"))


@pytest.mark.parametrize("count", [1, 2, 11])
def test_shards_by_name(tmp_path, count):
    prefix = save_by_name(tmp_path, count)
    assert [info.name for info in tables_in(prefix)] == ["scope/users/Adam/m", "scope/users"]
    found = by_id(from_checkpoint(prefix, "scope/users"))
    assert found == {i: [i, i + 0.25] for i in range(-20, 20)}
    with pytest.raises(ValueError, match=r"table 'scope/users/Adam/m' \(40 rows, int64, dim 2\);"):
        from_checkpoint(prefix)


def test_a_shard_is_missing(tmp_path):
    prefix = save_by_name(tmp_path, 3, kept=2)
    with pytest.raises(ValueError, match=r"must all be there.*1 of 3, 2 of 3.*completed"):
        from_checkpoint(prefix)


def save_model(path, **parts):
    model = Model(**parts)
    model.look_up = tf.function(
        lambda ids: model.users.lookup(ids), [tf.TensorSpec([None], tf.int64)]
    )
    tf.saved_model.save(model, str(path))


def rename_op(path):
    """Makes the SavedModel need an op that TensorFlow has not, as a SavedModel of TFRA does."""
    file = pathlib.Path(path, "saved_model.pb")
    changed = file.read_bytes().replace(b"LookupTableFindV2", b"TfraLookupFindOp!")
    assert changed != file.read_bytes()
    file.write_bytes(changed)
    with pytest.raises(Exception, match="TfraLookupFindOp"):
        tf.saved_model.load(str(path))


@pytest.mark.parametrize("loads", [True, False])
def test_tables_of_a_saved_model(tmp_path, loads):
    save_model(tmp_path, users=hash_table([7, 8], rows_for([7, 8])))
    if not loads:
        rename_op(tmp_path)
    assert tables_in(tmp_path) == [TableInfo("users", "table", "int64", "float32", 2, 2)]
    assert by_id(from_checkpoint(tmp_path)) == {7: [7, 7.25], 8: [8, 8.25]}


def test_why_a_saved_model_shows_little(tmp_path):
    save_model(tmp_path, users=hash_table([7], rows_for([7])))
    rename_op(tmp_path)
    with pytest.raises(ValueError, match=r"table 'users'.*'items'.*does not load \(.*Tfra"):
        from_checkpoint(tmp_path, "items")


@pytest.mark.parametrize("spare", [0, 3])
def test_a_checkpoint_of_keras_3(tmp_path, spare):
    lookup = keras.layers.StringLookup(vocabulary=["a", "b"], mask_token="")
    embed = keras.layers.Embedding(4 + spare, DIM)
    model = keras.Sequential([keras.Input((), dtype="string"), lookup, embed])
    tf.train.Checkpoint(model=model).save(str(tmp_path / "model"))
    rows = from_checkpoint(tmp_path, vocabulary=lookup)
    assert by_id(rows) == dict(
        zip([b"a", b"b"], embed.embeddings[2:4].numpy().tolist(), strict=True)
    )
    assert by_id(from_checkpoint(tmp_path, vocabulary=["a", "b"], first_row=2)) == by_id(rows)


def with_vocabularies(path, **indices):
    embedding = Model(embeddings=tf.Variable(np.arange(12.0).reshape(4, 3), dtype=tf.float32))
    words = [b"a", b"b"]
    lookups = {
        name: Model(table=hash_table(words, np.array(at), tf.string))
        for name, at in indices.items()
    }
    model = Model(tower=Model(embedding=embedding, **lookups))
    tf.train.Checkpoint(model=model).save(str(path / "model"))
    return path


def test_the_vocabulary_beside_it_says_which_rows(tmp_path):
    found = by_id(from_checkpoint(with_vocabularies(tmp_path, lookup=[3, 1])))
    assert found == {b"a": [9.0, 10.0, 11.0], b"b": [3.0, 4.0, 5.0]}


def test_a_vocabulary_by_name(tmp_path):
    with_vocabularies(tmp_path, first=[3, 1], second=[2, 3], third=[4, 1], fourth=[-1, 0])
    found = by_id(from_checkpoint(tmp_path, vocabulary="model/tower/second"))
    assert found == {b"a": [6.0, 7.0, 8.0], b"b": [9.0, 10.0, 11.0]}
    with pytest.raises(ValueError, match=r"'model/tower/second' \(2 rows, string\).*4 beside"):
        from_checkpoint(tmp_path)
    for name in ("third", "fourth"):
        with pytest.raises(ValueError, match="must have its ids among the 4 rows"):
            from_checkpoint(tmp_path, vocabulary=f"model/tower/{name}")


def test_no_vocabulary(tmp_path):
    with_vocabularies(tmp_path)
    with pytest.raises(ValueError, match=r"`vocabulary` must name one.*\(none\).*Give the ids"):
        from_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError, match="model/tower/first"):
        from_checkpoint(tmp_path, vocabulary="model/tower/first")


def test_a_table_needs_no_vocabulary(tmp_path):
    tf.train.Checkpoint(users=hash_table([7], rows_for([7]))).save(str(tmp_path / "model"))
    with pytest.raises(ValueError, match=r"a table has its own ids.*vocabulary=\['a'\]"):
        from_checkpoint(tmp_path, vocabulary=["a"])


def test_what_is_no_checkpoint(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(FileNotFoundError, match="must be a checkpoint, by its prefix"):
            from_checkpoint(path)
        with pytest.raises(FileNotFoundError, match="must be a checkpoint, by its prefix"):
            tables_in(path)
    (tmp_path / "torn.index").write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match="must be one that TensorFlow reads"):
        from_checkpoint(tmp_path / "torn")


@pytest.mark.parametrize("name", ["../other/checkpoint-1", "{0}/other/checkpoint-1"])
def test_the_latest_checkpoint_of_a_folder_is_in_it(tmp_path, name):
    for folder in ("other", "folder"):
        table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, [0.0, 0.0])
        table.insert(tf.constant([7], tf.int64), [[1.0, 2.0]])
        tf.train.Checkpoint(users=table).save(str(tmp_path / folder / "checkpoint"))
    pointer = tmp_path / "folder" / "checkpoint"
    assert from_checkpoint(tmp_path / "folder", "users").ids.tolist() == [7]
    pointer.write_text(f'model_checkpoint_path: "{name.format(tmp_path)}"')
    with pytest.raises(ValueError, match="must name a checkpoint of its own folder"):
        from_checkpoint(tmp_path / "folder", "users")


def test_a_checkpoint_without_tables(tmp_path):
    tf.train.Checkpoint(kernel=tf.Variable([[1.0]])).save(str(tmp_path / "model"))
    assert tables_in(tmp_path) == []
    with pytest.raises(ValueError, match=r"must name one that is there \(none\)"):
        from_checkpoint(tmp_path)


def test_into_a_collection(tmp_path):
    tf.train.Checkpoint(users=hash_table([7], rows_for([7]))).save(str(tmp_path / "model"))
    table = recs.layers.TableConfig("users", 2)
    collection = recs.layers.EmbeddingCollection([recs.layers.FeatureConfig("user", table)])
    assert from_checkpoint(tmp_path).into(collection.table("users")).new == 1
    np.testing.assert_array_equal(collection({"user": np.array([7])})["user"], [[7.0, 7.25]])
