"""The tables of `align_carry.py`, from the folders of alignments.

Alignments of one target, one training and different seeds stand together: shares are pooled over their
questions, other numbers are means, with the range over seeds. The oracle is right everywhere by definition;
where it has a number of its own, that stands beside.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import lru_cache

from ludens.experiments.measures.intervals import Estimate, wilson
from ludens.experiments.report.names import number, percent, share_range
from ludens.training.alignment import AlignmentResult
from ludens.training.alignment.files import BASE_DIRECT, GREEDY, PERSONA_DIRECT, TUNED
from ludens.training.alignment.plan import QUICK, Plan
from ludens.training.alignment.tables import kappa_text, needed
from ludens.training.evaluation.scores import Score, read_exam, score_exam
from ludens.training.evaluation.sets import CARRIED

Group = Sequence[AlignmentResult]

_SHARES: Sequence[tuple[str, str, str]] = (
    ("held-out payoffs, drawn", "held-out", "≥ 99 (economicus), ≥ 95"),
    ("new families of games", "new families", "shown"),
    ("rewordings", "rewordings", "≥ 95"),
    ("twin", "twin", "≥ 85"),
    ("story", "story", "≥ 70"),
    ("two digits", "two digits", "≥ 95"),
    ("dilemmas as tables", "dilemmas: table", "≥ 90"),
    ("dilemmas in sentences", "dilemmas: neutral", "≥ 90"),
    ("ratings as tables", "ratings: table", "≥ 90"),
    ("ratings in sentences", "ratings: neutral", "≥ 90"),
    ("adoption game as tables", "adoption: table", "shown"),
    ("prices as tables", "prices: table", "shown"),
)
"""Rows of shares: their titles, their sets, and what is wanted."""
EMBEDDED = "local/smollm2-135m"
_FURTHER = ("families", "payoffs", "method", "epochs", "reasoning", "paraphrases")
"""Attributes of a plan that its title has where they are not the defaults."""
WORDINGS: Mapping[str, str] = {
    "neutral": "in the neutral wording", "table": "as tables", "varied": "in drawn wordings",
}  # fmt: skip
"""Wordings of held-out games where surfaces are trained on."""
_PAIRS = (("itself", "against itself"), ("myopic", "against a myopic firm"))


def grouped(results: Iterable[AlignmentResult]) -> dict[str, list[AlignmentResult]]:
    """Return the alignments that have been tuned, by target and training, seeds together."""
    groups: dict[str, list[AlignmentResult]] = {}
    for result in results:
        if result.tuning:
            groups.setdefault(title(result), []).append(result)
    return {name: sorted(groups[name], key=lambda result: result.plan.seed) for name in sorted(groups)}


def title(result: AlignmentResult) -> str:
    """Return the target, and what it was trained on."""
    plan = result.plan
    preset = all(getattr(plan, name) == value for name, value in QUICK.items() if name != "sizes")
    trained = "+".join(plan.domains) + (f", {plan.surfaces} surfaces" if plan.surfaces else "")
    more = [f"replay {plan.replay:g}"] if plan.replay else []
    more += [f"{plan.rounds} round{'s' * (plan.rounds > 1)}"] if plan.rounds else []
    more += [f"{plan.votes} votes"] if plan.votes > 1 else []
    more += ["held"] if plan.held else []
    more += [plan.base] if plan.base != EMBEDDED else []
    more += [
        f"{each.name} {getattr(plan, each.name)}"
        for each in fields(Plan)
        if each.name in _FURTHER and getattr(plan, each.name) != each.default
    ]
    default = replace(plan.recipe(), batch_size=None, learning_rate=None).for_data(plan.examples).to_json()
    used = result.tuning["recipe"]  # the plan leaves it to the version that tuned
    steps = {"batch_size": "examples a step", "learning_rate": "learning rate"}
    more += [f"{words} {used[name]:g}" for name, words in steps.items() if used[name] != default[name]]
    name = f"{plan.preferences.name}: {plan.examples} of {', '.join([trained, *more])}"
    return f"{name} (--quick)" if preset else name


def must_show(groups: Mapping[str, Group]) -> list[str]:
    """Return the table of what is wanted and what was measured, with a column for each group."""
    lines = ["| | wanted | " + " | ".join(groups) + " |", "|" + "---|" * (len(groups) + 2)]

    def row(name: str, wanted: str, cell: Callable[[Group], str]) -> None:
        cells = [cell(found) for found in groups.values()]
        if any(cells):
            lines.append(f"| {name} | {wanted} | {' | '.join(text or 'not asked' for text in cells)} |")

    row("seeds", "three", lambda found: ", ".join(str(result.plan.seed) for result in found))
    for name, of, wanted in _SHARES:
        row(f"{name}, right of all", wanted, lambda found, of=of: right(scores_of(found, TUNED, of)))  # type: ignore[misc]
        for wording in WORDINGS if of == "held-out" else ():
            row(
                f"of them {WORDINGS[wording]}",
                wanted,
                lambda found, wording=wording: right(worded(found, wording)),
            )  # type: ignore[misc]
    row("held-out payoffs, greedy", "shown", lambda found: right(scores_of(found, GREEDY, "held-out")))
    for who in (TUNED, GREEDY):
        row(f"κ in the 18 protocols, {who}", "its oracle's", lambda found, who=who: kappas(found, who))  # type: ignore[misc]
    for pair, words in _PAIRS:
        row(f"Δ {words} (its oracle's)", "within ±.1", lambda found, pair=pair: gains(found, pair))  # type: ignore[misc]
    row("approval of swerving as tables, by lives", "the oracle's", approvals)
    row("repeated games, early → late", "steady", persisting)
    row("perplexity, after / before", "≤ 1.05", perplexity)
    row("tuning, core-minutes", "≤ 60 (--quick ≤ 20)", minutes)
    return lines


def matrix(groups: Mapping[str, Group]) -> list[str]:
    """Return the carry matrix: trained × asked domain × surface, for the tuned model, the base and the
    persona.
    """
    lines = [
        "| trained toward and on | asked: domain, surface | who | right of all | agrees | regret | κ | "
        "questions | for ±10 points |",
        "|" + "---|" * 9,
    ]
    for name, found in groups.items():
        for of in CARRIED:
            for who in (TUNED, BASE_DIRECT, PERSONA_DIRECT):
                scores = scores_of(found, who, of)
                if scores:
                    lines.append(f"| {name} | {of.replace(': ', ', ')} | {who} | {_carried(scores)} |")
    return lines if len(lines) > 2 else []


def _carried(scores: Sequence[Score]) -> str:
    share = pooled([score.right for score in scores])
    asked = sum(score.answered for score in scores)
    return " | ".join(
        [
            shown(share),
            shown(pooled([score.agreement for score in scores])),
            shown(spread([score.regret.value for score in scores], 100)),
            "; ".join(_kappa(score.kappa) for score in scores),
            str(asked),
            str(needed(share.value, asked)),
        ]
    )


def _kappa(found: Estimate | None) -> str:
    if found is None:
        return ""
    if found.value is None or found.low is None or found.high is None:
        return "not identified"
    return f"{number(found.value, 2)} ({number(found.low, 2)}–{number(found.high, 2)})"


def scores_of(found: Group, who: str, of: str) -> list[Score]:
    """Return the scores of one policy on one set, seed by seed, without those of questions not asked yet."""
    scores = [result.score(who, of) for result in found]
    return [score for score in scores if score is not None and score.answered]


_exam = lru_cache(read_exam)
"""The questions and answers of an exam, which a row for each wording reads."""


def worded(found: Group, wording: str) -> list[Score]:
    """Return the scores of the tuned model on the held-out questions in one of `WORDINGS`."""
    scores: list[Score] = []
    for result in found:
        exam = result.files.run("after", "exam")
        if not exam.exists():
            continue
        episodes, decisions = _exam(exam)
        asked = {
            episode.index: episode
            for episode in episodes
            if episode.labels["set"] == "held-out" and episode.labels["framing"].partition("/")[0] == wording
        }
        answers = [decision for decision in decisions if decision.episode in asked]
        scores += score_exam(list(asked.values()), answers, result.plan.preferences)
    return [score for score in scores if score.policy == TUNED and score.set == "held-out"]


def right(scores: Sequence[Score]) -> str:
    """Return the share of all questions that were answered optimally, pooled over seeds."""
    return (
        f"{shown(pooled([score.right for score in scores]))}, n={sum(s.answered for s in scores)}"
        if scores
        else ""
    )


def pooled(shares: Sequence[Estimate]) -> Estimate:
    """Return a share over the questions of all seeds, with Wilson's interval."""
    known = [each for each in shares if each.value is not None]
    total = sum(each.n for each in known)
    return wilson(min(sum((each.value or 0) * each.n for each in known), total), total)


def spread(values: Sequence[float | None], scale: float = 1.0, digits: int = 0) -> str:
    """Return the mean over seeds with the range."""
    known = [scale * value for value in values if value is not None]
    if not known:
        return ""
    mean = number(statistics.fmean(known), digits)
    return (
        mean if len(known) < 2 else f"{mean} ({number(min(known), digits)} to {number(max(known), digits)})"
    )


def shown(found: Estimate | str) -> str:
    """Return a share in per cent with its interval."""
    if isinstance(found, str):
        return found
    interval = share_range(found)
    return f"{percent(found.value)} ({interval})" if interval else percent(found.value)


def kappas(found: Group, who: str) -> str:
    """Return the intervals of κ in the published protocols, seed by seed."""
    profiles = [kappa for result in found if (kappa := result.kappa(who)) is not None]
    return "; ".join(kappa_text(each.alone) for each in profiles)


def gains(found: Group, pair: str) -> str:
    """Return the mean Δ in markets of tables, and that of the oracle in the same places."""
    own, oracle = (
        [market.gain for result in found if (market := result.markets.get(f"table, {name}")) is not None]
        for name in (pair, f"oracle-{pair}")
    )
    stopped = sum(gain is None for gain in own)
    text = spread(own, digits=2)
    if not text and not stopped:
        return ""
    return f"{text or '–'} ({spread(oracle, digits=2) or '–'})" + (f", {stopped} stopped" if stopped else "")


def approvals(found: Group) -> str:
    """Return the share that swerves for so many lives, mean over seeds, beside the oracle's."""
    measures = [each for result in found if (each := result.dilemmas.get("after, as tables"))]
    if not measures:
        return ""
    lives = sorted({number for each in measures for number in each[0].approval})
    model = [
        spread([each[0].approval[n].value for each in measures if n in each[0].approval], 100) for n in lives
    ]
    kappa = found[0].plan.preferences.kappa
    wanted = f"homo_moralis:{kappa:g}" if kappa else "homo_economicus"
    oracle = next((one for one in measures[0][1:] if one.policy == wanted), None)
    cells = [f"{n}: {text}" for n, text in zip(lives, model, strict=True)]
    if oracle is not None:
        known = [f"{n}: {percent(oracle.approval[n].value)}" for n in lives if n in oracle.approval]
        return f"{', '.join(cells)} (oracle {', '.join(known)})"
    return ", ".join(cells)


def persisting(found: Group) -> str:
    """Return the tuned model's agreement in the first third and the last half of repeated games."""
    rows = [each for result in found for each in result.persistence if each.policy == TUNED]
    names = dict.fromkeys((each.framing, each.partner) for each in rows)
    return "; ".join(
        f"{framing}, {partner}: {percent(early.value)} → {shown(late)}"
        for framing, partner in names
        for early, late in [
            tuple(
                pooled(
                    [
                        getattr(each, part)
                        for each in rows
                        if (each.framing, each.partner) == (framing, partner)
                    ]
                )
                for part in ("first", "last")
            )
        ]
    )


def perplexity(found: Group) -> str:
    """Return the ratio of perplexities, after to before."""
    ratios = [
        result.ability["after"]["value"] / result.ability["before"]["value"]
        for result in found
        if result.ability
    ]
    return spread(ratios, digits=3)


def minutes(found: Group) -> str:
    """Return the processor time of the tuning, or the seconds on a GPU."""
    cells = []
    for result in found:
        seconds, threads = float(result.tuning["seconds"]), int(result.tuning.get("threads", 1))
        device = str(result.tuning.get("device", "cpu"))
        cells.append(f"{seconds * threads / 60:.1f}" if device == "cpu" else f"{seconds:.0f} s on {device}")
    return ", ".join(cells)
