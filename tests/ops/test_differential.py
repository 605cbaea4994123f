"""Long random sequences of operations on the compiled table and on the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recs.ops.admission_rule import AdmissionRule
from recs.ops.eviction_rule import EvictionRule
from recs.ops.reference import Batch, ReferenceTable
from recs.ops.reference.hashing import hash_bytes, mix
from recs.ops.row_initializer import CONSTANT, NORMAL, TRUNCATED_NORMAL, UNIFORM, RowInitializer
from tests.ops.compiled import CompiledTable
from tests.ops.conftest import key_of
from tests.ops.formulas import CASES

RULES = [case.rule for case in CASES.values()]
INITIALIZERS = [
    RowInitializer(CONSTANT, 0.5),
    RowInitializer(UNIFORM, -0.05, 0.05),
    RowInitializer(NORMAL, 0.0, 0.1),
    RowInitializer(TRUNCATED_NORMAL, 0.0, 0.1),
]
GOLDEN_WORDS = ["0x0", "0x72d1ca25df0f6518", "0xf20c560d8ae2e275"]
GOLDEN_STRINGS = [
    "0x2951d65e4b77d579",
    "0xc5188418bb8060ee",
    "0xff7e403ce46c367b",
    "0x4678b45b03a9a5c0",
    "0xc8290ddf56425c49",
]
KEYS = 60  # few, so that operations meet
# What a table admits and evicts; the first, without policies, comes most often.
POLICIES: list[dict[str, Any]] = [
    {},
    {"admission": AdmissionRule("minimum_count", count=3)},
    {"admission": AdmissionRule("probability", rate=0.4)},
    {"eviction": EvictionRule(steps_to_live=4)},
    {"eviction": EvictionRule(seconds_to_live=60, minimum_norm=0.4, minimum_norm_steps=2)},
    {"eviction": EvictionRule(max_rows=20)},
    {"eviction": EvictionRule(max_rows=35, victims="least_frequent", steps_to_live=8)},
    {
        "admission": AdmissionRule("minimum_count", count=2),
        "eviction": EvictionRule(max_rows=5, seconds_to_live=300),
    },
]


class Pair:
    """Both tables, given the same operations; whatever they return is compared at once."""

    def __init__(self, kind: str, seed: int, policies: dict[str, Any]) -> None:
        self.rng = np.random.default_rng(seed)
        self.kind = kind
        self.dim = int(self.rng.choice([1, 2, 3, 8, 17]))
        arguments = (self.dim, kind, INITIALIZERS[seed % len(INITIALIZERS)], seed - 3, 0.125)
        self.tables: list[Any] = [
            table(*arguments, **policies) for table in (ReferenceTable, CompiledTable)
        ]
        self.time = 1_000_000_000
        self.rule = RULES[(2 * seed + (kind == "string")) % len(RULES)]
        self.step = 0

    def both(self, verb: str, *arguments: Any, **options: Any) -> list[Any]:
        return [getattr(table, verb)(*arguments, **options) for table in self.tables]

    def keys(self) -> list[int | bytes]:
        n = int(self.rng.choice([0, 1, 5, 30]))
        return [key_of(self.kind, int(i)) for i in self.rng.integers(0, KEYS, n)]

    def floats(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal(shape).astype(np.float32)

    def batch(self) -> Batch:
        keys = self.keys()
        mask = self.rng.random(len(keys)) < 0.8 if self.rng.random() < 0.5 else None
        combiner = str(self.rng.choice(["none", "sum", "mean", "sqrtn"]))
        if combiner == "none" or not keys:
            return Batch(keys, mask if keys else None)
        cuts = np.sort(self.rng.integers(0, len(keys) + 1, 4))
        splits = np.concatenate([[0], cuts, [len(keys)]])
        weights = self.weights(len(keys), combiner) if self.rng.random() < 0.5 else None
        return Batch(keys, mask, splits, weights, combiner)

    def weights(self, n: int, combiner: str) -> np.ndarray:
        """Neither near zero nor, where they are summed and divided by, of two signs.

        What divides by a difference that cancels has no digits left to compare.
        """
        weights = self.floats(n)
        size = np.float32(0.2) + np.abs(weights)
        return size if combiner == "mean" else np.copysign(size, weights)

    def find(self) -> None:
        (expected, there), (got, found) = self.both("find", self.batch())
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(found, there)

    def train(self) -> None:
        """One to three look-ups, their gradients, and what comes of them."""
        steps = []
        for _ in range(self.rng.integers(1, 4)):
            self.time += int(self.rng.integers(-20, 30))  # events come late, too
            steps.append(self.both("find_or_insert", self.batch(), time=self.time))
        for expected, got in steps:
            np.testing.assert_allclose(got.output, expected.output, rtol=1e-6, atol=1e-6)
            # Both number distinct rows, each in its own order.
            present = expected.inverse >= 0
            np.testing.assert_array_equal(got.inverse >= 0, present)
            np.testing.assert_allclose(
                got.unique_rows[got.inverse[present]],
                expected.unique_rows[expected.inverse[present]],
                rtol=1e-6,
                atol=1e-6,
            )
        for expected, got in steps:
            gradient = self.floats(*expected.output.shape)
            if gradient.size and self.rng.random() < 0.1:
                gradient[self.rng.integers(len(gradient))] = self.rng.choice([np.nan, np.inf])
            theirs, ours = (
                table.add_gradient(one, gradient)
                for table, one in zip(self.tables, (expected, got), strict=True)
            )
            assert theirs[0] == ours[0]
            if expected.batch.weights is not None:
                np.testing.assert_allclose(ours[1], theirs[1], rtol=2e-5, atol=2e-5)
        if self.rng.random() < 0.2:
            self.both("remove", self.keys())
        fate = self.rng.random()
        if fate < 0.15:
            return  # nobody applies it
        if fate < 0.35:
            self.both("hold", scale=0.5)
            return
        options = {}
        if self.rng.random() < 0.3:
            options["clipnorm"] = float(self.rng.uniform(0.1, 3.0))
        if self.rng.random() < 0.3:
            options["weight_decay"] = float(self.rng.uniform(0.0, 0.5))
        if self.rng.random() < 0.3:
            options["clipvalue"] = float(self.rng.uniform(0.1, 1.0))
        updated, got_updated = self.both(
            "commit", *self.rule, learning_rate=0.05, step=self.step, scale=0.5, **options
        )
        assert updated == got_updated
        self.step += 1

    def upsert(self) -> None:
        keys = self.keys()
        self.both("upsert", keys, self.floats(len(keys), self.dim))

    def remove(self) -> None:
        expected, got = self.both("remove", self.keys())
        assert got == expected

    def evict(self) -> None:
        rules = [None, EvictionRule(max_rows=10), EvictionRule(steps_to_live=2), EvictionRule(
            max_rows=15, victims="least_frequent", seconds_to_live=100)]  # fmt: skip
        expected, got = self.both("evict", rules[int(self.rng.integers(len(rules)))])
        assert got == expected

    def take_evicted_keys(self) -> None:
        expected, got = self.both("evicted_keys")
        assert sorted(got) == sorted(expected)

    def change_optimizer(self) -> None:
        self.rule = RULES[int(self.rng.integers(len(RULES)))]

    def clear(self) -> None:
        self.both("clear")

    def save_and_go_back(self) -> None:
        states = self.both("serialize")
        self.train()
        for table, state in zip(self.tables, states, strict=True):
            table.deserialize(state)

    def compare(self) -> None:
        expected, got = self.both("export")
        assert got.keys() == expected.keys()
        for key, row in expected.items():
            np.testing.assert_allclose(got[key], row, rtol=1e-6, atol=1e-6)
        noted, got_noted = self.both("metadata")
        assert got_noted == noted
        stats, got_stats = self.both("stats")
        assert got_stats == stats
        held, got_held = self.both("held_applies")
        assert got_held == held


OPERATIONS = {
    Pair.train: 10,
    Pair.find: 3,
    Pair.upsert: 2,
    Pair.remove: 2,
    Pair.evict: 0.5,
    Pair.take_evicted_keys: 0.5,
    Pair.change_optimizer: 1.0,
    Pair.clear: 0.2,
    Pair.save_and_go_back: 0.5,
}


@pytest.mark.parametrize("operations", [60, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["int64", "string"])
@pytest.mark.parametrize("seed", range(28))
def test_the_compiled_table_does_what_the_reference_does(kind, seed, operations):
    pair = Pair(kind, seed, {} if seed < 12 else POLICIES[seed % len(POLICIES)])
    odds = np.array(list(OPERATIONS.values())) / sum(OPERATIONS.values())
    history = []
    try:
        for _ in range(operations):
            operation = list(OPERATIONS)[pair.rng.choice(len(odds), p=odds)]
            history.append(operation.__name__)
            operation(pair)
            pair.compare()
    except AssertionError as error:
        raise AssertionError(f"after {len(history)} operations: {history[-5:]}") from error


def test_the_hash_is_a_bijection_with_the_values_of_the_format():
    """Golden values: a change of the hash changes every new row of every table."""
    assert [hex(int(w)) for w in mix(np.array([0, 1, 2**64 - 1], np.uint64))] == GOLDEN_WORDS
    assert [hex(hash_bytes(b)) for b in (b"", b"\0", b"a", b"12345678", b"123456789")] == (
        GOLDEN_STRINGS
    )


@pytest.mark.parametrize("initializer", INITIALIZERS)
@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1, -1, -(2**63)])
@pytest.mark.parametrize("kind", ["int64", "string"])
def test_initial_rows_are_equal_to_the_bit(kind, initializer, seed):
    batch = Batch([key_of(kind, i) for i in range(200)])
    tables = [table(7, kind, initializer, seed) for table in (ReferenceTable, CompiledTable)]
    expected, got = (table.find_or_insert(batch).output for table in tables)
    np.testing.assert_array_equal(got, expected)
