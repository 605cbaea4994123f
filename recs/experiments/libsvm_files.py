"""Lists to rank from LibSVM files in a configuration."""

from __future__ import annotations

import numpy as np

from recs.data import lightgbm_rank
from recs.data.ranking import RankingLists, read_libsvm
from recs.data.splits import Split
from recs.errors import explain
from recs.experiments.source import Source


class LibSVMFiles(Source):
    """Training and test lists in LibSVM or LETOR files; see `recs.data.ranking.read_libsvm`.

    Args:
        train: The file of training lists; a relative path starts in the current folder. Defaults
            to `None`: LightGBM's example, which is in the package (`recs.data.lightgbm_rank`).
        test: The file of test lists. Defaults to `None`, as `train`.
        train_sizes: For files without `qid`, the file with the sizes of the training lists.
            Defaults to `None`.
        test_sizes: Likewise for the test lists. Defaults to `None`.
        num_features: How many features there are. Defaults to `300`.

    Raises:
        ValueError: when only one of `train` and `test` is given.

    Example:
    ```python
    >>> from recs.experiments import LibSVMFiles
    >>> LibSVMFiles().load().test
    RankingLists(50 lists, 768 items: features, label)

    ```
    """

    def __init__(
        self,
        train: str | None = None,
        test: str | None = None,
        train_sizes: str | None = None,
        test_sizes: str | None = None,
        num_features: int = 300,
    ) -> None:
        if (train is None) != (test is None):
            raise ValueError(
                explain(
                    "`train` and `test`",
                    rule="must both be given, or neither",
                    received=f"train={train!r}, test={test!r}",
                    where="LibSVMFiles",
                )
            )
        self.train = train
        self.test = test
        self.train_sizes = train_sizes
        self.test_sizes = test_sizes
        self.num_features = num_features

    def load(self) -> Split[RankingLists]:
        """Returns the training and the test lists; `OwnTest` takes them."""
        if self.train is None or self.test is None:
            return lightgbm_rank.load()
        train = self._read(self.train, self.train_sizes)
        return Split(train, self._read(self.test, self.test_sizes), train.take(np.zeros(0, int)))

    def _read(self, path: str, sizes: str | None) -> RankingLists:
        return read_libsvm(path, query_sizes=sizes, num_features=self.num_features)
