"""Reads a configuration as data: YAML of bounded size, and the changes of the command line.

Nothing that stands in a configuration is imported here. `recs.cli.configuration` makes objects of
it, of classes on its list only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from recs_cli.errors import UsageError

KEYS = ("data", "split", "model", "optimizer", "evaluation", "epochs", "batch_size", "seed",
        "judge_on", "name", "runs")  # fmt: skip
REQUIRED = KEYS[:5]
MAX_BYTES, MAX_NODES, MAX_DEPTH = 1_000_000, 100_000, 40
# Keys by which Keras and other tools make objects; here they would mean nothing.
FOREIGN = ("class_name", "registered_name", "dict_kwargs", "__path__", "__orig__")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's floats, so that `1e-3` is a number."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if not tag.endswith(("timestamp", "float"))
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|^[-+]?\.(inf|Inf|INF)$|^\.nan$"
    ),
    list("-+0123456789."),
)


def read(path: str, overrides: Sequence[str], modules: Sequence[str] = ()) -> dict[str, Any]:
    """Returns the tree of a configuration, changed by overrides, with names of classes checked.

    Args:
        path: the YAML file.
        overrides: `--KEY VALUE` or `--KEY=VALUE` each; KEY may be nested, as in
            `optimizer.learning_rate.init_args.decay_steps`.
        modules: modules besides `recs` and `keras` whose classes may be named.

    Raises:
        UsageError: when the file is not YAML of a bounded size, or a key is wrong, or a class is
            not of those packages.
    """
    tree = _parse(_text(path), path)
    if not isinstance(tree, dict):
        raise UsageError(f"{path} must hold keys and values. Received: {_shown(tree)}.")
    _check_keys(tree, path)
    for key, value in _overrides(overrides):
        _set(tree, key, value)
    if missing := [key for key in REQUIRED if key not in tree]:
        raise UsageError(f"{path} must have {', '.join(REQUIRED)}. Missing: {', '.join(missing)}.")
    for where, name in _class_paths(tree, ""):
        check_name(name, where, modules)
    return tree


def check_name(name: Any, where: str, modules: Sequence[str] = ()) -> None:
    """Checks that a class path is of `recs`, `keras` or an allowed module, or a bare name.

    Raises:
        UsageError: when it is not.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*", name):
        raise UsageError(f"{where} must be the name of a class. Received: {_shown(name)}.")
    if "." in name and not within(name, ("recs", "keras", *modules)):
        raise UsageError(
            f"{where} must be a class of recs or keras, or of a module that `--allow-module` "
            f"names. Received: {name}. For a module of your own: --allow-module "
            f"{name.rpartition('.')[0]}"
        )


def within(name: str, modules: Sequence[str]) -> bool:
    """Returns whether a dotted name is that of a module, or below one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _text(path: str) -> str:
    try:
        data = Path(path).read_bytes() if Path(path).stat().st_size <= MAX_BYTES else None
        if data is None:
            raise UsageError(f"{path} must have at most {MAX_BYTES:,} bytes.")
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} must be YAML in UTF-8. Received: {error}.") from error


def _parse(text: str, where: str) -> Any:
    """Returns what YAML holds, without shared parts: each alias is a copy of its own."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_size(node, where)
            return _copied(loader.construct_document(node))
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{where} must be valid YAML. Received: {error}") from error


def _check_size(root: yaml.Node, where: str) -> None:
    """Checks nodes and depth with every alias spelled out, before anything is made of them."""
    sizes: dict[int, tuple[int, int]] = {}

    def measure(node: yaml.Node, above: int) -> tuple[int, int]:
        if above > MAX_DEPTH:
            raise UsageError(f"{where} must be nested at most {MAX_DEPTH} deep.")
        if id(node) not in sizes:
            parts: list[yaml.Node] = []
            if isinstance(node, yaml.MappingNode):
                _check_unique(node, where)
                parts = [part for pair in node.value for part in pair]
            elif isinstance(node, yaml.SequenceNode):
                parts = list(node.value)
            measured = [measure(part, above + 1) for part in parts]
            count = 1 + sum(count for count, _ in measured)
            sizes[id(node)] = count, 1 + max((depth for _, depth in measured), default=0)
        count, depth = sizes[id(node)]
        if count > MAX_NODES or above + depth > MAX_DEPTH:
            raise UsageError(
                f"{where} must have at most {MAX_NODES:,} values, nested at most {MAX_DEPTH} deep, "
                "with every alias spelled out."
            )
        return count, depth

    measure(root, 0)


def _check_unique(node: yaml.MappingNode, where: str) -> None:
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in seen:
            line = key.start_mark.line + 1
            raise UsageError(
                f"{where} must have each key once. Received: {key.value}, line {line}."
            )
        seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_copied(part) for part in value]
    return value


def _check_keys(tree: dict[str, Any], where: str) -> None:
    for key in tree:
        if key not in KEYS:
            raise UsageError(unknown_key(f"{where} or the command line", key, KEYS, "The keys are"))


def unknown_key(where: str, key: Any, keys: Sequence[str], what: str) -> str:
    """Returns the message about a key that does not exist, with the closest that does."""
    import difflib

    near = difflib.get_close_matches(str(key), keys, n=1)
    lines = [f"{where} has no key {_shown(key)}.", f"{what}: {', '.join(keys)}."]
    return "\n".join([*lines, *(f"Did you mean {name}?" for name in near)])


def _overrides(arguments: Sequence[str]) -> Iterator[tuple[str, Any]]:
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        key, has_value, text = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not key:
            raise UsageError(f"--KEY VALUE must follow CONFIG. Received: {argument}.")
        if key.split(".")[0] not in KEYS:
            raise UsageError(unknown_key("The configuration", key, KEYS, "The keys are"))
        if not has_value:
            if not rest:
                raise UsageError(f"--{key} needs a value.")
            text = rest.pop(0)
        yield key, text if key in ("name", "runs") else _value(text, f"--{key}")


def _value(text: str, where: str) -> Any:
    try:
        return _parse(text, where)
    except UsageError:
        if re.match(r"\s*[\[{]", text):
            raise
        return text  # Text that YAML has another use for, as `|` or `a: b: c`.


def _set(tree: dict[str, Any], key: str, value: Any) -> None:
    """Sets a nested value; the arguments of a class may be named without `init_args`."""
    if key in REQUIRED and isinstance(value, str):
        value = {"class_path": value}
    *parents, last = key.split(".")
    node: Any = tree
    for depth, part in enumerate(parents):
        node = _child(node, part, key, ".".join(parents[:depth]))
    container = _arguments(node, last)
    if isinstance(container, dict):
        container[last] = value
    else:
        container[_position(container, last, key, ".".join(parents))] = value


def _child(node: Any, part: str, key: str, above: str) -> Any:
    container = _arguments(node, part)
    if isinstance(container, dict):
        if container.get(part) is None:
            container[part] = {}
        if part in KEYS and not above and isinstance(container[part], str):
            container[part] = {"class_path": container[part]}
        found = container[part]
    else:
        found = container[_position(container, part, key, above)]
    if not isinstance(found, dict | list):
        here = f"{above}.{part}" if above else part
        raise UsageError(
            f"--{key} needs a class or keys at {here}. Received: {here}={_shown(found)}. "
            f"Name the class first: --{here}.class_path CLASS"
        )
    return found


def _arguments(node: Any, part: str) -> Any:
    if isinstance(node, dict) and "class_path" in node and part not in ("class_path", "init_args"):
        if node.get("init_args") is None:
            node["init_args"] = {}
        return node["init_args"]
    return node


def _position(items: Any, part: str, key: str, where: str) -> int:
    if not isinstance(items, list) or not part.isdecimal() or int(part) >= len(items):
        received = f"a list of {len(items)}" if isinstance(items, list) else _shown(items)
        raise UsageError(f"--{key} needs keys, or a position from 0, at {where}. It is {received}.")
    return int(part)


def _class_paths(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yields every name of a class, at any depth."""
    if isinstance(value, dict):
        if found := [key for key in FOREIGN if key in value]:
            raise UsageError(
                f"{where or 'The configuration'} must name a class by `class_path` and its "
                f"arguments by `init_args`. Received: the key {found[0]}."
            )
        if "class_path" in value:
            yield f"{where}.class_path".lstrip("."), value["class_path"]
        for key, part in value.items():
            yield from _class_paths(part, f"{where}.{key}".lstrip("."))
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield from _class_paths(part, f"{where}.{position}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
