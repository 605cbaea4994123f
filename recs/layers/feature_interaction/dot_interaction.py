"""The dot products of all pairs of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from recs.errors import explain


@keras.saving.register_keras_serializable("recs")
class DotInteraction(keras.layers.Layer):
    """The dot product of each pair of features, every pair once.

    Of features `e_0 ... e_{F-1}` the products `e_i . e_j` with `j < i`, in the order
    `(1, 0), (2, 0), (2, 1), (3, 0), ...`: the lower triangle of the matrix of all products, row
    by row. It is how DLRM lets its embeddings meet.

    Masking: none; features are whole vectors. An empty batch gives an empty result.

    Args:
        self_interaction: bool. Whether the products of features with themselves, `j = i`, are
            among the results. Defaults to `False`.
        skip_gather: bool. Whether all `F * F` entries are returned, with zeros for those left
            out: more numbers, and no time to pick some of them. Defaults to `False`.
        name: str. The layer's name. Defaults to `None`, which lets Keras choose one.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: a list of `F` tensors `(batch, dim)` -> `(batch, F * (F - 1) / 2)`, or with
    `self_interaction` `(batch, F * (F + 1) / 2)`, or with `skip_gather` `(batch, F * F)`.

    Raises:
        ValueError: when the features are no matrices of one width.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.feature_interaction import DotInteraction
    >>> a, b, c = np.array([[[1.0, 0.0]], [[2.0, 1.0]], [[0.0, 3.0]]], "float32")
    >>> DotInteraction()([a, b, c]).numpy().tolist()
    [[2.0, 0.0, 3.0]]

    ```

    Reference: [Naumov et al., 2019](https://arxiv.org/abs/1906.00091), section 2.1.3;
    `tfrs.layers.feature_interaction.DotInteraction`.
    """

    def __init__(
        self,
        self_interaction: bool = False,
        skip_gather: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.self_interaction = self_interaction
        self.skip_gather = skip_gather
        self.built = True

    def _lower(self, features: int) -> np.ndarray:
        """Returns which entries of the matrix of products count, `(features, features)`."""
        return np.tri(features, k=0 if self.self_interaction else -1, dtype=bool)

    def call(self, inputs: Sequence[Any]) -> Any:
        """Returns the products."""
        self._check([tuple(one.shape) for one in inputs])
        lower = self._lower(len(inputs))
        features = ops.stack(inputs, axis=1)
        products = ops.matmul(features, ops.transpose(features, (0, 2, 1)))
        if self.skip_gather:
            # A choice, not a product with zeros, which would leave NaN where it is left out.
            products = ops.where(lower, products, ops.zeros_like(products))
            return ops.reshape(products, (-1, lower.size))
        flat = ops.reshape(products, (-1, lower.size))
        return ops.take(flat, np.flatnonzero(lower).astype("int32"), axis=1)

    def _check(self, shapes: list[tuple[int | None, ...]]) -> None:
        widths = {shape[-1] for shape in shapes if len(shape) == 2 and shape[-1] is not None}
        if not shapes or any(len(shape) != 2 for shape in shapes) or len(widths) > 1:
            raise ValueError(
                explain(
                    "The features",
                    rule="must be matrices whose dimensions are equal",
                    received=f"shapes {', '.join(map(str, shapes)) or 'of nothing'}",
                    where=f"DotInteraction '{self.name}'",
                    remedy="Make the bottom stack as wide as the embeddings.",
                )
            )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the number of products that the number of features gives."""
        lower = self._lower(len(input_shape))
        return (input_shape[0][0], int(lower.size if self.skip_gather else lower.sum()))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "self_interaction": self.self_interaction,
            "skip_gather": self.skip_gather,
        }
