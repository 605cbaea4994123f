"""Encoders of sequences and attention to them."""

from __future__ import annotations

import keras
import numpy as np

from recs.layers.sequence import (
    Dice,
    GRU4Rec,
    MeanHistory,
    PositionEmbedding,
    SASRec,
    SelfAttentionBlock,
    SequenceEncoder,
    TargetAttention,
)
from tests.harness.case import Case

_RNG = np.random.default_rng(13)
X = _RNG.normal(size=(5, 6, 4)).astype("float32")
TARGETS = _RNG.normal(size=(5, 4)).astype("float32")
LISTS = _RNG.normal(size=(5, 3, 4)).astype("float32")
# At the end, at the start, in between, nothing at all, everything.
PRESENT = np.array(
    [
        [1, 1, 1, 0, 0, 0],
        [0, 0, 1, 1, 1, 1],
        [1, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1],
    ],
    bool,
)


def _case(make, label="", **options) -> Case:
    return Case(make=make, inputs=(X,), padded=PRESENT, extreme=(X * 1e6,), label=label, **options)


CASES = {
    SASRec: [
        _case(lambda: SASRec(seed=1), "published"),
        _case(
            lambda: SASRec(1, 2, 3, ffn_dim=8, norm="post", empty="learned", seed=1),
            "post-short-learned",
        ),
        _case(lambda: SASRec(num_blocks=1, seed=1, return_sequences=True), "sequences"),
    ],
    GRU4Rec: [
        _case(lambda: GRU4Rec(seed=1), "published"),
        _case(
            lambda: GRU4Rec(3, 2, 0.3, 5, True, max_length=2, empty="learned", seed=1),
            "two-layers-learned",
        ),
        _case(lambda: GRU4Rec(seed=1, return_sequences=True), "sequences"),
    ],
    MeanHistory: [
        _case(MeanHistory),
        _case(lambda: MeanHistory(2, return_sequences=True), "sequences"),
    ],
    SelfAttentionBlock: [
        _case(lambda: SelfAttentionBlock(2, seed=1), "published"),
        _case(
            lambda: SelfAttentionBlock(1, 8, 0.5, "post", causal=False, seed=1),
            "post",
            # Normalized last: float16 rounds before the division by a small spread.
            tolerance=0.03,
        ),
    ],
    PositionEmbedding: [
        _case(
            lambda: PositionEmbedding(4, keras.initializers.RandomUniform(seed=1)),
        )
    ],
    Dice: [_case(Dice)],
    TargetAttention: [
        Case(
            make=lambda options=options: TargetAttention(seed=1, **options),
            inputs=(targets, X),
            kwargs={"history_mask": PRESENT[:, :]} if masked else {},
            label=label,
            extreme=(targets * 1e3, X * 1e3),
            # A mask that is an argument has a batch of its own.
            empty=not masked,
        )
        for label, targets, masked, options in (
            ("published", TARGETS, False, {}),
            ("softmax-lists", LISTS, False, {"normalize": True, "activation": "sigmoid"}),
            ("masked", TARGETS, True, {"units": [8, 4], "activation": "prelu"}),
        )
    ],
}

EXCUSED = {SequenceEncoder: "abstract"}
