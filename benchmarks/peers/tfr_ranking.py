"""The TF-Ranking side of ranking_losses.py; runs alone, under TF_USE_LEGACY_KERAS=1.

Answers one line of JSON with another: told what to make it makes it, told to run it says how many
seconds that took. So both sides can take turns within one run.
"""

from __future__ import annotations

import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "parity"))

import numpy as np
import tensorflow as tf
from tfr_imported import import_tfr

tfr = import_tfr(sys.argv[1])


def made(asked, arrays):
    """Returns a call of one loss, forward and backward, or of one metric."""
    labels, scores = (tf.constant(arrays[name]) for name in ("labels", "scores"))
    options = dict(asked["options"])
    if "lambda" in asked:
        options["lambda_weight"] = getattr(tfr.keras.losses, asked["lambda"])()
    if asked["kind"] == "metric":
        metric = getattr(tfr.keras.metrics, asked["class"])(**options)

        @tf.function
        def judge(labels, scores):
            metric.update_state(labels, scores)
            return metric.result()

        return lambda: judge(labels, scores).numpy()
    loss = getattr(tfr.keras.losses, asked["class"])(**options)

    @tf.function
    def step(labels, scores):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            value = loss(labels, scores)
        return value, tape.gradient(value, scores)

    return lambda: step(labels, scores)[0].numpy()


def main() -> None:
    calls = {}
    for line in sys.stdin:
        asked = json.loads(line)
        if "arrays" in asked:
            with np.load(asked["arrays"]) as file:
                calls = {"call": made(asked, {name: file[name] for name in file.files})}
            print(json.dumps({"value": float(calls["call"]())}), flush=True)
        else:
            start, busy = time.perf_counter(), time.process_time()
            calls["call"]()
            seconds, cpu = time.perf_counter() - start, time.process_time() - busy
            print(json.dumps({"seconds": seconds, "cpu": cpu}), flush=True)


if __name__ == "__main__":
    main()
