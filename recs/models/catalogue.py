"""The items a model recommends, and what they are called."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from recs.layers.factorized_top_k.identifiers import arrays_to_strings, strings_to_arrays


@keras.saving.register_keras_serializable("recs")
class Catalogue(keras.layers.Layer):
    """Ids and titles, kept in the model so that a loaded one can still name what it recommends.

    State: ids and titles, in `.keras` files and weights files.

    Args:
        **kwargs: The arguments of `keras.layers.Layer`.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.models.catalogue import Catalogue
    >>> catalogue = Catalogue()
    >>> catalogue.set(np.array([7, 9]), ["Heat", "Ran"])
    >>> catalogue.titles_of(np.array([[9, 8]])).tolist()
    [['Ran', '']]

    ```
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.built = True
        self._ids = np.zeros(0, np.int64)
        self._title_of: dict[Any, str] = {}

    @property
    def ids(self) -> np.ndarray:
        """The ids, `(items,)` int64 or object array of `str`."""
        return self._ids

    @property
    def titles(self) -> dict[Any, str]:
        """Id to title; empty where the items have none."""
        return dict(self._title_of)

    def set(self, ids: np.ndarray, titles: Any | None = None) -> None:
        """Replaces ids and titles.

        Args:
            ids: `(items,)`, int64 or `str`.
            titles: as many strings. Defaults to `None`: the items have none.
        """
        self._ids = np.asarray(ids)
        pairs = () if titles is None else zip(self._ids.tolist(), titles, strict=True)
        self._title_of = dict(pairs)

    def titles_of(self, ids: np.ndarray) -> np.ndarray:
        """Returns the titles, an object array of the ids' shape; "" for what has none."""
        flat = [self._title_of.get(item, "") for item in np.ravel(ids).tolist()]
        return np.array(flat, dtype=object).reshape(np.shape(ids))

    def absent(self) -> Any:
        """Returns an id that is not in the catalogue."""
        taken = set(self._ids.tolist())
        if self._ids.dtype == object:
            text = ""
            while text in taken:
                text += "-"
            return text
        number = -1
        while number in taken:
            number -= 1
        return number

    def call(self, inputs: Any) -> Any:
        """Returns the inputs: this layer only remembers."""
        return inputs

    def save_own_variables(self, store: Any) -> None:
        """Stores ids and titles; HDF5 holds numbers only, so strings go as bytes and lengths."""
        if self._ids.dtype == object:
            _store_strings(store, "id", self._ids.tolist())
        else:
            store["id_numbers"] = self._ids
        if self._title_of:
            titles = [self._title_of[item] for item in self._ids.tolist()]
            _store_strings(store, "title", titles)

    def load_own_variables(self, store: Any) -> None:
        """Restores what `save_own_variables` stored."""
        names = list(store.keys())
        if "id_numbers" in names:
            ids = np.asarray(store["id_numbers"], np.int64)
        else:
            ids = _load_strings(store, "id")
        self.set(ids, _load_strings(store, "title") if "title_bytes" in names else None)


def _store_strings(store: Any, name: str, strings: list[Any]) -> None:
    store[f"{name}_bytes"], store[f"{name}_lengths"] = strings_to_arrays(
        [text.encode() for text in strings]
    )


def _load_strings(store: Any, name: str) -> np.ndarray:
    parts = arrays_to_strings(store[f"{name}_bytes"], store[f"{name}_lengths"])
    return np.array([part.decode() for part in parts], dtype=object)
