"""Runs on the terminal: summary, transcript.

Models send any text. It is shown as text: no terminal control code and no markup in it takes effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ludens.agents.policy import Call, Decision
from ludens.agents.secrets import masked
from ludens.display.printable import printable
from ludens.errors import LudensError
from ludens.experiments.report.terminal import plain, print_table
from ludens.experiments.runs.budget import dollars
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.runs.run import Run, Summary, points
from ludens.experiments.study.replay import Replay

MOST_EPISODES = 20

Rows = Sequence[Mapping[str, Any]]


def show_summary(run: Run, console: Console) -> None:
    """Print how a run came about, how it stands, and its first episodes."""
    manifest, summary = run.manifest, run.summary()
    title = plain(str(run.path), style="bold")
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    rows = run.table()
    for name, value in (*_facts(manifest, summary), *_constants(rows)):
        facts.add_row(name, plain(value))
    console.print(title, facts, _payoffs(summary), _episodes(rows), sep="\n")
    unfinished = sum(summary.episodes.get(status, 0) for status in ("planned", "running"))
    if unfinished and summary.status != "aborted":
        _hint(console, f"{unfinished} episodes are still to be played:", f"ludens resume {run.path}")
    _hint(console, "Read one episode:", f"ludens show {run.path} --episode 0")


def show_replay(found: Replay, console: Console, most: int) -> None:
    """Print how the replies of a run are read today beside how they were read then, and the first decisions
    that differ, `most` at most.
    """
    if not found.calls:
        console.print(plain(f"{found.run} holds no reply of a model that could be read again."))
    for table in found.tables():
        if table.rows:
            console.print(plain(table.title, style="bold"))
            print_table(table, console)
            console.print()
    changes = found.changes
    console.print(plain(f"{len(changes)} decisions would be others today.", style="bold"))
    for each in changes[:most]:
        place = f"episode {each.episode}, step {each.step}, {each.policy} at {each.node!r}"
        why = f" ({each.why})" if each.why else ""
        console.print(plain(f"{place}: {each.what}: {each.then} → {each.now}{why}"), soft_wrap=True)
    if len(changes) > most:
        console.print(plain(f"… and {len(changes) - most} more: --most N, or --json for all.", style="dim"))


def show_episode(run: Run, episode: int, console: Console) -> None:
    """Print one episode: every decision with what was asked and answered.

    Raises:
        StoreError: the run has no such episode.
    """
    decisions = run.decisions(episode)
    (record,) = (each for each in run.episodes() if each.index == episode)
    head = plain(f"Episode {episode} of {run.path}: {record.status}", style="bold")
    labels = plain(", ".join(f"{key} {value}" for key, value in record.labels.items()), style="dim")
    console.print(head, labels, sep="\n")
    for decision in decisions:
        console.print()
        console.print(_decision(decision))
    console.print()
    if record.payoffs:
        paid = ", ".join(f"{seat} {points(payoff)}" for seat, payoff in record.payoffs.items())
        console.print(plain(f"Payoffs in points: {paid}"))
    if record.detail:
        console.print(plain(record.detail, style="yellow"))


def show_error(error: BaseException, console: Console) -> None:
    """Print an error as one red sentence, and how to go on where that is known."""
    text = (
        str(error)
        if isinstance(error, LudensError | KeyboardInterrupt)
        else f"{type(error).__name__}: {error}"
    )
    console.print(plain(masked(text), style="red"), soft_wrap=True)
    for note in getattr(error, "__notes__", ()):
        console.print(plain(masked(note)), soft_wrap=True)


def _facts(manifest: Mapping[str, Any], summary: Summary) -> Iterator[tuple[str, str]]:
    yield "status", f"{summary.status}{': ' + summary.detail if summary.detail else ''}"
    yield (
        "started",
        f"{manifest['started']} with ludens {manifest['versions'].get('ludens')}, seed {manifest['seed']}",
    )
    yield "time", f"{summary.seconds:.1f} s"
    yield "episodes", ", ".join(f"{count} {status}" for status, count in summary.episodes.items())
    yield (
        "decisions",
        ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in summary.decisions.items()),
    )
    if summary.calls:
        tokens = f"{summary.prompt_tokens:,} + {summary.completion_tokens:,} tokens"
        repeats = f", {summary.transport_retries} repeated" if summary.transport_retries else ""
        yield "calls", f"{summary.calls}{repeats}, {tokens}, {dollars(summary.cost)}"
        yield "models", ", ".join(manifest["models"])
        yield "prompts", ", ".join(f"{each['template']} {each['hash']}" for each in manifest["prompts"])


def _payoffs(summary: Summary) -> RenderableType:
    if all(payoff is None for payoff in summary.payoffs.values()):
        return Text()
    table = _table("policy", "mean payoff")
    for policy, payoff in summary.payoffs.items():
        table.add_row(plain(policy), points(payoff))
    return table


def _constants(rows: Rows) -> Iterator[tuple[str, str]]:
    """Yield the labels that are the same in all episodes."""
    varying = _varying(rows)
    same = ((name, rows[0].get(name)) for name in _columns(rows) if name not in varying)
    yield from ((name, str(value)) for name, value in same if value not in {"", None})


def _varying(rows: Rows) -> list[str]:
    """Return the columns that distinguish episodes, and their outcomes: status, payoffs, detail."""
    varying = [
        name
        for name in _columns(rows)
        if name in {"episode", "status"}
        or name.startswith("payoff ")
        or len({str(row.get(name)) for row in rows}) > 1
    ]
    return [name for name in varying if name != "detail" or any(row.get(name) for row in rows)]


def _episodes(rows: Rows) -> RenderableType:
    varying = _varying(rows)
    table = _table(*varying)
    for row in rows[:MOST_EPISODES]:
        table.add_row(*(_cell(row.get(name)) for name in varying))
    more = len(rows) - MOST_EPISODES
    return Group(table, Text(f"… and {more} more (--json has all)", style="dim")) if more > 0 else table


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _decision(record: DecisionRecord) -> RenderableType:
    decision = record.decision
    if record.choice is not None:
        answer = record.choice
    else:
        answer = "belief" if decision.status == "valid" else decision.status
    head = Text.assemble(
        (f"{record.step + 1}. ", "dim"),
        printable(f"{record.agent} ({record.role}), round {record.round + 1}, at {record.node}: "),
        (printable(answer), "bold"),
    )
    about = [record.policy]
    if decision.probabilities is not None:
        shares = zip(record.options, decision.probabilities, strict=False)
        about.append(", ".join(f"{name} {share:.3f}" for name, share in shares))
    if decision.wording is not None:
        about.append(f"{decision.wording.framing} {decision.wording.hash}")
    parts: list[RenderableType] = [head, Padding(plain("; ".join(about), style="dim"), (0, 0, 0, 3))]
    reasoning = decision.reasoning if isinstance(decision, Decision) else None
    if reasoning:
        parts.append(_block("reasoning", reasoning))
    for call in decision.calls:
        parts.extend(_call(call))
    return Group(*parts)


def _call(call: Call) -> Iterator[RenderableType]:
    for message in call.messages:
        yield _block(str(message.get("role", "")), str(message.get("content", "")), style="dim")
    yield _block("reply", call.reply if call.reply is not None else "(none)")
    tokens = f"{call.prompt_tokens} + {call.completion_tokens} tokens"
    spent = f"{tokens}, {dollars(call.cost)}, {call.seconds:.2f} s"
    if call.option_probabilities is not None:
        spent += f", {sum(call.option_probabilities):.0%} of the probability on the options"
    outcome = call.outcome + (f" ({call.detail})" if call.detail else "")
    yield Padding(plain(f"{call.model}: {outcome}; {spent}", style="dim"), (0, 0, 0, 3))


def _block(name: str, text: str, style: str = "") -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="cyan", no_wrap=True, width=9)
    grid.add_column(overflow="fold")
    grid.add_row(plain(name), plain(text, style=style))
    return Padding(grid, (0, 0, 0, 3))


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for column in columns:
        right = column == "episode" or "payoff" in column
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    return table


def _cell(value: object) -> Text:
    if isinstance(value, float):
        return plain(points(value))
    return plain("–" if value is None else str(value))


def _hint(console: Console, text: str, command: str) -> None:
    console.print(plain(f"{text} ", style="dim") + plain(command), soft_wrap=True)
