"""Ranking losses against TF-Ranking: values and gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.losses.functional.ranking import gains
from recs.losses.random_loss import RandomLoss
from tests.parity.peer import Case
from tests.parity.tfr_peer import run_tfr

PAIRWISE = [
    "PairwiseHingeLoss",
    "PairwiseLogisticLoss",
    "PairwiseSoftZeroOneLoss",
    "PairwiseMSELoss",
]
LISTWISE = ["SoftmaxLoss", "UniqueSoftmaxLoss", "ListMLELoss", "ApproxNDCGLoss", "ApproxMRRLoss"]
POINTWISE = ["SigmoidCrossEntropyLoss", "MeanSquaredLoss"]
RANDOM = ["YetiLogisticLoss", "GumbelApproxNDCGLoss", "CoupledRankDistilLoss"]
OUTPUTS = {"MixtureEMLoss": 3, "ClickEMLoss": 2, "OrdinalLoss": 3}
WEIGHTS = ("none", "list", "item", "ones")
LAMBDAS = [
    ("LabelDiffLambdaWeight", {}),
    ("DCGLambdaWeight", {}),
    ("DCGLambdaWeight", {"topn": 3, "smooth_fraction": 0.3, "normalized": True}),
    ("DCGLambdaWeight", {"smooth_fraction": 1.0, "gain_fn": "pow_minus_1"}),
    ("DCGLambdaWeight", {"normalized": True, "gain_fn": "one_more"}),
    ("NDCGLambdaWeight", {}),
    ("NDCGLambdaWeight", {"topn": 2, "smooth_fraction": 0.5}),
    ("DCGLambdaWeightV2", {"topn": 3}),
    ("NDCGLambdaWeightV2", {"topn": 2}),
    ("NDCGLambdaWeightV2", {}),
    ("YetiDCGLambdaWeight", {"topn": 3, "normalized": True}),
    ("YetiDCGLambdaWeight", {}),
    ("PrecisionLambdaWeight", {"topn": 2}),
    ("MRRLambdaWeight", {"topn": 4, "smooth_fraction": 0.2}),
]


def lists(kind: str, size: int = 8, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns labels and scores: without padding, with ties, or with all that is awkward."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (6, size)).astype("float32")
    scores = rng.normal(size=(6, size)).astype("float32") * 2
    if kind == "ties":
        scores = np.round(scores).astype("float32")
    if kind == "distinct":
        labels = np.stack([rng.permutation(size) for _ in range(6)]).astype("float32")
    if kind == "padded":
        labels = np.where(rng.random(labels.shape) < 0.3, -1, labels).astype("float32")
        labels[0] = -1
        labels[1] = np.where(labels[1] >= 0, 0, labels[1])
        labels[2], labels[2, 3] = -1, 2
        scores[3] = np.round(scores[3])
    return {"labels": labels, "scores": scores}


def weights(kind: str, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    made = {
        "none": {},
        "list": {"weights": rng.random((shape[0], 1)).astype("float32") * 2},
        "item": {"weights": (rng.random(shape) * (rng.random(shape) < 0.8)).astype("float32")},
        "ones": {"weights": np.ones(shape, "float32")},
    }
    return made[kind]


def _case(name, arrays, weight="none", **options):
    arrays = {**arrays, **weights(weight, arrays["labels"].shape)}
    return Case("loss", {"class": name, "ties_in_place": True, **options}, arrays)


def _outputs(arrays, outputs):
    rng = np.random.default_rng(9)
    shape = (*arrays["labels"].shape, outputs)
    return {**arrays, "scores": rng.normal(size=shape).astype("float32")}


def _plain_cases():
    cases = {}
    for kind in ("plain", "ties", "padded"):
        for weight in WEIGHTS:
            for name in (*PAIRWISE, *LISTWISE, *POINTWISE, "CalibratedSoftmaxLoss", *OUTPUTS):
                arrays, options = lists(kind), {}
                if name in OUTPUTS:
                    arrays = _outputs(arrays, OUTPUTS[name])
                if name == "OrdinalLoss":
                    options["arguments"] = {"ordinal_size": 3}
                if name == "CalibratedSoftmaxLoss":
                    options["arguments"] = {"virtual_label": 0.3}
                cases[f"{name}-{kind}-{weight}"] = _case(name, arrays, weight, **options)
    return cases


def _option_cases():
    cases = {}
    for name in (*PAIRWISE, *LISTWISE):
        arrays = lists("padded", seed=3)
        cases[f"{name}-temperature"] = _case(name, arrays, arguments={"temperature": 0.3})
        cases[f"{name}-sum"] = _case(name, arrays, "item", reduction="sum")
    # Large enough for tiles, and not a multiple of one.
    for name in (*PAIRWISE, "ApproxNDCGLoss", "ApproxMRRLoss"):
        cases[f"{name}-long"] = _case(name, lists("padded", 53), "item")
    fraction = {"ordinal_size": 3, "use_fraction_label": True}
    arrays = _outputs(lists("plain"), 3)
    arrays["labels"] = arrays["labels"] * np.float32(0.7)
    cases["OrdinalLoss-fraction"] = _case("OrdinalLoss", arrays, arguments=fraction)
    em = _outputs(lists("padded"), 2)
    parts = {"exam_loss_weight": 0.3, "rel_loss_weight": 2.0}
    cases["ClickEMLoss-parts"] = _case("ClickEMLoss", em, arguments=parts)
    cases["MixtureEMLoss-alpha"] = _case("MixtureEMLoss", em, arguments={"alpha": 0.2})
    mixed = {"temperature": 3.0}
    cases["MixtureEMLoss-temperature"] = _case("MixtureEMLoss", em, arguments=mixed)
    return cases


def _lambda_cases():
    cases = {}
    for i, asked in enumerate(LAMBDAS):
        for name in (*PAIRWISE, "SoftmaxLoss"):
            if name == "SoftmaxLoss" and asked[1].get("gain_fn") == "one_more":
                # TF-Ranking multiplies the loss by a sum of gains that counts padding's.
                continue
            for kind, weight, size in (("padded", "item", 8), ("ties", "none", 8)):
                key = f"{name}-{asked[0]}{i}-{kind}"
                cases[key] = _case(name, lists(kind, size), weight, **{"lambda": asked})
        if asked[0] in ("NDCGLambdaWeight", "YetiDCGLambdaWeight", "NDCGLambdaWeightV2"):
            key = f"PairwiseLogisticLoss-{asked[0]}{i}-long"
            arrays = lists("padded", 53)
            cases[key] = _case("PairwiseLogisticLoss", arrays, "item", **{"lambda": asked})
    for asked in (
        ("ListMLELambdaWeight", {"rank_discount_fn": "rank_plus_one"}),
        ("PListMLELambdaWeight", {"list_size": 8}),
    ):
        for kind in ("plain", "padded"):
            key = f"ListMLELoss-{asked[0]}-{kind}"
            cases[key] = _case("ListMLELoss", lists(kind), "list", **{"lambda": asked})
    return cases


def _random_cases():
    cases = {}
    for name in RANDOM:
        for kind in ("plain", "padded"):
            for weight in WEIGHTS:
                arrays = lists(kind)
                shape = (6, 4, 8)
                arrays["noise"] = np.random.default_rng(2).gumbel(size=shape).astype("float32")
                arguments = {"sample_size": 4, "temperature": 0.7}
                if name == "CoupledRankDistilLoss":
                    arguments["topk"] = 5 if weight == "list" else None
                else:
                    arguments["gumbel_temperature"] = 1.5
                key = f"{name}-{kind}-{weight}"
                cases[key] = _case(name, arrays, weight, arguments=arguments)
    return cases


def _ragged_cases():
    cases = {}
    lengths = np.array([8, 1, 3, 8, 5, 2])
    for name in (*PAIRWISE, *LISTWISE, *POINTWISE, *OUTPUTS):
        for weight in ("none", "list", "item"):
            arrays = {**lists("plain", seed=4), "lengths": lengths}
            arguments = {"ordinal_size": 3} if name == "OrdinalLoss" else {}
            if name in OUTPUTS:
                arrays = _outputs(arrays, OUTPUTS[name])
            arrays["labels"][0, 2] = 0.0
            options = {"arguments": arguments, "ragged": True}
            cases[f"{name}-ragged-{weight}"] = _case(name, arrays, weight, **options)
    return cases


CASES = {
    **_plain_cases(),
    **_option_cases(),
    **_lambda_cases(),
    **_random_cases(),
    **_ragged_cases(),
}
# Where TF-Ranking is right, which is without padding: the default has to be the same.
DEFAULT = {
    f"{name}-default": _case(name, lists("distinct"), "none")
    for name in (*PAIRWISE, *LISTWISE, *POINTWISE, "CalibratedSoftmaxLoss")
} | {
    f"{name}-{asked[0]}{i}-default": _case(name, lists("distinct"), **{"lambda": asked})
    for i, asked in enumerate(LAMBDAS)
    for name in PAIRWISE
}


@pytest.fixture(scope="module")
def theirs():
    return run_tfr("ranking_losses", {**CASES, **DEFAULT})


def _function(name):
    own = {"rank_plus_one": lambda r: 1.0 / (r + 1.0), "one_more": lambda y: y + 1.0}
    return own.get(name) or getattr(gains, name)


def _arguments(options):
    return {k: _function(v) if k.endswith("_fn") else v for k, v in options.items()}


def ours(case: Case, **more) -> dict[str, np.ndarray]:
    """Returns what recs gives for a case, in a graph as well as eagerly."""
    options, arrays = case.options, case.arrays
    made = {**_arguments(options.get("arguments", {})), **more}
    if options.get("lambda"):
        name, given = options["lambda"]
        made["lambda_weight"] = getattr(recs.losses, name)(**_arguments(given))
    of_class = getattr(recs.losses, options["class"])
    if "noise" in arrays:
        of_class = type("Given", (of_class,), {"noise": lambda self, lists: arrays["noise"]})
    loss = of_class(reduction=options.get("reduction", "auto"), **made)
    labels, sample_weight = arrays["labels"], arrays.get("weights")
    if options.get("ragged"):
        labels = tf.RaggedTensor.from_tensor(labels, arrays["lengths"])
        if sample_weight is not None and sample_weight.shape == arrays["labels"].shape:
            sample_weight = tf.RaggedTensor.from_tensor(sample_weight, arrays["lengths"])
    dense = tf.constant(arrays["scores"])
    with tf.GradientTape() as tape:
        tape.watch(dense)
        scores = dense
        if options.get("ragged"):
            scores = tf.RaggedTensor.from_tensor(dense, arrays["lengths"])
        value = loss(labels, scores, sample_weight)
    return {"loss": value, "d": tape.gradient(value, dense)}


def compare(got, want):
    np.testing.assert_allclose(got["loss"], want["loss"], rtol=1e-5, atol=1e-6)
    scale = max(1e-3, float(np.abs(want["d"]).max()))
    np.testing.assert_allclose(got["d"], want["d"], rtol=1e-4, atol=1e-5 * scale)


def _is_quick(name):
    """Whether a case is of the default run: all that cases differ in, in pairs."""
    parts = name.split("-")
    if CASES[name].options.get("lambda"):
        return parts[0] in ("PairwiseLogisticLoss", "ListMLELoss") or parts[-1] == "padded"
    return parts[1] not in ("plain", "ties") or parts[2] in ("none", "item")


QUICK = [n if _is_quick(n) else pytest.param(n, marks=pytest.mark.slow) for n in CASES]


@pytest.mark.parametrize("name", QUICK)
def test_loss(name, theirs):
    compare(ours(CASES[name], tfr_compatible=True), theirs[name])


@pytest.mark.parametrize("name", DEFAULT)
def test_default_without_padding(name, theirs):
    compare(ours(DEFAULT[name]), theirs[name])


@pytest.mark.parametrize("key", recs.losses.RankingLossKey.all_keys())
def test_get(key):
    loss = recs.losses.get(key, name="x")
    assert isinstance(loss, keras.losses.Loss)
    assert loss.name == "x"


def test_noise_is_what_the_random_losses_draw():
    loss = recs.losses.GumbelApproxNDCGLoss(seed=3, sample_size=2000)
    assert isinstance(loss, RandomLoss)
    lists_ = loss._lists(np.zeros((1, 5)), np.zeros((1, 5)), None, None)
    assert lists_.labels.shape == (2000, 5)
    noise = np.asarray(loss.noise(recs.losses.SoftmaxLoss()._lists([[0.0] * 50], [[0.0] * 50],
                                                                    None, None)))  # fmt: skip
    # 100,000 draws: four standard errors of mean and deviation of a Gumbel distribution.
    np.testing.assert_allclose(noise.mean(), np.euler_gamma, atol=4 * 1.2825 / 316)
    np.testing.assert_allclose(noise.std(), np.pi / np.sqrt(6), atol=0.03)
