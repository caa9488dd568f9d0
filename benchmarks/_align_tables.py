"""The tables and the picture of `align.py`."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from _align_entries import Entry

from ludens.experiments.measures.intervals import Estimate
from ludens.experiments.report.names import number, number_range, percent, share_range
from ludens.training.alignment import AlignmentResult
from ludens.training.alignment.files import GREEDY, TUNED
from ludens.training.alignment.result import ORDER
from ludens.training.alignment.tables import kappa_text
from ludens.training.evaluation.scores import Score
from ludens.training.evaluation.sets import SETS, optimal

LIMIT = 2 * 900.0
"""A quarter of an hour on two cores, in seconds of one core."""
LAST = 16
"""The number of first and of last steps over which losses are averaged."""


def page(found: dict[Entry, AlignmentResult], ladders: dict[Entry, Mapping[str, Score]]) -> str:
    """Return all tables, with the alignments measured so far."""
    order = sorted(found, key=lambda entry: (entry.device, entry.kappa, entry.seed))
    done = {entry: found[entry] for entry in order if found[entry].tuning}
    return "\n".join(
        [
            "# Toward homo economicus and homo moralis",
            "",
            "Made by `python benchmarks/align.py --write benchmarks/align.md`: the embedded model (135 "
            "million parameters) on two cores without a GPU, unless it says so. What the sets are, "
            "and how to read the numbers: [docs/align.md](../docs/align.md). Shares are in per cent, with "
            "95 % intervals.",
            "",
            "## Every tuning",
            "",
            *every(done),
            "",
            "*Greedy* is the tuned model at temperature 0, *drawn* at temperature 1, as everything else "
            "here; unreadable replies count as wrong. The limit is a quarter of an hour on two cores; "
            "trainings on one core each ran two side by side, those on two cores in two processes, alone. "
            "*Cooperates* is with a partner who cooperated, "
            "in strict prisoner's dilemmas; beside it what the target's oracle does on the same questions.",
            "",
            "## In the 18 published protocols",
            "",
            *published(done),
            "",
            "None of these games was trained on. κ is estimated from the answers to them, with α = β = 0 and "
            "with both free.",
            "",
            *[line for entry, result in done.items() if entry.sizes.others for line in beside(entry, result)],
            "## The weight κ",
            "",
            "Cooperation on the ladder: the same questions for every κ, at the turns where the oracle's "
            "cooperation rises with it.",
            "",
            *steps(ladders),
            "",
            *on_gpu(done),
        ]
    )


def every(done: dict[Entry, AlignmentResult]) -> list[str]:
    """Return a row for each tuning, and means over seeds."""
    lines = [
        "| target | seed | examples | tuning, s | cores | of the limit | held-out, greedy | drawn | "
        "cooperates, greedy | drawn | oracle |",
        "|" + "---|" * 11,
    ]
    for entry, result in done.items():
        strict = result.score(GREEDY, "partner cooperates")
        seconds, cores = float(result.tuning["seconds"]), int(result.tuning["threads"])
        cells = [
            entry.title,
            str(entry.seed),
            str(entry.examples),
            f"{seconds:.0f}",
            str(cores) if entry.on_cpu else "–",
            f"{seconds * cores / LIMIT:.2f}" if entry.on_cpu else "–",
            *(right(result.score(who, "held-out")) for who in (GREEDY, TUNED)),
            *(cooperates(result.score(who, "partner cooperates")) for who in (GREEDY, TUNED)),
            "not asked" if strict is None else percent(strict.oracle),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for kappa, device in sorted({(entry.kappa, entry.device) for entry in done}):
        found = [result for entry, result in done.items() if (entry.kappa, entry.device) == (kappa, device)]
        means = [mean(result.score(who, "held-out") for result in found) for who in (GREEDY, TUNED)]
        if any(means):
            title = Entry(kappa, 0, device).title
            lines.append(f"| {title} | means | | | | | {' | '.join(means)} | | | |")
    return lines


def published(done: dict[Entry, AlignmentResult]) -> list[str]:
    """Return each tuned model's results in the published protocols, with the estimated κ."""
    lines = [
        "| target | seed | replies | agreement | cooperates | oracle | κ, α = β = 0 | κ, free |",
        "|" + "---|" * 8,
    ]
    for entry, result in done.items():
        for who, name in ((GREEDY, "greedy"), (TUNED, "drawn")):
            kappa = result.kappa(who)
            if kappa is not None:
                overall, oracle = in_protocols(result, who)
                lines.append(
                    f"| {entry.title} | {entry.seed} | {name} | {protocols(result, who)} | {overall} | "
                    f"{oracle} | {kappa_text(kappa.alone)} | {kappa_text(kappa.free)} |"
                )
    return lines


def right(found: Score | None) -> str:
    """Return the share of all questions with an optimal answer."""
    return "not asked" if found is None else share(found.right)


def cooperates(found: Score | None) -> str:
    """Return the share of cooperation."""
    return "not asked" if found is None else share(found.cooperation)


def mean(found: Iterable[Score | None]) -> str:
    """Return the mean share of optimal answers over seeds, with its standard deviation."""
    values = [100 * each.right.value for each in found if each is not None and each.right.value is not None]
    if len(values) < 2:
        return ""
    return f"{statistics.fmean(values):.1f} (sd {statistics.stdev(values):.1f}, {len(values)} seeds)"


def on_gpu(done: dict[Entry, AlignmentResult]) -> list[str]:
    """Return a table of the trainings on a GPU."""
    rows = []
    for entry, result in done.items():
        left = result.tuning
        if not entry.on_cpu:
            losses = [loss for _, loss in left["losses"]]
            first, last = statistics.fmean(losses[:LAST]), statistics.fmean(losses[-LAST:])
            rows.append(
                f"| {entry.title} | {entry.seed} | {left['device']} | {entry.examples} | "
                f"{left['recipe']['batch_size']} | {left['steps']} | {left['seconds']:.0f} | {first:.2f} | "
                f"{last:.5f} |"
            )
    if not rows:
        return []
    head = (
        f"| target | seed | device | examples | a step | steps | s | loss, first {LAST} steps | last {LAST} |"
    )
    return ["## Training on a GPU", "", head, "|" + "---|" * 9, *rows, ""]


def protocols(result: AlignmentResult, who: str) -> str:
    """Return a tuned model's agreement with its target's oracle in the published protocols."""
    assert result.protocols is not None
    for found in result.protocols.measures:
        if found.policy == who:
            near = min(found.comparisons, key=lambda each: abs(each.kappa - result.plan.preferences.kappa))
            at = "" if near.kappa == result.plan.preferences.kappa else f" (oracle κ = {near.kappa:g})"
            return share(near.agreement) + at
    return "–"


def beside(entry: Entry, result: AlignmentResult) -> list[str]:
    """Return tables that compare the tuned model with the base and the persona, and transfer."""
    who = [name for name in ORDER if any(found.policy == name for found in result.scores)]
    title = "beside the base and the persona" if entry.full else "on other questions"
    lines = [f"## {entry.title[0].upper()}{entry.title[1:]}, seed {entry.seed}: {title}", ""]
    lines += [f"| agreement | {' | '.join(who)} |", "|" + "---|" * (len(who) + 1)]
    for name in SETS:
        if any(found.set == name for found in result.scores):
            lines.append(f"| {name} | {' | '.join(agreed(result.score(each, name)) for each in who)} |")
    for label, alone in (("κ, α = β = 0", True), ("κ, free", False)):
        cells = []
        for each in who:
            kappa = result.kappa(each)
            cells.append("not asked" if kappa is None else kappa_text(kappa.alone if alone else kappa.free))
        lines.append(f"| {label} | {' | '.join(cells)} |")
    lines += ["", "Agreement is of readable answers; *lost* is the share of replies without one.", ""]
    rows = transfer(result)
    return [*lines, "| transfer | before | after |", "|---|---|---|", *rows, ""] if rows else lines


def transfer(result: AlignmentResult) -> list[str]:
    """Return rows for behaviour that was not trained, before and after."""
    lines = []
    if result.ability:
        before, after = (result.ability[when]["value"] for when in ("before", "after"))
        lines.append(f"| perplexity of plain text | {before:.1f} | {after:.1f} |")
    if {"before", "after"} <= set(result.markets):
        cells = [
            f"{path.status}, {len(path.prices)} of {path.periods} periods"
            + (f", mean price {statistics.fmean(path.prices):.2f}" if path.prices else "")
            for path in (result.markets[when] for when in ("before", "after"))
        ]
        market = result.markets["before"]
        benchmarks = f"Nash {market.nash:.2f}, joint profit {market.joint:.2f}"
        lines.append(f"| pricing ({benchmarks}) | {' | '.join(cells)} |")
    if {"before", "after"} <= set(result.dilemmas):
        rated = [result.dilemmas[when][0] for when in ("before", "after")]
        for lives in sorted(set(rated[0].approval) & set(rated[1].approval)):
            cells = [share(found.approval[lives]) for found in rated]
            lines.append(f"| swerve for {lives} | {' | '.join(cells)} |")
        lines.append(f"| would buy (0–100) | {' | '.join(plain(found.buys) for found in rated)} |")
        lines.append(f"| moral (0–100) | {' | '.join(plain(found.moral) for found in rated)} |")
    return lines


def steps(ladders: dict[Entry, Mapping[str, Score]]) -> list[str]:
    """Return a table of cooperation by κ for the first seed, on the same questions."""
    lines = [
        "| κ | trained on | greedy | drawn | its oracle | drawn and readable |",
        "|" + "---|" * 6,
    ]
    for entry, scores in ladders.items():
        found = scores[TUNED]
        readable = 1 - (found.invalid.value or 0) - (found.refused.value or 0)
        lines.append(
            f"| {entry.kappa:g} | {entry.place} | {cooperates(scores.get(GREEDY))} | "
            f"{share(found.cooperation)} | {percent(found.oracle)} | {percent(readable)} of {found.asked} |"
        )
    return lines


def in_protocols(result: AlignmentResult, who: str) -> tuple[str, str]:
    """Return the cooperation of a tuned model and of its target's oracle in the published protocols."""
    from ludens.envs import FAMILIES, PROTOCOLS
    from ludens.envs.tree.questions import questions

    assert result.protocols is not None
    measured = next(found for found in result.protocols.measures if found.policy == who)
    shares = []
    for game in PROTOCOLS.values():
        family, payoffs = game.name, tuple(game.parameters.values())
        for node in questions(game):
            best = optimal(family, payoffs, node, result.plan.preferences)
            place = game.information_set(node).options.index(FAMILIES[family].prosocial[node])
            shares.append((place in best) / len(best))
    return share(measured.overall), percent(statistics.fmean(shares))


def picture(ladders: dict[Entry, Mapping[str, Score]], path: Path) -> Path | None:
    """Draw cooperation on the ladder against κ, with the oracle's; None for fewer than two values of κ."""
    from ludens.display.svg import INK, MUTED, to_svg
    from ludens.experiments.report import drawing

    oracle: dict[float, float] = {}
    lines: dict[str, list[tuple[float, float, float, float]]] = {}
    for entry, who in ladders.items():
        found = who.get(GREEDY) or who[TUNED]
        shares = found.cooperation
        if None not in (shares.value, shares.low, shares.high, found.oracle):
            of = cast(tuple[float, float, float], (shares.value, shares.low, shares.high))
            oracle[entry.kappa] = cast(float, found.oracle)
            lines.setdefault(entry.place, []).append((entry.kappa, *of))
    lines = {place: points for place, points in lines.items() if len(points) > 1}
    if not lines:
        return None
    kappas = sorted(oracle)
    with drawing.new_figure(5.2, 3.2) as figure:
        axes = figure.subplots()
        best = [oracle[kappa] for kappa in kappas]
        axes.plot(kappas, best, color=INK, linestyle=(0, (2, 1.5)), marker=".", label="the oracle")
        for place, points in lines.items():
            color, aside = {"CPU": ("#d55e00", -0.006), "GPU": ("#0072b2", 0.006)}[place]
            at, value, low, high = zip(*points, strict=True)
            across = [kappa + aside for kappa in at]
            axes.plot(across, value, color=color, marker="D", linewidth=1.8, label=f"trained on a {place}")
            axes.vlines(across, low, high, color=color, linewidth=1.2)
        axes.set_ylim(-0.02, 1.02)
        axes.set_yticks([0, 0.5, 1], ["0", "50", "100 %"])
        axes.set_xticks(kappas)
        axes.set_xlabel("κ that the model was moved toward", fontsize=8, color=MUTED)
        axes.set_ylabel("cooperates on the ladder", fontsize=8, color=MUTED)
        axes.legend(loc="upper left", frameon=False, fontsize=8)
        drawing.quiet(axes)
        drawing.margins(figure, 0.65, 0.15, 0.48)
        path.write_text(to_svg(figure, "align"), encoding="utf-8")
    return path


def share(estimate: Estimate) -> str:
    """Return a share in per cent with its interval."""
    interval = share_range(estimate)
    return f"{percent(estimate.value)} ({interval})" if interval else percent(estimate.value)


def plain(estimate: Estimate) -> str:
    """Return a number with its interval."""
    interval = number_range(estimate, 0)
    return f"{number(estimate.value, 0)} ({interval})" if interval else number(estimate.value, 0)


def agreed(found: Score | None) -> str:
    """Return agreement on a set, the number of questions, and the share without a readable answer."""
    if found is None:
        return "not asked"
    lost = (found.invalid.value or 0) + (found.refused.value or 0)
    return f"{share(found.agreement)}, n={found.asked}" + (f", {percent(lost)} lost" if lost else "")
