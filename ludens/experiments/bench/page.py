"""The page of a benchmark."""

from __future__ import annotations

from collections.abc import Iterator

from ludens.experiments.bench import figures
from ludens.experiments.bench.result import BenchResult
from ludens.experiments.bench.tables import tables
from ludens.experiments.report import provenance
from ludens.experiments.report.answering import remarks
from ludens.experiments.report.names import policy_name
from ludens.experiments.report.page import Page, Picture, fragment
from ludens.experiments.report.transcripts import Transcripts, question_entry

_SMALL = (
    "SmolLM2-135M is a very small model. Its choices follow the place of an option, and so its letter, far "
    'more than the payoffs (see "takes the option shown first"); averaging over orders then gives shares '
    "near one half, which is no sign of a preference. It is here so that everything runs without a key or "
    "a network."
)


def page(result: BenchResult) -> Page:
    """Return what the report of a benchmark shows."""
    games = {protocol for protocol, _ in result.measures[0].cells}
    return Page(
        title=", ".join(policy_name(model) for model in result.models),
        lead=(
            f"How {'it plays' if len(result.models) == 1 else 'they play'} {len(games)} economic games, "
            "beside policies whose preferences are known."
        ),
        kind="preference benchmark",
        warnings=(
            *provenance.unfinished(result.ended, result.planned, result.run_path),
            *remarks(result.decisions, result.manifest["config"].get("persona")),
        ),
        pictures=_pictures(result),
        tables=tables(result),
        transcripts=Transcripts(result.decisions, question_entry),
        reading=fragment("ludens.experiments.bench", "reading.html.j2"),
        notes=tuple(_notes(result)),
        facts=_facts(result),
    )


def _notes(result: BenchResult) -> Iterator[str]:
    yield (
        "Ours, and not taken from any paper: the wordings, the grid of κ, uniform beliefs as the "
        "default, the noise of the quantal reference policy (λ = 8), and the equal weight of framings."
    )
    yield (
        "Protocols and trees are after van Leeuwen & Alger (2024); homo moralis is after Alger & Weibull "
        "(2013)."
    )
    yield (
        "Preferences are estimated at the nodes, as marginals of a logit over whole strategies. Ours "
        "there: a policy whose choices a clustered score test (5 %) cannot distinguish from chance gets "
        "no numbers, and where probabilities are exact the intervals are no narrower than one sampled "
        "answer to each question would make them."
    )
    yield (
        "Six protocols per family are few. The bootstrap's intervals at a single node are somewhat "
        "too narrow."
    )
    yield (
        "With sampled answers, consistency also falls by chance. Where probabilities are read from "
        "log-probabilities, one replicate is exact and further ones add nothing."
    )
    if any("smollm2-135m" in model for model in result.models):
        yield _SMALL
    yield (
        "A language model's answers depend on the wording. Read the shares by framing, and the consistency "
        "across framings, before any conclusion about its preferences."
    )


def _facts(result: BenchResult) -> dict[str, str]:
    config = result.manifest["config"]
    own = {
        "questions": f"{result.ended} of {result.planned} asked",
        "framings": ", ".join(config["framings"]),
        "elicitation": config["elicit"],
        "replicates": str(config["replicates"]),
        "persona": config["persona"] or "none",
        "beliefs": "asked for" if config["beliefs"] else "not asked for",
    }
    return provenance.facts(result.manifest, result.run_path, own)


def _pictures(result: BenchResult) -> list[Picture]:
    return [
        Picture(
            "cooperation",
            "How cooperative?",
            "Share of the prosocial option, in per cent, for every protocol and node; orders and "
            "framings averaged. Hatched: no usable answer in every order.",
            figures.heat_map(result),
        ),
        Picture(
            "sensitivity",
            "Does it react to incentives?",
            "Cooperation against the temptation T − R. Points are protocols, lines join their means. A "
            "policy that weighs payoffs cooperates less where temptation is larger; one that ignores them "
            "has a flat line.",
            figures.sensitivity(result),
        ),
        Picture(
            "agreement",
            "Whose choices are they?",
            "Probability put on what the oracle would choose under uniform beliefs, with 95 % "
            "intervals. Choosing at random agrees half of the time with everybody.",
            figures.agreement(result),
        ),
        Picture(
            "preferences",
            "Which preferences do the choices reveal?",
            "Estimates with 95 % intervals: dislike of being behind (α) and ahead (β), weight on what would "
            "follow if everybody chose alike (κ), noise (λ). Where choices do not identify them, there is no "
            "number.",
            figures.preferences(result),
        ),
    ]
