"""How the loss and the metrics went, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from recs.errors import explain


def training_curves(history: Mapping[str, Sequence[float]], title: str = "") -> Any:
    """Returns a matplotlib figure with a panel for each logged figure, over the epochs.

    Training and validation of the same figure (`loss` and `val_loss`) share a panel. Losses that
    say what another panel says (a regularization of zero, and the total then) are left out.

    Args:
        history: what `model.fit(...).history` holds.
        title: a line above the panels. Defaults to `""`, for none.

    Raises:
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

    names = _panels(history)
    if not names:
        raise ValueError(
            explain(
                "`history`",
                rule="must have a list of figures for each epoch",
                received=f"history={dict(history)!r}",
                where="training_curves",
            )
        )
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / columns)
    # A Figure of its own, not pyplot's: no window system, and no state beside the user's plots.
    figure = Figure(figsize=(5.0 * columns, 3.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, name in zip(grid.flat, names, strict=False):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in history:
                epochs = range(1, len(history[key]) + 1)
                axes.plot(epochs, history[key], marker="o", markersize=3, label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if f"val_{name}" in history:
            axes.legend()
    for axes in list(grid.flat)[len(names) :]:
        axes.remove()
    if title:
        figure.suptitle(title)
    return figure


def save_training_curves(
    history: Mapping[str, Sequence[float]], path: str | PathLike[str], title: str = ""
) -> None:
    """Writes the figure of `training_curves` to a file, whose ending names its format.

    Args:
        history: what `model.fit(...).history` holds.
        path: the file.
        title: a line above the panels. Defaults to `""`, for none.
    """
    training_curves(history, title).savefig(path, dpi=120)


def _panels(history: Mapping[str, Sequence[float]]) -> list[str]:
    names = [name for name in history if not name.startswith("val_") and len(history[name])]
    regularization = history.get("regularization_loss")
    if regularization is not None and not any(regularization):
        names = [name for name in names if name not in ("regularization_loss", "total_loss")]
    return names
