"""The page of a run of the dilemma."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ludens.agents.policy import Decision
from ludens.envs.av.dilemma.render import summary
from ludens.envs.av.dilemma.vignette import Vignette
from ludens.experiments.av import figures
from ludens.experiments.av.answers import number_of, places_of
from ludens.experiments.av.result import OWN, DilemmaResult
from ludens.experiments.av.tables import tables
from ludens.experiments.report import provenance
from ludens.experiments.report.answering import remarks
from ludens.experiments.report.names import policy_name
from ludens.experiments.report.page import Page, Picture
from ludens.experiments.report.transcripts import Transcripts, question_entry
from ludens.experiments.runs.records import DecisionRecord

KIND = "dilemmas of autonomous vehicles"

READING = (
    "A car cannot stop in time. It stays on course and hits the pedestrians, or it swerves and "
    "sacrifices its passengers. The utilitarian program swerves in such a case, the protective one stays "
    "on course. Acts are stay or swerve; ratings are whole numbers from 0 to 100.",
    "Homo economicus cares for its own survival. Homo moralis with weight κ also asks what would follow "
    "if all cars did the same: behind the veil of ignorance, not knowing who it will be on the road, it "
    "sacrifices m passengers for n pedestrians iff κ > m/n. In the mixed reading it knows its own seat "
    "where its own survival is concerned. The altruist stays in its seat and puts a weight α on every "
    "other life; the utilitarian counts lives.",
    "Where a model's words have known probabilities, its acts are these, averaged over both orders "
    "of the two cases; otherwise acts are drawn. Ratings are always single replies.",
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


def page(result: DilemmaResult) -> Page:
    """Return what the report of a run of the dilemma shows."""
    names = dict.fromkeys(study for study, _ in result.design)
    places = places_of(result.design)
    studies = [name.removeprefix("study ") for name in names if name != OWN]
    asked = f"the dilemma in stud{'ies' if len(studies) > 1 else 'y'} {', '.join(studies)}"
    lead = (
        f"How {'it judges' if len(result.tested) == 1 else 'they judge'} "
        f"{asked if studies else 'a design of the dilemma'}, beside policies whose preferences are known."
    )
    return Page(
        title=", ".join(policy_name(label) for label in result.tested),
        lead=lead,
        kind=KIND,
        pictures=pictures(result),
        tables=tables(result),
        reading=READING,
        notes=tuple(_notes(result)),
        warnings=(*_warnings(result), *remarks(result.decisions)),
        facts=_facts(result),
        transcripts=Transcripts(
            [
                _readable(record, *result.design[places[number_of(record.labels)]])
                for record in result.decisions
            ],
            question_entry,
        ),
    )


def pictures(result: DilemmaResult) -> list[Picture]:
    """Return the pictures of the page; one that would show nothing has no figure."""
    return [
        Picture(
            "approval",
            "How many lives outweigh one?",
            "Share that would swerve and sacrifice the passengers, against the number of pedestrians. "
            "Diamonds: people in two studies, recalled and not verified; dotted, the curve through "
            "them.",
            figures.approval_curves(result),
        ),
        Picture(
            "gap",
            "Moral for others, or for one's own car?",
            "How moral the utilitarian program is (filled), and how likely one is to buy it (open), by "
            "who is in the car. The distance is the social dilemma.",
            figures.social_dilemma(result),
        ),
        Picture(
            "law",
            "Should the law require it?",
            "Left: how moral sacrifice is (filled), and how far the law should require it (open). Right: "
            "how likely one is to buy a protective car without a law (filled), and a utilitarian one where "
            "the law requires it (open); people were asked about any self-driving car.",
            figures.law(result),
        ),
        Picture("points", "100 points", "Points that go to the utilitarian program.", figures.points(result)),
    ]


def _readable(record: DecisionRecord, study: str, vignette: Vignette) -> DecisionRecord:
    """Return a decision for the page: its vignette in place of the node, and a rating as a number."""
    shown = replace(record, node=summary(vignette), protocol=study)
    decision = record.decision
    if vignette.question == "act" or not isinstance(decision, Decision):
        return shown
    action = None if decision.action is None else float(decision.action)
    wording = None if decision.wording is None else replace(decision.wording, orders=())
    plain = replace(decision, action=action, probabilities=None, wording=wording)
    return replace(shown, options=(), decision=plain)


def _warnings(result: DilemmaResult) -> Iterator[str]:
    yield from provenance.unfinished(result.ended, result.planned, result.run_path)
    for found in result.measures:
        if found.policy in result.tested and found.incomplete > found.asked / 2:
            yield (
                f"{policy_name(found.policy)} could be read in both orders at only "
                f"{found.asked - found.incomplete} of {found.asked} questions; what is shown rests on "
                "these."
            )


def _notes(result: DilemmaResult) -> Iterator[str]:
    yield from NOTES
    if any("smollm2-135m" in label for label in result.tested):
        yield (
            "SmolLM2-135M is a very small model: its answers show how it reads a prompt, not what it "
            "values. It is here so that everything runs without a key or a network."
        )


def _facts(result: DilemmaResult) -> dict[str, str]:
    config = result.manifest["config"]
    own = {
        "questions": f"{result.ended} of {result.planned} asked",
        "vignettes": str(len(result.design)),
        "framings": ", ".join(config["framings"]),
        "replicates": str(config["replicates"]),
    }
    return provenance.facts(result.manifest, result.run_path, own)
