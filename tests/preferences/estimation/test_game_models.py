"""Models of outcomes and acts on choices in games: attributes by hand, planted parameters, exact players."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.agents.registry import make_policy
from ludens.envs import PROTOCOLS, GameTree, find_game, make_env, pure_strategies, uniform_strategy
from ludens.envs.tree.nodes import ChanceNode, DecisionNode, PayoffNode
from ludens.errors import UsageError
from ludens.experiments.estimates import bench_answers, reveal
from ludens.preferences.acts import acts
from ludens.preferences.estimation import UtilityModel, fit, fit_types, simulate
from ludens.preferences.estimation.fitting.likelihood import evaluator
from ludens.preferences.estimation.models.catalogue import find_model
from ludens.preferences.estimation.models.expected import model_of
from ludens.preferences.estimation.models.linear import LinearModel, Parameter
from ludens.preferences.estimation.simulation import questions
from tests.experiments.synthetic import answers

GAMES = [find_game(name) for name in PROTOCOLS]
UNIFORM = [(game, uniform_strategy(game)) for game in GAMES]


def asked(model, *, subjects=100, seen="strategies"):
    return questions(UNIFORM, model, subjects=subjects, seen=seen)


@pytest.mark.parametrize("seen", ["strategies", "nodes"])
@pytest.mark.parametrize(
    ("model", "theta"),
    [
        ("bfs", (0.1, 0.3, 0.15, -0.2, 0.1)),
        ("charness_rabin", (0.4, 0.1, -0.3, 8.0)),
        ("ces", (0.7, 0.4, 6.0)),
    ],
)
def test_planted_parameters_come_back(model, theta, seen):
    drawn = simulate(asked(model, seen=seen), model, theta, np.random.default_rng(1))
    found = fit(drawn, model)
    assert found.names == find_model(model).names
    assert not found.warnings
    for value, error, truth in zip(found.values, found.standard_errors(), theta, strict=True):
        assert abs(value - truth) < 3.5 * error < 2


def test_acts_by_hand():
    """Trust and cooperation are kind, an unequal offer and defection unkind; who moves first follows none."""
    assert acts(find_game("TG5")).tolist() == [[0, 1], [0, 1], [0, 0]]
    assert acts(find_game("UG1")).tolist() == [[0, 0], [0, -1], [0, -1]]
    assert acts(find_game("SPD1")).tolist() == [[0, 1], [0, 1], [0, -1], [0, -1]]


def test_an_act_that_is_not_seen_is_neither_kind_nor_unkind():
    def after(name, high):
        options = {"a": PayoffNode((1, high)), "b": PayoffNode((2, 0))}
        return DecisionNode(f"reply to {name}", "second", options, "reply")

    hidden = GameTree(
        "hidden",
        ("first", "second"),
        DecisionNode("move", "first", {"up": after("up", 9), "down": after("down", 3)}),
    )
    assert not acts(hidden).any()
    nature = ChanceNode("coin", {"up": (0.5, after("up", 9)), "down": (0.5, after("down", 3))})
    assert not acts(GameTree("nature", ("first", "second"), nature)).any()


def test_attributes_of_strategies_by_hand():
    """Trust game 5, a belief of even chances: trusted with 1/2, and half of the time in each role."""
    game = find_game("TG5")
    choices = asked("bfs")
    place = list(PROTOCOLS).index("TG5")
    names = find_model("bfs").attributes
    for strategy, row in zip(pure_strategies(game), choices.attributes[place], strict=False):
        trust, back = strategy[0], strategy[2]  # columns: trust, keep, reciprocate, defect
        # In the second role, after trust alone: (70, 70) if one reciprocates, else (20, 80).
        kind = 0.5 * 0.5 * (1 - back) * (20 - 80)
        ahead = 0.5 * 0.5 * (1 - back) * -60
        behind = 0.5 * trust * 0.5 * 60
        own = 0.5 * (trust * (35 + 10) + (1 - trust) * 30) + 0.5 * 0.5 * (30 + back * 70 + (1 - back) * 80)
        expected = dict(zip(names, (own, behind, ahead, kind, 0.0), strict=True))
        assert dict(zip(names, row, strict=True)) == pytest.approx(expected)


def test_a_utility_of_outcomes_is_the_expected_one():
    """Linear in payoffs, it is the linear model of expected payoffs, with the same derivatives."""
    linear = LinearModel("l", "", "", (Parameter("s", "s"),), ("own", "other"))
    curved = UtilityModel(lambda x, theta: x[..., 0] + theta[0] * x[..., 1], ("s",), ("own", "other"))
    one, other = asked(linear, subjects=3), asked(curved, subjects=3)
    wide = model_of(other, curved)
    phi = np.array([np.log(0.2), 0.3])
    left = evaluator(linear, one, one.total[None])(np.array([[0.2, 0.06]]), np.zeros(1, dtype=np.intp))
    right = evaluator(wide, other, other.total[None])(phi[None], np.zeros(1, dtype=np.intp))
    assert right.level == pytest.approx(left.level)
    drawn = simulate(one, linear, (0.3, 5.0), np.random.default_rng(0))
    again = fit(type(drawn)(**{**vars_of(other), "counts": drawn.counts}), curved)
    assert again.values == pytest.approx(fit(drawn, linear).values, rel=1e-4)


def vars_of(choices):
    return {name: getattr(choices, name) for name in choices.__dataclass_fields__}


def test_second_derivatives_of_expected_utility():
    choices = asked("ces", subjects=1)
    model = model_of(choices, find_model("ces"))
    phi = np.array([[-2.0, 0.8, -0.4], [-1.0, 2.0, 0.5]])
    _, slope, curvature = model.derivatives(phi, choices.attributes)
    np.testing.assert_allclose(slope, model.index(phi, choices.attributes)[1], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        curvature, model.second_derivative(phi, choices.attributes), rtol=1e-5, atol=1e-5
    )


def test_types_of_curvature_in_games():
    design, rng = asked("ces", subjects=60), np.random.default_rng(3)
    theta = np.array([(0.9, 0.5, 6.0), (0.55, -1.0, 6.0)])[np.arange(60) % 2]
    found = fit_types(simulate(design, "ces", theta, rng), "ces", 2, starts=4)
    assert sorted(one.values[0] for one in found.types) == pytest.approx([0.55, 0.9], abs=0.06)


def test_exact_players_have_their_parameters():
    """α and β of Fehr & Schmidt are −α and β of BFS, and −σ and ρ of Charness & Rabin."""
    policy = "quantal:alpha=0.2,beta=0.3,noise=8"
    (seen,) = bench_answers(answers(make_policy(policy), policy))
    assert reveal(seen, "bfs").fit.values == pytest.approx((-0.2, 0.3, 0, 0, 1 / 8), abs=1e-4)
    assert reveal(seen, "charness_rabin").fit.values == pytest.approx((0.3, -0.2, 0, 8), abs=1e-3)
    assert 0 < reveal(seen, "ces").fit.values[0] < 1


def test_games_that_a_model_does_not_fit_are_refused():
    together = make_env("ludens/hawk_dove-v0").unwrapped.game
    with pytest.raises(UsageError, match="is estimated from game trees"):
        questions([(together, uniform_strategy(together))], "ces", subjects=1)
    # Where all move at once, nobody acts before another.
    flat = questions([(together, uniform_strategy(together))], "bfs", subjects=1)
    assert not flat.attributes[..., 3:].any()
    with pytest.raises(UsageError, match="needs 'amount_1', which outcomes of games do not have"):
        questions(UNIFORM, "crra", subjects=1)
