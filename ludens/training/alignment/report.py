"""The before/after report: one self-contained page, and every number as JSON beside it."""

from __future__ import annotations

import json
import os
from typing import Any

from ludens.display.notebook import View
from ludens.experiments.report import page as pages
from ludens.experiments.report.page import Block, Page, Picture, fragment
from ludens.experiments.report.writing import write_page
from ludens.experiments.runs.database import StoreError, reason
from ludens.experiments.runs.files import plain, write_whole
from ludens.experiments.runs.manifest import versions
from ludens.training.alignment.plan import Plan
from ludens.training.alignment.result import AlignmentResult, load_result, to_json
from ludens.training.alignment.tables import forced, headline, tables
from ludens.training.evaluation.sets import SETS

HERE = "ludens.training.alignment"

_NOTES = (
    "Ours, and not taken from any paper: the wordings, the form of the reasoning, the sets of questions and "
    "their sizes, the personas, the hyper-parameters, and κ where it was chosen.",
    "What is measured here is choice in small games in given words. It is not a statement about values, and "
    "what holds in one wording need not hold in another: see the sets below the first.",
    "The 18 protocols are those of van Leeuwen & Alger (2024); homo moralis is Alger & Weibull's (2013).",
)

_MUCH = 0.2  # of a policy's replies: when so many are unreadable, the page says so above everything


def write_report(directory: str | os.PathLike[str]) -> AlignmentResult:
    """Measure an alignment as it lies in its folder, and write ``report.html`` and ``report.json`` there.

    Raises:
        UsageError: the folder holds none.
        StoreError: they cannot be written.
    """
    result = load_result(directory)
    found = result.files
    again = f"`ludens align report {result.folder}` writes it; what was measured is kept."
    write_page(page(result), found.report, again)
    try:
        write_whole(found.numbers, json.dumps(plain(to_json(result)), indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise StoreError(
            f"The numbers cannot be written to {found.numbers} ({reason(error)}): {again}"
        ) from None
    return result


def page(result: AlignmentResult) -> Page:
    """Return what the report shows."""
    return Page(
        title=f"{result.plan.base} toward {result.plan.preferences.name}",
        lead=" ".join(headline(result)) or "Nothing has been measured yet.",
        kind="alignment, before and after",
        warnings=_warnings(result),
        pictures=_pictures(result),
        tables=tables(result),
        blocks=[Block("words", "In its own words", fragment(HERE, "words.html.j2", samples=result.samples))],
        reading=fragment(HERE, "reading.html.j2", sets=SETS),
        notes=_NOTES,
        facts=_facts(result),
    )


def view(result: AlignmentResult) -> View:
    """Return what a notebook shows of a result: the first picture and the tables of its report."""
    return pages.view(page(result))


def _pictures(result: AlignmentResult) -> list[Picture]:
    from ludens.experiments.bench import figures as bench_figures
    from ludens.training.alignment import figures

    drawn = [
        Picture(
            "agreement",
            "Whose choices are they?",
            "Agreement with the target's oracle on every set of questions, with 95 % intervals. The dashed "
            "line is a coin. What matters is how far down the list the tuned model stays right.",
            figures.agreement(result),
        ),
        Picture(
            "temptation",
            "Does it react to incentives?",
            "Cooperation with a partner who cooperated, against the temptation T − R, on dilemmas that were "
            "not trained on.",
            figures.cooperation(result),
        ),
        Picture(
            "kappa",
            "Which weight do the choices reveal?",
            "How much worse each value of κ explains the answers to the published protocols than the best "
            "value does. Values below the dashed line form the 95 % interval; the dotted line is the "
            "target. A flat curve means that the answers do not identify κ.",
            figures.kappas(result),
        ),
        Picture("prices", "What does it do in a market?",
         "Prices of the model as one firm of a duopoly that it was never trained on; a cross is where the "
         "run was aborted. Prices beyond the frame are drawn at its top.",
         figures.prices(result)),
        Picture("training", "How was it trained?",
         "The loss on the completions as the training went on; the heavy line is the mean over a fortieth of "
         "the steps.",
         figures.loss(result)),
    ]  # fmt: skip
    if result.protocols is not None:
        drawn.insert(
            3,
            Picture(
                "cells",
                "What changed in the published protocols?",
                "Share of the prosocial option, in per cent, for every protocol and node; both orders "
                "averaged. Hatched: no usable answer in every order.",
                bench_figures.heat_map(result.protocols),
            ),
        )
    return drawn


def _warnings(result: AlignmentResult) -> list[str]:
    said: list[str] = []
    if result.missing:
        said.append(f"Unfinished: {', '.join(result.missing)}. The same command goes on.")
    said += [
        f"{score.policy}: {100 * (score.invalid.value or 0):.0f} % of its replies could not be read; its "
        "agreement is of the others."
        for score in filter(None, map(result.overall, result.policies))
        if (score.invalid.value or 0) > _MUCH
    ]
    said += forced(result)
    if result.files.no_gguf.exists():
        said.append(f"No GGUF file was made: {result.files.no_gguf.read_text(encoding='utf-8').strip()}")
    return said


def _replies(plan: Plan) -> str:
    """Say how the tuned model's replies were made more robust; empty where they were not."""
    said = [f"the most frequent of {plan.votes}"] if plan.votes > 1 else []
    said += ["answers held to the labels on offer"] if plan.held else []
    return ", ".join(said)


def _facts(result: AlignmentResult) -> dict[str, Any]:
    plan, data = result.plan, result.data
    recipe = result.tuning.get("recipe") or plan.recipe().for_data(plan.examples).to_json()
    facts = {
        "target": plan.preferences.name,
        "games": ", ".join(data.get("families", plan.families or ())),
        "examples": ", ".join(f"{count} {name}" for name, count in data.get("examples", {}).items()),
        "reasoning": plan.reasoning,
        "method": f"{plan.method}, {plan.epochs} epoch{'s' * (plan.epochs > 1)}, device {plan.device}",
        "steps": f"of {recipe['batch_size']} examples, learning rate {recipe['learning_rate']:g}",
        "domains": ", ".join(plan.domains),
        "surfaces": str(plan.surfaces or ""),
        "replay": f"{plan.replay:g}" if plan.replay else "",
        "rounds": str(plan.rounds or ""),
        "replies": _replies(plan),
        "seed": str(plan.seed),
        "data hash": str(data.get("hash", "")),
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "folder": result.folder.name,
    }
    return {name: value for name, value in facts.items() if value}
