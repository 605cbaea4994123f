"""One wording for every error: what, the rule, what was received, where, and the remedy."""

from __future__ import annotations


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
