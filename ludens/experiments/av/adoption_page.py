"""The page of a study of the adoption game."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ludens.display.notebook import View
from ludens.experiments.av.adoption_figures import picture
from ludens.experiments.av.adoption_result import AdoptionResult
from ludens.experiments.av.adoption_tables import tables
from ludens.experiments.report import page as pages
from ludens.experiments.report.answering import answering_tables, remarks
from ludens.experiments.report.names import policy_name
from ludens.experiments.report.page import Page, Picture
from ludens.experiments.report.transcripts import Transcripts
from ludens.experiments.runs.records import DecisionRecord

READING = (
    "Everybody in a population chooses between a utilitarian car, which swerves and sacrifices its passenger "
    "where that saves more lives, and a self-protective one. A person rides in a car now and then, and walks "
    "before the cars of others now and then.",
    "Homo moralis with weight κ also asks what would follow if everybody chose alike. Behind the veil of "
    "ignorance it takes the utilitarian car iff κ exceeds κ*. An altruist puts a weight a on every other "
    "life, and takes it iff a exceeds a*.",
)
NOTES = (
    "The rules, the closed forms of κ* and a*, and the regulation are ours; the question is that of "
    "Bonnefon, Shariff & Rahwan (Science, 2016).",
    "Populations with an answer that could not be read are not finished, and enter no mean.",
)
_UNFINISHED = "This run is unfinished: populations that were not played to their end enter no mean."


def page(result: AdoptionResult, decisions: Sequence[DecisionRecord] = ()) -> Page:
    """Return what the report of a study of the adoption game shows.

    Args:
        result: of the study.
        decisions: for the transcripts and how models answered, if any policy was asked.
    """
    game, rounds = result.game, result.paths.shares.shape[1] - 1
    over_rounds = "the share of utilitarian cars in each group over rounds."
    caption = f"T{over_rounds[1:]}"
    if result.curves:
        caption = (
            "Left: the share of utilitarian cars in simulated populations against κ, people all alike (dots) "
            f"and drawn from a Beta distribution (line); dashed, the threshold κ*. Right: {over_rounds}"
        )
    return Page(
        title=", ".join(policy_name(group.name) for group in result.groups),
        lead=(
            f"Which cars {game.people} people choose over {rounds} rounds, with {game.walkers} pedestrians "
            "per accident."
        ),
        kind="adoption of autonomous vehicles",
        pictures=[Picture("adoption", "Who adopts what?", caption, picture(result))],
        tables=[*tables(result), *answering_tables(decisions)],
        transcripts=Transcripts(decisions) if decisions else None,
        reading=READING,
        notes=NOTES,
        warnings=(
            *(() if result.settings.get("status", "done") == "done" else (_UNFINISHED,)),
            *remarks(decisions),
        ),
        facts=dict(_facts(result)),
    )


def view(result: AdoptionResult) -> View:
    """Return what a notebook shows of a result: the picture and the tables of its report."""
    return pages.view(page(result))


def _facts(result: AdoptionResult) -> Iterator[tuple[str, str]]:
    for name, value in {**result.game.config, **result.settings}.items():
        yield name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if result.path is not None:
        yield "file", result.path.name
