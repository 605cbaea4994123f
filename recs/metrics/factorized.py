"""The interface of metrics over a whole corpus."""

from __future__ import annotations

import abc
from typing import Any

import keras


class Factorized(keras.layers.Layer, abc.ABC):
    """Base of metrics that ask how well the embeddings of queries find their candidates.

    A layer that holds Keras metrics, one for each number it reports. Held by a task, they are
    reset and reported by `fit` under their own names.

    Args:
        name: str. The layer's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: see `update_state`; `result()` is a list of float32 scalars.

    Example:
    ```python
    >>> from recs.metrics import Factorized, FactorizedTopK
    >>> issubclass(FactorizedTopK, Factorized)
    True

    ```

    Reference: `tfrs.metrics.Factorized`.
    """

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **{"autocast": False, **kwargs})
        self.built = True

    @abc.abstractmethod
    def update_state(
        self,
        query_embeddings: Any,
        true_candidate_embeddings: Any,
        true_candidate_ids: Any = None,
        sample_weight: Any = None,
    ) -> None:
        """Takes a batch into account.

        Args:
            query_embeddings: `(queries, dim)`.
            true_candidate_embeddings: `(queries, dim)`, of the candidate each query chose.
            true_candidate_ids: `(queries,)`, their ids. Defaults to `None`.
            sample_weight: `(queries,)`. Defaults to `None`, which weighs all alike.
        """

    def reset_state(self) -> None:
        """Forgets every batch."""
        for metric in self.metrics:
            metric.reset_state()

    def reset_states(self) -> None:
        """Does what `reset_state` does, under Keras 2's name."""
        self.reset_state()

    def result(self) -> list[Any]:
        """Returns the value of each metric."""
        return [metric.result() for metric in self.metrics]
