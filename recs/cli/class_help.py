"""`recs train --model.help CLASS`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from recs.cli import allowed_classes
from recs.cli.signatures import arguments_of


def class_help(name: str, modules: Sequence[str] = ()) -> str:
    """Returns the arguments of a class and what its docstring says of them.

    Raises:
        UsageError: when a configuration cannot name the class.
    """
    thing = allowed_classes.resolve(name, "--KEY.help", modules)
    lines = [f"{name} takes:"]
    for key, argument in arguments_of(thing).items():
        required = argument.default is inspect.Parameter.empty
        lines.append(f"  {key}" + ("" if required else f"={argument.default!r}"))
    return "\n".join([*lines, "", inspect.getdoc(thing) or ""]).rstrip()
