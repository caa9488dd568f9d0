"""The code that words turns and reads replies knows no game: the words stand in templates and in turns."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ludens.agents.llm
from ludens.envs import PROTOCOLS, environments
from ludens.envs.av.dilemma.env import ACTS

FILES = sorted(Path(ludens.agents.llm.__file__).parent.rglob("*.py"))
GAMES = {name.removeprefix("ludens/").removesuffix("-v0") for name in environments()}
OPTIONS = {
    option for game in PROTOCOLS.values() for node in game.information_sets for option in node.options
} | {act.name for act in ACTS}
# Those that no English sentence needs to say something else.
OF_GAMES = re.compile(
    r"\b(?:stay|swerv|cooperat|defect|reciproc|pedestrian|passenger|survival|trustee|dilemma)"
)


def texts(path: Path) -> list[str]:
    """The texts of a file that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_text_in_the_code_is_a_games(path):
    for text in texts(path):
        assert text not in GAMES | OPTIONS
        assert not OF_GAMES.search(text), text


def test_the_words_that_are_looked_for_are_those_of_games():
    assert {"trust", "ultimatum", "bertrand"} <= GAMES
    assert {"stay", "swerve", "cooperate", "defect"} <= OPTIONS
