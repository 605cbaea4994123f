"""Figures beside those of their baselines."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Report:
    """Result of an evaluation: figures, and a table to print.

    Args:
        protocol: One line: by whom and by what it was judged.
        figures: Row name to metric name to value; the model's row first, baselines after it.
        notes: Further lines to print. Defaults to `()`.

    Example:
    ```python
    >>> from recs.experiments import Report
    >>> print(Report("2 users", {"model": {"recall@1": 0.5}, "popularity": {"recall@1": 0.25}}))
    2 users
                        recall@1
    model                 0.5000
    popularity            0.2500
    model / popularity     2.00x

    ```
    """

    protocol: str
    figures: dict[str, dict[str, float]]
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        names = list(self.figures)
        metrics = list(self.figures[names[0]])
        model = self.figures[names[0]]
        rows = {name: [f"{self.figures[name][m]:.4f}" for m in metrics] for name in names}
        for name in names[1:]:
            theirs = self.figures[name]
            ratios = [f"{model[m] / theirs[m]:.2f}x" if theirs[m] else "-" for m in metrics]
            rows[f"{names[0]} / {name}"] = ratios
        label = max(map(len, rows))
        widths = [max(len(metric), 7) for metric in metrics]
        lines = [self.protocol, self._line("", metrics, label, widths)]
        lines += [self._line(name, cells, label, widths) for name, cells in rows.items()]
        return "\n".join([*lines, *self.notes])

    @staticmethod
    def _line(name: str, cells: list[str], label: int, widths: list[int]) -> str:
        padded = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        return f"{name:<{label}}{padded}"
