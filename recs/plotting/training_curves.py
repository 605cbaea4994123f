"""How the loss and the metrics went, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from recs.errors import explain


def training_curves(history: Any, title: str = "") -> Any:
    """Returns a matplotlib figure with a panel for each logged figure, over the epochs.

    Training and validation of the same figure (`loss` and `val_loss`) share a panel, and so do
    several runs. Losses that say what another panel says (a regularization of zero, and the total
    then) are left out.

    Args:
        history: what `model.fit` returns, or its `history`, a dict of lists; or several runs, a
            dict from the name of a run to either.
        title: a line above the panels. Defaults to `""`, for none.

    Raises:
        TypeError: when `history` is none of these.
        ValueError: when the history is empty.

    Example:
    ```python
    >>> from recs.plotting import training_curves
    >>> figure = training_curves({"loss": [3.0, 2.0], "val_loss": [3.1, 2.4]})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss']

    ```
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    runs = _runs(history)
    names = list(dict.fromkeys(name for run in runs.values() for name in _panels(run)))
    if not names:
        raise ValueError(
            explain(
                "`history`",
                rule="must have a list of figures for each epoch",
                received=f"{runs!r}"
                if len(runs) != 1
                else f"history={next(iter(runs.values()))!r}",
                where="training_curves",
            )
        )
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / columns)
    # A Figure of its own, not pyplot's: no window system, and no state beside the user's plots.
    figure = Figure(figsize=(5.0 * columns, 3.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, name in zip(grid.flat, names, strict=False):
        _draw(axes, name, runs)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in list(grid.flat)[len(names) :]:
        axes.remove()
    if title:
        figure.suptitle(title)
    return figure


def save_training_curves(history: Any, path: str | PathLike[str], title: str = "") -> None:
    """Writes the figure of `training_curves` to a file, whose ending names its format.

    Args:
        history: as for `training_curves`.
        path: the file.
        title: a line above the panels. Defaults to `""`, for none.
    """
    training_curves(history, title).savefig(path, dpi=120)


def _draw(axes: Any, name: str, runs: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    for run, history in runs.items():
        for key, part in ((name, "training"), (f"val_{name}", "validation")):
            if key in history:
                epochs = range(1, len(history[key]) + 1)
                label = f"{run}, {part}" if run else part
                axes.plot(epochs, history[key], marker="o", markersize=3, label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel(name.replace("_", " "))
    axes.grid(alpha=0.3)
    if len(axes.get_lines()) > 1:
        axes.legend()


def _runs(history: Any) -> dict[str, dict[str, Sequence[float]]]:
    """Returns the figures of each run by its name, which is empty where there is one run alone."""
    figures = _figures(history)
    if figures is not None:
        return {"": figures}
    if isinstance(history, Mapping):
        runs = {str(name): _figures(run) for name, run in history.items()}
        if None not in runs.values():
            return {name: run for name, run in runs.items() if run is not None}
    raise TypeError(
        explain(
            "`history`",
            rule="must be what `model.fit` returns, its `history`, or a dict of these by the name "
            "of the run",
            received=f"{history!r}",
            where="training_curves",
        )
    )


def _figures(history: Any) -> dict[str, Sequence[float]] | None:
    """Returns what a `History` or a dict of lists holds; None if it is neither."""
    history = getattr(history, "history", history)
    if not isinstance(history, Mapping):
        return None
    lists = all(hasattr(one, "__len__") and not _is_run(one) for one in history.values())
    return dict(history) if lists else None


def _is_run(value: Any) -> bool:
    return isinstance(value, Mapping | str) or hasattr(value, "history")


def _panels(history: Mapping[str, Sequence[float]]) -> list[str]:
    names = [name for name in history if not name.startswith("val_") and len(history[name])]
    regularization = history.get("regularization_loss")
    if regularization is not None and not any(regularization):
        names = [name for name in names if name not in ("regularization_loss", "total_loss")]
    return names
