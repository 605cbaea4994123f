"""After `import recs` alone, a file of every class of the package loads."""

from __future__ import annotations

import json

import keras

from recs.metrics import Factorized
from tests.harness.checks import functional
from tests.harness.new_process import run_code
from tests.harness.registry import CASES

LOAD = """
import json, pathlib, sys
import keras, recs
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        if path.suffix == ".json":
            keras.saving.deserialize_keras_object(json.loads(path.read_text()))
        else:
            keras.saving.load_model(path)
    except Exception as error:
        print(path.stem, str(error)[:300])
"""


def save(case, folder):
    """Saves a model with what the case makes as its layer, loss or metric."""
    made = case.make()
    path = folder / type(made).__name__
    if isinstance(made, Factorized) or not case.saved:  # No functional model can hold it.
        path.with_suffix(".json").write_text(json.dumps(keras.saving.serialize_keras_object(made)))
        return
    if isinstance(made, keras.layers.Layer):
        functional(case, made).save(path.with_suffix(".keras"))
        return
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    if isinstance(made, keras.losses.Loss):
        model.compile(loss=made)
    else:
        model.compile(loss="mse", metrics=[made])
    model.save(path.with_suffix(".keras"))


def test_every_file_loads_in_a_process_that_imported_recs_only(tmp_path):
    cases = [of_class[0] for of_class in CASES.values() if of_class]
    for case in cases:
        save(case, tmp_path)
    assert len(list(tmp_path.iterdir())) == len(cases) > 100
    assert run_code(LOAD, tmp_path) == ""
