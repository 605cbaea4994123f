"""Figures of held-out interactions after every epoch, for callbacks that watch them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from recs.errors import explain
from recs.evaluation import HeldOut, evaluate_top_k
from recs.evaluation.top_k import check_metrics, list_lengths

# Figures of which more is better, and which a callback can therefore watch without a doubt.
HIGHER = ("recall", "ndcg", "precision", "hit_rate", "mrr", "map", "coverage")


class RetrievalMetrics(keras.callbacks.Callback):
    """Logs held-out recall, NDCG and other figures over the whole catalogue at the end of epochs.

    Each figure of `recs.evaluation.evaluate_top_k`, with what users have seen masked, becomes an
    entry of the logs: `recall@10` becomes `val_recall_10`. `EarlyStopping`, `ReduceLROnPlateau`,
    `ModelCheckpoint` and the history find it there. `val_nonfinite_scores` is the number of scores
    that were NaN or infinite.

    Put it before the callbacks that watch its figures, and give these `mode="max"`:
    `recs.Model.fit` raises otherwise. In a plain `keras.Model`, Keras warns that the figure is not
    available where the order is wrong.

    The figures are of the weights at the end of the epoch. Of a `LightGCN` the vectors are spread
    over the graph first.

    Args:
        held_out: what to evaluate on.
        ks: lengths of the lists, at most the number of items. Defaults to `(10,)`.
        metrics: as in `evaluate_top_k`. Defaults to `("recall", "ndcg")`.
        users: what `model.query_vectors` takes for `held_out.users`, such as a dict of columns, or
            the histories of `recs.data.sequences.latest` for a `SequentialRetrieval`. Defaults to
            `None`: the ids.
        items: what `model.candidate_vectors` takes for `held_out.catalogue`, such as
            `recs.data.Items` in its order. Defaults to `None`: the ids.
        vectors: function of the model that returns the vectors of users and of items, for a model
            without these two methods. Not with `users` or `items`. Defaults to `None`.
        every: evaluates after the first epoch, then after every so many, and after the last. In
            between, the logs repeat the figures, so that the patience of callbacks counts epochs.
            Defaults to `1`.
        allowed: as in `evaluate_top_k`. Defaults to `None`.
        item_counts: as in `evaluate_top_k`. Defaults to `None`.
        prefix: what the names in the logs begin with. Defaults to `"val_"`.
        progress: whether to show a progress bar while users are ranked. Defaults to `False`.

    Raises:
        ValueError: when `ks`, `metrics` or `every` are not of these, or, at the end of an epoch,
            when vectors do not fit `held_out`.
        TypeError: at the start of training, when the model has no `query_vectors` and
            `candidate_vectors` and there is no `vectors`.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.evaluation import HeldOut
    >>> train = Interactions({"user": ["ann", "bob", "eve"], "item": ["x", "y", "z"]})
    >>> held_out = HeldOut.of(train, Interactions({"user": ["ann"], "item": ["y"]}))
    >>> model = recs.models.TwoTower(user="user", item="item", embedding_dim=4, seed=1)
    >>> model.compile("adagrad")
    >>> figures = recs.callbacks.RetrievalMetrics(held_out, ks=(1,))
    >>> stop = keras.callbacks.EarlyStopping("val_ndcg_1", mode="max", patience=2)
    >>> data = train.to_dataset(batch_size=2)
    >>> history = model.fit(data, epochs=2, callbacks=[figures, stop], verbose=0).history
    >>> sorted(name for name in history if name.startswith("val_"))
    ['val_ndcg_1', 'val_nonfinite_scores', 'val_recall_1']

    ```
    """

    def __init__(
        self,
        held_out: HeldOut,
        ks: Sequence[int] = (10,),
        metrics: Sequence[str] = ("recall", "ndcg"),
        users: Any = None,
        items: Any = None,
        vectors: Callable[[Any], tuple[Any, Any]] | None = None,
        every: int = 1,
        allowed: np.ndarray | None = None,
        item_counts: Mapping[Any, float] | None = None,
        prefix: str = "val_",
        progress: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise _bad("`every`", "must be a positive number of epochs", f"every={every!r}")
        if vectors is not None and not (users is None and items is None):
            raise _bad("`vectors`", "must not be given with `users` or `items`", "both")
        check_metrics(metrics, item_counts)
        self.held_out = held_out
        self.ks = list_lengths(ks, len(held_out.catalogue), "RetrievalMetrics")
        self.metrics = tuple(metrics)
        self.users = held_out.users if users is None else users
        self.items = held_out.catalogue if items is None else items
        self.vectors = vectors
        self.every = every
        self.allowed = allowed
        self.item_counts = item_counts
        self.prefix = prefix
        self.progress = progress
        self._last: dict[str, float] = {}

    def log_names(self) -> dict[str, str]:
        """Returns the name in the logs of each figure, `recall@10` to `val_recall_10`."""
        names = [f"{metric}@{k}" for k in self.ks for metric in self.metrics]
        return {name: self.prefix + name.replace("@", "_") for name in names}

    def check_callbacks(self, callbacks: Sequence[Any]) -> None:
        """Raises unless the callbacks that watch these figures come after this one, as maxima.

        Args:
            callbacks: all of a training, in their order.
        """
        names = set(self.log_names().values())
        higher = {name for key, name in self.log_names().items() if key.split("@")[0] in HIGHER}
        before = True
        for callback in callbacks:
            before = before and callback is not self
            monitor = getattr(callback, "monitor", None)
            if monitor not in names:
                continue
            watcher = f"{type(callback).__name__}(monitor={monitor!r})"
            if before:
                remedy = "Put RetrievalMetrics first in `callbacks`."
                rule = "must come before the callbacks that watch its figures"
                raise _bad("RetrievalMetrics", rule, f"{watcher} before it", remedy)
            least = getattr(callback, "monitor_op", None) is np.less
            if monitor in higher and (least or getattr(callback, "mode", None) == "min"):
                rule = f"must take the largest {monitor} for the best"
                raise _bad(watcher, rule, "the smallest", 'Pass `mode="max"`.')

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that the model has vectors to evaluate."""
        self._last = {}
        wanted = ("query_vectors", "candidate_vectors")
        if self.vectors is None and not all(hasattr(self.model, name) for name in wanted):
            raise TypeError(
                explain(
                    "The model",
                    rule="must have `query_vectors` and `candidate_vectors`",
                    received=type(self.model).__name__,
                    where="RetrievalMetrics",
                    remedy="Pass `vectors=lambda model: (user_vectors, item_vectors)`.",
                )
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds the figures to the logs."""
        last = epoch + 1 == (self.params or {}).get("epochs")
        if not self._last or last or epoch % self.every == 0:
            self._last = self.evaluate()
        if logs is not None:
            logs.update(self._last)

    def evaluate(self) -> dict[str, float]:
        """Returns the figures of the model as it is, by their names in the logs."""
        users, items = self._vectors()
        bar = None
        if self.progress:
            bar = keras.utils.Progbar(len(self.held_out.users), unit_name="user")
        figures = evaluate_top_k(
            users,
            items,
            self.held_out,
            self.ks,
            self.metrics,
            allowed=self.allowed,
            item_counts=self.item_counts,
            progress=None if bar is None else lambda done, _: bar.update(done),
        )
        found = {name: figures[key] for key, name in self.log_names().items()}
        return {**found, f"{self.prefix}nonfinite_scores": float(figures.nonfinite_scores)}

    def _vectors(self) -> list[np.ndarray]:
        if self.vectors is not None:
            pair = self.vectors(self.model)
        else:
            if hasattr(self.model, "update_vectors"):
                self.model.update_vectors()
            pair = self.model.query_vectors(self.users), self.model.candidate_vectors(self.items)
        return [keras.ops.convert_to_numpy(vectors) for vectors in pair]


def _bad(what: str, rule: str, received: str, remedy: str = "") -> ValueError:
    where = "RetrievalMetrics"
    return ValueError(explain(what, rule=rule, received=received, where=where, remedy=remedy))
