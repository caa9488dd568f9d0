"""Playthroughs, written down in full and compared.

After a change that is meant to change them: ``python tests/envs/test_golden.py --regenerate``, then read the
difference.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ludens.envs import FAMILIES, make_env

GOLDEN = Path(__file__).parent / "golden"
VARIANTS = {
    "direct": {},
    "direct_rounds": {"rounds": 3},
    "strategy": {"method": "strategy"},
    "strategy_rounds": {"method": "strategy", "rounds": 2},
}
CASES = [(family, variant) for family in FAMILIES for variant in VARIANTS]


def playthrough(family: str, variant: str) -> str:
    """One episode as text: every observation, turn, action, reward, and the tree as rendered."""
    options = VARIANTS[variant]
    env = make_env(family, render_mode="ansi", **options)
    env.reset(seed=2024)
    rng = np.random.default_rng(2024)
    lines = [f"{env.environment} {env.game!r} {options}", ""]
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, _ = env.last()
        lines.append(f"{agent} reward {reward:g} terminated {terminated} truncated {truncated}")
        lines.append("  sees " + " ".join(f"{value:g}" for value in observation["observation"]))
        if terminated or truncated:
            env.step(None)
            continue
        turn = env.turn()
        action = int(rng.choice(np.flatnonzero(observation["action_mask"])))
        known = ", ".join(f"{step.role}: {step.option}" for step in turn.known) or "nothing"
        lines.append(
            f"  round {turn.round + 1} of {turn.rounds}, {turn.role} at {turn.node!r}, knows {known}"
        )
        for number, seen in enumerate(turn.past, start=1):
            path = ", ".join(step.option for step in seen.path)
            lines.append(f"  remembers round {number} as {seen.role}: {path}, {dict(seen.payoffs)}")
        lines.append(f"  takes {action} of " + ", ".join(f"{o.action} {o.name}" for o in turn.options))
        env.step(action)
        lines += ["", *(f"    {line}" if line else "" for line in env.render().splitlines()), ""]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("family", "variant"), CASES)
def test_playthroughs_are_as_written_down(family, variant):
    written = (GOLDEN / f"{family}_{variant}.txt").read_text(encoding="utf-8")
    assert playthrough(family, variant) == written


def test_nothing_else_is_written_down():
    assert {path.stem for path in GOLDEN.iterdir()} == {f"{family}_{variant}" for family, variant in CASES}


if __name__ == "__main__":
    if sys.argv[1:] != ["--regenerate"]:
        raise SystemExit(__doc__)
    GOLDEN.mkdir(exist_ok=True)
    for family, variant in CASES:
        (GOLDEN / f"{family}_{variant}.txt").write_text(playthrough(family, variant), encoding="utf-8")
