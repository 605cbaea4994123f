"""The logQ correction of sampled softmax."""

from __future__ import annotations

from typing import Any

import keras

from recs.losses.functional import in_batch


@keras.saving.register_keras_serializable("recs")
class SamplingProbabilityCorrection(keras.layers.Layer):
    """Logits without the advantage that often-sampled candidates have as in-batch negatives.

    A candidate drawn into batches with probability `p` is pushed down `p` times as often as it
    deserves. Subtracting `log p` makes the sampled softmax an estimate of the full one:
    `y_ij = logits_ij - log(clip(p_j, 1e-6, 1))`.

    The correction applies to every column, the positive's included. `p` keeps its own precision
    under a mixed policy, where `1e-6` would vanish. An empty batch gives an empty result.

    Args:
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `logits (queries, candidates)`, `candidate_sampling_probability (candidates,)` or
    anything that broadcasts to the logits -> `(queries, candidates)` in the logits' dtype.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.loss import SamplingProbabilityCorrection
    >>> y = SamplingProbabilityCorrection()(np.zeros((1, 2), "float32"), np.array([1.0, 0.5]))
    >>> [round(float(one), 4) for one in y[0]]
    [0.0, 0.6931]

    ```

    Reference: [Yi et al., 2019](https://doi.org/10.1145/3298689.3346996). In TFRS the name lacks
    an `i`: `SamplingProbablityCorrection`, kept here as an alias.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.built = True

    def call(self, logits: Any, candidate_sampling_probability: Any) -> Any:
        """Returns the corrected logits."""
        wide = in_batch.in_full_precision(logits)
        dtype = keras.backend.standardize_dtype(wide.dtype)
        corrected = wide - in_batch.log_probability(candidate_sampling_probability, dtype)
        return keras.ops.cast(corrected, logits.dtype)

    def compute_output_shape(
        self, logits_shape: Any, candidate_sampling_probability_shape: Any
    ) -> Any:
        """Returns the logits' shape."""
        return logits_shape
