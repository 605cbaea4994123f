"""docs/dependencies.md and setup.cfg name the same packages."""

import configparser
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]


def test_each_dependency_has_a_reason():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    named = [extras[name] for name in ("test", "ivf", "pandas", "notebook", "scann")]
    listed = "\n".join([setup["options"]["install_requires"], *named])
    required = [re.split(r"[<>=~!]", line)[0] for line in listed.split()]
    text = (ROOT / "docs" / "dependencies.md").read_text()
    assert re.findall(r"^\| `([^`]+)` \| \S", text, flags=re.M) == required
