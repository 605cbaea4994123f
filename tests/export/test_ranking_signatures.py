"""What a server gives for lists, in a process without recs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.data.ranking import RankingFeature, RankingFeatures, parse
from recs.layers.ranking import DocumentInteractionAttention
from tests.data.ranking import protos
from tests.export.serving import ask_without_recs

pytestmark = pytest.mark.slow

FEATURES = RankingFeatures(
    context=[
        RankingFeature("history", "sequence", table="items", combiner="attention", query="item"),
        RankingFeature("country", "ids", dtype="string", default="none"),
    ],
    examples=[
        RankingFeature("item", "ids", table="items"),
        RankingFeature("tags", "sequence", dtype="string", combiner="sum", weights="tag-weights"),
        RankingFeature("price", shape=(2,)),
    ],
)
SIZES = (6, 2)
LOWEST = np.finfo("float32").min


def made():
    """A ranker whose items look at each other, so that padding could show."""
    keras.utils.set_random_seed(4)
    scorer = keras.Sequential(
        [keras.layers.Dense(8), DocumentInteractionAttention(2, 4, dropout=0.0)]
    )
    model = recs.models.Ranker(FEATURES, scorer=scorer, units=1, embedding_dim=4, seed=4)
    model(parse(records(), FEATURES, label=False), training=True)
    return model


def items(count):
    return [
        protos.example(
            item=[i],
            tags=[b"t%d" % i] * (i % 3),
            price=[i / 2, -i / 4],
            **{"tag-weights": [0.5 * i] * (i % 3)},
        )
        for i in range(1, count + 1)
    ]


CONTEXTS = [protos.example(history=[1, 2, 3], country=[b"nl"]), protos.example(country=[b"de"])]


def records():
    return [protos.elwc(items(n), c) for n, c in zip(SIZES, CONTEXTS, strict=True)]


def tensors(lists, width, noise):
    """The same lists as tensors, padded to `width` items with what must not matter."""
    count = len(lists)
    mask = np.arange(width) < np.array([SIZES[i] for i in lists])[:, None]
    numbers = np.tile(np.arange(1, width + 1), (count, 1))
    lengths = np.where(mask, numbers % 3, noise % 3)
    there = np.arange(3) < lengths[..., None]
    tags = np.char.add("t", numbers.astype(str)).astype(object)
    return {
        "history": np.array([[[1, 2, 3, noise], [noise] * 4][i] for i in lists]),
        "history_lengths": np.array([[3, 0][i] for i in lists]),
        "country": np.array([["nl", "de"][i] for i in lists], object),
        "item": np.where(mask, numbers, noise),
        "tags": np.where(there, tags[..., None], f"t{noise}"),
        "tags_lengths": lengths,
        "tag_weights": np.where(there, 0.5 * numbers[..., None], noise).astype("float32"),
        "price": np.where(
            mask[..., None], np.stack([numbers / 2, -numbers / 4], -1), float(noise)
        ).astype("float32"),
        "mask": mask,
    }


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranker")
    model = made()
    batch = parse(records(), FEATURES, label=False)
    path = recs.export.saved_model(model, folder / "1")
    elwc = np.array(records())
    flat = [one + CONTEXTS[0] for one in items(6)]
    requests = {
        "both": ("predict", {"inputs": elwc}),
        "alone": ("predict", {"inputs": elwc[1:]}),
        "default": ("serving_default", {"inputs": elwc[:1]}),
        "regress": ("regress", {"inputs": np.array(flat)}),
        "raw": ("score", tensors([0, 1], 6, noise=5)),
        "raw alone": ("score", tensors([1], 2, noise=1)),
        "raw padded": ("score", tensors([1], 9, noise=3)),
    }
    given = [(path, name, inputs) for name, inputs in requests.values()]
    found = ask_without_recs(given, folder)
    outputs = {name: one["output"] for name, one in zip(requests, found, strict=True)}
    return {**outputs, "model": model(batch, training=False).numpy()}


def test_serialised_lists_score_as_the_model_does(answers):
    np.testing.assert_allclose(answers["both"], answers["model"], atol=1e-5)
    np.testing.assert_allclose(answers["default"][0], answers["model"][0], atol=1e-5)
    assert (answers["both"][1, 2:] == LOWEST).all()
    assert np.ptp(answers["model"][0]) > 1e-2


def test_tensors_score_as_serialised_lists_do(answers):
    np.testing.assert_allclose(answers["raw"], answers["both"], atol=1e-5)


def test_padding_changes_no_score(answers):
    for name in ("alone", "raw alone", "raw padded"):
        np.testing.assert_allclose(answers[name][0, :2], answers["both"][1, :2], atol=1e-5)
    assert (answers["raw padded"][0, 2:] == LOWEST).all()


def test_an_item_by_itself_scores_as_a_list_of_one(answers):
    model = made()
    alone = [protos.elwc([one], CONTEXTS[0]) for one in items(6)]
    want = model(parse(alone, FEATURES, label=False), training=False)[:, 0]
    assert answers["regress"].shape == (6,)
    np.testing.assert_allclose(answers["regress"], want, atol=1e-5)


def test_wrong_arguments():
    model = keras.layers.Identity()
    with pytest.raises(ValueError, match="`default` must be 'predict', 'regress' or 'score'"):
        recs.export.ranking_signatures(model, FEATURES, default="rank")
    twice = RankingFeatures(examples=[RankingFeature("a-b"), RankingFeature("a_b")])
    with pytest.raises(ValueError, match="The names must differ"):
        recs.export.ranking_signatures(model, twice)
    names = {spec.name for spec in tf.nest.flatten(_score(model).input_signature)}
    assert names == {"x", "mask"}


def _score(model):
    one = RankingFeatures(examples=[RankingFeature("x")])
    return recs.export.ranking_signatures(model, one)["score"]
