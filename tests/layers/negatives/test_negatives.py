"""Kinds of negatives: what they draw, how likely that is, and what the task makes of it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.layers import FrequencyEstimate
from recs.layers.negatives import InBatch, Memory, Popular, Uniform
from recs.layers.negatives.negatives import Batch
from recs.tasks import Retrieval

NAMES = np.array([f"film {i}" for i in range(20)])
COUNTS = {name: float(n + 1) for n, name in enumerate(NAMES.tolist())}


def _batch(encode=None, rows=4, ids=None, probability=None):
    numbers = None if ids is None else tf.constant(ids, tf.int64)
    return Batch(tf.zeros([rows, 2]), numbers, probability, None, encode, "the test")


def _numbers_of(ids):
    number = tf.strings.to_number(tf.strings.split(ids, " ").to_tensor()[:, 1])
    return tf.stack([number, number], axis=1)


def _zeros_of(ids):
    return tf.zeros([len(ids), 2])


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_draws_follow_the_shares(power):
    kind = Popular(40_000, power=power, seed=1).adapt(COUNTS)
    drawn = kind.draw(_batch(_numbers_of))
    found = np.bincount(drawn.embeddings[:, 0].numpy().astype(int), minlength=20) / 40_000
    want = np.array(list(COUNTS.values())) ** power
    want /= want.sum()
    np.testing.assert_allclose(found, want, atol=0.01)
    numbers = tf.strings.to_hash_bucket_fast(tf.constant([*NAMES, "unknown"]), 2**63 - 1)
    expected = kind.expected_count(numbers, _batch())
    np.testing.assert_allclose(expected, [*want * 40_000, 0.0], rtol=1e-5)


def test_uniform_draws_integers_anew_each_time():
    kind = Uniform(1000, seed=1).adapt(np.array([2**60, -5, 7]))
    first, second = (kind.draw(_batch(_zeros_of)).numbers.numpy() for _ in range(2))
    assert (first != second).any()
    assert set(first) == {2**60, -5, 7}
    np.testing.assert_allclose(
        kind.expected_count(tf.constant([-5, 2**60, 8]), _batch()),
        [1000 / 3, 1000 / 3, 0],
        rtol=1e-6,
    )
    again = Uniform(1000, seed=1).adapt(np.array([2**60, -5, 7]))
    np.testing.assert_array_equal(again.draw(_batch(_zeros_of)).numbers, first)


def test_memory_holds_the_last_candidates():
    kind = Memory(size=5, dim=1, warm_up=2)
    seen = []
    for step in range(4):
        rows = np.arange(3.0)[:, None] + 10 * step
        drawn = kind.draw(Batch(tf.constant(rows, tf.float32), None, None, None, None, ""))
        if step < 2:
            assert drawn.embeddings.shape == (0, 1)
        else:
            assert sorted(drawn.embeddings.numpy().ravel()) == sorted(seen[-5:])
        kind.remember(Batch(tf.constant(rows, tf.float32), None, None, None, None, ""))
        seen += rows.ravel().tolist()
    large = tf.range(100.0, 108.0)[:, None]
    kind.remember(Batch(large, None, None, None, None, ""))
    assert sorted(kind.draw(_batch_of_one()).embeddings.numpy().ravel()) == [
        103,
        104,
        105,
        106,
        107,
    ]


def _batch_of_one():
    return Batch(tf.zeros([1, 1]), None, None, None, None, "")


def _softmax(scores, positive):
    return np.log(np.exp(scores).sum() + np.exp(positive)) - positive


def test_memory_in_a_task_is_used_and_not_changed_in_evaluation(rng):
    task = Retrieval(negatives=[InBatch(), Memory(6, dim=3)], remove_accidental_hits=True)
    batches = rng.normal(size=(3, 2, 4, 3)).astype("float32")
    ids = np.array([["a", "b", "c", "d"], ["b", "e", "f", "g"], ["h", "a", "g", "i"]])
    kept, kept_ids = np.zeros((0, 3)), []
    for (queries, candidates), names in zip(batches, ids, strict=True):
        want = 0.0
        for i in range(4):
            scores = [
                queries[i] @ c
                for c, n in zip([*candidates, *kept], [*names, *kept_ids], strict=True)
                if n != names[i]
            ]
            want += _softmax(np.array(scores), queries[i] @ candidates[i])
        for training in (False, None, True):
            got = task(queries, candidates, candidate_ids=names, training=training)
            np.testing.assert_allclose(got, want, rtol=1e-5)
        kept = np.concatenate([kept, candidates])[-6:]
        kept_ids = [*kept_ids, *names][-6:]


@pytest.mark.parametrize("in_batch", [True, False])
def test_the_correction_is_that_of_the_mixture(rng, in_batch):
    rows = dict(zip(NAMES.tolist(), rng.normal(size=(20, 3)).astype("float32"), strict=True))
    table = tf.constant(np.stack(list(rows.values())))
    asked = []

    def encode(ids):
        asked.append([i.decode() for i in ids.numpy().tolist()])
        return tf.gather(table, tf.cast(_numbers_of(ids)[:, 0], tf.int32))

    estimate = FrequencyEstimate()
    names = NAMES[[3, 5, 3, 9]]
    kinds = [Uniform(6, seed=1).adapt(NAMES), Popular(5, seed=2).adapt(COUNTS)]
    task = Retrieval(
        negatives=[InBatch(), *kinds] if in_batch else kinds, sampling_correction=estimate
    )
    queries = rng.normal(size=(4, 3)).astype("float32")
    candidates = np.stack([rows[name] for name in names])
    got = task(queries, candidates, candidate_ids=names, encode=encode, training=True)
    shares = np.array(list(COUNTS.values())) ** 0.75
    popular = dict(zip(NAMES.tolist(), shares / shares.sum(), strict=True))
    seen = {NAMES[3]: 0.5, NAMES[5]: 0.25, NAMES[9]: 0.25}
    total = 11 + 4 * in_batch

    def log_q(name):
        # 1 / 4: what an id gets that four rows did not have.
        batch = 4 * seen.get(name, 0.25) if in_batch else 0.0
        return np.log((batch + 6 / 20 + 5 * popular[name]) / total)

    columns = [*asked[0], *asked[1]]
    want = 0.0
    for i in range(4):
        # Without removal of hits, only the row's own column is no negative.
        others = [n for j, n in enumerate(names) if j != i] if in_batch else []
        scores = [queries[i] @ rows[n] - log_q(n) for n in [*others, *columns]]
        want += _softmax(np.array(scores), queries[i] @ candidates[i] - log_q(names[i]))
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.slow
def test_the_tower_learns_from_drawn_negatives_in_fit_and_is_saved(tmp_path):
    model = Mixed()
    model.compile(keras.optimizers.Adagrad(0.1))
    data = tf.data.Dataset.from_tensors(
        {"user": tf.constant(["u", "v", "w"]), "item": tf.constant(NAMES[:3])}
    ).repeat(20)
    model.fit(data, verbose=0)
    assert model.items.table.size() == 20
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    restored, kept = again.task.non_trainable_weights, model.task.non_trainable_weights
    for a, b in zip(restored, kept, strict=True):
        assert np.array_equal(a.numpy(), b.numpy()), a.path
    # The random numbers go on where they were, so that the next step is the same.
    losses = [m.train_on_batch(next(iter(data)), return_dict=True)["loss"] for m in (model, again)]
    np.testing.assert_allclose(*losses, rtol=1e-6)


@keras.saving.register_keras_serializable("test_negatives")
class Mixed(recs.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.users = recs.layers.DynamicEmbedding(4, key_dtype="string", seed=1)
        self.items = recs.layers.DynamicEmbedding(4, key_dtype="string", seed=2)
        self.task = Retrieval(
            negatives=[InBatch(), Uniform(8, seed=3).adapt(NAMES), Memory(5, dim=4)],
            sampling_correction="streaming",
            remove_accidental_hits=True,
        )
        self.built = True

    def compute_loss(self, inputs, training=False):
        return self.task(
            self.users(inputs["user"]),
            self.items(inputs["item"]),
            candidate_ids=inputs["item"],
            encode=self.items,
        )


def test_errors(rng):
    rows = rng.normal(size=(3, 2)).astype("float32")
    with pytest.raises(ValueError, match=r"The corpus must be given.*Uniform 'u' of Retrieval 'r'"):
        Retrieval(negatives=Uniform(3, name="u"), name="r")(rows, rows)
    with pytest.raises(ValueError, match=r"`encode` must be given to draw.*task\(\.\.\., encode="):
        Retrieval(negatives=Uniform(3).adapt([1, 2]))(rows, rows)
    with pytest.raises(ValueError, match=r"must be left to `sampling_correction`"):
        Retrieval(negatives=[InBatch(), Uniform(3).adapt([1, 2])])(
            rows, rows, candidate_sampling_probability=np.ones(3) / 3,
            encode=lambda i: tf.zeros([3, 2]),
        )  # fmt: skip
    with pytest.raises(ValueError, match="`candidate_ids` must be given when `sampling_c"):
        Retrieval(sampling_correction="streaming")(rows, rows)
    with pytest.raises(ValueError, match=r'`sampling_correction` must be None, "streaming" or'):
        Retrieval(sampling_correction="exact")
    for bad in ([], ["uniform"], Uniform):
        with pytest.raises(ValueError, match=r"`negatives` must be one or several of"):
            Retrieval(negatives=bad)
    with pytest.raises(ValueError, match=r"`number` must be a positive integer\. .*number=0"):
        Uniform(0)
    with pytest.raises(ValueError, match=r"must all be different\. Received: 1 twice"):
        Uniform(1).adapt(["a", "b", "a"])
    with pytest.raises(ValueError, match="must be a list of at least one id"):
        Uniform(1).adapt([])
    with pytest.raises(ValueError, match="must have a positive count each"):
        Popular(1).adapt({"a": 1, "b": 0})
    with pytest.raises(ValueError, match="`power` must be finite"):
        Popular(1, power=float("inf"))
    with pytest.raises(ValueError, match="`dim` must be the length of the candidates' embeddings"):
        Retrieval(negatives=Memory(3, dim=5))(rows, rows)
    with pytest.raises(ValueError, match="`size` must be a positive integer"):
        Memory(0, dim=5)
