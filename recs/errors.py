"""One wording for every error: what, the rule, what was received, where, and the remedy."""

from __future__ import annotations

import warnings


class NonFiniteScoresWarning(RuntimeWarning):
    """A figure was computed of scores some of which are NaN or infinite.

    Turn it into an error with
    `warnings.simplefilter("error", recs.errors.NonFiniteScoresWarning)`.
    """


def warn_of_nonfinite_scores(count: int, where: str) -> None:
    """Warns when `count` is above 0.

    Args:
        count: How many scores are NaN or infinite.
        where: What was computed of them.
    """
    if not count:
        return
    message = explain(
        "Scores",
        rule="must be finite numbers; others rank last",
        received=f"{count} that are NaN or infinite",
        where=where,
        remedy="Look for NaN among the features and for a learning rate that is too high.",
    )
    warnings.warn(message, NonFiniteScoresWarning, stacklevel=3)


def explain(what: str, *, rule: str, received: object, where: str, remedy: str = "") -> str:
    """Returns an error message in four parts, and the remedy when one is known.

    Args:
        what: The thing that is wrong, as the user wrote it (an argument's name, a file).
        rule: What holds for it, as a sentence without its full stop.
        received: What came instead; shown with `repr` unless it is a string already.
        where: The layer, the file or the function, so that the place can be found.
        remedy: What to do about it. Left out when empty.

    Example:
    ```python
    >>> explain("`output_dim`", rule="must be a positive integer", received="output_dim=0",
    ...         where="DynamicEmbedding 'users'")
    "`output_dim` must be a positive integer. Received: output_dim=0 (in DynamicEmbedding 'users')."

    ```
    """
    shown = received if isinstance(received, str) else repr(received)
    text = f"{what} {rule}. Received: {shown} (in {where})."
    return f"{text} {remedy}" if remedy else text
