"""From YAML and the command line to an experiment."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from pathlib import Path

import jsonargparse
import keras

from recs.experiments import Experiment
from recs_cli.errors import UsageError


def parser() -> jsonargparse.ArgumentParser:
    """Returns the parser of everything an experiment takes."""
    made = jsonargparse.ArgumentParser(
        prog="recs train",
        usage="recs train CONFIG [--KEY VALUE ...] [--name NAME] [--runs FOLDER]",
        description="Trains the model that CONFIG describes. Each key below stands in the YAML "
        "file, or on the command line, which wins: --epochs 3 --model.embedding_dim 64",
        exit_on_error=False,
        default_env=False,
    )
    made.add_argument("--config", action="config", help=jsonargparse.SUPPRESS)
    # Keras's optimizers have no type hints; their arguments are taken as YAML has them.
    made.add_class_arguments(Experiment, None, fail_untyped=False)
    made.add_argument(
        "--name", type=str | None, default=None, help="the run's name; default: CONFIG's file name"
    )
    made.add_argument(
        "--runs", type=str, default="runs", help="the folder of all runs; default: runs"
    )
    return made


def parse(config: str, overrides: list[str]) -> jsonargparse.Namespace:
    """Returns the configuration in a file with what the command line changes.

    Raises:
        UsageError: when a key or value is wrong.
    """
    made = parser()
    try:
        parsed = made.parse_args(["--config", config, *overrides])
    except (jsonargparse.ArgumentError, ValueError, TypeError) as error:
        raise UsageError(_explained(str(error), config)) from error
    if parsed.name is None:
        parsed.name = Path(config).stem
    return parsed


def dump(parsed: jsonargparse.Namespace) -> str:
    """Returns the configuration as YAML that `parse` takes."""
    kept = parsed.clone()
    kept.pop("config", None)
    return str(parser().dump(kept))


def experiment(parsed: jsonargparse.Namespace) -> Experiment:
    """Returns the experiment that a configuration describes, from its seed.

    Raises:
        UsageError: when a class refuses its arguments.
    """
    # Before anything is made: the model draws its initial values from this.
    keras.utils.set_random_seed(parsed.seed)
    made = parser()
    try:
        # The second name is that of releases before 4.44.
        instantiate = getattr(made, "instantiate", None) or made.instantiate_classes
        given = instantiate(parsed)
        return Experiment(
            **{name: given[name] for name in inspect.signature(Experiment).parameters}
        )
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error


def _explained(message: str, config: str) -> str:
    """Returns jsonargparse's message with the keys there are, the closest one named."""
    lines = [f"{config} or the command line: {message.strip()}"]
    wrong = re.search(r"(?:Key|Option|[Uu]nrecognized arguments?:?)\s+'?-{0,2}([\w.]+)", message)
    within = re.search(r"class_path '?([\w.]+)", message)
    if wrong and within:
        keys = _arguments_of(within.group(1))
        lines.append(f"{within.group(1)} takes: {', '.join(keys)}.")
    elif wrong:
        keys = [*inspect.signature(Experiment).parameters, "name", "runs"]
        lines.append(f"The keys are: {', '.join(keys)}.")
    else:
        return lines[0]
    near = difflib.get_close_matches(wrong.group(1).rsplit(".", 1)[-1], keys, n=1)
    if near:
        lines.append(f"Did you mean {near[0]}?")
    return "\n".join(lines)


def _arguments_of(class_path: str) -> list[str]:
    module, _, name = class_path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in inspect.signature(found).parameters.values() if p.kind not in kinds]
