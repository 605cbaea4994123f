"""Ranking losses against their formulas, their input and their errors."""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs import losses

RNG = np.random.default_rng(31)
LABELS = RNG.integers(-1, 4, (4, 40)).astype("float32")
SCORES = np.round(RNG.normal(size=(4, 40)) * 2, 1).astype("float32")
WEIGHTS = RNG.random((4, 40)).astype("float32")

PAIR = {
    losses.PairwiseHingeLoss: lambda d: max(0.0, 1.0 - d),
    losses.PairwiseLogisticLoss: lambda d: math.log1p(math.exp(-d)),
    losses.PairwiseSoftZeroOneLoss: lambda d: 1 / (1 + math.exp(d)),
}


def by_pairs(function, weigh=lambda y, s, i, j: 1.0):
    """Returns the loss of each item by two loops."""
    found = np.zeros(LABELS.shape)
    for row, (labels, scores) in enumerate(zip(LABELS, SCORES, strict=True)):
        for i, j in itertools.permutations(range(40), 2):
            if labels[j] >= 0 and labels[i] > labels[j]:
                term = function(float(scores[i]) - float(scores[j]))
                found[row, i] += WEIGHTS[row, i] * term * weigh(labels, scores, i, j)
    return found


@pytest.mark.parametrize("of_class", PAIR)
def test_pairwise(of_class):
    want = by_pairs(PAIR[of_class])
    each = of_class(reduction="none")(LABELS, SCORES, WEIGHTS)
    np.testing.assert_allclose(each, want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_class(reduction="sum")(LABELS, SCORES, WEIGHTS), want.sum(), 1e-5)
    mean = want.sum() / (LABELS >= 0).sum()
    np.testing.assert_allclose(of_class()(LABELS, SCORES, WEIGHTS), mean, 1e-5)
    weighted = want.sum() / WEIGHTS[LABELS >= 0].sum()
    loss = of_class(reduction="mean_with_sample_weight")
    np.testing.assert_allclose(loss(LABELS, SCORES, WEIGHTS), weighted, 1e-5)


def test_a_callable_weighs_pairs():
    def steep(first, second):
        return first.labels * 2 + second.labels + first.ranks * second.scores

    def rank(labels, scores, i):
        there = labels >= 0
        higher = there & (scores > scores[i])
        tied = there & (scores == scores[i])
        # Of equal scores the lower label comes first, then the place.
        before = tied & (
            (labels < labels[i]) | ((labels == labels[i]) & (np.arange(len(labels)) < i))
        )
        return 1 + higher.sum() + before.sum()

    def weigh(labels, scores, i, j):
        return labels[i] * 2 + labels[j] + rank(labels, scores, i) * scores[j]

    want = by_pairs(PAIR[losses.PairwiseLogisticLoss], weigh)
    loss = losses.PairwiseLogisticLoss("sum", lambda_weight=steep)
    np.testing.assert_allclose(loss(LABELS, SCORES, WEIGHTS), want.sum(), rtol=1e-4)
    np.testing.assert_allclose(
        losses.PairwiseLogisticLoss("none", lambda_weight=steep)(LABELS, SCORES, WEIGHTS),
        want,
        rtol=1e-3,
        atol=1e-3,
    )


@pytest.mark.parametrize("of_class", PAIR)
def test_gradients_of_items_and_of_lists_agree(of_class):
    scores = tf.constant(SCORES)
    found = []
    for reduction in ("sum", "none"):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            value = tf.reduce_sum(of_class(reduction)(LABELS, scores, WEIGHTS))
        found.append(tape.gradient(value, scores))
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("of_class", [*PAIR, losses.SoftmaxLoss, losses.PairwiseMSELoss])
def test_weights_have_a_gradient(of_class):
    weights, scores = tf.constant(WEIGHTS), tf.constant(SCORES)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = of_class("sum")(LABELS, scores, weights)
    # The loss is linear in the weights.
    gradient = tape.gradient(value, weights)
    np.testing.assert_allclose((gradient * weights).numpy().sum(), value, rtol=1e-4)
    assert not gradient.numpy()[LABELS < 0].any()


def test_equal_scores_have_a_gradient():
    scores = tf.zeros((1, 2))
    slopes = []
    for compatible in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = losses.PairwiseLogisticLoss("sum", tfr_compatible=compatible)([[1.0, 0]], scores)
        slopes.append(tape.gradient(loss, scores)[0, 0])
    np.testing.assert_allclose(slopes, [-0.5, 0.0])


def test_list_mle_of_equal_labels_is_near_the_mean_over_orders():
    labels, scores = np.array([2.0, 1, 1, 1, 0, 0]), RNG.normal(size=6) * 0.5
    found = []
    for order in itertools.permutations(range(6)):
        if (np.diff(labels[list(order)]) <= 0).all():
            s = scores[list(order)]
            found.append(sum(np.log(np.exp(s[k:]).sum()) - s[k] for k in range(6)))
    got = float(losses.ListMLELoss()(labels[None], scores[None]))
    assert min(found) < got < max(found)
    np.testing.assert_allclose(got, np.mean(found), rtol=0.02)
    same = float(losses.ListMLELoss()(labels[None], np.zeros((1, 6))))
    np.testing.assert_allclose(same, math.lgamma(7), rtol=1e-6)


def test_list_mle_of_scores_far_apart():
    got = losses.ListMLELoss()([[2.0, 1.0, 0.0]], [[-300.0, 0.0, 300.0]])
    np.testing.assert_allclose(got, 600 + 300, rtol=1e-6)


@pytest.mark.parametrize(
    ("how", "count"), [("padded", None), ("ragged", None), ("mask", None), ("dict", None)]
)
def test_all_ways_to_tell_what_is_not_an_item(how, count):
    lengths = np.array([3, 1, 0, 5])
    there = np.arange(5) < lengths[:, None]
    labels = RNG.integers(0, 3, (4, 5)).astype("float32")
    scores = RNG.normal(size=(4, 5)).astype("float32")
    want = losses.PairwiseLogisticLoss()(np.where(there, labels, -1), scores)
    loss = losses.PairwiseLogisticLoss(ragged=True)
    if how == "ragged":
        ragged = [tf.RaggedTensor.from_tensor(x, lengths) for x in (labels, scores)]
        np.testing.assert_allclose(loss(*ragged), want, 1e-6)
        np.testing.assert_allclose(loss(ragged[0], scores), want, 1e-6)
        np.testing.assert_allclose(loss(np.where(there, labels, -1), ragged[1]), want, 1e-6)
    elif how == "mask":
        np.testing.assert_allclose(loss(labels, scores, mask=there), want, 1e-6)
        tensor = tf.constant(scores)
        tensor._keras_mask = tf.constant(there)
        np.testing.assert_allclose(loss(labels, tensor), want, 1e-6)
    elif how == "dict":
        np.testing.assert_allclose(loss({"labels": labels, "mask": there}, scores), want, 1e-6)
    else:
        assert float(want) > 0


def test_random_losses_draw_anew_and_again_from_a_seed():
    labels, scores = LABELS[:, :8], SCORES[:, :8]
    for of_class in (
        losses.YetiLogisticLoss,
        losses.GumbelApproxNDCGLoss,
        losses.CoupledRankDistilLoss,
    ):
        first, second = of_class(seed=4), of_class(seed=4)
        draws = [float(first(labels, scores)) for _ in range(3)]
        assert draws == [float(second(labels, scores)) for _ in range(3)]
        assert len(set(draws)) == 3


def test_a_loss_in_fit():
    model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), losses.get("approx_ndcg_loss"))
    features = RNG.normal(size=(64, 10, 4)).astype("float32")
    labels = (features[..., 0] > 0.5).astype("float32")
    history = model.fit(features, labels, epochs=30, verbose=0).history["loss"]
    assert history[-1] < history[0] - 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.SoftmaxLoss(temperature=0), "`temperature` must be above 0"),
        (lambda: losses.get("softmax"), "`loss` must be one of"),
        (lambda: losses.get("softmax_loss", alpha=1), "must be those of SoftmaxLoss"),
        (
            lambda: losses.SoftmaxLoss(lambda_weight=losses.LabelDiffLambdaWeight()),
            "must weigh single items",
        ),
        (
            lambda: losses.ApproxNDCGLoss(lambda_weight=losses.NDCGLambdaWeight()),
            "has no effect on this loss",
        ),
        (
            lambda: losses.PairwiseHingeLoss(lambda_weight=losses.PListMLELambdaWeight(3)),
            "must weigh pairs",
        ),
        (lambda: losses.ListMLELoss(lambda_weight=losses.NDCGLambdaWeight()), "must weigh places"),
        (lambda: losses.DCGLambdaWeight(smooth_fraction=2), "`smooth_fraction` must be between"),
        (lambda: losses.PrecisionLambdaWeight(), "`topn` must be a positive integer"),
        (lambda: losses.ListMLELambdaWeight(), "must be a function of ranks"),
        (lambda: losses.PListMLELambdaWeight(128), "must be between 1 and 127"),
        (lambda: losses.CalibratedSoftmaxLoss(virtual_label=-1), "must not be below 0"),
        (lambda: losses.GumbelApproxNDCGLoss(sample_size=0), "`sample_size` must be a positive"),
        (lambda: losses.inverse_propensity_weights([[1.0]], 0), "`smallest` must be above 0"),
        (lambda: losses.SoftmaxLoss()([1.0, 0], [1.0, 0]), "must be of shape"),
        (lambda: losses.SoftmaxLoss()([[1.0, 0]], [[1.0]]), "same batch and list size"),
        (
            lambda: losses.SoftmaxLoss()([[1.0, 0]], [[1.0, 0]], np.ones((1, 3))),
            "`sample_weight` must be",
        ),
        (lambda: losses.OrdinalLoss(ordinal_size=2)([[1.0]], [[[1.0]]]), "must have 2 outputs"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_lambda_weights_are_saved_with_the_loss():
    for weight in (
        losses.NDCGLambdaWeight(topn=3, smooth_fraction=0.2),
        losses.NDCGLambdaWeightV2(topn=3),
        losses.YetiDCGLambdaWeight(normalized=True),
        losses.MRRLambdaWeight(topn=2),
        losses.PrecisionLambdaWeight(topn=3),
        losses.LabelDiffLambdaWeight(),
    ):
        loss = losses.PairwiseLogisticLoss(lambda_weight=weight)
        again = losses.PairwiseLogisticLoss.from_config(loss.get_config())
        assert type(again.lambda_weight) is type(weight)
        assert float(again(LABELS, SCORES)) == float(loss(LABELS, SCORES))


def _all_kinds():
    ndcg = losses.NDCGLambdaWeight(topn=3)
    made = {of_class.__name__: of_class() for of_class in PAIR}
    made |= {
        "ndcg": losses.PairwiseLogisticLoss(lambda_weight=ndcg),
        "yeti": losses.PairwiseLogisticLoss(lambda_weight=losses.YetiDCGLambdaWeight()),
        "mse-ndcg": losses.PairwiseMSELoss(lambda_weight=ndcg),
    }
    for key in ("softmax", "calibrated_softmax", "unique_softmax", "list_mle", "approx_ndcg"):
        made[key] = losses.get(f"{key}_loss")
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", _all_kinds())
@pytest.mark.parametrize("how", ["xla", "unknown-shape"])
def test_graphs(name, how):
    loss = _all_kinds()[name]
    spec = tf.TensorSpec([None, None], tf.float32)

    def step(labels, scores):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            value = loss(labels, scores)
        return value, tape.gradient(value, scores)

    compiled = (
        tf.function(step, jit_compile=True)
        if how == "xla"
        else tf.function(step, input_signature=(spec, spec))
    )
    for rows, size in ((4, 40), (2, 7)):
        given = tf.constant(LABELS[:rows, :size]), tf.constant(SCORES[:rows, :size])
        for got, want in zip(compiled(*given), step(*given), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_groups_of_lists_give_what_a_single_group_gives(monkeypatch):
    from recs.losses.functional.ranking import tiles

    for of_class in (*PAIR, losses.ApproxNDCGLoss):
        want = float(of_class()(LABELS, SCORES, WEIGHTS))
        for largest in (1, 5000):
            with monkeypatch.context() as patch:
                patch.setattr(tiles, "LARGEST", largest)
                got = float(of_class()(LABELS, SCORES, WEIGHTS))
            np.testing.assert_allclose(got, want, rtol=1e-5)
