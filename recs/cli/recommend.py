"""`recs recommend`."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from recs.cli.loaded_run import load
from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs_cli.errors import UsageError
from recs_cli.status import status


def run(arguments: argparse.Namespace) -> None:
    """Prints the best items for each user asked for."""
    with status("Loading the run"):
        folder, experiment, model = load(arguments.run, arguments.modules)
    if not hasattr(model, "recommend"):
        raise UsageError(
            f"`recs recommend` needs a run of a model that recommends. Received: "
            f"{type(model).__name__} (in {folder.path})."
        )
    with status("Reading the data"):
        data = experiment.evaluation.select(model, experiment.data.load())
    users = [_id_like(text, data.user) for text in arguments.user]
    _check_known(users, data, model)
    print(f"{folder.path}/")
    for user in users:
        asked = experiment.evaluation.query(model, [data], np.array([user], data.user.dtype))
        _print_for(model, data, user, asked, arguments.k, arguments.include_seen)


def _check_known(users: list[Any], data: Interactions, model: Any) -> None:
    """Raises for users who are not in the data, unless the model has an item bias.

    Features of users are columns of the data, which has none of a new user's.
    """
    if getattr(model, "has_item_bias", False) and not model.query_tower.features:
        return
    known = codes(data.user)[1].tolist()
    unknown = [str(user) for user in users if user not in set(known)]
    if unknown:
        examples = ", ".join(map(str, known[:5]))
        raise UsageError(
            f"--user must be one of the {len(known):,} users of the data. Received: "
            f"{', '.join(unknown)}. Ids look like {examples}. A model with `item_bias` and without "
            f"features of users gives new users what most like."
        )


def _print_for(
    model: Any, data: Interactions, user: Any, asked: Any, k: int, include_seen: bool
) -> None:
    own = data.take(data.user == user)
    seen = [] if include_seen else codes(own.item)[1].tolist()
    wanted, k = k, min(k, len(model.catalogue.ids) - len(seen))
    if k < 1:
        print(f"\nUser {user} has every item of the catalogue already; see --include-seen")
        return
    answer = model.recommend(asked, k=k, exclude=None if include_seen else [seen])
    kept = f"{len(seen):,} seen items left out" if seen else "seen items included"
    if k < wanted:
        kept += f"; {k:,} items are left of {len(model.catalogue.ids):,}, fewer than -k {wanted:,}"
    if not len(own):
        kept = "not in the data: what most like"
    print(f"\nUser {user} ({kept})")
    for rank, (item, score) in enumerate(zip(answer.ids[0], answer.scores[0], strict=True), 1):
        title = "" if answer.titles is None else answer.titles[0, rank - 1]
        print(f"  {rank:3d}. {score:7.3f}  {item!s:<8}  {title}".rstrip())


def _id_like(text: str, ids: np.ndarray) -> Any:
    """Returns the id as the data holds it."""
    if ids.dtype == object:
        return text
    try:
        return int(text)
    except ValueError:
        some = ", ".join(str(one) for one in ids[:3].tolist())
        raise UsageError(
            f"--user must be a whole number, as the ids of the data are. Received: {text}. "
            f"Ids look like {some}."
        ) from None
