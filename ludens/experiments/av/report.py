"""Write the report of a run of the dilemma beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ludens.agents.policy import Decision
from ludens.envs.av.dilemma.render import summary
from ludens.envs.av.dilemma.vignette import Vignette
from ludens.experiments.av import figures
from ludens.experiments.av.page import Contents, Drawn, page
from ludens.experiments.av.result import DilemmaResult
from ludens.experiments.av.tables import tables
from ludens.experiments.bench.result import report_path
from ludens.experiments.report import write_page
from ludens.experiments.report.names import policy_name
from ludens.experiments.runs.records import DecisionRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

READING = (
    "A car cannot stop in time. It stays on course and hits the pedestrians, or it swerves and "
    "sacrifices its passengers. The utilitarian program swerves in such a case, the protective one stays "
    "on course. Acts are stay or swerve; ratings are whole numbers from 0 to 100.",
    "Homo economicus cares for its own survival. Homo moralis with weight κ also asks what would follow "
    "if all cars did the same: behind the veil of ignorance, not knowing who it will be on the road, it "
    "sacrifices m passengers for n pedestrians iff κ > m/n. In the mixed reading it knows its own seat "
    "where its own survival is concerned. The altruist stays in its seat and puts a weight α on every "
    "other life; the utilitarian counts lives.",
    "Where a model's words have known probabilities, its acts are these, averaged over both orders in "
    "which the two cases are told; otherwise acts are drawn. Ratings are always single replies.",
    "Intervals are 95 %, from resampling questions in their wordings (cluster bootstrap); where acts "
    "were drawn, the wider of that and Wilson's. Hover over a number to see what it rests on.",
)
NOTES = (
    "The design variables and the six studies are after Bonnefon, Shariff & Rahwan (Science, 2016). "
    "Numbers about people are recalled and not verified.",
    "Ours, and not taken from any paper: the wordings, the vignettes of each study, the closed forms in "
    "κ, and the map by which oracles rate (100·σ(λ·Δu), λ = 4.1 unless said otherwise).",
    "A language model's answers depend on the wording. Compare framings and orders before any conclusion "
    "about its values.",
)


def write_report(result: DilemmaResult, path: str | os.PathLike[str] | None = None) -> DilemmaResult:
    """Write the report as one self-contained HTML file; returns the result with its `report_path`.

    Args:
        result: what was measured.
        path: the file; None for the run's own name with the ending ``.html``. An existing one is replaced,
            whole or not at all.

    Raises:
        StoreError: it cannot be written; a report that was there before still is.
    """
    target = report_path(result.run_path) if path is None else Path(path)
    again = f"`ludens report {result.run_path}` writes it; what was asked is kept."
    write_page(page(contents(result)), target, again)
    return replace(result, report_path=target)


def contents(result: DilemmaResult) -> Contents:
    """What the page shows."""
    studies = result.manifest["config"]["studies"]
    told = f"the dilemma in stud{'ies' if len(studies) > 1 else 'y'} {', '.join(map(str, studies))}"
    lead = (
        f"How {'it judges' if len(result.tested) == 1 else 'they judge'} "
        f"{told if studies else 'a design of the dilemma'}, beside respondents whose preferences are known."
    )
    return Contents(
        title=", ".join(policy_name(label) for label in result.tested),
        lead=lead,
        figures=pictures(result),
        tables=tables(result),
        reading=READING,
        notes=tuple(_notes(result)),
        warnings=tuple(_warnings(result)),
        facts=_facts(result),
        decisions=[_readable(record, result.design) for record in result.decisions],
    )


def pictures(result: DilemmaResult) -> list[Drawn]:
    """Those that there is something to show in."""
    drawn: list[tuple[str, str, str, Figure | None]] = [
        (
            "approval",
            "How many lives outweigh one?",
            "Share that would swerve and sacrifice the passengers, against the number of pedestrians. "
            "Black diamonds: people in two studies, recalled and not verified; dotted, the curve through "
            "them.",
            figures.approval_curves(result),
        ),
        (
            "gap",
            "Moral for others, or for one's own car?",
            "How moral the utilitarian program is (filled), and how likely one is to buy it (open), by "
            "who is in the car. The distance is the social dilemma.",
            figures.social_dilemma(result),
        ),
        (
            "law",
            "Should the law require it?",
            "Left: how moral sacrifice is (filled), and how far the law should require it (open). Right: "
            "how likely one is to buy a protective car without a law (filled), and a utilitarian one where "
            "the law requires it (open); people were asked about any self-driving car.",
            figures.law(result),
        ),
        ("points", "100 points", "Points that go to the utilitarian program.", figures.points(result)),
    ]
    return [(name, title, caption, figure) for name, title, caption, figure in drawn if figure is not None]


def _readable(record: DecisionRecord, design: tuple[tuple[str, Vignette], ...]) -> DecisionRecord:
    """A decision as the page's browser takes it: the vignette for a node, a number for one option of 101."""
    study, vignette = design[int(record.labels["question"])]
    shown = replace(record, node=summary(vignette), protocol=study)
    decision = record.decision
    if vignette.question == "act" or not isinstance(decision, Decision):
        return shown
    action = None if decision.action is None else float(decision.action)
    wording = None if decision.wording is None else replace(decision.wording, orders=())
    plain = replace(decision, action=action, probabilities=None, wording=wording)
    return replace(shown, options=(), decision=plain)


def _warnings(result: DilemmaResult) -> Iterator[str]:
    if result.ended < result.planned:
        yield (
            f"This run is unfinished: {result.ended} of {result.planned} questions were asked. What was "
            f"not asked is left out below; `ludens resume {result.run_path}` goes on."
        )
    for found in result.measures:
        if found.policy in result.tested and found.incomplete > found.asked / 2:
            yield (
                f"{policy_name(found.policy)} could be read in both orders at only "
                f"{found.asked - found.incomplete} of {found.asked} questions; what is shown rests on these."
            )


def _notes(result: DilemmaResult) -> Iterator[str]:
    yield from NOTES
    if any("smollm2-135m" in label for label in result.tested):
        yield (
            "SmolLM2-135M is a very small model: its answers show how it reads a prompt, not what it "
            "values. It is here so that everything runs without a key or a network."
        )


def _facts(result: DilemmaResult) -> dict[str, str]:
    manifest = result.manifest
    config = manifest["config"]
    facts = {
        "questions": f"{result.ended} of {result.planned} asked",
        "vignettes": str(len(result.design)),
        "framings": ", ".join(config["framings"]),
        "replicates": str(config["replicates"]),
        "seed": str(manifest["seed"]),
        "started": str(manifest["started"]),
        "took": f"{manifest['seconds']:.0f} seconds",
        "versions": ", ".join(f"{name} {version}" for name, version in manifest["versions"].items()),
        "run": result.run_path.name,
    }
    if manifest.get("git"):
        facts["commit"] = manifest["git"]
    return facts
