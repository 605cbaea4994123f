"""The signatures of a two-tower model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.export.sorted_keys import SortedKeys
from recs.layers.factorized_top_k.exclusion import EXCLUDED_SCORE, filled

# The dtype of an index's identifiers does not depend on the queries.
_ANY = keras.KerasTensor((None, 1), "float32")


def retrieval_signatures(
    query_model: Any,
    candidate_model: Any,
    index: Any,
    query_dtype: Any = "int64",
    candidate_dtype: Any = "int64",
    *,
    k: int = 10,
    titles: Mapping[Any, str] | None = None,
    answers: Callable[[Any], Any] | None = None,
    query_name: str = "query_id",
    candidate_name: str = "candidate_id",
) -> dict[str, Any]:
    """Returns what a server of a two-tower model offers, from raw ids.

    - `serving_default`: queries -> `ids` and `scores`, `(batch, k)` each, best first, and `titles`
      when there are any. It takes batched tensors only, so that a server can batch requests.
    - `top_k`: the same with a scalar int32 `k`; for servers that do not batch.
    - `top_k_excluding`: the same with `exclusions`, `(batch, number)` ids that are not to be given;
      see `BruteForce.query_with_exclusions`, also for what fills a row.
    - `top_k_among`: the same with `inclusions`, `(batch, number)` ids, which alone are scored; see
      `BruteForce.query_with_inclusions`.
    - `embed_query`: queries -> `embedding`, `(batch, dim)`.
    - `embed_candidate`: candidates -> `embedding`; left out without a candidate model.

    Give them to `recs.export.saved_model(model, path, signatures=...)`, or return them from the
    model's `serving_signatures`. The models must be parts of `model`, where their tables are found.

    Args:
        query_model: Keras layer or model from queries to embeddings; called as inference.
        candidate_model: Likewise from candidates. None leaves `embed_candidate` out.
        index: `recs.layers.factorized_top_k.BruteForce` that holds the candidates, with or without
            the query model in it.
        query_dtype: dtype of raw query ids, `(batch,)`, or a dict of `tf.TensorSpec`s when a query
            has several features. Defaults to `"int64"`.
        candidate_dtype: Likewise for candidates. Defaults to `"int64"`.
        k: How many candidates `serving_default` gives; all, when there are fewer. Defaults to
            `10`.
        titles: What the index's identifiers are called; those without get `""`. Defaults to
            `None`: no titles. Identifiers that are titles already need none.
        answers: Callable from queries to bool, `(batch,)`: which queries the model can answer. The
            rows of other queries have the lowest float32 as scores and the filler, `""` or -1, as
            ids; an error would fail the whole batch. Defaults to `None`: all queries.
        query_name: Name of the input of raw query ids. Defaults to `"query_id"`.
        candidate_name: Likewise for candidates. Defaults to `"candidate_id"`.

    Raises:
        ValueError: the index has no candidates, or another query model.

    Example:
    ```python
    >>> import keras, numpy as np, recs.export, recs.layers
    >>> from recs.layers.factorized_top_k import BruteForce
    >>> users = recs.layers.DynamicEmbedding(2)
    >>> users.table.upsert([7], [[0.0, 1.0]])
    >>> films = BruteForce().index(np.eye(2), np.array(["Alien", "Heat"]))
    >>> signatures = recs.export.retrieval_signatures(users, None, films, "int64")
    >>> sorted(signatures)
    ['embed_query', 'serving_default', 'top_k', 'top_k_among', 'top_k_excluding']
    >>> signatures["serving_default"](np.array([7]))["ids"].numpy().tolist()
    [[b'Heat', b'Alien']]

    ```

    Reference: `tfrs.layers.factorized_top_k.BruteForce`, which is exported by itself.
    """
    called = None if titles is None else _Titles(titles)
    parts = _Parts(query_model, candidate_model, index, called, answers)
    queries, candidates = _specs(query_dtype, query_name), _specs(candidate_dtype, candidate_name)
    count = parts.checked_count()

    @tf.function(input_signature=queries)
    @tf.autograph.experimental.do_not_convert
    def serving_default(queries: Any) -> dict[str, tf.Tensor]:
        return parts.retrieve(queries, min(k, count))

    @tf.function(input_signature=[*queries, tf.TensorSpec([], tf.int32, name="k")])
    @tf.autograph.experimental.do_not_convert
    def top_k(queries: Any, k: tf.Tensor) -> dict[str, tf.Tensor]:
        return parts.retrieve(queries, k)

    ids = tf.string if index.compute_output_spec(_ANY)[1].dtype == "string" else tf.int64
    number = tf.TensorSpec([], tf.int32, name="k")
    excluded, included = (
        tf.TensorSpec([None, None], ids, name=name) for name in ("exclusions", "inclusions")
    )

    @tf.function(input_signature=[*queries, excluded, number])
    @tf.autograph.experimental.do_not_convert
    def top_k_excluding(queries: Any, exclusions: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        return parts.retrieve(queries, k, exclusions=exclusions)

    @tf.function(input_signature=[*queries, included, number])
    @tf.autograph.experimental.do_not_convert
    def top_k_among(queries: Any, inclusions: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        return parts.retrieve(queries, k, inclusions=inclusions)

    @tf.function(input_signature=queries)
    @tf.autograph.experimental.do_not_convert
    def embed_query(queries: Any) -> dict[str, tf.Tensor]:
        return {"embedding": _embed(query_model, queries)}

    @tf.function(input_signature=candidates)
    @tf.autograph.experimental.do_not_convert
    def embed_candidate(candidates: Any) -> dict[str, tf.Tensor]:
        return {"embedding": _embed(candidate_model, candidates)}

    signatures = {
        "serving_default": serving_default,
        "top_k": top_k,
        "top_k_excluding": top_k_excluding,
        "top_k_among": top_k_among,
        "embed_query": embed_query,
    }
    if candidate_model is not None:
        signatures["embed_candidate"] = embed_candidate
    return signatures


@dataclasses.dataclass(frozen=True)
class _Parts:
    """The models, index and titles of the signatures."""

    query_model: Any
    candidate_model: Any
    index: Any
    titles: _Titles | None
    answers: Callable[[Any], Any] | None

    def retrieve(
        self, queries: Any, k: Any, exclusions: Any = None, inclusions: Any = None
    ) -> dict[str, tf.Tensor]:
        answered = None if self.answers is None else self.answers(queries)
        if self.index.query_model is None:
            queries = _embed(self.query_model, queries)
        if exclusions is not None:
            scores, ids = self.index.query_with_exclusions(queries, exclusions, k=k)
        elif inclusions is not None:
            scores, ids = self.index.query_with_inclusions(queries, inclusions, k=k)
        else:
            scores, ids = self.index(queries, k=k)
        if answered is not None:
            lowest = tf.cast(EXCLUDED_SCORE, scores.dtype)
            scores = tf.where(answered[:, tf.newaxis], scores, lowest)
            ids = filled(scores, ids)
        found = {"ids": ids, "scores": scores}
        return found if self.titles is None else {**found, "titles": self.titles.of(ids)}

    def checked_count(self) -> int:
        """Returns how many candidates the index has, after a look at whether it can be served."""
        where = f"index '{self.index.name}'"
        if self.index.query_model is not None and self.index.query_model is not self.query_model:
            raise ValueError(
                explain(
                    "`query_model`",
                    rule="must be that of the index, when the index has one",
                    received=f"'{self.query_model.name}' and '{self.index.query_model.name}'",
                    where=where,
                )
            )
        count = self.index.num_candidates()
        if not count:
            raise ValueError(
                explain(
                    "`index`",
                    rule="must hold the candidates",
                    received="no candidates" if count == 0 else "an index that does not",
                    where=where,
                    remedy="Fill a `BruteForce` with `index` or `index_from_dataset` first.",
                )
            )
        return int(count)


class _Titles(tf.Module):
    """The titles of identifiers, in plain variables."""

    def __init__(self, titles: Mapping[Any, str]) -> None:
        super().__init__(name="titles")
        keys = tf.convert_to_tensor(list(titles)).numpy()
        self._keys = SortedKeys(keys)
        ordered = tf.gather(tf.constant(list(titles.values())), self._keys.order)
        self._titles = tf.Variable(tf.concat([ordered, [""]], axis=0), trainable=False)

    def of(self, ids: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(ids, [-1])
        place, found = self._keys.find(tf.cast(flat, tf.int64) if flat.dtype.is_integer else flat)
        return tf.reshape(tf.where(found, tf.gather(self._titles, place), ""), tf.shape(ids))


def _embed(model: Any, inputs: Any) -> tf.Tensor:
    """Returns embeddings as inference; a plain function need not take `training`."""
    return model(inputs, **({"training": False} if isinstance(model, keras.layers.Layer) else {}))


def _specs(dtype: Any, name: str) -> list[Any]:
    """Returns the input signature of raw ids, or of features by name."""
    if not isinstance(dtype, Mapping):
        return [tf.TensorSpec([None], dtype, name=name)]
    return [{key: tf.TensorSpec(s.shape, s.dtype, name=key) for key, s in dtype.items()}]
