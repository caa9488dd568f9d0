"""Answers that take the option shown first, or any option: derivatives and what they leave of a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ludens.envs import PROTOCOLS, uniform_strategy
from ludens.preferences.estimation import HOMO_MORALIS, questions
from ludens.preferences.estimation.fitting.likelihood import evaluator, events, log_probabilities
from ludens.preferences.estimation.models.lapses import LapsesModel

MODEL = LapsesModel(HOMO_MORALIS, trembles=True)
THETA = np.array([0.1, 0.2, 0.4, 0.15, 0.1, 8.0])


def design():
    games = [PROTOCOLS[name] for name in ("SPD1", "TG3", "UG5")]
    choices = questions([(game, uniform_strategy(game)) for game in games], subjects=1, seen="nodes")
    first = np.zeros(choices.questions.shape, dtype=bool)
    for place, game in enumerate(games):
        for node in game.information_sets:
            first[place, node.columns.start + place % 2] = True
    return replace(choices, first=first)


def test_lapses_mix_with_the_probabilities_of_the_model():
    choices = design()
    phi = MODEL.to_free(THETA)
    np.testing.assert_allclose(MODEL.to_reported(phi), THETA)
    core = np.exp(log_probabilities(HOMO_MORALIS, choices, phi[:4]))
    wanted = 0.75 * core + 0.15 * choices.first + 0.1 * (choices.questions >= 0) / choices.options
    np.testing.assert_allclose(np.exp(log_probabilities(MODEL, choices, phi)), wanted)
    np.testing.assert_allclose(np.exp(events(MODEL, choices, phi).level), wanted)


def test_a_utility_of_the_first_place_tilts_the_probabilities():
    choices = design()
    model = LapsesModel(HOMO_MORALIS, bias=True)
    assert model.names == ("alpha", "beta", "kappa", "bias", "noise")
    phi = model.to_free(np.array([0.1, 0.2, 0.4, 0.7, 8.0]))
    core = np.exp(log_probabilities(HOMO_MORALIS, choices, phi[:4])) * np.exp(0.7 * choices.first)
    found = np.exp(log_probabilities(model, choices, phi))
    for place, numbers in enumerate(choices.questions):
        for number in range(numbers.max() + 1):
            of_question = numbers == number
            wanted = core[place, of_question] / core[place, of_question].sum()
            np.testing.assert_allclose(found[place, of_question], wanted)


@pytest.mark.parametrize(
    ("MODEL", "THETA"),
    [(MODEL, THETA), (LapsesModel(HOMO_MORALIS, bias=True), np.array([0.1, 0.2, 0.4, 0.7, 8.0]))],
)
def test_derivatives_are_those_of_differences(MODEL, THETA):
    choices = design()
    phi = MODEL.to_free(THETA)
    counts = np.where(
        choices.questions >= 0, np.arange(choices.questions.size).reshape(choices.questions.shape) % 5, 0
    )
    function = evaluator(MODEL, choices, counts[None].astype(float))
    at = np.zeros(1, dtype=np.intp)
    value = function(phi[None], at)
    step = 1e-6
    for place in range(len(phi)):
        moved = np.zeros(len(phi))
        moved[place] = step
        above, below = function((phi + moved)[None], at), function((phi - moved)[None], at)
        assert (above.level - below.level)[0] / (2 * step) == pytest.approx(
            value.gradient[0, place], rel=1e-5
        )
        np.testing.assert_allclose(
            (above.gradient - below.gradient)[0] / (2 * step), value.hessian[0, place], rtol=1e-4, atol=1e-4
        )
    jacobian = MODEL.jacobian(phi)
    for place in range(len(phi)):
        moved = np.zeros(len(phi))
        moved[place] = step
        slope = (MODEL.to_reported(phi + moved) - MODEL.to_reported(phi - moved)) / (2 * step)
        np.testing.assert_allclose(slope, jacobian[:, place], rtol=1e-4, atol=1e-6)


def test_restrictions_hold_what_they_say():
    held = {"kappa": 0.3, "first": 0.2}
    restriction = MODEL.restrict(held)
    phi = restriction.expand(np.array([0.1, 0.02, -0.01, 0.05]))
    theta = dict(zip(MODEL.names, MODEL.to_reported(phi).tolist(), strict=True))
    assert (theta["kappa"], theta["first"], theta["tremble"]) == pytest.approx((0.3, 0.2, 0.05))
    assert theta["noise"] == pytest.approx(10)
