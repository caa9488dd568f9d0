"""The report's tables: what stands in each cell, and the interval under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ludens.envs import FAMILIES
from ludens.experiments.intervals import Estimate
from ludens.experiments.report.names import (
    DASH,
    number,
    number_range,
    oracle_name,
    percent,
    policy_name,
    share_range,
)

if TYPE_CHECKING:
    from ludens.experiments.bench import BenchResult
    from ludens.experiments.metrics import Measures


@dataclass(frozen=True)
class Cell:
    """One cell: what it says, in small below it the interval, and on hovering what it rests on."""

    text: str
    below: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """A table with one row per policy. `tested` says which rows are models under test."""

    title: str
    caption: str
    headers: tuple[str, ...]
    names: tuple[str, ...]
    tested: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]


def tables(result: BenchResult) -> list[Table]:
    """All of them, in the report's order."""
    found = [_summary(result), _cooperation(result), _sensitivity(result), _oracles(result, "uniform")]
    if any(entry.beliefs == "own" for measures in result.measures for entry in measures.comparisons):
        found.append(_oracles(result, "own"))
    return [*found, _consistency(result), _reading(result), _costs(result)]


def _table(
    result: BenchResult, title: str, caption: str, headers: Sequence[str], rows: Sequence[list[Cell]]
) -> Table:
    return Table(
        title,
        caption,
        tuple(headers),
        tuple(policy_name(found.policy) for found in result.measures),
        tuple(found.policy in result.models for found in result.measures),
        tuple(tuple(row) for row in rows),
    )


def _summary(result: BenchResult) -> Table:
    rows = []
    for found in result.measures:
        economicus, moralis = found.comparison(0.0), found.comparison(0.5)
        assert economicus is not None
        assert moralis is not None
        rows.append(
            [
                _share(found.overall),
                _share(economicus.agreement),
                _share(moralis.agreement),
                _number(economicus.regret),
                _number(moralis.regret),
                _share(found.order_consistency),
                _share(found.framing_consistency),
            ]
        )
    headers = ("cooperates", "agrees with homo economicus", "agrees with homo moralis κ=0.5")
    headers += (
        "regret, homo economicus",
        "regret, homo moralis κ=0.5",
        "same across orders",
        "same across framings",
    )
    caption = "Shares in per cent, regret in points per protocol; in small the 95 % interval. Oracles hold uniform beliefs."
    return _table(result, "Summary", caption, headers, rows)


def _cooperation(result: BenchResult) -> Table:
    nodes = [(name, node) for name, family in FAMILIES.items() for node in family.prosocial]
    rates = [
        {(entry.family, entry.node): entry.rate for entry in found.cooperation} for found in result.measures
    ]
    nodes = [place for place in nodes if any(place in of_policy for of_policy in rates)]
    framings = list(
        dict.fromkeys(name for found in result.measures for name in found.by_framing if name != "-")
    )
    headers = [f"{FAMILIES[name].title}: {node}, {FAMILIES[name].prosocial[node]}" for name, node in nodes]
    headers += [f"all questions, {framing} framing" for framing in framings]
    rows = []
    for found, of_policy in zip(result.measures, rates, strict=True):
        row = [_share(of_policy.get(place)) for place in nodes]
        rows.append(row + [_share(found.by_framing.get(framing)) for framing in framings])
    caption = "Share of the prosocial option at each node, over the family's protocols, in per cent."
    return _table(result, "Cooperation", caption, headers, rows)


def _sensitivity(result: BenchResult) -> Table:
    slopes = [{(e.family, e.node): e for e in found.sensitivity} for found in result.measures]
    families = [name for name in FAMILIES if any((name, None) in of_policy for of_policy in slopes)]
    nodes: list[tuple[str, str | None]] = [
        (name, node) for name in families for node in (None, *FAMILIES[name].prosocial)
    ]
    nodes = [place for place in nodes if any(place in of_policy for of_policy in slopes)]
    headers = [
        f"{FAMILIES[name].title}: {node or 'all nodes'}, {what}"
        for name, node in nodes
        for what in ("T − R", "P − S")
    ]
    rows = []
    for of_policy in slopes:
        row = []
        for place in nodes:
            entry = of_policy.get(place)
            row.append(_slope(entry.temptation if entry else None))
            row.append(_slope(entry.risk if entry else None))
        rows.append(row)
    caption = (
        "Change of cooperation in percentage points when the temptation T − R, or the risk P − S, "
        "rises by 10 points, from one regression on both. A dash: not identified, as where both move "
        "together (ultimatum protocols)."
    )
    return _table(result, "Incentive sensitivity", caption, headers, rows)


def _oracles(result: BenchResult, beliefs: str) -> Table:
    kappas = [entry.kappa for entry in result.measures[0].comparisons if entry.beliefs == "uniform"]
    headers = [f"agrees with {oracle_name(kappa)}" for kappa in kappas]
    headers += [f"regret, {oracle_name(kappa)}" for kappa in kappas] + ["protocols left out of regret"]
    rows = []
    for found in result.measures:
        entries = [found.comparison(kappa, beliefs) for kappa in kappas]  # type: ignore[arg-type]  # one of the two
        agreed = [_share(entry.agreement if entry else None) for entry in entries]
        lost = [_number(entry.regret if entry else None) for entry in entries]
        rows.append([*agreed, *lost, Cell(str(entries[0].incomplete) if entries[0] else DASH)])
    whose = "uniform beliefs" if beliefs == "uniform" else "the policy's own stated beliefs"
    caption = (
        f"Oracles that choose under {whose}. Agreement: probability on the optimal options, in per "
        "cent, where the oracle is not indifferent. Regret: points per protocol that the whole "
        "strategy loses; protocols of which an answer is missing are left out."
    )
    return _table(result, f"Agreement and regret, {whose}", caption, headers, rows)


def _consistency(result: BenchResult) -> Table:
    framings = list(
        dict.fromkeys(name for found in result.measures for name in found.first_by_framing if name != "-")
    )
    headers = ["same across orders", "same across framings", "first option shown is chosen"]
    headers += [f"first option chosen, {framing}" for framing in framings]
    rows = [
        [_share(found.order_consistency), _share(found.framing_consistency), _share(found.first_shown)]
        + [_share(found.first_by_framing.get(framing)) for framing in framings]
        for found in result.measures
    ]
    caption = (
        "100 minus the distance between the answers to one question under different orders (or "
        "framings), in per cent. With two options, 50 in the third column is no position bias. "
        "Policies that see no text have none."
    )
    return _table(result, "Consistency and position bias", caption, headers, rows)


def _reading(result: BenchResult) -> Table:
    rows = [
        [
            Cell(str(found.invalid.n)),
            _share(found.invalid, 1),
            _share(found.refused, 1),
            Cell(f"{found.incomplete} of {found.asked}"),
            _share(found.beliefs_unread, 1),
        ]
        for found in result.measures
    ]
    headers = ("choices asked", "unreadable", "refused", "questions left out", "beliefs unreadable")
    caption = (
        "Replies that could not be read, in per cent of what was asked. None is replaced by a guess: "
        "a question without a usable answer in every order is left out of the measures above."
    )
    return _table(result, "Unreadable and refused", caption, headers, rows)


def _costs(result: BenchResult) -> Table:
    rows = [_cost_row(found) for found in result.measures]
    headers = ("answers", "calls", "tokens in", "tokens out", "US dollars", "seconds", "repeated requests")
    caption = "Dollars by LiteLLM's prices, 0 where it has none. Seconds are summed over calls, also over simultaneous ones."
    return _table(result, "Cost", caption, headers, rows)


def _cost_row(found: Measures) -> list[Cell]:
    costs = found.costs
    counts = [costs.decisions, costs.calls, costs.prompt_tokens, costs.completion_tokens]
    cells = [Cell(f"{count:,}".replace(",", " ")) for count in counts]
    return [
        *cells,
        Cell(f"{costs.cost:.4f}"),
        Cell(f"{costs.seconds:.1f}"),
        Cell(str(costs.transport_retries)),
    ]


def _share(estimate: Estimate | None, digits: int = 0) -> Cell:
    if estimate is None or estimate.value is None:
        return Cell(DASH, "", estimate.note if estimate else "")
    text = percent(estimate.value) if digits == 0 else number(100 * estimate.value, digits)
    return Cell(text, share_range(estimate), _hint(estimate))


def _number(estimate: Estimate | None) -> Cell:
    if estimate is None or estimate.value is None:
        return Cell(DASH, "", estimate.note if estimate else "")
    return Cell(number(estimate.value), number_range(estimate), _hint(estimate))


def _slope(estimate: Estimate | None) -> Cell:
    if estimate is None or estimate.value is None:
        return Cell(DASH, "", estimate.note if estimate else "")
    return Cell(number(100 * estimate.value), number_range(estimate, 1, 100), _hint(estimate))


def _hint(estimate: Estimate) -> str:
    clusters = f", {estimate.clusters} clusters" if estimate.clusters is not None else ""
    return f"n = {estimate.n}{clusters}; {estimate.method if estimate.method != 'none' else estimate.note}"
