"""Batches of serialised lists against TF-Ranking's, parsed at once from the same records."""

from __future__ import annotations

import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from recs.data.ranking import RankingFeature, RankingFeatures, parse
from tests.data.ranking import protos
from tests.parity.tfr_peer import installed

SIDE = pathlib.Path(__file__).parent / "tfr_data_side.py"
FEATURES = RankingFeatures(
    context=[
        RankingFeature("history", "sequence"),
        RankingFeature("country", "ids", dtype="string", default="none"),
    ],
    examples=[
        RankingFeature("price", shape=(1,), default=-7.0),
        RankingFeature("tags", "sequence", dtype="string"),
    ],
    label_dtype="int64",
)
RNG = np.random.default_rng(41)
SIZES = [3, 1, 7, 2]
NAMES = {"ELWC": "elwc", "EIE": "example_in_example", "SEQ": "sequence_example"}


def lists():
    """Yields the values of items and of the context, some of them missing."""
    for i, size in enumerate(SIZES):
        items = [
            {"price": [float(x)], "label": [int(y)], "tags": [b"t%d" % t for t in range(n)]}
            for x, y, n in zip(
                RNG.normal(size=size),
                RNG.integers(0, 5, size),
                RNG.integers(0, 3, size),
                strict=True,
            )
        ]
        context = {"history": [int(x) for x in RNG.integers(1, 99, i)]}
        yield items, context if i == 2 else {**context, "country": [b"nl"]}


LISTS = list(lists())


def records(format):
    made = []
    for items, context in LISTS:
        examples = [protos.example(**one) for one in items]
        if format == "ELWC":
            made.append(protos.elwc(examples, protos.example(**context)))
        elif format == "EIE":
            made.append(protos.example_in_example(examples, protos.example(**context)))
        else:
            steps = {key: [one[key] for one in items] for key in ("price", "label", "tags")}
            made.append(protos.sequence_example(steps, **context))
    return made


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfr")
    asked = {
        f"{format}-{size}": (format, records(format), size)
        for format in NAMES
        for size in (None, 2, 9)
    }
    (folder / "given").write_bytes(pickle.dumps(asked))
    done = subprocess.run(
        [sys.executable, SIDE, installed(), folder / "given", folder / "answer"],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return pickle.loads((folder / "answer").read_bytes())


@pytest.mark.parametrize("format", NAMES)
@pytest.mark.parametrize("list_size", [None, 2, 9])
def test_batches_are_alike(peer, format, list_size):
    batch = parse(records(format), FEATURES, NAMES[format], list_size=list_size)
    want = peer[f"{format}-{list_size}"]
    assert set(want) == set(batch)
    for name, value in want.items():
        found = batch[name]
        if isinstance(found, tf.RaggedTensor):
            if name == "tags":
                # Where TF-Ranking cuts sequences of SequenceExamples it does not pad them too.
                width = batch["mask"].shape[1]
                value = [row + [[]] * (width - len(row)) for row in value]
            assert found.to_list() == value
        else:
            value = np.array(value)
            np.testing.assert_array_equal(found, value[..., 0] if name == "label" else value)
