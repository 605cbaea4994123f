"""Judges models that learn from the graph of users and items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recs.data import by_user
from recs.data.interactions import Interactions
from recs.experiments.retrieval_evaluation import RetrievalEvaluation


class GraphEvaluation(RetrievalEvaluation):
    """Trains a `recs.models.LightGCN` on users with all their items, and judges what it ranks.

    The protocol is `RetrievalEvaluation`'s, and so are the figures. The graph is that of the
    training part, and a batch has as many users as the experiment's `batch_size` says.

    Args:
        ks: Lengths of the list, at most the number of items. Defaults to `None`: those of 10, 50
            and 100 that are.
        positive_from: Ratings of at least this are positive interactions. Defaults to `None`: every
            interaction is.
        show_users: For how many users recommendations are printed. Defaults to `3`.
        show_items: How many items each of them gets. Defaults to `10`.

    Example:
    ```python
    >>> from recs.experiments import GraphEvaluation
    >>> GraphEvaluation(ks=[20]).ks
    (20,)

    ```
    """

    def columns(self, model: Any) -> list[str]:
        """Returns the columns of users and of their items."""
        return [model.query_tower.column, model.items_column]

    def before(self, model: Any, train: Interactions) -> None:
        """Gives the model the graph."""
        model.set_graph(train)

    def examples(
        self, model: Any, part: Interactions, before: Sequence[Interactions] = ()
    ) -> Interactions:
        """Returns one row per user, with all their items in the part.

        Args:
            model: the model.
            part: the training or the validation part.
            before: not looked at.
        """
        return by_user(part, model.items_column)
