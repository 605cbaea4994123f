"""Base class of the models that recommend items from a catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import tensorflow as tf

from recs.data.items import Items
from recs.errors import explain
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.layers.factorized_top_k import BruteForce
from recs.layers.factorized_top_k.exclusion import EXCLUDED_SCORE
from recs.models.base import ReadyModel
from recs.models.catalogue import Catalogue
from recs.models.encode import as_ids, in_batches
from recs.models.recommendations import Recommendations
from recs.models.tower import Tower


class Recommender(ReadyModel):
    """Base class of models with an item tower, an index of item vectors, and titles.

    A subclass makes its towers and gives that of the items to `_own_candidates`.

    Args:
        **kwargs: The arguments of `keras.Model`.
    """

    candidate_tower: Tower

    def _own_candidates(self, tower: Tower) -> None:
        self.candidate_tower = tower
        # One number per item, looked up by id: a table that is never trained.
        self.popularity = DynamicEmbedding(
            1, key_dtype=tower.id_dtype, trainable=False, name="popularity", seed=0
        )
        self.top_k = BruteForce(name="top_k")
        self.catalogue = Catalogue(name="catalogue")

    @property
    def _where(self) -> str:
        return f"{type(self).__name__} '{self.name}'"

    def set_popularity(self, counts: Mapping[Any, int]) -> Self:
        """Sets the items that training knows, and how often each occurs; returns the model.

        Args:
            counts: item id to its number of training interactions, as
                `train.item_counts()` gives it. An item that is missing counts as very rare (1e-6).

        Raises:
            ValueError: when there are no counts, or one is not positive.
        """
        numbers = np.array(list(counts.values()), np.float64)
        if not len(numbers) or not (numbers > 0).all():
            raise ValueError(
                explain(
                    "`counts`",
                    rule="must give each item a positive number",
                    received=f"{len(numbers)} items, smallest {min(numbers, default=0)}",
                    where=self._where,
                )
            )
        self.popularity.table.clear()
        self.popularity.table.upsert(list(counts), (numbers / numbers.sum())[:, None])
        return self

    def _check_popularity(self, needs_it: str) -> None:
        with tf.init_scope():  # Asked once, while the step is traced.
            known = self.popularity.table.size()
        if not known:
            raise ValueError(
                explain(
                    f"`{needs_it}`",
                    rule="must be given the items' counts before training",
                    received="no counts",
                    where=self._where,
                    remedy="Call `model.set_popularity(train.item_counts())`.",
                )
            )

    def candidate_vectors(self, items: Any) -> np.ndarray:
        """Returns the items' vectors, `(items, dim)` float32.

        Args:
            items: ids, a dict of columns, or `recs.data.Items`.
        """
        tower = self.candidate_tower
        if isinstance(items, Items):
            items = {tower.column: items.item, **{name: items[name] for name in tower.features}}
        given = items if isinstance(items, Mapping) else {tower.column: as_ids(items)}
        return in_batches(tower, given, tower.columns)

    def index(self, items: Any, titles: Sequence[str] | None = None) -> Self:
        """Encodes the catalogue that `recommend` chooses from; returns the model.

        Call it after training, and again after more of it.

        Args:
            items: ids, a dict of columns, or `recs.data.Items`, which brings its titles.
            titles: a title for each. Defaults to `None`: those of `Items`, or none.
        """
        vectors = self.candidate_vectors(items)
        if isinstance(items, Items):
            ids = items.item
            if titles is None and items.title is not None:
                titles = items.title.tolist()
        else:
            ids = items[self.candidate_tower.column] if isinstance(items, Mapping) else items
        ids = as_ids(ids)
        self.top_k.index(vectors, tf.constant(ids, tf.string if ids.dtype == object else None))
        self.catalogue.set(ids, titles)
        return self

    def _best(
        self, queries: np.ndarray, k: int, exclude: Sequence[Sequence[Any]] | None
    ) -> Recommendations:
        """Returns the `k` items with the largest scores, those of `exclude` left out."""
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            rule, received = "must be a positive integer", f"k={k!r}"
            raise ValueError(explain("`k`", rule=rule, received=received, where=self._where))
        k = min(int(k), int(self.top_k.num_candidates()) or 1)
        if exclude is None:
            scores, best = self.top_k(queries, k=k)
        else:
            rectangle = self._rectangle(exclude, len(queries))
            scores, best = self.top_k.query_with_exclusions(queries, rectangle, k=k)
        found = best.numpy()
        if found.dtype == object:
            found = np.array([i.decode() for i in found.ravel()], object).reshape(found.shape)
        scores = scores.numpy()
        found = np.where(scores == EXCLUDED_SCORE, self.catalogue.absent(), found)
        # Users with fewer items left than others have the filler behind them.
        left = (scores > EXCLUDED_SCORE).any(axis=0) | np.isnan(scores).any(axis=0)
        found, scores = found[:, left], scores[:, left]
        titles = self.catalogue.titles_of(found)
        return Recommendations(found, scores, titles if (titles != "").any() else None)

    def _rectangle(self, exclude: Sequence[Sequence[Any]], queries: int) -> tf.Tensor:
        """Returns the exclusions as a matrix, rows filled up with an id that no item has."""
        lists = list(exclude)
        flat = [row for row in lists if isinstance(row, str | bytes) or np.ndim(row) != 1]
        rows = [] if flat else [list(row) for row in lists]
        if flat or len(rows) != queries:
            received = f"{flat[0]!r} for a list" if flat else f"{len(rows)} lists, {queries} users"
            raise ValueError(
                explain(
                    "`exclude`",
                    rule="must have a list of ids for each user",
                    received=received,
                    where=self._where,
                )
            )
        width = max(map(len, rows), default=0)
        absent = self.catalogue.absent()
        filled = [as_ids(row).tolist() + [absent] * (width - len(row)) for row in rows]
        string = self.candidate_tower.id_dtype == "string"
        array = np.array(filled, object if string else np.int64).reshape(queries, width)
        return tf.constant(array, tf.string if string else tf.int64)
