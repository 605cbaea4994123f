"""Sequence towers and the retrieval model around them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.data import Interactions, Items, sequences
from recs.layers import DynamicEmbedding
from recs.layers.sequence import GRU4Rec, MeanHistory, SASRec
from recs.models import SequenceTower, SequentialRetrieval
from tests.harness.tiers import slow_but

NAMES = ["a", "b", "c", "d", "e", "f"]
ITEMS = Items({"item": NAMES, "title": [name.upper() for name in NAMES]})
# Everybody goes round: a b c d e f a b ...
LOG = Interactions(
    {
        "user": np.repeat(np.arange(6), 9),
        "item": [NAMES[(user + step) % 6] for user in range(6) for step in range(9)],
        "timestamp": np.tile(np.arange(9), 6),
    },
    items=ITEMS,
)
ENCODERS = {
    "sasrec": lambda: SASRec(1, max_length=4, dropout=0.0, seed=1),
    "gru": lambda: GRU4Rec(12, output_dim=8, seed=1),
    "mean": lambda: MeanHistory(max_length=1),
}
HISTORIES = [["a", "b", "c"], ["e"], [], ["d", "e", "f", "a", "b", "c"]]
LENGTHS = [3, 1, 0, 6]


def padded(histories, padding, left=0):
    width = max(map(len, histories)) + 1
    rows = [[padding] * left + h + [padding] * (width - len(h)) for h in histories]
    return tf.constant(rows)


def made(encoder="sasrec", **options):
    return SequentialRetrieval(
        ENCODERS[encoder](), **{"item": "item", "embedding_dim": 8, "seed": 2, **options}
    )


def trained(encoder="sasrec", epochs=40, **options):
    model = made(encoder, **options).set_popularity(LOG.item_counts())
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    stride = 4 if options.get("positions") == "all" else 1
    rows = sequences.windows(LOG, 4, stride=stride)
    data = rows.to_dataset(["history", "item"], batch_size=16, shuffle=True)
    # One iterator for all epochs: to make one costs more than an epoch.
    model.fit(data.repeat(epochs), verbose=0)
    return model.index(ITEMS)


@pytest.mark.parametrize("key_dtype", ["string", "int64"])
@pytest.mark.parametrize("name", ENCODERS)
def test_all_forms_of_a_history_are_one(name, key_dtype):
    numbers = {one: n - 2 for n, one in enumerate(NAMES)}  # 0 and -1 are ids like any other
    string = key_dtype == "string"
    histories = [[one if string else numbers[one] for one in h] for h in HISTORIES]
    ids = NAMES if string else list(numbers.values())
    padding = "" if string else -99
    table = DynamicEmbedding(8, key_dtype=key_dtype, seed=1)
    table.table.upsert(ids, np.random.default_rng(0).normal(size=(6, 8)))
    encoder = ENCODERS[name]()
    masked = SequenceTower(encoder, embedding=table, mask_key=padding)
    plain = SequenceTower(encoder, embedding=table)
    dtype = tf.string if string else tf.int64
    ragged = tf.ragged.constant(histories, dtype=dtype)
    want = plain({"history": ragged}).numpy()
    assert not want[2].any()
    assert want[[0, 1, 3]].any(axis=1).all()
    right = tf.cast(padded(histories, padding), dtype) if not string else padded(histories, padding)
    left = padded(histories, padding, left=3)
    left = left if string else tf.cast(left, dtype)
    np.testing.assert_allclose(masked({"history": right}), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(masked({"history": left}), want, rtol=1e-5, atol=1e-6)
    # What is served: padding may be anything, such as an id.
    anything = tf.where(right == padding, ids[0], right)
    served = {"history": anything, "history_lengths": tf.constant(LENGTHS)}
    np.testing.assert_allclose(plain(served), want, rtol=1e-5, atol=1e-6)


def test_the_vector_is_the_encoders_of_the_newest_ids():
    tower = SequenceTower(ENCODERS["sasrec"](), embedding_dim=8, seed=1, normalize=True, bias=True)
    tower.embedding.table.upsert(NAMES, np.random.default_rng(0).normal(size=(6, 8)))
    got = tower({"history": tf.ragged.constant(HISTORIES)}).numpy()
    rows = tower.embedding.table.lookup(HISTORIES[3][-4:])[None]
    want = tower.encoder(rows).numpy()[0]
    np.testing.assert_allclose(got[3, :-1], want / np.linalg.norm(want), rtol=1e-5)
    assert (got[:, -1] == 1).all()
    assert got.shape == (4, tower.output_dim)


def test_padding_is_not_inserted_and_not_trained():
    tower = SequenceTower(ENCODERS["gru"](), embedding_dim=8, mask_key="", seed=1)

    class Trains(recs.Model):
        def __init__(self):
            super().__init__()
            self.tower = tower

        def compute_loss(self, inputs, training=False):
            return tf.reduce_sum(self.tower(inputs) ** 2)

    model = Trains()
    model.compile(keras.optimizers.SGD(0.1))
    batch = {"history": tf.constant([["", "a", "b"], ["", "", ""]])}
    model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
    assert sorted(tower.embedding.table.export()[0].tolist()) == [b"a", b"b"]
    # A row for the padding, put in by hand, is neither read nor moved.
    tower.embedding.table.upsert([""], np.full((1, 8), 5.0))
    model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
    assert (tower.embedding.table.lookup([""]) == 5.0).all()


@pytest.mark.parametrize("positions", ["last", "all"])
@pytest.mark.parametrize(
    ("negatives", "negatives_from"), [(None, "batch"), (7, "batch"), (7, "catalogue")]
)
def test_the_loss_is_the_softmax_of_what_follows(positions, negatives, negatives_from, monkeypatch):
    model = made(
        positions=positions,
        negatives=negatives,
        negatives_from=negatives_from,
        temperature=0.5,
        item_bias=True,
        correct_sampling=True,
    )
    rng = np.random.default_rng(0)
    vector = dict(zip(NAMES, rng.normal(size=(6, 8)), strict=True))
    bias = dict(zip(NAMES, rng.normal(size=6), strict=True))
    model.candidate_tower.embedding.table.upsert(NAMES, list(vector.values()))
    model.candidate_tower.bias_embedding.table.upsert(NAMES, np.array(list(bias.values()))[:, None])
    model.set_popularity(LOG.item_counts())
    histories, items = [["a", "b", "c"], [], ["e", "e"]], ["d", "f", "a"]
    share = {name: count / len(LOG) for name, count in LOG.item_counts().items()}

    def encoded(history):
        rows = np.array([vector[one] for one in history], "float32")[None]
        return model.query_tower.encoder(rows).numpy()[0] if history else np.zeros(8)

    if positions == "last":
        pairs = list(zip(histories, items, strict=True))
    else:
        whole = [[*h, i] for h, i in zip(histories, items, strict=True)]
        pairs = [(row[:n], row[n]) for row in whole for n in range(1, len(row))]
    drawn = ["f", "d", "a", "a", "b", "c", "e"]
    if negatives_from == "catalogue":
        monkeypatch.setattr(type(model), "_drawn", lambda self: tf.constant(drawn))
    elif negatives:
        which = [len(pairs) - 1, 0, 1, 1, 0, 2, 0]
        drawn = [pairs[row][1] for row in which]
        monkeypatch.setattr(type(model), "_rows", lambda self, count: tf.constant(which))
    corrected = negatives_from == "batch"  # what is drawn uniformly needs no correction
    expected = 0.0
    for number, (history, item) in enumerate(pairs):
        # Positions count from the end of the whole window, so the encoder sees it whole.
        query = encoded(history) if positions == "last" else None
        if query is None:
            row = next(w for w in whole if len(w) > 1 and w[: len(history)] == history)
            rows = np.array([vector[one] for one in row[:-1]], "float32")[None]
            states = model.query_tower.encoder(rows, return_sequences=True)
            query = states.numpy()[0, len(history) - 1]

        def score(one, query=query):
            return (query @ vector[one] + bias[one]) / 0.5

        others = drawn if negatives else [i for n, (_, i) in enumerate(pairs) if n != number]
        correction = np.log(share[item]) if corrected else 0.0
        own = score(item) - correction
        logits = [own]
        for other in others:
            if other != item:
                logits.append(score(other) - (np.log(share[other]) if corrected else 0.0))
        expected += np.log(np.exp(logits).sum()) - own
    batch = {"history": tf.ragged.constant(histories), "item": tf.constant(items)}
    assert float(model.compute_loss(batch)) == pytest.approx(expected, rel=1e-4)


def test_negatives_are_drawn_anew_and_uniformly_over_known_items():
    model = made(negatives=600, negatives_from="catalogue", id_dtype="int64")
    model.set_popularity({7: 1000, -3: 1, 2**62: 1})
    step = tf.function(model._drawn)
    first, second = step().numpy(), step().numpy()
    assert (first != second).any()
    values, counts = np.unique(first, return_counts=True)
    assert values.tolist() == [-3, 7, 2**62]
    assert counts.min() > 150
    with pytest.raises(ValueError, match=r"set_popularity\(train\.item_counts\(\)\)"):
        made(negatives=5, negatives_from="catalogue")._drawn()


@pytest.mark.parametrize(
    ("encoder", "options"),
    slow_but(
        [
            ("sasrec", {}),
            ("gru", {}),
            ("mean", {"share_items": False}),
            ("sasrec", {"positions": "all"}),
            ("gru", {"positions": "all", "negatives": 9, "item_bias": True}),
            ("gru", {"negatives": 5, "negatives_from": "catalogue"}),
            ("sasrec", {"normalize": True, "temperature": 0.1}),
        ],
        ("sasrec", {"positions": "all"}),
        ("gru", {"negatives": 5, "negatives_from": "catalogue"}),
    ),
)
def test_training_learns_what_follows(encoder, options):
    model = trained(encoder, **options)
    answer = model.recommend([["d", "e"], ["f"], ["a", "b"]], k=1)
    assert answer.ids.tolist() == [["f"], ["a"], ["c"]]
    assert answer.titles.tolist() == [["F"], ["A"], ["C"]]


def test_histories_may_be_given_in_any_form_and_what_was_seen_left_out():
    model = trained(epochs=5)
    want = model.recommend([["a", "b"], ["c"]], k=6)
    rows = Interactions({"user": [1, 1, 2], "item": ["a", "b", "c"], "timestamp": [1, 2, 3]})
    column = sequences.latest(rows, [1, 2], 4)
    ragged = tf.ragged.constant([["a", "b"], ["c"]])
    for other in (column, column.to_ragged(), ragged, {"history": column}):
        answer = model.recommend(other, k=6)
        assert (answer.ids == want.ids).all()
        seen = model.recommend(other, k=4, exclude_seen=True).ids.tolist()
        assert seen == [
            [i for i in row if i not in own][:4]
            for row, own in zip(want.ids.tolist(), (["a", "b"], ["c"]), strict=True)
        ]
    both = model.recommend(column, k=3, exclude=[[], ["d"]], exclude_seen=True).ids
    assert not {"c", "d"} & set(both[1])
    assert model.recommend([[]], k=1, exclude_seen=True).ids.shape == (1, 1)
    for seen in (False, True):
        with pytest.raises(ValueError, match="a list of ids for each user"):
            model.recommend(column, exclude=[[]], exclude_seen=seen)


def test_a_user_without_a_history_gets_what_most_like():
    model = trained(epochs=3, item_bias=True)
    bias = model.candidate_tower.bias_embedding.table.lookup(NAMES).ravel()
    assert model.recommend([[]], k=1).ids[0, 0] == NAMES[int(bias.argmax())]


@pytest.mark.slow
def test_integer_ids_work():
    log = Interactions({"user": [1] * 6, "item": [0, -1, 5, 0, -1, 5], "timestamp": range(6)})
    model = made("gru", id_dtype="int64", correct_sampling=True).set_popularity(log.item_counts())
    model.compile(optimizer=keras.optimizers.Adam(0.05))
    rows = sequences.windows(log, 4)
    data = rows.to_dataset(["history", "item"], batch_size=5, pad={"history": 99})
    with pytest.raises(ValueError, match="have the column history"):
        model.query_tower({"item": tf.constant([1])})
    model.fit(rows.to_dataset(["history", "item"], batch_size=5).repeat(30), verbose=0)
    model.index([0, -1, 5])
    assert model.recommend([[5, 0], [-1]], k=1).ids.tolist() == [[-1], [5]]
    assert model.recommend([[5, 0], [-1]], k=1, exclude_seen=True).ids.tolist() == [[-1], [5]]
    assert model.query_vectors([[], []]).shape == (2, 8)
    padded_model = made("gru", id_dtype="int64", mask_key=99)
    padded_model.compile(optimizer="sgd")
    padded_model.fit(data, verbose=0)
    assert not padded_model.candidate_tower.embedding.table.contains([99])[0]


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"`positions` must be 'last' or 'all'"):
        made(positions="first")
    with pytest.raises(ValueError, match=r"`negatives` must be a positive integer"):
        made(negatives=0)
    with pytest.raises(ValueError, match=r"`negatives_from` must be 'batch', or with a number"):
        made(negatives_from="catalogue")
    with pytest.raises(ValueError, match=r"as long as the items', 8\. Received: 12"):
        SequentialRetrieval(GRU4Rec(12), embedding_dim=8)
    with pytest.raises(ValueError, match=r"`encoder` must be a layer of `recs\.layers\.sequence`"):
        SequenceTower(keras.layers.LSTM(3))
    with pytest.raises(ValueError, match="without a combiner"):
        SequenceTower(MeanHistory(), embedding=DynamicEmbedding(3, combiner="mean"))


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains(policy):
    keras.config.set_dtype_policy(policy)
    model = trained(epochs=40, positions="all")
    assert model.recommend([["d", "e"]], k=1).ids.tolist() == [["f"]]


@pytest.mark.slow
def test_it_plugs_into_a_model_of_ones_own():
    class Next(recs.Model):
        def __init__(self):
            super().__init__()
            self.items = DynamicEmbedding(8, key_dtype="string", seed=1)
            self.users = SequenceTower(GRU4Rec(seed=1), embedding=self.items)
            self.task = recs.tasks.Retrieval(remove_accidental_hits=True)

        def compute_loss(self, inputs, training=False):
            item = inputs["item"]
            return self.task(self.users(inputs), self.items(item), candidate_ids=item)

    model = Next()
    model.compile(keras.optimizers.Adam(0.03))
    data = sequences.windows(LOG, 4).to_dataset(["history", "item"], batch_size=16, shuffle=True)
    history = model.fit(data, epochs=25, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
    # One table, one update a step from both sides.
    assert model.items.table.stats()["step"] == 25 * len(data)


@pytest.mark.parametrize("ids", [[[1.5]], [[True]], [[b"a"]]])
def test_ids_of_another_kind_are_refused_in_the_words_of_the_model(ids):
    tower = SequenceTower(MeanHistory(), embedding_dim=2, id_dtype="int64")
    with pytest.raises(ValueError, match=r"must hold integers.*as `id_dtype='int64'`"):
        tower({"history": tf.constant(ids)})
    with pytest.raises(ValueError, match="Column 'history' must hold integers"):
        tower({"history": tf.ragged.constant(ids)})
    shared = SequenceTower(MeanHistory(), embedding=DynamicEmbedding(2, seed=1))
    with pytest.raises(ValueError, match=r"must hold integers that fit int64\. Received: dtype"):
        shared({"history": tf.constant(ids)})
