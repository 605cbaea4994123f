"""The processor instructions that the engine's kernels use."""

from __future__ import annotations

import os
import pathlib
import platform

from recs.errors import explain

VARIABLE = "RECS_KERNELS"
PROCESSOR = pathlib.Path("/proc/cpuinfo")
# From the narrowest to the widest, with what Linux says a processor needs for it.
_FEATURES: dict[str, frozenset[str]] = {
    "portable": frozenset(),
    "avx2": frozenset({"avx2", "fma", "popcnt"}),
    "avx512": frozenset(
        {"avx2", "fma", "popcnt", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
    ),
}


def kernel_path() -> str:
    """Returns the path that all kernels of the engine take: `"avx512"`, `"avx2"` or `"portable"`.

    That is the value of the environment variable `RECS_KERNELS` when the op is loaded; without it,
    the widest path that the processor has.

    Raises:
        ValueError: `RECS_KERNELS` is none of the three, or the processor lacks the instructions.

    Example:
    ```python
    >>> from recs.ops.kernel_path import kernel_path
    >>> kernel_path() in ("avx512", "avx2", "portable")
    True

    ```
    """
    supported = _supported()
    named = os.environ.get(VARIABLE)
    if not named:
        return supported[-1]
    if named in supported:
        return named
    known = named in _FEATURES
    rule = (
        f"must name instructions that the processor has, at most {supported[-1]!r}"
        if known
        else "must be 'avx512', 'avx2' or 'portable'"
    )
    raise ValueError(
        explain(
            f"`{VARIABLE}`",
            rule=rule,
            received=f"{VARIABLE}={named!r}",
            where="recs.ops",
            remedy="Unset it to use the widest instructions that the processor has.",
        )
    )


def _supported() -> list[str]:
    """Returns the paths that this processor has, the widest last."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return ["portable"]
    if not PROCESSOR.exists():
        # Not Linux: every x86 processor of this decade has AVX2.
        return ["portable", "avx2"]
    features = set(PROCESSOR.read_text().split())
    return [path for path, needed in _FEATURES.items() if needed <= features]
