"""Layers and weights in lists and dicts, where `tf.train.Checkpoint` finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras


class FoundParts:
    """A mixin of layers and models: what they hold in lists and dicts is in checkpoints too.

    Keras tracks layers that are attributes, or in lists and dicts that are, and so do `.keras` and
    weights files. `tf.train.Checkpoint` follows attributes alone: it would leave the weights of all
    others out without a word. So every part gets an attribute of its own as well,
    `<name>_part_<number>`. What is put into a list after it was assigned is not seen.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if not isinstance(value, list | tuple | Mapping):
            return
        number = 0
        for part in _parts(value):
            super().__setattr__(f"{name}_part_{number}", part)
            number += 1
        while hasattr(self, f"{name}_part_{number}"):  # of a longer list before
            delattr(self, f"{name}_part_{number}")
            number += 1


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, keras.layers.Layer | keras.Variable):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _parts(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _parts(one)
