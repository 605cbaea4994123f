"""Writes docs/api.md, the list of all public names, from the docstrings and the guides.

Call it after a public name, a first line of a docstring or a heading of a guide has changed:

    python docs/write_api.py
"""

from __future__ import annotations

import importlib
import inspect
import pathlib
import pkgutil
import re
import types
from collections.abc import Iterator
from typing import Any

import recs
from recs.ops.record_table import RecordTable
from recs.ops.state_resource import StateResource
from recs.ops.table import Table
from recs.ops.table_resource import TableResource

DOCS = pathlib.Path(__file__).parent
PAGE = DOCS / "api.md"
ENGINE = ("embeddings", "admission_and_eviction", "cold_ids", "optimizers", "records", "inspection")
# Where the names of a package are looked for: the first section with code that has the name, else
# the first that speaks of it.
GUIDES = {
    "recs": ("../README",),
    "recs.callbacks": ("inspection", "admission_and_eviction", "checkpoints", "retrieval"),
    "recs.cli": ("cli",),
    "recs.data": ("data", "sequences", "multi_domain"),
    "recs.data.sequences": ("sequences",),
    "recs.embedding": ("embeddings",),
    "recs.evaluation": ("data", "retrieval", "cli", "ranking_heads"),
    "recs.examples": ("from_tfrs",),
    "recs.experimental": ("from_tfrs", "optimizers"),
    "recs.experiments": ("cli", "sequences"),
    "recs.export": ("serving", "checkpoints", "retrieval"),
    "recs.layers": (*ENGINE, "retrieval"),
    "recs.layers.admission": ("admission_and_eviction",),
    "recs.layers.blocks": ("from_tfrs",),
    "recs.layers.cold": ("cold_ids",),
    "recs.layers.dcn": ("from_tfrs",),
    "recs.layers.eviction": ("admission_and_eviction",),
    "recs.layers.factorized_top_k": ("retrieval", "from_tfrs"),
    "recs.layers.feature_interaction": ("from_tfrs",),
    "recs.layers.loss": ("retrieval", "from_tfrs"),
    "recs.layers.multi_domain": ("multi_domain",),
    "recs.layers.multi_task": ("multi_task",),
    "recs.layers.negatives": ("retrieval",),
    "recs.layers.ranking": ("ranking_heads",),
    "recs.layers.sequence": ("sequences",),
    "recs.losses": ("retrieval", "ranking_losses"),
    "recs.metrics": ("retrieval", "ranking_losses", "data", "serving", "../README"),
    "recs.models": (
        "../README",
        "multi_task",
        "multi_domain",
        "sequences",
        "data",
        "serving",
        "ranking_heads",
    ),
    "recs.optimizers": ("optimizers",),
    "recs.plotting": ("cli", "data"),
    "recs.tasks": ("../README", "retrieval", "ranking_heads", "multi_task"),
    "recs.types": ("from_tfrs",),
    "recs.warm_start": ("warm_start",),
}
# The two tables, as users meet them, each with its guides. What is left out is for the layers.
TABLES = {
    "DynamicEmbedding(...).table": (Table, ("inspection", "checkpoints", *ENGINE)),
    "RecentRecords(...).table": (RecordTable, ("records", "checkpoints", "embeddings")),
}
FOR_LAYERS = {"handle", "find", "serialize", "deserialize", "empty_copy", "follows"}
# The engine, and the names of other packages, which one line stands for.
LEFT_OUT = ("recs.ops", "recs.compat")
COMPAT = (
    "\n## `recs.compat.tfrs`\n\n"
    "The public names of TensorFlow Recommenders under its module paths "
    "→ [From TensorFlow Recommenders](from_tfrs.md#from-tensorflow-recommenders)\n"
)
IMPORTS = re.compile(r"^(from|import) [^(\n]*(\([^)]*\))?$", re.MULTILINE)
CONSTANTS = {"__version__": "The version, as text.", "VARIANTS": "The names that `load` takes."}


def public_modules() -> list[types.ModuleType]:
    """Returns the packages that say what they export, and modules that these export."""
    found = {"recs": recs}
    for module in pkgutil.walk_packages(recs.__path__, "recs."):
        if module.ispkg and not module.name.startswith(LEFT_OUT):
            package = importlib.import_module(module.name)
            found |= {package.__name__: package} if hasattr(package, "__all__") else {}
    for package in list(found.values()):
        parts = (getattr(package, name) for name in package.__all__)
        modules = [part for part in parts if isinstance(part, types.ModuleType)]
        found |= {m.__name__: m for m in modules if not m.__name__.startswith(LEFT_OUT)}
    return [found[name] for name in sorted(found)]


def public_names(module: types.ModuleType) -> dict[str, Any]:
    """Returns what a module exports, other modules left out."""
    if hasattr(module, "__all__"):
        named = {name: getattr(module, name) for name in module.__all__}
    else:
        named = {n: o for n, o in vars(module).items() if not n.startswith("_")}
        named = {n: o for n, o in named.items() if getattr(o, "__module__", "") == module.__name__}
    return {n: o for n, o in sorted(named.items()) if not isinstance(o, types.ModuleType)}


def table_methods(table: type) -> dict[str, Any]:
    """Returns the public methods of a table, TensorFlow's left out."""
    found: dict[str, Any] = {}
    for cls in (table, TableResource, StateResource):
        members = {n: o for n, o in vars(cls).items() if inspect.isfunction(o)}
        found = {**members, **found}
    return {n: found[n] for n in sorted(found) if not n.startswith("_") and n not in FOR_LAYERS}


def sections(guide: str) -> Iterator[tuple[str, str, str]]:
    """Yields heading, code without imports, and all text of each section of a guide."""
    text = (DOCS / f"{guide}.md").read_text()
    code = re.compile(r"```python\n(.*?)```", re.DOTALL)
    for part in re.split(r"^(?=#+ [A-Z])", text, flags=re.MULTILINE):
        if part.startswith("#"):
            heading = part.splitlines()[0].lstrip("# ")
            yield heading, IMPORTS.sub("", "\n".join(code.findall(part))), part


def guides_of(module: str) -> tuple[str, ...]:
    """Returns the guides of a package, or of the one that it is in."""
    while module and module not in GUIDES:
        module = module.rpartition(".")[0]
    return GUIDES[module]


def guide_of(pattern: str, guides: tuple[str, ...]) -> str | None:
    """Returns the link to the section that shows what the pattern matches."""
    shown = [(g, heading, code, text) for g in guides for heading, code, text in sections(g)]
    for look_at_code in (True, False):
        for guide, heading, code, text in shown:
            if re.search(pattern, code if look_at_code else text):
                anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
                return f"[{heading}]({guide}.md#{anchor})"
    return None


def entry(name: str, what: Any, pattern: str, guides: tuple[str, ...]) -> str:
    """Returns the line of one name."""
    if name in CONSTANTS:
        says = CONSTANTS[name]
    elif what.__name__ != name:
        says = f"The same as `{what.__name__}`, under the name that TFRS has for it."
    else:
        says = " ".join(inspect.cleandoc(what.__doc__).split("\n\n")[0].split())
    link = guide_of(pattern, guides)
    return f"- `{name}`: {says}" + (f" → {link}" if link else "") + "\n"


def page() -> str:
    """Returns the whole page."""
    parts = [
        "# Public names\n\n"
        "Every name with what its docstring says first, and the guide that shows it. "
        "`help(name)` has\narguments, shapes, errors and an example. "
        "`python docs/write_api.py` writes this page.\n"
    ]
    for module in public_modules():
        names = public_names(module)
        if not names:
            continue
        guides = guides_of(module.__name__)
        first = (module.__doc__ or "").splitlines()[0]
        parts.append(f"\n## `{module.__name__}`\n\n{first}\n\n")
        parts += [entry(n, o, rf"\b{re.escape(n)}\b", guides) for n, o in names.items()]
        if module.__name__ == "recs.layers":
            parts += table_parts()
    return "".join([*parts, COMPAT])


def table_parts() -> Iterator[str]:
    """Yields the sections of the tables behind layers."""
    for title, (table, guides) in TABLES.items():
        first = table.__doc__.splitlines()[0] if table.__doc__ else ""
        yield f"\n### `{title}`\n\n{first}\n\n"
        for name, method in table_methods(table).items():
            yield entry(name, method, rf"\.{name}\(", guides)


if __name__ == "__main__":
    PAGE.write_text(page())
