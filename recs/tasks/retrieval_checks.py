"""Checks of a retrieval task's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from recs.errors import explain
from recs.layers.frequency_estimate import FrequencyEstimate
from recs.layers.loss import NegativesSchedule
from recs.layers.negatives import Negatives


def check_temperature(temperature: Any, where: str) -> None:
    """Raises unless a temperature is None, positive or a layer."""
    if temperature is None or isinstance(temperature, keras.layers.Layer) or temperature > 0:
        return
    raise ValueError(
        explain(
            "`temperature`",
            rule="must be positive",
            received=f"temperature={temperature!r}",
            where=where,
        )
    )


def check_mining(number: Any, where: str) -> None:
    """Raises unless a number of hard negatives is None, an integer or a schedule."""
    if number is None or isinstance(number, NegativesSchedule):
        return
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError(
            explain(
                "`num_hard_negatives`",
                rule="must be an integer or a `recs.layers.loss.NegativesSchedule`",
                received=f"num_hard_negatives={number!r}",
                where=where,
                remedy="Zero or less keeps every negative.",
            )
        )


def as_estimate(correction: Any, where: str) -> FrequencyEstimate | None:
    """Returns the estimate that an argument asks for."""
    if correction is None or isinstance(correction, FrequencyEstimate):
        return correction
    if correction == "streaming":
        return FrequencyEstimate()
    raise ValueError(
        explain(
            "`sampling_correction`",
            rule='must be None, "streaming" or a `recs.layers.FrequencyEstimate`',
            received=f"sampling_correction={correction!r}",
            where=where,
        )
    )


def check_negatives(kinds: Sequence[Any], where: str) -> None:
    """Raises unless there is at least one kind of negatives, and nothing else."""
    if kinds and all(isinstance(kind, Negatives) for kind in kinds):
        return
    raise ValueError(
        explain(
            "`negatives`",
            rule="must be one or several of `recs.layers.negatives`",
            received=", ".join(type(kind).__name__ for kind in kinds) or "an empty list",
            where=where,
        )
    )


def check_call(
    queries: Any, candidates: Any, ids: Any, weight: Any, needs_ids: str, where: str
) -> None:
    """Raises when ids are missing or shapes do not fit, as far as they are known.

    Args:
        queries: Embeddings.
        candidates: Embeddings.
        ids: The candidates' ids, or None.
        weight: The queries' weights, or None.
        needs_ids: Which option needs ids; empty for none.
        where: The task.
    """
    if needs_ids and ids is None:
        raise ValueError(
            explain(
                "`candidate_ids`",
                rule=f"must be given when {needs_ids}",
                received="candidate_ids=None",
                where=where,
                remedy="Pass the ids of the candidates to the call.",
            )
        )
    rows, columns = queries.shape[0], candidates.shape[0]
    shapes = f"queries of shape {tuple(queries.shape)}, candidates of {tuple(candidates.shape)}"
    if rows is not None and columns is not None and columns < rows:
        raise _misfit("`candidate_embeddings`", "must have a row for every query", shapes, where)
    lengths = queries.shape[-1], candidates.shape[-1]
    if None not in lengths and lengths[0] != lengths[1]:
        what = "`query_embeddings` and `candidate_embeddings`"
        raise _misfit(what, "must have the same length", shapes, where)
    for name, rule, values, count in (
        ("candidate_ids", "an id for every candidate", ids, columns),
        ("sample_weight", "a weight for every query", weight, rows),
    ):
        shape = () if values is None else tuple(keras.ops.shape(values))
        known = [n for n in shape if isinstance(n, int)]
        if count is None or not shape or len(known) < len(shape):
            continue
        if shape[0] * max(1, len(shape) > 1 and shape[-1]) != count:
            received = f"shape {shape}, {shapes}"
            raise _misfit(f"`{name}`", f"must have {rule}", received, where)


def _misfit(what: str, rule: str, received: str, where: str) -> ValueError:
    return ValueError(explain(what, rule=rule, received=received, where=where))
