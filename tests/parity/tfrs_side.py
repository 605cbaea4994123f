"""The TFRS half of the parity tests; runs alone, under TF_USE_LEGACY_KERAS=1, without recs."""

from __future__ import annotations

import json
import sys

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs


def _loss(name):
    if name == "mean_crossentropy":
        return tf.keras.losses.CategoricalCrossentropy(from_logits=True)
    return {"mse": tf.keras.losses.MeanSquaredError}[name]() if name else None


def _dataset(arrays, batch):
    rows = arrays["candidates"]
    parts = (arrays["ids"], rows) if "ids" in arrays else rows
    return tf.data.Dataset.from_tensor_slices(parts).batch(batch)


def retrieval(options, arrays):
    batch_metrics = [tf.keras.metrics.TopKCategoricalAccuracy(k=2, name="top2")]
    loss_metrics = [tf.keras.metrics.Mean(name="mean")]
    task = tfrs.tasks.Retrieval(
        loss=_loss(options.get("loss")),
        batch_metrics=batch_metrics if options.get("batch_metrics") else None,
        loss_metrics=loss_metrics,
        temperature=options.get("temperature"),
        num_hard_negatives=options.get("num_hard_negatives"),
        remove_accidental_hits=options.get("remove_accidental_hits", False),
    )
    queries, candidates = tf.constant(arrays["queries"]), tf.constant(arrays["rows"])
    given = {k: tf.constant(arrays[k]) for k in options["given"]}
    with tf.GradientTape() as tape:
        tape.watch([queries, candidates])
        loss = task(queries, candidates, **given)
    gradients = tape.gradient(loss, [queries, candidates])
    return {
        "loss": loss,
        "dq": gradients[0],
        "dc": tf.convert_to_tensor(gradients[1]),
        "top2": batch_metrics[0].result(),
        "mean": loss_metrics[0].result(),
    }


def ranking(options, arrays):
    metrics = [tf.keras.metrics.RootMeanSquaredError()]
    prediction, label = tf.keras.metrics.Mean(), tf.keras.metrics.Mean()
    of_loss = tf.keras.metrics.Mean()
    task = tfrs.tasks.Ranking(_loss(options["loss"]), metrics, [prediction], [label], [of_loss])
    predictions = tf.constant(arrays["predictions"])
    weight = tf.constant(arrays["weight"]) if "weight" in arrays else None
    with tf.GradientTape() as tape:
        tape.watch(predictions)
        loss = task(tf.constant(arrays["labels"]), predictions, sample_weight=weight)
    values = [m.result() for m in (*metrics, prediction, label, of_loss)]
    return {"loss": loss, "d": tape.gradient(loss, predictions), "metrics": tf.stack(values)}


def factorized(options, arrays):
    if options["index"] == "brute_force":
        index = tfrs.layers.factorized_top_k.BruteForce(k=max(options["ks"]))
        source = index.index_from_dataset(_dataset(arrays, 16))
    else:
        source = _dataset(arrays, 16)
    metric = tfrs.metrics.FactorizedTopK(source, ks=options["ks"])
    for part in range(2):
        rows = slice(part * 8, part * 8 + 8)
        metric.update_state(
            tf.constant(arrays["queries"][rows]),
            tf.constant(arrays["positives"][rows]),
            true_candidate_ids=tf.constant(arrays["true_ids"][rows]) if options["by_id"] else None,
            sample_weight=tf.constant(arrays["weight"][rows]) if options["weighted"] else None,
        )
    return {"result": tf.stack(metric.result())}


def top_k(options, arrays):
    layers = tfrs.layers.factorized_top_k
    layer = {"streaming": layers.Streaming, "brute_force": layers.BruteForce}[options["layer"]]
    index = layer(k=options["k"]).index_from_dataset(_dataset(arrays, options["batch"]))
    queries = tf.constant(arrays["queries"])
    scores, ids = index(queries)
    few_scores, few_ids = index.query_with_exclusions(queries, tf.constant(arrays["excluded"]))
    return {"scores": scores, "ids": ids, "few_scores": few_scores, "few_ids": few_ids}


def loss_layers(options, arrays):
    logits, labels = tf.constant(arrays["logits"]), tf.constant(arrays["labels"])
    mined = tfrs.layers.loss.HardNegativeMining(options["n"])(logits, labels)
    # Upstream leaves the columns unsorted.
    order = tf.argsort(mined[0], axis=1, direction="DESCENDING")
    return {
        "mined": tf.gather(mined[0], order, batch_dims=1),
        "labels": tf.gather(mined[1], order, batch_dims=1),
        "hits": tfrs.layers.loss.RemoveAccidentalHits()(labels, logits, tf.constant(arrays["ids"])),
        "corrected": tfrs.layers.loss.SamplingProbablityCorrection()(
            logits, tf.constant(arrays["p"])
        ),
    }


class TwoTower(tfrs.Model):
    def __init__(self, arrays):
        super().__init__()
        regularizer = tf.keras.regularizers.L2(0.01)
        self.users = self._tower(arrays["users"], regularizer)
        self.items = self._tower(arrays["items"], None)
        rows = tf.data.Dataset.range(len(arrays["items"])).batch(16).map(self.items)
        self.task = tfrs.tasks.Retrieval(metrics=tfrs.metrics.FactorizedTopK(rows, ks=(1, 5)))

    def _tower(self, table, regularizer):
        start = tf.keras.initializers.Constant(table)
        return tf.keras.layers.Embedding(*table.shape, start, embeddings_regularizer=regularizer)

    def compute_loss(self, inputs, training=False):
        return self.task(
            self.users(inputs["user"]),
            self.items(inputs["item"]),
            sample_weight=inputs["weight"],
            compute_metrics=not training,
        )


def two_tower(options, arrays):
    model = TwoTower(arrays)
    model.compile(optimizer=tf.keras.optimizers.SGD(options["rate"]))
    logs = []
    for step in range(options["steps"]):
        batch = {k: tf.constant(arrays[k][step]) for k in ("user", "item", "weight")}
        got = model.train_step(batch)
        logs.append([got["loss"], got["regularization_loss"], got["total_loss"]])
    tested = model.test_step({k: tf.constant(arrays[k][0]) for k in ("user", "item", "weight")})
    hits = [tested[f"factorized_top_k/top_{k}_categorical_accuracy"] for k in (1, 5)]
    return {
        "logs": np.array(logs),
        "hits": np.array(hits),
        "test": np.array([tested["loss"], tested["total_loss"]]),
        "users": model.users.embeddings,
        "items": model.items.embeddings,
    }


def main(kinds, asked, given, answer):
    with open(asked) as file:
        cases = json.load(file)
    loaded = np.load(given, allow_pickle=False)
    out = {}
    for name, (kind, options) in cases.items():
        prefix = f"{name}|"
        arrays = {k[len(prefix) :]: loaded[k] for k in loaded.files if k.startswith(prefix)}
        for key, value in kinds[kind](options, arrays).items():
            array = np.asarray(value)
            out[f"{name}|{key}"] = array.astype(str) if array.dtype == object else array
    np.savez(answer, **out)


if __name__ == "__main__":
    main(globals(), *sys.argv[1:])
