"""Lists from TFRecord files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
import tensorflow as tf

from recs.data.ragged_column import RaggedColumn
from recs.data.ranking.arrange import Flat
from recs.data.ranking.malformed import Malformed
from recs.data.ranking.ranking_features import RankingFeatures
from recs.data.ranking.ranking_lists import RankingLists
from recs.data.ranking.records import FORMATS
from recs.errors import explain

_CHUNK = 256  # records parsed at once; when one of them fails, each is parsed alone


def read_records(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    features: RankingFeatures,
    format: str = "elwc",
    *,
    malformed: str = "raise",
) -> RankingLists:
    """Returns the lists in TFRecord files, in memory.

    (For files that do not fit: `tf.data.TFRecordDataset(paths).batch(n)` and `parse` in its `map`.)

    Args:
        paths: A file or several, also compressed (`.gz`).
        features: What records hold, with labels. Other features are not read.
        format: As for `parse`. Defaults to `"elwc"`.
        malformed: `"raise"`, or `"skip"`: leave such records out, with their reason in `skipped`;
            a file that breaks off ends there. Defaults to `"raise"`.

    Raises:
        ValueError: a record is malformed; the message has file, number of the record from 0, and
            reason. Or `format` is unknown.

    Example:
    ```python
    >>> import tempfile, tensorflow as tf
    >>> from recs.data.ranking import RankingFeature, RankingFeatures, read_records
    >>> def numbers(*values):
    ...     return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    >>> steps = {"price": [numbers(2.5), numbers(4)], "label": [numbers(0), numbers(1)]}
    >>> record = tf.train.SequenceExample(feature_lists=tf.train.FeatureLists(feature_list={
    ...     name: tf.train.FeatureList(feature=values) for name, values in steps.items()}))
    >>> path = tempfile.mkdtemp() + "/lists"
    >>> with tf.io.TFRecordWriter(path) as file:
    ...     file.write(record.SerializeToString())
    >>> features = RankingFeatures(examples=[RankingFeature("price")])
    >>> read_records(path, features, "sequence_example")
    RankingLists(1 lists, 2 items: price, label)

    ```

    Reference: `tfr.data.build_ranking_dataset`.
    """
    if format not in FORMATS:
        rule = f"must be one of {', '.join(map(repr, FORMATS))}"
        received = f"format={format!r}"
        raise ValueError(explain("`format`", rule=rule, received=received, where="read_records"))
    files = [paths] if isinstance(paths, str | PathLike) else list(paths)
    parts: list[Flat] = []
    skipped: list[str] = []
    for path in [fspath(file) for file in files]:
        problems = Malformed(malformed, path)
        for start, chunk in _chunks(path, problems):
            parts.extend(_parsed(start, chunk, features, format, problems))
        skipped.extend(f"{path}, {problem}" for problem in problems.found)
    if not parts:
        parts = [FORMATS[format](tf.constant([], tf.string), features, True)]
    lengths = np.concatenate([part.lengths.numpy() for part in parts])
    return RankingLists(
        features,
        _joined([part.context for part in parts]),
        _joined([part.examples for part in parts]),
        np.concatenate([[0], np.cumsum(lengths)]),
        skipped,
    )


def _chunks(path: str, problems: Malformed) -> Iterator[tuple[int, list[bytes]]]:
    """Yields records and the number of the first of them."""
    compression = "GZIP" if path.endswith(".gz") else ""
    records = iter(tf.data.TFRecordDataset(path, compression))
    chunk: list[bytes] = []
    start = 0
    while True:
        try:
            chunk.append(next(records).numpy())
        except StopIteration:
            break
        except tf.errors.DataLossError as error:
            yield start, chunk
            problems.add(f"record {start + len(chunk)}", _reason(error))
            return
        if len(chunk) == _CHUNK:
            yield start, chunk
            start, chunk = start + _CHUNK, []
    yield start, chunk


def _parsed(
    start: int, chunk: list[bytes], features: RankingFeatures, format: str, problems: Malformed
) -> list[Flat]:
    if not chunk:
        return []
    try:
        return [_checked(FORMATS[format](tf.constant(chunk), features, True), features)]
    except (tf.errors.OpError, ValueError) as error:
        if len(chunk) == 1:
            problems.add(f"record {start}", _reason(error))
            return []
    singles = (_parsed(start + i, [one], features, format, problems) for i, one in enumerate(chunk))
    return [part for single in singles for part in single]


def _checked(flat: Flat, features: RankingFeatures) -> Flat:
    """Returns the lists if weights are as many as ids, and all numbers finite."""
    for part, described in ((flat.context, features.context), (flat.examples, features.examples)):
        for feature in described:
            if feature.weights is not None:
                ids, weights = part[feature.name], part[feature.weights]
                if not np.array_equal(ids.row_lengths(), weights.row_lengths()):
                    raise ValueError(f"'{feature.weights}' has not one number an id")
        for name, column in part.items():
            values = column.flat_values if isinstance(column, tf.RaggedTensor) else column
            if values.dtype.is_floating and not np.isfinite(values).all():
                raise ValueError(f"'{name}' has a number that is not finite")
    return flat


def _reason(error: Exception) -> str:
    """Returns what an op complains of, without its own name."""
    if isinstance(error, UnicodeDecodeError):
        # The op's complaint quotes the record, whose bytes are no text.
        text = error.object.decode("utf-8", "backslashreplace")
    else:
        text = str(getattr(error, "message", error))
    text = text.split("}} ", 1)[-1].split(" [Op:", 1)[0]
    return " ".join(text.split()).rstrip(".")[:400]


def _joined(parts: list[Any]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for name in parts[0]:
        whole = tf.concat([part[name] for part in parts], 0)
        if isinstance(whole, tf.RaggedTensor):
            splits = whole.row_splits.numpy()
            joined[name] = RaggedColumn(_text(whole.flat_values.numpy()), splits)
        else:
            joined[name] = _text(whole.numpy())
    return joined


def _text(values: np.ndarray) -> np.ndarray:
    """Returns bytes as strings: bytes that are no UTF-8 stay as they are."""
    if values.dtype != object:
        return values
    flat = [one.decode("utf-8", "surrogateescape") for one in values.reshape(-1)]
    text = np.empty(len(flat), object)
    text[:] = flat
    return text.reshape(values.shape)
