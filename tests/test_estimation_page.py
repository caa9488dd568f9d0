"""The page "From choices to preferences": its code and commands, run as a reader would run them, and its
table.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "from-choices-to-preferences.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run(arguments, folder):
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_code_and_commands_run_in_their_order(tmp_path):
    assert "weak: " in run(["-W", "error", "-c", "\n".join(blocks("python"))], tmp_path)
    for line in "".join(blocks("bash")).splitlines():
        command = shlex.split(line)
        assert command[:2] == ["ludens", "estimate"]
        assert "κ" in run(["-m", *command], tmp_path) or "1..2" in command
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"answers.csv", "table.tex", "numbers.csv", "parameters.png"}


def test_the_table_of_identification_is_the_script_s(tmp_path):
    """Verdicts to the letter, errors to what linear algebra may differ by between machines."""
    shown = [
        line for line in PAGE.splitlines() if re.match(r"\| .* \| (whole strategies|moves at nodes) \|", line)
    ]
    found = run([str(ROOT / "docs" / "identification.py")], tmp_path).splitlines()[2:]
    assert len(shown) == len(found) == 10
    for one, other in zip(shown, found, strict=True):
        left, right = one.strip("| ").split(" | "), other.strip("| ").split(" | ")
        assert (left[:2], left[6]) == (right[:2], right[6])
        for told, computed in zip(left[2:6], right[2:6], strict=True):
            assert abs(float(told) - float(computed)) <= 0.0021 * max(1.0, float(told))
