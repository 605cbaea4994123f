"""JSON files that may hold anything."""

from __future__ import annotations

import json
import os
import stat
from typing import Any, NoReturn

# A manifest of some hundred thousand entries.
MOST_BYTES = 64 << 20


def read_json(path: str | os.PathLike[str], most_bytes: int = MOST_BYTES) -> Any:
    """Returns the content of a JSON file.

    The file may come from anywhere: symbolic links, pipes and devices are not opened, and at most
    `most_bytes` are read.

    Args:
        path: The file.
        most_bytes: The greatest size that is read. Defaults to 64 MiB.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no regular file, is larger, is not UTF-8 or not JSON, holds NaN or an
            infinity, or is nested too deeply. The message says which, in a few words.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if os.path.islink(path):
        raise ValueError("a symbolic link")
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("something that is no regular file")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(most_bytes + 1)
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise ValueError(f"more than {most_bytes} bytes")
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("values that are nested too deeply") from None
    except MemoryError:
        raise ValueError("more than fits into memory") from None
    except ValueError as error:
        raise ValueError(f"text that is not JSON ({str(error)[:100]})") from None


def integer(value: Any, least: int = 0) -> int:
    """Returns a value of a JSON file that must be an integer of 64 bits.

    Raises:
        ValueError: it is something else, or less than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise ValueError(f"{shown(value)}, which is no integer from {least} to 2^63 - 1")
    return value


def shown(value: Any) -> str:
    """Returns a value of a JSON file for a message, cut where it is long."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # deeply nested, or thousands of digits
        text = f"a {type(value).__name__}"
    return text if len(text) <= 100 else f"{text[:97]}..."


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
