"""The specification of the environment of budget sets; it is loaded when the first one is made."""

from __future__ import annotations

from ludens.envs.spec import EnvSpec, register

BUDGET = EnvSpec(
    "ludens/budget-v0",
    "Budget sets between two people, states or dates",
    "Andreoni & Miller (2002), Choi et al. (2007), Andreoni & Sprenger (2012)",
    ("chooser",),
    ("domain", "budgets", "points", "draw", "max_cycles", "render_mode", "observation"),
    "ludens.envs.budgets.env:BudgetEnv",
)


def register_budgets() -> None:
    """Add it to both registries; repeating this changes nothing."""
    register(BUDGET.environment, BUDGET.make)
