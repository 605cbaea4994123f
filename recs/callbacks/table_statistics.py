"""Writes the size and use of a model's tables for TensorBoard."""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np

from recs.errors import explain
from recs.layers.resource_layer import layers_with_resources
from recs.ops.records import of_table
from recs.training.event_log import EventLog

# What is written as it stands, and what as the increase since it was written last.
NOW = ("rows", "bytes")
INCREASES = ("insertions", "removals", "evictions", "not_admitted", "refused_updates")


class TableStatistics(keras.callbacks.Callback):
    """Writes figures of every table of a model for TensorBoard.

    Of each table, under its name:

    - `rows` and `bytes` (memory in use), as they are;
    - since it was written last: `insertions`, `removals`, `evictions`, `not_admitted` (ids that
      admission refused) and `refused_updates` (NaN or infinite gradients);
    - since then too: `training_hit_rate` (how many positions had an id that was known before),
      `hit_rate` (the same outside training, as in validation) and `distinct_ids` (the mean of an
      update); left out when there was none;
    - histograms of `count` (how often training has looked an id up) and `age` (updates since it
      did last, 0 for the ids of the last one), in buckets that double. Both are of a sample of ids
      that depends on their hash alone.

    Of a table of recent records (`recs.layers.RecentRecords`) the rates, `distinct_ids` and refused
    updates are left out; `count` is how many records were appended for an id, and `age` counts
    appends.

    What it costs does not grow with the tables. TensorBoard need not be installed to write.

    Args:
        log_dir: Folder of the event files. It may be that of `keras.callbacks.TensorBoard`.
        every: `"epoch"`, or a number of steps. Defaults to `"epoch"`. The horizontal axis is the
            epoch or the step of this `fit`. With `steps_per_execution`, it writes at the end of
            the execution in which the step was reached.
        sample: About how many ids of a table the histograms are made of; 0 for no histograms.
            Defaults to 10,000.

    Raises:
        ValueError: `every` or `sample` is not of these.

    Example:
    ```python
    >>> model = keras.Sequential([recs.layers.DynamicEmbedding(2), keras.layers.Flatten()])
    >>> model.compile("sgd", "mse")
    >>> callback = recs.callbacks.TableStatistics("logs")
    >>> _ = model.fit(np.array([[1], [2]]), np.ones((2, 2)), callbacks=[callback], verbose=0)
    >>> import os
    >>> len(os.listdir("logs"))
    1

    ```
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        every: str | int = "epoch",
        sample: int = 10_000,
    ) -> None:
        super().__init__()
        if every != "epoch" and not _is_count(every, at_least=1):
            raise _bad("every", "must be 'epoch' or a number of steps from 1", every)
        if not _is_count(sample, at_least=0):
            raise _bad("sample", "must be a number of ids from 0", sample)
        self.log_dir = log_dir
        self.every = every
        self.sample = sample
        self._log: EventLog | None = None
        self._before: dict[int, dict[str, Any]] = {}  # stats by the table's identity
        self._first_step = self._step = self._written = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Opens the file."""
        self._log = EventLog(self.log_dir)
        self._before = {id(table): table.stats() for table in self._tables().values()}
        self._first_step = self._step = self._written = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts steps on."""
        self._first_step = self._step

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes when enough steps are done."""
        self._step = self._first_step + batch + 1
        if isinstance(self.every, int) and self._step // self.every > self._written // self.every:
            self._write(self._step)
            self._written = self._step

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes when epochs count."""
        if self.every == "epoch":
            self._write(epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the file."""
        if self._log is not None:
            self._log.close()
        self._log = None

    def _tables(self) -> dict[str, Any]:
        """Returns the model's tables by name, with a number behind it where names are equal."""
        tables: dict[str, Any] = {}
        for layer in layers_with_resources(self.model):
            for table in layer.tables:
                name, number = table.name, 0
                while name in tables:
                    number += 1
                    name = f"{table.name}_{number}"
                tables[name] = table
        return tables

    def _write(self, step: int) -> None:
        assert self._log is not None
        for name, table in self._tables().items():
            stats = table.stats()
            figures = _figures(stats, self._before.get(id(table), {}))
            self._before[id(table)] = stats
            self._log.scalars({f"{name}/{k}": v for k, v in figures.items()}, step)
            if self.sample:
                noted = of_table(
                    table.handle, table.key_dtype, rows=False, slots=False, limit=self.sample
                ).metadata
                seen = noted.last_step[noted.count > 0]
                # The step of the last update, unless training has looked ids up since.
                last = max(stats["step"] - 1, seen.max(initial=0))
                self._log.histogram(f"{name}/count", noted.count, step)
                self._log.histogram(f"{name}/age", last - seen, step)


def _figures(stats: dict[str, Any], before: dict[str, Any]) -> dict[str, float]:
    """Returns what is written, from counts now and when they were written last."""

    def increase(name: str) -> int:
        return stats.get(name, 0) - before.get(name, 0)

    figures = {name: stats[name] for name in NOW}
    figures |= {name: increase(name) for name in INCREASES if name in stats}
    for rate, hits, lookups in (
        ("hit_rate", "hits", "lookups"),
        ("training_hit_rate", "training_hits", "training_lookups"),
    ):
        if increase(lookups):
            figures[rate] = increase(hits) / increase(lookups)
    if increase("updates"):
        figures["distinct_ids"] = (_distinct(stats) - _distinct(before)) / increase("updates")
    return figures


def _distinct(stats: dict[str, Any]) -> float:
    """Returns the sum over all updates, which the mean tells exactly."""
    return float(np.round((stats.get("mean_distinct") or 0.0) * stats.get("updates", 0)))


def _is_count(value: Any, at_least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def _bad(argument: str, rule: str, received: Any) -> ValueError:
    text = f"{argument}={received!r}"
    return ValueError(explain(f"`{argument}`", rule=rule, received=text, where="TableStatistics"))
