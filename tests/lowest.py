"""Print the lowest version of every dependency that pyproject.toml allows, as constraints for pip.

    python -m tests.lowest [EXTRA …]

`make test-lowest` installs them: a lower bound that nobody has tried is a guess.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lowest(requirements: list[str]) -> list[str]:
    """Return each requirement pinned to its lower bound."""
    bounds = (re.match(r"([\w.-]+)>=([\w.]+)", requirement) for requirement in requirements)
    return [f"{bound[1]}=={bound[2]}" for bound in bounds if bound is not None]


if __name__ == "__main__":
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in sys.argv[1:]:
        wanted += project["optional-dependencies"][extra]
    sys.stdout.write("\n".join(lowest(wanted)) + "\n")
