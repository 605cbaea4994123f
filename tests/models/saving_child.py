"""Saves a model again and again, in a process that is there to be killed.

`python -m tests.models.saving_child FOLDER`: each line of the input has a fork of this process save
on from the number that the line holds; its process number is answered, and then each number when
both files of it are there. TensorFlow is imported once for all.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import sys

import keras
import numpy as np

import recs
from recs.layers import DynamicEmbedding

ROWS, DIM = 20_000, 8
FILES = ("m.keras", "m.weights.h5")


def model_of() -> recs.Model:
    ids = keras.Input((), dtype="int64")
    return recs.Model(ids, DynamicEmbedding(DIM, name="users")(ids))


def save(model: recs.Model, folder: pathlib.Path, number: int) -> None:
    rows = np.full((ROWS, DIM), number, np.float32)
    model.get_layer("users").table.upsert(np.arange(ROWS), rows)
    model.save(folder / FILES[0])
    model.save_weights(folder / FILES[1])


def main(folder: pathlib.Path) -> None:
    model = model_of()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            for number in itertools.count(int(line)):
                save(model, folder, number)
                print(number, flush=True)
        print(f"child {child}", flush=True)
        os.waitpid(child, 0)
        print("killed", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
