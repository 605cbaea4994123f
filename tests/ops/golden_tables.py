"""The tables of which files of version 1 are kept, and the way those files were made.

`python -m tests.ops.golden_tables` writes the files that are missing. Those that are there stay as
they are: they stand for what users have.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np

from recs.ops.admission_rule import AdmissionRule
from recs.ops.record_table import RecordTable
from recs.ops.reference import Batch
from recs.ops.row_initializer import BLOCK, CONSTANT, TRUNCATED_NORMAL, UNIFORM, RowInitializer
from recs.ops.table_resource import TableResource
from tests.ops.compiled import CompiledTable
from tests.ops.conftest import key_of

FOLDER = pathlib.Path(__file__).parent / "golden"

OPTIMIZERS = {
    "adagrad": (0.125, 1e-7),
    "sgd": (0.5, 0.0),
    "lazy_adam": (0.9, 0.999, 0.1, 0.001, 1e-7, 1.0, 1.0),
}
DRAWN = np.arange(12, dtype=np.float32).reshape(4, 3)
MINIMUM = AdmissionRule("minimum_count", count=3)
BLOOM = AdmissionRule("counting_bloom_filter", 3, 100, 0.1)

UNIFORM_ROWS = RowInitializer(UNIFORM, -1.0, 1.0)
TABLES: dict[str, Callable[[], CompiledTable]] = {
    "adagrad": lambda: CompiledTable(3, "int64", UNIFORM_ROWS, 3),
    "momentum": lambda: CompiledTable(
        3, "string", RowInitializer(TRUNCATED_NORMAL, 0.0, 0.5), -7, storage="bfloat16"
    ),
    "no_slots": lambda: CompiledTable(
        3, "int64", RowInitializer(CONSTANT, 0.25), 0, storage="float16"
    ),
    "scalars": lambda: CompiledTable(3, "string", UNIFORM_ROWS, 3),
    "waiting": lambda: CompiledTable(3, "string", UNIFORM_ROWS, 3, admission=MINIMUM),
    "bloom": lambda: CompiledTable(3, "int64", UNIFORM_ROWS, 3, admission=BLOOM),
    "drawn": lambda: CompiledTable(3, "int64", RowInitializer(BLOCK, block=DRAWN), 5),
    "empty": lambda: CompiledTable(3, "string", UNIFORM_ROWS, 3),
    "chain": lambda: CompiledTable(3, "string", UNIFORM_ROWS, 3, admission=MINIMUM),
}
OPTIMIZER_OF = {"momentum": "sgd", "no_slots": "lazy_adam", "scalars": "lazy_adam"}
# Of each state a file; of the chain a base and two deltas.
STATES = [name for name in TABLES if name != "chain"]
CHAIN = ["chain_base", "chain_delta_1", "chain_delta_2"]


def records() -> RecordTable:
    return RecordTable(2, 3, "string")


def train(name: str, table: CompiledTable, steps: range) -> None:
    """Trains a table on some keys for some steps."""
    kind = table.table.key_dtype.name
    for step in steps:
        keys = [key_of(kind, i) for i in range(20) for _ in range(1 + (i + step) % 3) if i % 5 < 4]
        if step % 2 == 0:  # twice and no more, so that they wait where three times are asked for
            keys += [key_of(kind, 30 + 10 * step + i) for i in range(3) for _ in range(2)]
        gradient = np.linspace(-1.0, 1.0, 3 * len(keys), dtype=np.float32).reshape(-1, 3)
        table.add_gradient(table.find_or_insert(Batch(keys), time=1_700_000_000 + step), gradient)
        optimizer = OPTIMIZER_OF.get(name, "adagrad")
        table.commit(optimizer, OPTIMIZERS[optimizer], learning_rate=0.5, step=step)


def path_of(name: str) -> pathlib.Path:
    return FOLDER / f"{name}.table"


def _write_state(name: str) -> None:
    table = TABLES[name]()
    if name != "empty":
        train(name, table, range(2 if table.table._admission.kind != "everything" else 4))
        table.upsert([key_of(table.table.key_dtype.name, 3)], [[1.0, 2.0, 3.0]])
    table.table.save(path_of(name), slots=name != "no_slots")


def _write_chain() -> None:
    table = TABLES["chain"]()
    train("chain", table, range(2))
    cursor = table.table.save_delta(path_of(CHAIN[0]), slots=True)
    table.remove([key_of("string", i) for i in (0, 1, 10)])
    train("chain", table, range(2, 3))
    cursor = table.table.save_delta(path_of(CHAIN[1]), since=cursor, slots=True)
    table.remove([key_of("string", 2)])
    train("chain", table, range(3, 5))
    table.remove([key_of("string", 5)])
    table.table.save_delta(path_of(CHAIN[2]), since=cursor, slots=True)


def _write_records() -> None:
    table = records()
    keys = [b"a", b"", b"a", b"a", b"a", b"x" * 50]
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    table.append(keys, values, timestamps=[1, 2, 3, 4, 5, 6])
    _save(table, "records")


def _save(table: TableResource, name: str) -> None:
    table.save(path_of(name))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in STATES:
        if not path_of(name).exists():
            _write_state(name)
    if not path_of(CHAIN[0]).exists():
        _write_chain()
    if not path_of("records").exists():
        _write_records()


if __name__ == "__main__":
    main()
