"""LightGBM's lambdarank on lists, the peer of the benchmark of ranking quality."""

from __future__ import annotations

import importlib
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

VERSION = "4.7.0"
# The best of seven settings by cross-validation on the training lists, where LightGBM's own example
# (learning rate 0.1, 31 leaves, bagging of 0.9, 50 documents a leaf) has 0.767, and these 0.777.
SETTINGS = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "ndcg_eval_at": [10],
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.8,
    "bagging_freq": 1,
    "bagging_fraction": 0.8,
    "verbose": -1,
}


def scores(train, test, seed, rounds=500, early=41):
    """Returns scores of the items of `test`, early stopping on `early` of the training lists."""
    lightgbm = imported()
    drawn = np.random.RandomState(seed).permutation(len(train))
    fitted, stopping = train.take(drawn[early:]), train.take(drawn[:early])
    booster = lightgbm.train(
        {**SETTINGS, "seed": seed},
        _dataset(lightgbm, fitted),
        rounds,
        valid_sets=[_dataset(lightgbm, stopping)],
        callbacks=[lightgbm.early_stopping(50, verbose=False)],
    )
    return booster.predict(test.examples["features"])


def imported():
    """Returns the package; installs it by itself into a folder of the cache if it is not there."""
    try:
        return importlib.import_module("lightgbm")
    except ModuleNotFoundError:
        sys.path.append(str(_installed()))
    return importlib.import_module("lightgbm")


def _dataset(lightgbm, lists):
    features, labels = lists.examples["features"], lists.examples["label"]
    return lightgbm.Dataset(features, labels, group=np.diff(lists.row_splits))


def _installed():
    named = os.environ.get("RECS_CACHE_DIR")
    user = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    cache = pathlib.Path(named) if named else pathlib.Path(user, "recs")
    folder = cache / f"lightgbm-{VERSION}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as made:
        target = pathlib.Path(made, "packages")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*command, str(target), f"lightgbm=={VERSION}"], check=True)
        if not folder.exists():
            target.rename(folder)
    return folder
