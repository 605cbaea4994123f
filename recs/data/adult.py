"""The census data of income and marital status, which is in the package."""

from __future__ import annotations

import csv
import gzip
import io
from importlib import resources

import numpy as np

from recs.data.samples import Samples
from recs.data.splits import Split

NUMBERS = (
    "age",
    "fnlwgt",
    "educational_num",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
)
CATEGORIES = (
    "workclass",
    "education",
    "occupation",
    "relationship",
    "race",
    "gender",
    "native_country",
)
LABELS = ("income", "never_married")


def load(test_fraction: float = 1 / 3, seed: int = 0) -> Split:
    """Returns 48,842 persons of the census of 1994, with two labels.

    `income` is 1 for more than 50,000 dollars a year (24 %), `never_married` for who never was
    (33 %); the column of the marital status itself is left out. They are the two tasks of the MMoE
    paper's first group. What is not known is the category "?". Names
    have `_` where the source has `-`.

    Args:
        test_fraction: The share of persons, drawn at random, that test. Defaults to a third, as in
            the data's own division. There is no validation part: `take` rows of the training part.
        seed: Another seed, another division. Defaults to `0`.

    Shapes: numbers `(rows,)` float32, categories `(rows,)` object arrays of `str`, labels `(rows,)`
        float32.

    Example:
    ```python
    >>> from recs.data import adult
    >>> train, test = adult.load()
    >>> len(train), len(test), adult.LABELS
    (32561, 16281, ('income', 'never_married'))
    >>> round(float(train["income"].mean()), 2)
    0.24

    ```

    Reference: Becker and Kohavi, "Adult", UCI Machine Learning Repository, 1996, CC BY 4.0,
    https://doi.org/10.24432/C5XW20.
    """
    packed = (resources.files("recs.data") / "bundled" / "adult.csv.gz").read_bytes()
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(packed).decode())))
    columns = {
        name: np.array([float(row[name.replace("_", "-")]) for row in rows], np.float32)
        for name in NUMBERS
    }
    columns |= {
        name: np.array([row[name.replace("_", "-")] for row in rows], object) for name in CATEGORIES
    }
    columns["income"] = np.array([row["income"] == ">50K" for row in rows], np.float32)
    never = [row["marital-status"] == "Never-married" for row in rows]
    columns["never_married"] = np.array(never, np.float32)
    samples = Samples(columns)
    # RandomState's stream is frozen by NumPy.
    drawn = np.random.RandomState(seed).permutation(len(samples))
    held_out = np.zeros(len(samples), bool)
    held_out[drawn[: round(len(samples) * test_fraction)]] = True
    return Split(samples.take(~held_out), samples.take(held_out), samples.take([]))
