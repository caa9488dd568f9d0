"""Q-learners in the published market, compared with the published numbers.

    python benchmarks/qlearning_table.py [--baseline 1000] [--memory 100] [--sessions 100] [--rows TEXT]
        [--write FILE] [--keep FOLDER]

Trains the baseline of Calvano, Calzolari, Denicolò & Pastorello (AER 2020) and its variants, and prints
Markdown tables. `--rows` selects the variants whose name contains a text (such as `--rows costs`); slow ones
have fewer sessions than the others, and three firms have more. With `--keep`, trainings are stored, and an
interrupted one continues. The published numbers are means over 1,000 sessions; by chance, ours may differ
from them by two standard errors.

The input of the authors' archived runs settles what the paper leaves open: each firm has its own price grid,
the outside option has three values (−x, 0, x), the α and the decay of Boltzmann exploration, and the initial
values of the row ξ = 0.5, which expect all firms at their third price for ever. The table leaves out μ = 0,
which is not a logit market.

With memory 2, their code writes a state as (periods × firms) and unpacks it as (firms × periods) wherever
play is restarted or deviated from; learning itself never unpacks one. A limit path then starts from a state
that was not reached, and after a deviation firms remember prices that nobody charged. The table of memory 2
has our sessions unpacked both ways, beside the authors' own sessions unpacked both ways.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ludens.agents.qlearning import (
    LearningTables,
    QLearning,
    Sessions,
    equilibrium_test,
    impulse_response,
    learning_tables,
    train,
)
from ludens.envs.pricing import Market


@dataclass(frozen=True)
class Row:
    """A variant: its name, its published profit gain, and how it differs from the baseline."""

    name: str
    published: float
    market: Market = field(default_factory=Market.symmetric)
    learner: QLearning = field(default_factory=QLearning)
    outside: tuple[float, ...] = ()
    nash: float | None = None
    share: float = 1.0
    """Multiplies the number of sessions: below 1 if one takes long, above 1 if they vary much."""


def cost_row(cost: float, published: float) -> Row:
    """Return the variant in which the second firm produces at a lower cost."""
    return Row(f"costs 1 and {cost:g}", published, Market([2.0, 2.0], [1.0, cost]))


def demand_row(size: float, published: float) -> Row:
    """Return the variant in which the outside good's value is −size, 0 or size, drawn each period."""
    return Row(f"outside option ±{size:g}", published, outside=(-size, 0.0, size))


def third_price() -> np.ndarray:
    """Return initial values that expect every firm at its third price for ever, for ξ = 0.5."""
    tables = learning_tables(Market.symmetric(), QLearning(extension=0.5))
    profits = tables.expected[:, 0].reshape(tables.points, tables.points)
    return profits[:, 2] + 0.95 / 0.05 * profits[2, 2]


ROWS = [
    Row("three firms", 0.643, Market.symmetric(3), nash=0.184, share=2.0),
    *(
        cost_row(*pair)
        for pair in ((0.875, 0.841), (0.75, 0.812), (0.625, 0.781), (0.5, 0.759), (0.25, 0.713))
    ),
    *(demand_row(*pair) for pair in ((0.05, 0.848), (0.1, 0.832), (0.15, 0.797), (0.2, 0.75), (0.25, 0.695))),
    *(
        Row(f"μ = {mu:g}", gain, Market.symmetric(mu=mu))
        for mu, gain in ((0.5, 0.856), (0.1, 0.829), (0.01, 0.805))
    ),
    Row(
        "Boltzmann exploration",
        0.856,
        learner=QLearning(alpha=0.05, exploration="boltzmann", beta=-math.log(1 - 10**-4.41414)),
    ),
    Row("δ = 0.35", 0.16, learner=QLearning(discount=0.35)),
    Row("ξ = 0.5", 0.761, learner=QLearning(extension=0.5, initial=third_price())),
    Row("50 prices", 0.709, learner=QLearning(points=50), share=0.5),
    Row("100 prices", 0.704, learner=QLearning(points=100), share=0.25),
    Row(
        "three firms, α = 0.05, β = 2.4e-7",
        0.75,
        Market.symmetric(3),
        QLearning(alpha=0.05, beta=2.4e-7),
        share=0.25,
    ),
    Row("four firms", 0.56, Market.symmetric(4), share=0.25),
]


def main() -> None:
    """Train, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--baseline", type=int, default=1000, help="sessions of the baseline; 0 leaves it out"
    )
    parser.add_argument(
        "--sessions", type=int, default=100, help="sessions of every other row; 0 leaves them out"
    )
    parser.add_argument("--memory", type=int, default=100, help="sessions with memory 2; 0 leaves them out")
    parser.add_argument("--rows", default="", help="only variants whose name contains this")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder to keep trainings in")
    parser.add_argument("--write", type=Path, help="a file for the tables, besides the screen")
    options = parser.parse_args()
    lines: list[str] = []

    def say(*texts: str) -> None:
        lines.extend(texts)
        print(*texts, sep="\n", flush=True)

    if options.baseline:
        start = time.perf_counter()
        trained = train(
            sessions=options.baseline,
            seed=options.seed,
            workers=options.workers,
            checkpoint=kept("baseline", options.baseline, options),
        )
        say(f"## Baseline: {options.baseline:,} sessions, seed {options.seed}", "")
        say(*baseline(trained), "")
        print(f"({time.perf_counter() - start:.0f} s)\n", flush=True)
    if options.memory:
        say(f"## Memory 2: {options.memory:,} sessions, seed {options.seed}", "", *memory_two(options), "")
    rows = [row for row in ROWS if options.rows.lower() in row.name.lower()]
    if options.sessions and rows:
        say("## Variants: average profit gain", "")
        say("| variant | sessions | ours | published | difference | two s.e. | one-shot Nash on path |")
        say("|---|---|---|---|---|---|---|")
        for row in rows:
            say(variant(row, options))
    if options.write is not None:
        options.write.write_text(heading(options) + "\n".join(lines) + "\n", encoding="utf-8")


def kept(name: str, sessions: int, options: argparse.Namespace) -> Path | None:
    """Return the file of one training; None unless trainings are kept."""
    if options.keep is None:
        return None
    options.keep.mkdir(parents=True, exist_ok=True)
    return options.keep / f"{name.replace(' ', '_')}-{sessions}-{options.seed}.npz"


def heading(options: argparse.Namespace) -> str:
    """Return the beginning of the file of tables."""
    return (
        "# Q-learners in the published market\n\n"
        f"Made by `python benchmarks/qlearning_table.py --baseline {options.baseline} --memory"
        f" {options.memory} --sessions {options.sessions} --seed {options.seed}`.\n\n"
        "Published: Calvano, Calzolari, Denicolò & Pastorello (American Economic Review 110(10), 2020), means"
        " over 1,000 sessions. Two standard errors (s.e.) are what chance allows the mean of our sessions"
        " alone.\n\n"
    )


def baseline(trained: Sessions) -> list[str]:
    """Return the lines of the baseline's tables."""
    gains, lengths, symmetric = trained.gains, trained.cycle_lengths, trained.symmetric
    test = equilibrium_test(trained)
    first_cut, unprofitable, back = impulse_response(trained).as_published()
    groups = {
        "1-symmetric": (lengths == 1) & symmetric,
        "1-asymmetric": (lengths == 1) & ~symmetric,
        "cycle of 1": lengths == 1,
        "cycle of 2": lengths == 2,
        "cycle of 3 or more": lengths >= 3,
        "all": lengths >= 1,
    }
    published = dict(
        zip(
            groups,
            (
                (0.277, 0.866, 0.686),
                (0.366, 0.855, 0.661),
                (0.643, 0.860, 0.672),
                (0.238, 0.846, 0.294),
                (0.119, 0.793, 0.025),
                (1.0, 0.849, 0.505),
            ),
            strict=True,
        )
    )
    lines = [
        "| sessions that end in | share | published | Δ | published | one-shot Nash on path | published |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, among in groups.items():
        frequency, gain, nash = published[name]
        lines.append(
            f"| {name} | {among.mean():.3f} | {frequency:.3f} | {gains[among].mean():.3f} | {gain:.3f} |"
            f" {test.one_shot_nash[among].mean():.3f} | {nash:.3f} |"
        )
    further: list[tuple[str, float, str, str]] = [
        ("standard deviation of Δ", float(gains.std(ddof=1)), ".3f", "0.112"),
        (
            "mean periods to convergence, without the window",
            float(trained.periods.mean()),
            ",.0f",
            "1,751,000",
        ),
        ("median of them", float(np.median(trained.periods)), ",.0f", "1,700,000"),
        ("Q-loss on path", float(test.loss_path.mean()), ".4f", "0.002"),
        ("Q-loss in all states", float(test.loss_all.mean()), ".4f", "0.018"),
        (
            "Nash on path by full best replies",
            float(test.nash.mean()),
            ".3f",
            "not reported",
        ),
        ("rival's price change after a forced best reply", first_cut, ".3f", "-0.127"),
        ("deviations that do not pay", unprofitable, ".3f", "0.936"),
        ("periods until play is back, the first included", back, ".1f", "5.7"),
    ]
    lines += ["", "| | ours | published |", "|---|---|---|"]
    return lines + [f"| {name} | {value:{style}} | {known} |" for name, value, style, known in further]


class TransposedTables(LearningTables):
    """Tables with memory 2 that unpack a state as the authors' code does: firms and periods are exchanged."""

    def unpacked(self, states: np.ndarray) -> np.ndarray:
        """Return the states that are read where these were written."""
        newest, older = (self.digits(part) for part in (states % self.joints, states // self.joints))
        first, second = (
            np.stack([newest[..., 0], older[..., 0]], -1),
            np.stack([newest[..., 1], older[..., 1]], -1),
        )
        return self.joint(second) * self.joints + self.joint(first)

    def next_state(self, states: np.ndarray, joints: np.ndarray) -> np.ndarray:
        """Return the states after a deviation or a restart."""
        return super().next_state(self.unpacked(np.asarray(states)), joints)


class TransposedSessions(Sessions):
    """Sessions whose limit paths and deviations start from states as the authors' code unpacks them."""

    def next_states(self, session: int) -> np.ndarray:
        """Return the state that follows each state in undisturbed play, which unpacks nothing."""
        states = np.arange(self.tables.states)
        return LearningTables.next_state(self.tables, states, self.joint_actions(session))


def transposed(trained: Sessions, *, deviations: bool = True) -> Sessions:
    """Return sessions with memory 2 as the authors' code reads them, in restarts and in deviations."""
    tables = TransposedTables(trained.tables.market, trained.tables.parameters)
    states = tables.unpacked(trained.states)
    if not deviations:
        return replace(trained, states=states)
    return TransposedSessions(
        tables, trained.seed, trained.strategies, states, trained.periods, trained.converged
    )


MEMORY_TWO = (
    "The published 0.574 is no property of learners with memory 2, and our 0.677 is no error. The "
    "authors' code writes a state as (periods × firms) and unpacks it as (firms × periods) wherever "
    "play is restarted or deviated from; learning itself never unpacks one. Their own sessions, "
    "unpacked correctly, give our Δ and our share of equilibria. Unpacked as they did, ours have "
    "fewer equilibria than theirs (0.29 against 0.42); with restarts alone, as many (0.39)."
)


def memory_two(options: argparse.Namespace) -> list[str]:
    """Return the lines of the table of memory 2."""
    trained = train(
        parameters=QLearning(memory=2),
        sessions=options.memory,
        seed=options.seed,
        workers=options.workers,
        checkpoint=kept("memory 2", options.memory, options),
    )
    lines = [
        "| | Δ (s.e.) | one-shot Nash on path | rival's price change after a forced best reply |"
        " deviations that do not pay | periods until play is back |",
        "|---|---|---|---|---|---|",
        "| published | 0.574 | | | | |",
        "| the authors' sessions, unpacked as they did | 0.570 (0.019) | 0.423 | | | |",
    ]
    rows = {
        "ours, unpacked as they did": transposed(trained),
        "ours, only restarts unpacked as they did": transposed(trained, deviations=False),
        "the authors' sessions, unpacked correctly": None,
        "ours, unpacked correctly": trained,
    }
    for name, sessions in rows.items():
        if sessions is None:
            lines.append(f"| {name} | 0.676 (0.005) | 0.789 | | | |")
            continue
        gains = sessions.gains
        error = gains.std(ddof=1) / math.sqrt(len(gains))
        nash = equilibrium_test(sessions).one_shot_nash.mean()
        first_cut, unprofitable, back = impulse_response(sessions).as_published()
        lines.append(
            f"| {name} | {gains.mean():.3f} ({error:.3f}) | {nash:.3f} | {first_cut:.3f} |"
            f" {unprofitable:.3f} | {back:.1f} |"
        )
    return [*lines, "", MEMORY_TWO]


def variant(row: Row, options: Any) -> str:
    """Return one variant as a line of the table."""
    sessions = max(2, round(options.sessions * row.share))
    start = time.perf_counter()
    trained = train(
        row.market,
        row.learner,
        sessions,
        options.seed,
        outside=row.outside or None,
        workers=options.workers,
        checkpoint=kept(row.name, sessions, options),
    )
    gains = trained.gains
    error = 2 * gains.std(ddof=1) / math.sqrt(sessions)
    nash = f"{equilibrium_test(trained).one_shot_nash.mean():.3f}"
    if row.nash is not None:
        nash += f" ({row.nash:.3f} published)"
    stuck = "" if trained.converged.all() else f", {(~trained.converged).sum()} not converged"
    print(
        f"<!-- {time.perf_counter() - start:.0f} s, median {np.median(trained.periods):,.0f} periods -->",
        flush=True,
    )
    return (
        f"| {row.name} | {sessions}{stuck} | {gains.mean():.3f} | {row.published:.3f} |"
        f" {gains.mean() - row.published:+.3f} | {error:.3f} | {nash} |"
    )


if __name__ == "__main__":
    main()
