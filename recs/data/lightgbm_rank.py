"""The lists of LightGBM's example of learning to rank, which are in the package."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from recs.data.splits import Split

if TYPE_CHECKING:
    from recs.data.ranking import RankingLists

_NAME = "lightgbm-rank"


def load() -> Split[RankingLists]:
    """Returns 201 training and 50 test lists of documents, graded from 0 to 4.

    Lists have 1 to 27 documents, 3,005 and 768 in all, with 300 features from 0 to 1; 0 is also
    what is not known. Of the training lists three have no relevant document. There is no validation
    part: `take` lists of the training part. The data is small, so figures are noisy: the standard
    error of NDCG@10 on the test lists is about 0.03.

    Shapes: `features` `(documents, 300)` float32, `label` `(documents,)` float32.

    Example:
    ```python
    >>> from recs.data import lightgbm_rank
    >>> train, test = lightgbm_rank.load()
    >>> train
    RankingLists(201 lists, 3,005 items: features, label)
    >>> test.examples["features"].shape
    (768, 300)

    ```

    Reference: `examples/lambdarank` of LightGBM, MIT licence: `lightgbm_rank.licence()`.
    """
    train, test = _read("train"), _read("test")
    return Split(train, test, train.take(np.zeros(0, int)))


def licence() -> str:
    """Returns the licence under which LightGBM gives the data, MIT.

    Example:
    ```python
    >>> from recs.data import lightgbm_rank
    >>> "MIT License" in lightgbm_rank.licence()
    True

    ```
    """
    return _folder().joinpath(f"{_NAME}-LICENSE.txt").read_text(encoding="utf-8")


def _folder() -> resources.abc.Traversable:
    return resources.files("recs.data") / "bundled"


def _read(part: str) -> RankingLists:
    from recs.data.ranking import read_libsvm  # imports TensorFlow

    lines = _folder() / f"{_NAME}-{part}.txt.gz"
    sizes = _folder() / f"{_NAME}-{part}.query"
    with resources.as_file(lines) as path, resources.as_file(sizes) as query_sizes:
        return read_libsvm(path, query_sizes=query_sizes, num_features=300)
