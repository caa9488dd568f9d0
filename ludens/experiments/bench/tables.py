"""The tables of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ludens.agents.llm.logprobs import MIN_ANSWER_MASS
from ludens.display.table import Cell, Header, Table
from ludens.envs import LIBRARY
from ludens.experiments.bench.comparisons import Beliefs
from ludens.experiments.bench.published import beside_published, published_tables
from ludens.experiments.bench.rationality import remarks_on, variance_shares
from ludens.experiments.report.answering import masses_table, refusals_table
from ludens.experiments.report.cells import COST_HEADERS, cost_cells, measured, share
from ludens.experiments.report.names import (
    DASH,
    PREFERENCES,
    number,
    number_range,
    oracle_name,
    percent,
    policy_name,
)
from ludens.experiments.runs.records import NO_FRAMING
from ludens.preferences import human

_BELIEFS = {"uniform": "uniform", "equilibrium": "equilibrium", "own": "as stated"}

if TYPE_CHECKING:
    from ludens.experiments.bench.result import BenchResult
    from ludens.experiments.estimates.differences import PolicyDifference


def tables(result: BenchResult) -> list[Table]:
    """Return all tables in the report's order."""
    found = [_summary(result), _cooperation(result), *_sensitivities(result), _oracles(result, "uniform")]
    if any(entry.beliefs == "own" for measures in result.measures for entry in measures.comparisons):
        found.append(_oracles(result, "own"))
    found.append(_rationality(result))
    for kind in _kinds(result):
        found.append(_preferences(result, kind))
        apart = _differences(result, kind)
        found += [] if apart is None else [apart]
    by_beliefs = _by_beliefs(result)
    found += [] if by_beliefs is None else [by_beliefs]
    answering = [
        _reading(result),
        refusals_table({each.policy: each.refusals for each in result.measures}),
        masses_table({each.policy: each.mass_by_protocol for each in result.measures}),
    ]
    beside = beside_published(result)
    known = [] if beside is None else [beside]
    if result.manifest["config"].get("other_studies"):
        known += published_tables()
    answered = [each for each in answering if each is not None]
    return [*found, _consistency(result), *answered, _costs(result), *known]


def policy_table(
    result: BenchResult,
    title: str,
    caption: str,
    headers: Sequence[str | Header],
    rows: Sequence[Sequence[Cell]],
    *,
    corner: str = "policy",
    further: Sequence[str] = (),
) -> Table:
    """Return a table with a row for each policy, and further ones for `further` models."""
    names = [*(policy_name(each.policy) for each in result.measures), *further]
    tested = [*(each.policy in result.models for each in result.measures), *(True for _ in further)]
    return Table.of(title, caption, headers, zip(names, rows, strict=True), corner=corner, tested=tested)


def _of_shares(
    result: BenchResult, title: str, caption: str, headers: Sequence[Header], rows: Sequence[Sequence[Cell]]
) -> Table:
    """Return a table of shares, with the answer mass behind them where choices were read from
    log-probabilities.
    """
    if any(each.answer_mass.value is not None for each in result.measures):
        headers = [*headers, ("", "answer mass")]
        masses = [share(each.answer_mass) for each in result.measures]
        rows = [[*row, mass] for row, mass in zip(rows, masses, strict=True)]
        caption += " Answer mass: how much of a model's probability the shares rest on, in per cent."
    return policy_table(result, title, caption, headers, rows)


def _summary(result: BenchResult) -> Table:
    kappas = (0.0, 0.5)
    headers = [("", "cooperates")]
    headers += [("agrees with", oracle_name(kappa)) for kappa in kappas]
    headers += [("regret, as seen by", oracle_name(kappa)) for kappa in kappas]
    headers += [("same answer across", what) for what in ("orders", "framings")]
    rows = []
    for found in result.measures:
        seen = [found.comparison(kappa) for kappa in kappas]
        row = [share(found.overall), *(share(entry.agreement if entry else None) for entry in seen)]
        row += [measured(entry.regret if entry else None) for entry in seen]
        rows.append([*row, share(found.order_consistency), share(found.framing_consistency)])
    caption = (
        "Shares in per cent, regret in points per protocol; in small the 95 % interval. "
        "Oracles hold uniform beliefs."
    )
    return _of_shares(result, "Summary", caption, headers, rows)


def _cooperation(result: BenchResult) -> Table:
    rates = [{(each.family, each.node): each.rate for each in found.cooperation} for found in result.measures]
    nodes = [(name, node) for name, family in LIBRARY.items() for node in family.prosocial]
    nodes = [place for place in nodes if any(place in of_policy for of_policy in rates)]
    framings = _framings(result)
    headers = [(LIBRARY[name].title, f"{node}: {LIBRARY[name].prosocial[node]}") for name, node in nodes]
    headers += [("all questions, by framing", framing) for framing in framings]
    rows = []
    for found, of_policy in zip(result.measures, rates, strict=True):
        row = [share(of_policy.get(place)) for place in nodes]
        rows.append(row + [share(found.by_framing.get(framing)) for framing in framings])
    caption = "Share of the prosocial option at each node, over the family's protocols, in per cent."
    return _of_shares(result, "Cooperation", caption, headers, rows)


def _sensitivities(result: BenchResult) -> list[Table]:
    """Return one table per family in which something is identified."""
    caption = (
        "Change of cooperation in percentage points when the temptation T − R, or the risk P − S, "
        "rises by 10 points, from one regression on both. Families in whose protocols both move "
        "together (the ultimatum) are not identified and not shown."
    )
    found = []
    slopes = [
        {(each.family, each.node): each for each in measures.sensitivity} for measures in result.measures
    ]
    for name, family in LIBRARY.items():
        nodes = [node for node in (None, *family.prosocial) if any((name, node) in each for each in slopes)]
        headers = [(node or "all nodes", what) for node in nodes for what in ("T − R", "P − S")]
        rows = []
        for of_policy in slopes:
            entries = [of_policy.get((name, node)) for node in nodes]
            pairs = [(entry.temptation, entry.risk) if entry else (None, None) for entry in entries]
            rows.append([measured(slope, scale=100) for pair in pairs for slope in pair])
        if any(cell.text != DASH for row in rows for cell in row):
            found.append(
                policy_table(result, f"Incentive sensitivity: {family.title}", caption, headers, rows)
            )
    return found


def _oracles(result: BenchResult, beliefs: Beliefs) -> Table:
    kappas = [entry.kappa for entry in result.measures[0].comparisons if entry.beliefs == "uniform"]
    headers = [(what, oracle_name(k)) for what in ("agrees with", "regret, as seen by") for k in kappas]
    headers.append(("", "left out of regret"))
    rows = []
    for found in result.measures:
        entries = [found.comparison(kappa, beliefs) for kappa in kappas]
        row = [share(entry.agreement if entry else None) for entry in entries]
        row += [measured(entry.regret if entry else None) for entry in entries]
        rows.append([*row, Cell(str(entries[0].incomplete) if entries[0] else DASH)])
    whose = _whose(beliefs)
    caption = (
        f"Oracles that choose under {whose}. Agreement: probability on the optimal options, in per "
        "cent, where the oracle is not indifferent. Regret: points per protocol that the whole "
        "strategy loses; protocols of which an answer is missing are left out."
    )
    return _of_shares(result, f"Agreement and regret, {whose}", caption, headers, rows)


def _rationality(result: BenchResult) -> Table:
    parts = {name: None for each in result.reliabilities.values() for name in variance_shares(each)}
    headers = [("", "test–retest"), *(("share of variance", name) for name in parts), ("", "explained")]
    explained = {
        each.policy: replace(
            share(each.rationality.rationalised), hint=" ".join(remarks_on(each.policy, each.rationality))
        )
        for each in result.measures
    }
    rows = []
    for policy, found in result.reliabilities.items():
        shares = variance_shares(found)
        row = [Cell(DASH if shares.get(name) is None else percent(shares[name])) for name in parts]
        rows.append([measured(found.icc, digits=2), *row, explained.get(policy, Cell(DASH))])
    caption = (
        "Read this before the preferences. Test–retest: the intra-class correlation of two answers to one "
        "question in one wording (1: the same again, 0: like answers to two different questions). Shares of "
        "the variance of single answers, in per cent: what differs between games and their nodes, what "
        "changing the wording, the order of the options (or the format, the reasoning) alone adds, what they "
        "add together, and what repetition leaves; small negative ones are chance. Explained: the games, in "
        "per cent, whose most frequent strategies one vector (α, β, κ) makes optimal under uniform beliefs."
    )
    return policy_table(result, "Rationality", caption, headers, rows, further=list(result.over_settings))


def _preferences(result: BenchResult, beliefs: Beliefs) -> Table:
    rows = []
    for found in result.measures:
        revealed = next((entry for entry in found.revealed if entry.beliefs == beliefs), None)
        if revealed is None:
            rows.append([Cell(DASH, "", "not asked for its beliefs")] * (len(PREFERENCES) + 3))
            continue
        row = [measured(revealed.parameters[name], digits=2) for name in PREFERENCES]
        shown = revealed.lapses.get("first")
        row.append(measured(shown, 1, 100, missing="the order of options was not shown, or does not matter"))
        fit = revealed.fit
        row.append(Cell(DASH if fit is None else number(fit.log_likelihood), "", " ".join(revealed.notes)))
        remark = revealed.reason or "identified"
        bias = revealed.lapses.get("bias")
        if bias is not None:
            remark += f", beside a utility of the first place (log-odds {number(bias.value, 2)})"
        rows.append([*row, Cell(remark, "", " ".join(revealed.notes))])
    whose = _whose(beliefs)
    headers = [("", letter) for letter in PREFERENCES.values()]
    headers.append(("", "takes the first, %"))
    headers += [("", "log-likelihood"), ("", "remark")]
    caption = (
        f"The preferences that explain a policy's choices best, under {whose}: a logit over whole strategies "
        "with (1−κ)·π(x,y) + κ·π(x,x) − α·behind − β·ahead, and noise λ in points, beside a share of answers "
        "that take the option shown first, whatever it is, or a utility of the first place where that is "
        "significantly closer to the answers (the remark says so; the share is then of the former fit). In "
        "small the 95 % interval from a likelihood ratio that allows for any dependence of the answers about "
        "a game; a number with a sign has no other end, and below a dash no single value is the best. Exact "
        "probabilities have no sampling error: there it says how far the model misses them or, without "
        f"noise, is the range that explains all choices. {_without_people()}"
    )
    return policy_table(result, f"Revealed preferences, {whose}", caption, headers, rows)


def _by_beliefs(result: BenchResult) -> Table | None:
    """Return the preferences of each model under every kind of beliefs; None where there is one kind."""
    rows = [
        (
            f"{policy_name(each.policy)}, {_BELIEFS[entry.beliefs]}",
            [measured(entry.parameters[name], digits=2) for name in PREFERENCES]
            + [Cell(DASH if entry.fit is None else number(entry.fit.log_likelihood))]
            + [Cell(entry.reason or "identified", "", " ".join(entry.notes))],
        )
        for each in result.measures
        if each.policy in result.models
        for entry in each.revealed
    ]
    if len(rows) <= len(result.models):
        return None
    headers = [("", letter) for letter in PREFERENCES.values()]
    headers += [("", "log-likelihood"), ("", "remark")]
    caption = (
        "The same choices explained by other beliefs about the others: that they choose at random, that they "
        "play the equilibrium of homo economicus (where every game has exactly one), or what the model "
        "itself stated. What moves between the rows rests on beliefs as much as on choices."
    )
    title = "Revealed preferences by beliefs"
    return Table.of(title, caption, headers, rows, corner="model, beliefs", tested=[True] * len(rows))


def _differences(result: BenchResult, beliefs: Beliefs) -> Table | None:
    """Return the differences of preferences between models; None of fewer than two."""
    rows = [
        (
            f"{policy_name(each.policy)} − {policy_name(each.other)}",
            [*(_gap(each, name) for name in PREFERENCES), _equal(each)],
        )
        for each in result.differences
        if each.beliefs == beliefs
    ]
    if not rows:
        return None
    headers = [("", letter) for letter in PREFERENCES.values()] + [("", "p, all the same")]
    caption = (
        f"Revealed preferences of one model less those of another, under {_whose(beliefs)}; in small the "
        "95 % interval, from the errors of both, clustered by game, as if their answers did not depend on "
        "each other. The last column tests that all parameters that both have are the same (Wald)."
    )
    title = f"Differences of preferences, {_whose(beliefs)}"
    return Table.of(title, caption, headers, rows, corner="models", tested=[True] * len(rows))


def _gap(found: PolicyDifference, name: str) -> Cell:
    gap = found.estimate(name)
    if gap.low is None:
        return Cell(number(gap.value, 2), "", gap.note)
    return Cell(number(gap.value, 2), number_range(gap, 2), f"p = {found.gaps[name].p:.3f}")


def _equal(found: PolicyDifference) -> Cell:
    if found.test is None:
        return Cell(DASH, "", found.reason)
    return Cell("< 0.001" if found.test.p < 0.001 else f"{found.test.p:.3f}")


def _whose(beliefs: Beliefs) -> str:
    return "uniform beliefs" if beliefs == "uniform" else "the policy's own stated beliefs"


def _kinds(result: BenchResult) -> list[Beliefs]:
    """Return the kinds of beliefs that have tables of their own."""
    kinds = dict.fromkeys(entry.beliefs for found in result.measures for entry in found.revealed)
    return [kind for kind in kinds if kind != "equilibrium"]


def _without_people() -> str:
    games = (human.MORALIS, human.PROTOCOLS)
    reasons = dict.fromkeys(entry.missing for game in games for entry in human.numbers(game) if entry.missing)
    return f"People: no numbers ({'; '.join(reason for reason in reasons if reason)})."


def _consistency(result: BenchResult) -> Table:
    framings = _framings(result)
    headers = [("same answer across", what) for what in ("orders", "framings")]
    headers += [("takes the option shown first", name) for name in ("all framings", *framings)]
    rows = []
    for found in result.measures:
        row = [share(found.order_consistency), share(found.framing_consistency), share(found.first_shown)]
        rows.append(row + [share(found.first_by_framing.get(framing)) for framing in framings])
    caption = (
        "100 minus the distance between the answers to one question under different orders (or "
        "framings), in per cent. With two options, taking the first in 50 per cent is no position "
        "bias. Policies that see no text have none."
    )
    return _of_shares(result, "Consistency and position bias", caption, headers, rows)


def _reading(result: BenchResult) -> Table:
    framings = _framings(result)
    rows = [
        [
            Cell(str(found.invalid.n)),
            share(found.invalid),
            share(found.refused),
            share(found.low_mass),
            Cell(f"{found.incomplete} of {found.asked}"),
            share(found.beliefs_unread),
            share(found.answer_mass),
            *(share(found.mass_by_framing.get(framing)) for framing in framings),
        ]
        for found in result.measures
    ]
    names = ("choices asked", "unreadable", "refused", "low mass", "questions left out", "beliefs unreadable")
    headers = [("", name) for name in names]
    headers += [("answer mass", name) for name in ("all framings", *framings)]
    caption = (
        "Replies that could not be read, in per cent of what was asked. None is replaced by a guess: "
        "a question without a usable answer in every order is left out of the measures above. Answer mass: "
        "the part of a model's probability, in per cent, that lay on any option at all where choices were "
        "read from log-probabilities; the lower it is, the more its choices were forced. Low mass: below "
        f"{percent(MIN_ANSWER_MASS)} per cent, which is no choice."
    )
    return policy_table(result, "Unreadable, refused and forced", caption, headers, rows)


def _costs(result: BenchResult) -> Table:
    caption = (
        "Dollars by LiteLLM's prices, 0 where it has none. Seconds in calls are summed from request to "
        "reply; calls overlap and wait for each other, so that the sum exceeds the time that passed: the "
        f"whole run took {result.manifest['seconds']:.0f} seconds."
    )
    rows = [cost_cells(found.costs) for found in result.measures]
    return policy_table(result, "Cost", caption, [("", name) for name in COST_HEADERS], rows)


def _framings(result: BenchResult) -> list[str]:
    found = dict.fromkeys(name for measures in result.measures for name in measures.by_framing)
    return [name for name in found if name != NO_FRAMING]
