"""Choices on budget sets as a study: how consistent each policy is, domain by domain.

    study = "ludens.experiments.budgets.study:BudgetStudy"

    [budget]
    models = ["openai/gpt-5-mini", "homo_moralis:0.5", "random"]

One episode is one budget put to one policy. In each domain and replicate, a policy's choices are tested
together: GARP, Afriat's efficiency index (CCEI) and the index of Houtman & Maks. What a set of budgets can
detect is shown by the policy `random`, which is a good one to name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from ludens.agents.policy import Decision, Policy
from ludens.display.table import Cell, Table
from ludens.envs.budgets.budget import DOMAINS, Domain, budget_game, bundles, draw_budgets
from ludens.envs.budgets.env import budget_turn, observe
from ludens.envs.turn import Turn
from ludens.experiments.report.names import DASH, number, percent, policy_name
from ludens.experiments.runs.columns import Column
from ludens.experiments.runs.records import NO_FRAMING
from ludens.experiments.runs.run import Run
from ludens.experiments.study.base import Columns, Labels, Rows
from ludens.experiments.study.config import Count, PolicySpecs, StudyConfig
from ludens.experiments.study.questions import LabelledStudy, is_language_model
from ludens.preferences.rationality.budgets import budget_consistency

if TYPE_CHECKING:
    from rich.console import Console

    from ludens.experiments.report.page import Page

COLUMNS = (
    Column("policy", "text", "the policy's label"),
    Column("domain", "text", "`social`, `risk` or `time`"),
    Column("replicate", "integer", "the number of the repetition, from 0"),
    Column("choices", "integer", "budgets with a readable choice"),
    Column(
        "ccei", "number", "Afriat's efficiency index, 1 for consistent choices", empty="no readable choice"
    ),
    Column("garp", "boolean", "whether the choices satisfy GARP", empty="no readable choice"),
    Column("consistent", "integer", "the largest number of choices that satisfy GARP (Houtman & Maks)"),
    Column(
        "share", "number", "mean share of the budget that the second good takes", empty="no readable choice"
    ),
)


class BudgetConfig(StudyConfig):
    """What is asked of whom.

    Attributes:
        models: the policies.
        domains: ``"social"``, ``"risk"``, ``"time"``.
        budgets: number of budgets in each domain.
        points: number of options of each.
        draw: seed from which the budgets are drawn.
        framing: the family of templates for language models.
        replicates: how often each policy divides all budgets.

    Raises:
        UsageError: a value is out of its range.
    """

    kind: ClassVar[str] = "budget"
    models: PolicySpecs
    domains: tuple[Domain, ...] = DOMAINS
    budgets: Count = 25
    points: Count = 11
    draw: int = 0
    framing: str = "neutral"
    replicates: Count = 1

    @field_validator("framing")
    @classmethod
    def _check_framing(cls, framing: str) -> str:
        from ludens.agents.llm.prompts.games import check_framing

        return check_framing(framing)


@dataclass(frozen=True)
class BudgetRow:
    """How consistent one policy is in one domain and replicate; see `COLUMNS`."""

    policy: str
    domain: str
    replicate: int
    choices: int
    ccei: float | None
    garp: bool | None
    consistent: int
    share: float | None


class BudgetStudy(LabelledStudy[BudgetConfig, tuple[BudgetRow, ...]]):
    """The consistency of choices on budget sets."""

    config_type = BudgetConfig
    title = "choices on budget sets: GARP and efficiency"
    columns: ClassVar[Columns] = {"budgets": COLUMNS}
    grows = frozenset({"models", "replicates", "domains"})

    @cached_property
    def intercepts(self) -> NDArray[np.float64]:
        """What each budget buys of each good alone, shape (budgets, 2)."""
        return draw_budgets(self.config.budgets, self.config.draw)

    def episodes(self) -> Sequence[Labels]:
        """Return every budget of every domain, for every policy and replicate."""
        config = self.config
        return [
            {
                "policy": label,
                "domain": domain,
                "budget": budget,
                "framing": config.framing if is_language_model(policy) else NO_FRAMING,
                "order": 0,
                "replicate": replicate,
            }
            for label, (_, policy) in self.policies.items()
            for domain in config.domains
            for replicate in range(config.replicates)
            for budget in range(config.budgets)
        ]

    def turn(self, labels: Labels) -> Turn:
        """Return the question of a budget."""
        domain, row = labels["domain"], self.intercepts[labels["budget"]]
        points = self.config.points
        return budget_turn(budget_game(domain, row, points), observe(domain, row.tolist(), points))

    def policy(self, label: str, framing: str, order: int) -> Policy:
        """Make the policy of that label, set to that wording.

        Raises:
            UsageError: it cannot be made; the message names its key.
        """
        key, policy = self.policies[label]
        game = budget_game(self.config.domains[0], self.intercepts[0], self.config.points)
        return self.make_worded(key, policy, framing, order, game)

    def measure(self, run: Run) -> tuple[BudgetRow, ...]:
        """Test the choices of every policy, domain and replicate."""
        groups: dict[tuple[str, str, int], list[tuple[int, int]]] = {}
        for record in run.decisions():
            labels = record.labels
            choices = groups.setdefault((labels["policy"], labels["domain"], labels["replicate"]), [])
            answer = record.decision
            if isinstance(answer, Decision) and answer.status == "valid" and isinstance(answer.action, int):
                choices.append((labels["budget"], answer.action))
        return tuple(self._row(*group, choices) for group, choices in groups.items())

    def page(self, result: tuple[BudgetRow, ...]) -> Page:
        """Return the report."""
        from ludens.experiments.report.page import Page

        return Page(
            title="Choices on budget sets",
            lead=f"{self.config.budgets} budgets in each of {len(self.config.domains)} domains.",
            tables=[_table(result)],
        )

    def show(self, result: tuple[BudgetRow, ...], console: Console) -> None:
        """Print the table."""
        from ludens.experiments.report.terminal import print_table, say

        print_table(_table(result), console, names=32)
        say(console, _CAPTION, "dim")

    def as_json(self, result: tuple[BudgetRow, ...]) -> dict[str, Any]:
        """Return every row as JSON values."""
        return {"budgets": [asdict(row) for row in result]}

    def tables(self, result: tuple[BudgetRow, ...]) -> Mapping[str, Rows]:
        """Return every row."""
        return {"budgets": [asdict(row) for row in result]}

    def _row(self, policy: str, domain: str, replicate: int, choices: Sequence[tuple[int, int]]) -> BudgetRow:
        if not choices:
            return BudgetRow(policy, domain, replicate, 0, None, None, 0, None)
        budgets = [budget for budget, _ in choices]
        bought = np.stack(
            [bundles(self.intercepts[budget], self.config.points)[at] for budget, at in choices]
        )
        found = budget_consistency(1 / self.intercepts[budgets], bought)
        share = float((bought[:, 1] / self.intercepts[budgets, 1]).mean())
        return BudgetRow(
            policy, domain, replicate, found.choices, found.ccei, found.garp, found.consistent, share
        )


_CAPTION = (
    "CCEI: Afriat's efficiency index, 1 where some utility explains every choice (mean over replicates). "
    "GARP: replicates without a violation, in per cent. Consistent: the largest set of choices without one, "
    "in per cent. Second good: its share of the budget, in per cent. Choices at random show what these "
    "budgets can detect."
)


def _table(rows: Sequence[BudgetRow]) -> Table:
    groups: dict[tuple[str, str], list[BudgetRow]] = {}
    for row in rows:
        groups.setdefault((row.policy, row.domain), []).append(row)
    lines = []
    for (policy, domain), found in groups.items():
        read = [row for row in found if row.ccei is not None]
        name = f"{policy_name(policy)}, {domain}"
        if not read:
            lines.append((name, [Cell(DASH)] * 4))
            continue
        means = [
            number(float(np.mean([row.ccei for row in read if row.ccei is not None])), 3),
            percent(float(np.mean([bool(row.garp) for row in read]))),
            percent(float(np.mean([row.consistent / row.choices for row in read]))),
            percent(float(np.mean([row.share for row in read if row.share is not None]))),
        ]
        lines.append((name, list(map(Cell, means))))
    headers = ["CCEI", "GARP", "consistent", "second good"]
    return Table.of("Consistency on budget sets", _CAPTION, headers, lines, corner="policy, domain")
