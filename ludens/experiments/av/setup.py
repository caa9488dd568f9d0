"""What a run of the dilemma is made of: a design, respondents, wordings; every question is an episode."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ludens.agents.policy import Policy
from ludens.agents.registry import make_policy
from ludens.envs.av.dilemma.studies import study_design
from ludens.envs.av.dilemma.vignette import Vignette, as_vignette
from ludens.envs.av.registration import DILEMMA
from ludens.errors import UsageError
from ludens.experiments.runs.records import NO_FRAMING, EpisodeSpec

Respondent: TypeAlias = str | Policy | Mapping[str, Any]

KIND = "av"
STUDIES = (1, 2, 3)
FRAMINGS = ("neutral", "story")
REFERENCES = (
    "homo_economicus",
    "homo_moralis:0.5",
    "homo_moralis:0.5,universalisation=mixed",
    "altruist:0.2",
    "utilitarian",
)
"""Asked beside whatever is under test."""
OWN = "own design"
ORDERS = 2
"""Either of the two cases may be told first."""


@dataclass(frozen=True)
class DilemmaSetup:
    """A run of the dilemma before it is played.

    Attributes:
        respondents: those under test, then the references; each with the label that tables call it by.
        tested: the labels of those under test.
        design: the vignettes with the study that each belongs to, in the order of tables.
        studies: the numbers of the studies; empty for a design of one's own.
        framings: in which language models are asked.
        replicates: how often a language model is asked each question in each wording.
        seed: the root of the run's tree of seeds.
        concurrency: how many questions are open at once.
    """

    respondents: Mapping[str, Policy]
    tested: tuple[str, ...]
    design: tuple[tuple[str, Vignette], ...]
    studies: tuple[int, ...]
    framings: tuple[str, ...]
    replicates: int
    seed: int
    concurrency: int

    @property
    def config(self) -> dict[str, Any]:
        """JSON values from which the setup can be built again."""
        return {
            "respondents": [policy.describe() for policy in self.respondents.values()],
            "labels": list(self.respondents),
            "tested": list(self.tested),
            "studies": list(self.studies),
            "design": [{"study": study, **vignette.describe()} for study, vignette in self.design],
            "framings": list(self.framings),
            "replicates": self.replicates,
            "concurrency": self.concurrency,
        }

    @property
    def specs(self) -> list[EpisodeSpec]:
        """Every question as an episode; prompts with a common beginning stand next to each other."""
        labels = [entry for label in self.respondents for entry in self._labels(label)]
        return [EpisodeSpec(index, entry) for index, entry in enumerate(labels)]

    def _labels(self, label: str) -> Iterator[dict[str, Any]]:
        worded = is_worded(self.respondents[label])
        for framing in self.framings if worded else (NO_FRAMING,):
            for order in range(ORDERS if worded else 1):
                for place, (study, vignette) in enumerate(self.design):
                    for replicate in range(self.replicates if worded else 1):
                        yield {
                            "policy": label,
                            "protocol": study,
                            "question": place,
                            "node": vignette.question,
                            "framing": framing,
                            "order": order,
                            "replicate": replicate,
                        }


def dilemma_setup(
    models: Sequence[Respondent],
    *,
    studies: Sequence[int] | None = None,
    design: Sequence[Vignette] | None = None,
    perspectives: Sequence[str] = ("passenger",),
    framings: Sequence[str] = FRAMINGS,
    replicates: int = 1,
    references: Sequence[Respondent] = REFERENCES,
    seed: int = 0,
    concurrency: int = 8,
    settings: Mapping[str, Any] | None = None,
) -> DilemmaSetup:
    """Check all that a run is made of.

    Raises:
        UsageError: something is wrong; nothing was written.
    """
    if isinstance(models, str | Policy | Mapping) or not models:
        raise UsageError("Name at least one respondent, as a list; for example ['local/smollm2-135m'].")
    if design is not None and studies is not None:
        raise UsageError("Ask about studies or about a design of your own, not about both at once.")
    for name, value in (("replicates", replicates), ("concurrency", concurrency)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(f"The number of {name} is a whole number of at least 1; got {value!r}.")
    tested = _made(models, settings or {})
    if len(tested) < len(models):
        raise UsageError("Two respondents have the same name; name each once.")
    numbers = tuple(dict.fromkeys(STUDIES if studies is None else studies)) if design is None else ()
    if design is None:
        asked = [(f"study {n}", vignette) for n in numbers for vignette in study_design(n, perspectives)]
    else:
        asked = [(OWN, vignette) for vignette in design]
    if not asked:
        raise UsageError("A design needs at least one vignette; name a study, 1 to 6.")
    worded = any(map(is_worded, tested.values()))
    if worded:
        from ludens.agents.llm.prompts.games import check_framing

        for framing in framings:
            check_framing(framing)
        if not framings:
            raise UsageError(f"Name at least one framing, for example {', '.join(FRAMINGS)}.")
    return DilemmaSetup(
        respondents=tested | {k: v for k, v in _made(references, {}).items() if k not in tested},
        tested=tuple(tested),
        design=tuple(asked),
        studies=numbers,
        framings=tuple(dict.fromkeys(framings)),
        replicates=replicates,
        seed=seed,
        concurrency=concurrency,
    )


def stored_setup(
    manifest: Mapping[str, Any], path: str | os.PathLike[str], concurrency: int | None = None
) -> DilemmaSetup:
    """The setup of a run from its manifest.

    Raises:
        UsageError: a respondent was a Python object that the file cannot describe.
    """
    config = manifest["config"]
    made: dict[str, Policy] = {}
    for label, description in zip(config["labels"], config["respondents"], strict=True):
        if "spec" not in description:
            raise UsageError(
                f"The respondent {label!r} of {path} was a Python object, which its file cannot describe: "
                "start anew."
            )
        made[label] = make_policy(description, DILEMMA.environment)
    return DilemmaSetup(
        respondents=made,
        tested=tuple(config["tested"]),
        design=stored_design(config),
        studies=tuple(config["studies"]),
        framings=tuple(config["framings"]),
        replicates=config["replicates"],
        seed=manifest["seed"],
        concurrency=config["concurrency"] if concurrency is None else concurrency,
    )


def stored_design(config: Mapping[str, Any]) -> tuple[tuple[str, Vignette], ...]:
    """The vignettes of a run, each with its study."""
    return tuple(
        (entry["study"], as_vignette({key: value for key, value in entry.items() if key != "study"}))
        for entry in config["design"]
    )


def is_worded(policy: Policy) -> bool:
    """Whether the respondent is asked in words."""
    return "/" in str(policy.describe().get("spec", ""))


def _made(respondents: Sequence[Respondent], settings: Mapping[str, Any]) -> dict[str, Policy]:
    made = [make_policy(each, DILEMMA.environment, **settings) for each in respondents]
    return {policy.name: policy for policy in made}
