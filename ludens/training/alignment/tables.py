"""The tables of an alignment's report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ludens.agents.llm.logprobs import LOW_ANSWER_MASS
from ludens.display.table import Cell, Table
from ludens.experiments.report.answering import low_mass_sentence, mass_cell, mean_mass_cell
from ludens.experiments.report.cells import measured, share
from ludens.experiments.report.names import (
    DASH,
    PREFERENCES,
    number,
    oracle_name,
    percent,
    policy_name,
    share_range,
)
from ludens.training.evaluation import persistence
from ludens.training.evaluation.sets import CARRIED, SETS, TAUGHT

if TYPE_CHECKING:
    from ludens.experiments.estimates.profile import Profile
    from ludens.training.alignment.result import AlignmentResult


def tables(result: AlignmentResult) -> list[Table]:
    """Return all tables, in the order of the page."""
    found = [_agreement(result), _behaviour(result)]
    if any(score.set in CARRIED for score in result.scores):
        found.insert(1, _carried(result))
    if result.kappas:
        found.append(_kappas(result))
    if result.protocols is not None:
        found += [_protocols(result), _revealed(result)]
    if result.persistence:
        found += [persistence.table(result.persistence), persistence.by_round(result.persistence)]
    if result.markets:
        found.append(_markets(result))
    if result.dilemmas:
        found.append(_dilemmas(result))
    if result.ability:
        found.append(_ability(result))
    return found


def kappa_text(found: Profile) -> str:
    """Return the interval of a weight in words: ``0.45 to 0.78``, or ``at least 0.45`` if it is open."""
    estimate = found.estimate
    if estimate.low is None or estimate.high is None:
        return "not identified"
    if found.open_low and found.open_high:
        return "any value"
    if found.open_low:
        return f"at most {number(estimate.high, 2)}"
    if found.open_high:
        return f"at least {number(estimate.low, 2)}"
    return f"{number(estimate.low, 2)} to {number(estimate.high, 2)}"


def _agreement(result: AlignmentResult) -> Table:
    who, sets = result.policies, [name for name in SETS if any(m.set == name for m in result.scores)]
    rows = [tuple(_share_of(result, policy, name) for policy in who) for name in sets]
    caption = (
        "Per cent of readable answers that are optimal for the target, with 95 % intervals; below, how many "
        "questions were asked. Where replies were unreadable or refused, their share is given."
    )
    return Table.of("Agreement with the target", caption, who, zip(sets, rows, strict=True), corner="set")


def _share_of(result: AlignmentResult, policy: str, name: str) -> Cell:
    found = result.score(policy, name)
    if found is None:
        return Cell(DASH, "", "not asked")
    lost = sum(each.value or 0 for each in (found.invalid, found.refused, found.low_mass))
    # One question has no interval.
    asked = f"n={found.asked}" if found.agreement.value is not None else ""
    below = [share_range(found.agreement), asked, f"{percent(lost)} % lost" if lost else ""]
    return Cell(
        percent(found.agreement.value),
        ", ".join(filter(None, below)),
        found.agreement.note or found.agreement.method,
    )


def _carried(result: AlignmentResult) -> Table:
    """Return the matrix of asked domains and surfaces for what was trained."""
    rows, names = [], []
    for found in result.scores:
        if found.set in CARRIED:
            names.append(f"{found.policy}: {found.set.replace(': ', ', ')}")
            rows.append(
                (
                    share(found.agreement),
                    share(found.right),
                    share(found.selfish),
                    share(found.regret),
                    Cell("") if found.kappa is None else measured(found.kappa, 2),
                    Cell(str(found.answered)),
                    Cell(str(needed(found.right.value, found.answered))),
                )
            )
    plan = result.plan
    caption = (
        f"Trained on {', '.join(plan.domains)}"
        + (f" in {plan.surfaces} surfaces" if plan.surfaces else "")
        + ". Per cent of readable answers that are optimal for the target, of all answers, and of readable "
        "ones for homo economicus; regret as a share of the question's range of utilities; the κ in [0, 1] "
        "that the answers reveal under a logit choice, with its likelihood-ratio interval (a dash: they "
        "cannot be told from chance). Needed: how many questions give an "
        "interval of ±10 points around right of all. The oracle is right everywhere by definition."
    )
    headers = ("agrees", "right of all", "agrees with economicus", "regret", "κ", "answered", "needed")
    return Table.of(
        "What carried", caption, headers, zip(names, rows, strict=True), corner="who: domain, surface"
    )


def needed(share_right: float | None, asked: int) -> int:
    """Return how many questions give a 95 % interval that ends at most 10 points from the share that was
    measured, on either side, by Wilson's interval.
    """
    from ludens.experiments.measures.intervals import wilson

    if share_right is None or not asked:
        return 0
    count = 1
    while True:
        found = wilson(share_right * count, count)
        assert found.low is not None
        assert found.high is not None
        if max(share_right - found.low, found.high - share_right) <= 0.1:
            return count
        count += 1


def _behaviour(result: AlignmentResult) -> Table:
    rows, names = [], []
    slopes = {found.policy: found.slope for found in result.slopes}
    for policy in result.policies:
        for name in TAUGHT:
            found = result.score(policy, name)
            if found is None:
                continue
            names.append(f"{policy}: {name}")
            rows.append(
                (
                    share(found.cooperation),
                    Cell(percent(found.oracle)),
                    share(found.selfish),
                    share(found.regret),
                    measured(slopes[policy], 2) if name == "partner cooperates" else Cell(""),
                    share(found.right),
                    share(found.invalid),
                    share(found.refused),
                    mean_mass_cell(found.answer_mass, found.lowest_mass),
                )
            )
    caption = (
        "Per cent. Cooperation and, beside it, what the target's oracle does on the questions that were "
        "answered readably; regret as a share of the game's payoff range; the slope is the change of "
        "cooperation, as a share, per point of temptation T − R; right of all counts unreadable and refused "
        "replies as not right. Answer mass: the part of a model's probability that lay on the options where "
        "answers were read from log-probabilities; in small the lowest."
    )
    headers = (
        "cooperates", "the oracle", "agrees with economicus", "regret", "slope in T − R", "right of all",
        "unreadable", "refused", "answer mass",
    )  # fmt: skip
    return Table.of("Behaviour", caption, headers, zip(names, rows, strict=True), corner="who: set")


def _kappas(result: AlignmentResult) -> Table:
    rows = [
        (
            Cell(number(found.alone.estimate.value, 2), kappa_text(found.alone), found.alone.estimate.note),
            Cell(number(found.free.estimate.value, 2), kappa_text(found.free), found.free.estimate.note),
            Cell(str(found.alone.estimate.n)),
            Cell("yes" if found.alone.separated else "no"),
        )
        for found in result.kappas
    ]
    caption = (
        "Profile-likelihood estimates of κ from the answers to the published protocols with 95 % intervals, "
        "each question counting once. Free of noise: a whole range explains every answer, and its middle is "
        "shown."
    )
    headers = ("κ, α = β = 0", "κ, α and β free", "questions", "free of noise")
    names = [found.policy for found in result.kappas]
    return Table.of("The weight κ", caption, headers, zip(names, rows, strict=True), corner="who")


def _protocols(result: AlignmentResult) -> Table:
    assert result.protocols is not None
    target = result.plan.preferences.kappa
    near = min(
        (entry.kappa for entry in result.protocols.measures[0].comparisons),
        key=lambda kappa: abs(kappa - target),
    )
    rows = []
    for found in result.protocols.measures:
        economicus, moral = found.comparison(0.0), found.comparison(near or 0.5)
        assert economicus is not None
        assert moral is not None
        rows.append(
            (
                share(found.overall),
                share(economicus.agreement),
                share(moral.agreement),
                measured(economicus.regret, 1),
                measured(moral.regret, 1),
                share(found.order_consistency),
                share(found.invalid),
                share(found.refused),
                mass_cell(found.mass),
            )
        )
    kappa = near or 0.5
    headers = (
        "cooperates", "agrees with homo economicus", f"agrees with {oracle_name(kappa)}", "regret, "
        "economicus",
        f"regret, κ={kappa:g}", "same in both orders", "unreadable", "refused", "answer mass",
    )  # fmt: skip
    caption = (
        "The published protocols, which nothing was trained on: per cent with 95 % intervals, regret in "
        "points per protocol; answer mass in small with the lowest. Reference policies below the models."
    )
    names = [policy_name(found.policy) for found in result.protocols.measures]
    return Table.of("Published protocols", caption, headers, zip(names, rows, strict=True), corner="who")


def _revealed(result: AlignmentResult) -> Table:
    assert result.protocols is not None
    rows = [
        tuple(measured(found.revealed[0].parameters[name], 2) for name in PREFERENCES)
        for found in result.protocols.measures
    ]
    caption = (
        "Maximum-likelihood estimates with 95 % intervals: dislike of being behind (α) and ahead (β), "
        "weight on what would follow if everybody chose alike (κ), noise in points (λ). A dash: the choices "
        "do not identify it (hover for the reason); a model that hardly errs has no finite estimate, and "
        "the table above has its interval."
    )
    names = [policy_name(found.policy) for found in result.protocols.measures]
    headers = tuple(PREFERENCES.values())
    return Table.of("Preferences revealed", caption, headers, zip(names, rows, strict=True), corner="who")


def _markets(result: AlignmentResult) -> Table:
    rows = []
    for path in result.markets.values():
        third = max(1, len(path.prices) // 3)
        first, prices = path.prices[:third], path.prices[len(path.prices) // 2 :]
        mean = sum(prices) / len(prices) if prices else None
        opening = sum(first) / len(first) if first else None
        rows.append(
            (
                Cell(f"{len(path.prices)} of {path.periods}", "", path.detail),
                Cell(path.status),
                Cell(number(opening, 2)),
                Cell(number(mean, 2)),
                Cell(number(path.nash, 2)),
                Cell(number(path.joint, 2)),
                Cell(number(path.gain, 2)),
            )
        )
    caption = (
        "One firm of the duopoly is the model, the other replies best to last period's prices. Mean price "
        "over the first third and over the last half of what was played; an aborted run stopped where a "
        "reply stayed unreadable. In the markets called table, the model chooses from a table of profits, "
        "against itself or against a myopic firm, and its oracle plays in the same places."
    )
    headers = (*("periods", "status", "first third", "last half", "Nash", "joint profit", "profit gain Δ"),)
    return Table.of(
        "Pricing, as transfer", caption, headers, zip(result.markets, rows, strict=True), corner="when"
    )


def _dilemmas(result: AlignmentResult) -> Table:
    shown = [(when, found[0]) for when, found in result.dilemmas.items()]
    shown += [(policy_name(each.policy), each) for each in next(iter(result.dilemmas.values()))[1:]]
    numbers = sorted({number for _, each in shown for number in each.approval})
    few = [numbers[0], numbers[-1]] if len(numbers) > 1 else numbers
    rows = [
        (
            *(share(each.approval[n]) if n in each.approval else Cell(DASH) for n in few),
            measured(each.moral, 0),
            measured(each.buys, 0),
            measured(each.all_gaps, 0),
            share(each.invalid["all"]),
            share(each.refused["all"]),
        )
        for _, each in shown
    ]
    caption = (
        "Studies of autonomous vehicles, which nothing was trained on: approval of swerving, in per cent, "
        "where so many pedestrians are at stake; ratings from 0 to 100 of how moral the utilitarian program "
        "is and how willingly it would be bought, and the first less the second. Questions are used where "
        "both orders of telling were answered."
    )
    headers = (
        *(f"swerve for {number}" for number in few), "moral", "would buy", "moral − buy", "unreadable",
        "refused",
    )  # fmt: skip
    names = [name for name, _ in shown]
    return Table.of("Vehicles, as transfer", caption, headers, zip(names, rows, strict=True), corner="who")


def _ability(result: AlignmentResult) -> Table:
    before, after = result.ability["before"], result.ability["after"]
    cells = (Cell(number(before["value"], 1)), Cell(number(after["value"], 1)))
    ratio = Cell(f"{after['value'] / before['value']:.2f}")
    caption = (
        f"Perplexity of a fixed text of {before['tokens']} tokens on everyday subjects; a ratio far above 1 "
        "would mean that the model forgot its language for the sake of the games."
    )
    headers = ("before", "after", "after / before")
    return Table.of("General ability", caption, headers, [("perplexity", (*cells, ratio))])


def forced(result: AlignmentResult) -> list[str]:
    """Return a sentence on every policy whose answers rest on a small part of the model's probability."""
    scores = map(result.overall, result.policies)
    return [
        low_mass_sentence(found.policy, found.answer_mass)
        for found in scores
        if found is not None and found.answer_mass is not None and found.answer_mass < LOW_ANSWER_MASS
    ]


def headline(result: AlignmentResult) -> Sequence[str]:
    """Return what changed, in sentences, as far as it was measured."""
    from ludens.training.alignment.files import BASE_DIRECT, GREEDY, PERSONA_DIRECT, TUNED

    said = []
    scores = [result.score(who, "held-out") for who in (TUNED, GREEDY, BASE_DIRECT, PERSONA_DIRECT)]
    tuned, greedy, base, persona = (
        None if found is None or found.agreement.value is None else found for found in scores
    )
    if tuned:
        also = [
            f"{what} {percent(found.agreement.value)} %"
            for found, what in (
                (greedy, "of its greedy ones"),
                (base, "of the base's"),
                (persona, "of the base's under the persona"),
            )
            if found
        ]
        interval = f"{between} %; " if (between := share_range(tuned.agreement)) else ""
        said.append(
            f"On held-out payoffs {percent(tuned.agreement.value)} % of the tuned model's readable answers "
            f"are optimal ({interval}{percent(tuned.right.value)} % of all questions)"
            + (f"; {', '.join(also)}" if also else "")
            + "."
        )
    first, second = result.kappa(BASE_DIRECT), result.kappa(TUNED)
    if first and second:
        said.append(
            f"In the published protocols κ (with α = β = 0) is {kappa_text(second.alone)} after and "
            f"{kappa_text(first.alone)} before."
        )
    return said
