"""A sequential model is saved, and served by TensorFlow alone."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

import recs
from recs.data import sequences
from tests.harness.new_process import run_code
from tests.models.test_sequential import (
    ENCODERS,
    LOG,
    trained,
)

LOAD = """
import sys, keras
import recs.models
model = keras.saving.load_model(sys.argv[1])
answer = model.recommend([["a", "b"], ["f"], []], k=4, exclude_seen=True)
assert model.query_tower.embedding is model.candidate_tower.embedding
print("|".join(answer.titles.ravel()), answer.scores.ravel().tolist(), sep="#")
"""


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_saved_model_recommends_the_same_in_a_new_process(tmp_path, encoder):
    model = trained(encoder, epochs=3, item_bias=True, negatives=4)
    model.save(tmp_path / "model.keras")
    answer = model.recommend([["a", "b"], ["f"], []], k=4, exclude_seen=True)
    model.candidate_tower.embedding.table.clear()
    output = run_code(LOAD, tmp_path / "model.keras")
    titles, scores = output.strip().splitlines()[-1].split("#")
    assert titles == "|".join(answer.titles.ravel())
    assert [float(x) for x in scores.strip("[]").split(",")] == pytest.approx(
        answer.scores.ravel().tolist(), rel=1e-5
    )


@pytest.mark.slow
def test_a_loaded_model_goes_on_training(tmp_path):
    drawn = {"negatives": 4, "negatives_from": "catalogue"}
    trained(epochs=1, share_items=False, **drawn).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    before = loaded.candidate_tower.embedding.table.lookup(["a"])
    data = sequences.windows(LOG, 4).to_dataset(["history", "item"], batch_size=16)
    loaded.fit(data, verbose=0)
    assert (loaded.candidate_tower.embedding.table.lookup(["a"]) != before).any()
    assert loaded.get_config()["negatives"] == 4
    assert loaded.query_tower.embedding is not loaded.candidate_tower.embedding


SERVE = """
import sys, json
import tensorflow as tf
assert "recs" not in sys.modules
serve = tf.saved_model.load(sys.argv[1]).signatures
asked = {"history": tf.constant([["a", "b", "z"], ["f", "x", "a"], ["a", "a", "a"]]),
         "history_lengths": tf.constant([2, 1, 0], tf.int64)}
found = {name: serve[name](**asked) for name in ("serving_default", "unseen", "embed_query")}
found["top_k"] = serve["top_k"](**asked, k=tf.constant(2))
assert not [m for m in sys.modules if m.startswith("recs")]
print(json.dumps({f"{s}/{o}": v.numpy().astype(str).tolist()
                  for s, out in found.items() for o, v in out.items()}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["sasrec", "gru"])
def test_it_is_served_by_tensorflow_alone(tmp_path, encoder):
    import json

    model = trained(encoder, epochs=3, item_bias=True)
    path = recs.export.saved_model(model, tmp_path / "served" / "1")
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PATH": "/usr/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    histories = [["a", "b"], ["f"], []]
    want = model.recommend(histories, k=6)
    assert [[i[2:-1] if i.startswith("b'") else i for i in row]
            for row in found["serving_default/ids"]] == want.ids.tolist()  # fmt: skip
    np.testing.assert_allclose(
        np.array(found["serving_default/scores"], float), want.scores, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        np.array(found["embed_query/embedding"], float), model.query_vectors(histories), rtol=1e-4,
        atol=1e-5,
    )  # fmt: skip
    assert np.array(found["top_k/ids"]).shape == (3, 2)
    unseen = model.recommend(histories, k=6, exclude_seen=True)
    kept = unseen.scores > -1e30
    clean = [[i[2:-1] if i.startswith("b'") else i for i in row] for row in found["unseen/ids"]]
    assert [[i for i, k in zip(r, m, strict=True) if k] for r, m in zip(clean, kept, strict=True)] \
        == [[i for i, k in zip(r, m, strict=True) if k]
            for r, m in zip(unseen.ids, kept, strict=True)]  # fmt: skip
