"""The PettingZoo environment of the autonomous-vehicle dilemma, with the Parallel API.

All respondents are asked at the same time and nobody learns the others' answers, so that payoffs do not
depend on them: it is a survey, which reveals the preferences behind the answers (`ludens.preferences.av`).
The game in which others' programs matter is ``ludens/av_adoption-v0``.

Version history of ``ludens/av_dilemma-v0``: v0, first release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ludens.checks import check_choice, check_count, entries, whole_number
from ludens.envs.av.dilemma import render
from ludens.envs.av.dilemma.observations import SIZE, encoded
from ludens.envs.av.dilemma.studies import VARIABLES, free_design, study_design
from ludens.envs.av.dilemma.vignette import GROUPS, MOST, PERSPECTIVES, Vignette
from ludens.envs.av.survey import Order, SurveyEnv
from ludens.envs.base import Info, Observation, ObservationForm, RenderMode
from ludens.envs.turn import Option, Scale, Turn
from ludens.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENVIRONMENT = "ludens/av_dilemma-v0"
STUDY = 3


@dataclass(frozen=True)
class Dilemma:
    """The rules, as in `Turn.game`.

    Attributes:
        vignette: the dilemma and the question.
        protocol: the study that it belongs to, ``"study 3"``; None in a custom design.
    """

    vignette: Vignette
    protocol: str | None = None
    name: str = "av_dilemma"

    @property
    def roles(self) -> tuple[str, ...]:
        """The perspectives that a respondent may have."""
        return PERSPECTIVES

    @property
    def parameters(self) -> Mapping[str, float]:
        """The vignette's numbers, by name."""
        return self.vignette.parameters


@lru_cache(maxsize=1)
def _points() -> tuple[Option, ...]:
    return tuple(Option(point, str(point)) for point in range(MOST + 1))


ACTS = (Option(0, "stay"), Option(1, "swerve"))


def dilemma_turn(
    vignette: Vignette,
    *,
    agent: str = "respondent_0",
    protocol: str | None = None,
    observation: Mapping[str, NDArray[np.generic]] | None = None,
    round: int = 0,  # the word for it
    rounds: int = 1,
) -> Turn:
    """Return the turn of a respondent who is asked about a vignette, in an episode or outside of one.

    The options are to stay and to swerve, or the points 0 to 100 of a scale. Of 100 points to allocate, the
    action is the number for the utilitarian program; the others go to the protective one.
    """
    return Turn(
        environment=ENVIRONMENT,
        agent=agent,
        role=vignette.perspective,
        node=vignette.question,
        options=ACTS if vignette.question == "act" else _points(),
        observation=_observed(vignette, vignette.answers) if observation is None else observation,
        game=Dilemma(vignette, protocol),
        round=round,
        rounds=rounds,
        facts={"vignette": vignette},
        scale=_scale(vignette),
    )


def _scale(vignette: Vignette) -> Scale | None:
    if vignette.scale is None:
        return None
    things = tuple(act.name for act in ACTS)
    return Scale(vignette.scale, highest=MOST, things=things, noun="program")


class AvDilemmaEnv(SurveyEnv):
    """Respondents who answer one vignette after the other, all at the same time.

    Args:
        study: 1 to 6, a ready-made design (`ludens.envs.av.dilemma.studies`); 3 if no other design is
            given.
        respondents: how many seats there are.
        perspective: of all respondents, or a list with one for each; by default the passenger's.
        vignettes: a custom design, in place of a study.
        order: ``"random"`` shuffles the design for each respondent anew, ``"fixed"`` asks it as it stands.
        rounds: how many vignettes each is asked; None for the whole design once, which more rounds repeat.
        max_cycles: PettingZoo's name for a limit of rounds, after which all seats are truncated.
        render_mode: ``"ansi"`` returns text, ``"human"`` prints it, ``"rgb_array"`` returns a picture of the
            last vignettes and answers, shape (height, width, 3), uint8.
        observation: ``"dict"``, ``"box"`` or ``"rllib"``: the form of observations, see
            `ludens.envs.base.BaseEnv`.
        variables: the arguments of `Vignette` as design variables, each one value or a list of them; every
            combination is asked (`free_design`).

    Actions are 0 (stay) or 1 (swerve) for ``"act"``, otherwise a whole number from 0 to 100; if a design has
    both, the mask shows which are legal. Observations are a dict of ``observation`` (float32,
    see `ludens.envs.av.dilemma.observations`) and ``action_mask`` (int8). The reward is the respondent's
    own expected survival under its own answer, in [0, 1], by `Vignette.swerving`. Infos hold ``lives_lost``
    (expected, by group), ``survival`` and ``vignette``, all of the question that was just answered; before
    the first answer, lives lost are 0, survival is 1 and the vignette is None.

    Raises:
        UsageError: an argument is out of its range.
    """

    def __init__(
        self,
        study: int | None = None,
        *,
        respondents: int = 2,
        perspective: str | Sequence[str] = "passenger",
        vignettes: Sequence[Vignette] | None = None,
        order: Order = "random",
        rounds: int | None = None,
        max_cycles: int | None = None,
        render_mode: RenderMode | None = None,
        observation: ObservationForm = "dict",
        **variables: Any,
    ) -> None:
        self.protocol, design = _design(study, vignettes, variables)
        super().__init__(
            ENVIRONMENT,
            rounds=len(design) if rounds is None else check_count(ENVIRONMENT, "rounds", rounds),
            respondents=respondents,
            answers=max(vignette.answers for vignette in design),
            size=SIZE,
            order=order,
            max_cycles=max_cycles,
            render_mode=render_mode,
            observation=observation,
        )
        number = len(self.possible_agents)
        seen = [perspective] * number if isinstance(perspective, str) else _listed("perspective", perspective)
        if len(seen) != number:
            raise UsageError(
                f"{ENVIRONMENT} has {number} respondents and {len(seen)} perspectives: name one for all, "
                "or one for each."
            )
        self.designs = {
            agent: tuple(vignette.seen_from(eyes) for vignette in design)
            for agent, eyes in zip(self.possible_agents, _checked(seen), strict=True)
        }
        self.game = Dilemma(design[0], self.protocol)
        self._asked: dict[str, tuple[Vignette, ...]] = {}

    @property
    def stochastic(self) -> bool:
        """Whether the seed matters."""
        return self.order == "random" and any(len(set(design)) > 1 for design in self.designs.values())

    def asked(self, agent: str) -> tuple[Vignette, ...]:
        """Return the vignettes of a respondent in this episode, in the order in which they are asked."""
        return self._asked.get(agent, ())

    def _ask(self, rng: np.random.Generator) -> None:
        self._asked = {agent: self._questions(design, rng) for agent, design in self.designs.items()}

    def _questions(self, design: tuple[Vignette, ...], rng: np.random.Generator) -> tuple[Vignette, ...]:
        found: list[Vignette] = []
        while len(found) < self.rounds:
            places = rng.permutation(len(design)) if self.order == "random" else range(len(design))
            found += [design[place] for place in places]
        return tuple(found[: self.rounds])

    def _observed(self, agent: str, place: int) -> Observation:
        return _observed(self._asked[agent][place], self.answers)

    def _turn(self, agent: str) -> Turn:
        vignette = self._asked[agent][self.round]
        return dilemma_turn(
            vignette,
            agent=agent,
            protocol=self.protocol,
            observation=_observed(vignette, self.answers),
            round=self.round,
            rounds=self.rounds,
        )

    def _reward(self, agent: str, action: int) -> float:
        vignette = self._asked[agent][self.round]
        return vignette.survival(vignette.swerving(action))

    def _info(self, agent: str) -> Info:
        if not self.answered[agent]:
            return {"survival": 1.0, "lives_lost": dict.fromkeys(GROUPS, 0.0), "vignette": None}
        vignette = self._asked[agent][len(self.answered[agent]) - 1]
        swerving = vignette.swerving(self.answered[agent][-1])
        return {
            "survival": vignette.survival(swerving),
            "lives_lost": vignette.deaths(swerving),
            "vignette": vignette.describe(),
        }

    def _text(self) -> str:
        return render.text(self)

    def _figure(self) -> Figure:
        return render.figure(self)

    def _legal(self, agent: str, action: Any) -> int:
        vignette = self._asked[agent][self.round]
        number = whole_number(action)
        if number is None or not 0 <= number < vignette.answers:
            what = (
                "0 (stay) or 1 (swerve)" if vignette.question == "act" else f"a whole number from 0 to {MOST}"
            )
            raise UsageError(
                f"{action!r} is not a legal answer of {agent} to {vignette.question!r} in {ENVIRONMENT}: "
                f"give {what}."
            )
        return number


def _design(
    study: int | None, vignettes: Sequence[Vignette] | None, variables: Mapping[str, Any]
) -> tuple[str | None, tuple[Vignette, ...]]:
    """Return the study's name and the design, from a passenger's perspective or that of the design's own."""
    named = [name for name, given in (("study", study), ("vignettes", vignettes)) if given is not None]
    if len(named) + bool(variables) > 1:
        others = [*named, *variables]
        raise UsageError(f"{ENVIRONMENT} takes one design; got {' and '.join(others)}.")
    if "perspective" in variables:
        raise UsageError(f"{ENVIRONMENT} has a perspective for each respondent, not as a design variable.")
    if variables:
        unknown = sorted(set(variables) - set(VARIABLES))
        if unknown:
            raise UsageError(f"{ENVIRONMENT} has no option {unknown[0]!r}.")
        return None, free_design(**variables)
    if vignettes is not None:
        design = tuple(_listed("vignettes", vignettes))
        if not design or not all(isinstance(vignette, Vignette) for vignette in design):
            raise UsageError(f"{ENVIRONMENT} takes a list of at least one Vignette; got {vignettes!r}.")
        return None, design
    number = STUDY if study is None else study
    return f"study {number}", study_design(number)


def _listed(name: str, value: object) -> list[Any]:
    given = entries(value)
    if given is None:
        raise UsageError(f"{ENVIRONMENT} got {name}={value!r}; give a list.")
    return given


def _checked(perspectives: Sequence[str]) -> list[str]:
    for perspective in perspectives:
        check_choice(ENVIRONMENT, "perspective", perspective, PERSPECTIVES)
    return list(perspectives)


def _observed(vignette: Vignette, answers: int) -> Observation:
    mask = np.zeros(answers, dtype=np.int8)
    mask[: vignette.answers] = 1
    return {"observation": encoded(vignette), "action_mask": mask}
