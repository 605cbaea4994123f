"""What a server gives for serialised lists, in a process without recs."""

import keras
import numpy as np

import recs
from recs.data.ranking import RankingFeature, RankingFeatures, parse
from recs.layers.ranking_features import RankingInputs
from tests.data.ranking import protos
from tests.export.serving import ask_without_recs

FEATURES = RankingFeatures(
    context=[RankingFeature("history", "sequence", table="items", weights="seconds")],
    examples=[
        RankingFeature("item", "ids", table="items"),
        RankingFeature("tags", "sequence", dtype="string", combiner="sum"),
        RankingFeature("price"),
    ],
)


class Ranker(keras.Model):
    """A scorer of one dense layer."""

    def __init__(self):
        super().__init__()
        tables = [
            recs.layers.TableConfig("items", 3),
            recs.layers.TableConfig("tags", 2, key_dtype="string"),
        ]
        self.inputs_of_lists = RankingInputs(FEATURES, tables)
        self.dense = keras.layers.Dense(1)

    def call(self, batch, training=None):
        vectors = self.inputs_of_lists(batch, training=training)["features"]
        return keras.ops.squeeze(self.dense(vectors), -1)


def test_serialised_requests_score_as_the_model_does(tmp_path):
    examples = [
        protos.example(item=[i], tags=[b"t%d" % i] * (i % 3), price=[i / 2]) for i in range(1, 7)
    ]
    context = protos.example(history=[1, 2, 3], seconds=[1.0, 2.0, 0.5])
    long, short = protos.elwc(examples, context), protos.elwc(examples[:2])
    model = Ranker()
    model(parse([long, short], FEATURES, label=False), training=True)
    want = model(parse([long, short], FEATURES, label=False), training=False).numpy()
    path = recs.export.saved_model(
        model, tmp_path / "1", signatures=recs.export.ranking_signatures(model, FEATURES)
    )
    both, alone, default, one = ask_without_recs(
        [
            (path, "predict", {"inputs": np.array([long, short])}),
            (path, "predict", {"inputs": np.array([short])}),
            (path, "serving_default", {"inputs": np.array([long])}),
            (path, "regress", {"inputs": np.array([examples[0] + context, examples[1]])}),
        ],
        tmp_path,
    )
    np.testing.assert_allclose(both["output"][0], want[0], atol=1e-6)
    np.testing.assert_allclose(both["output"][1, :2], want[1, :2], atol=1e-6)
    assert (both["output"][1, 2:] == np.finfo("float32").min).all()
    np.testing.assert_allclose(alone["output"][0], both["output"][1, :2], atol=1e-6)
    np.testing.assert_allclose(default["output"][0], want[0], atol=1e-6)
    np.testing.assert_allclose(one["output"], [want[0, 0], want[1, 1]], atol=1e-6)
