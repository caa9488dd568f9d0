"""Designs of games: information against the likelihood's scores, optimality by search, the shipped suite."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from ludens.envs import FAMILIES, PROTOCOLS, uniform_strategy
from ludens.envs.games import find_game, sharp_protocols
from ludens.errors import UsageError
from ludens.preferences.estimation.data.games import Answers, game_choices
from ludens.preferences.estimation.design import candidate_games, candidates, expected, find_design
from ludens.preferences.estimation.fitting.likelihood import events
from ludens.preferences.estimation.models.linear import HOMO_MORALIS

SCENARIO = np.array([[0.2, 0.1, 0.3, 8.0]])


def likelihood_information(game):
    """The expected outer product of scores of one answer at every node, from the estimator's likelihood."""
    one = np.zeros(1, dtype=np.intp)
    answers = Answers(one, one, np.zeros(1, dtype=bool), one, np.ones(1))
    choices = game_choices(
        answers, [(game, uniform_strategy(game))], HOMO_MORALIS, subjects=["a"], clusters=(one, "subject")
    )
    found = events(HOMO_MORALIS, choices, HOMO_MORALIS.to_free(SCENARIO[0]))
    shares, scores = np.exp(found.level[0]), found.score[0]
    return np.einsum("e,ep,eq->pq", shares, scores, scores)


@pytest.mark.parametrize("protocol", ["TG3", "UG1", "SPD2"])
def test_information_is_that_of_the_likelihood(protocol):
    game = PROTOCOLS[protocol]
    found = candidates({protocol: game}, [tuple(SCENARIO[0, :3])], [8.0])
    np.testing.assert_allclose(found.answers[0, 0], likelihood_information(game), rtol=1e-9, atol=1e-12)


def test_a_kept_strategy_gives_no_more_by_repetition():
    once, often = (expected(dict(PROTOCOLS), SCENARIO, asked)[0] for asked in (1, 25))
    assert often.half_widths["kappa"] == pytest.approx(once.half_widths["kappa"] / 5)
    assert often.kept == once.kept
    # Where each game has one node, one answer to it is one strategy.
    ultimatum = expected({name: PROTOCOLS[name] for name in ("TG1", "TG2", "UG1", "UG2", "SPD1")}, SCENARIO)
    assert ultimatum[0].kept["kappa"] > 0


def test_the_best_pair_is_found_by_exchange():
    """Of 28 pairs of 8 games none is better than the design."""
    games = dict(list(candidate_games(["sequential_prisoners_dilemma"], [10, 30, 50, 70, 90]).items())[:5])
    games |= dict(list(candidate_games(["ultimatum"], [10, 30, 50, 90]).items())[:3])

    def criterion(names):
        found = candidates({name: games[name] for name in names})
        return np.linalg.slogdet(found.answers.sum(axis=1))[1].mean()

    from ludens.preferences.estimation.design import _exchange

    names = list(games)
    chosen = [names[place] for place in _exchange(candidates(games), 4, None)]
    assert criterion(chosen) == pytest.approx(max(map(criterion, combinations(names, 4))), abs=1e-4)


def test_the_suite_sharp_is_the_design_and_tells_more_at_every_noise():
    design = find_design(18)
    shipped = {(game.name, tuple(game.parameters.values())) for game in map(find_game, sharp_protocols())}
    assert {(game.name, tuple(game.parameters.values())) for game in design.games.values()} == shipped
    assert len(shipped) == 18
    assert not set(sharp_protocols()) & set(PROTOCOLS)
    assert sum(map(len, (family.protocols for family in FAMILIES.values()))) == len(PROTOCOLS)
    scenarios = np.array(
        [(0, 0, kappa, noise) for kappa in (0, 0.25, 0.5) for noise in (4, 8, 15)], dtype=float
    )
    sharp = expected({name: PROTOCOLS[name] for name in sharp_protocols()}, scenarios)
    published = expected(dict(PROTOCOLS), scenarios)
    for one, other in zip(sharp, published, strict=True):
        for found in (one.half_widths, one.kept), (other.half_widths, other.kept):
            assert all(np.isfinite(list(each.values())).all() for each in found)
        assert one.half_widths["kappa"] < 0.75 * other.half_widths["kappa"]
        assert one.kept["kappa"] < 0.85 * other.kept["kappa"]


def test_replicates_for_a_width():
    design = find_design(8, parameter="kappa", families=["trust", "ultimatum"], levels=[10, 30, 50, 70, 90])
    half = np.median([each.half_widths["kappa"] for each in design.expected])
    count = design.replicates("kappa", 0.5)
    assert 2 * half / np.sqrt(count) <= 0.5 < 2 * half / np.sqrt(count - 1)
    assert design.replicates("kappa", 1e6) == 1
    narrow = find_design(8, families=["trust", "ultimatum"], levels=[10, 30, 50, 70, 90])
    assert half <= np.median([each.half_widths["kappa"] for each in narrow.expected]) + 1e-9


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"count": 0}, "from 1 to"),
        ({"count": 10_000}, "from 1 to"),
        ({"count": 4, "parameter": "gamma"}, "no parameter 'gamma'"),
        ({"count": 4, "noises": [0]}, "above 0"),
        ({"count": 4, "noises": []}, "at least one of each"),
        ({"count": 4, "levels": []}, "Name the payoffs"),
        ({"count": 4, "families": ["chess"]}, "chess"),
        ({"count": 4, "levels": range(100)}, "name fewer levels"),
    ],
)
def test_impossible_designs(settings, told):
    with pytest.raises(UsageError, match=told):
        find_design(**{"levels": [10, 30, 50, 90], **settings})
    with pytest.raises(UsageError, match="number above 0"):
        find_design(4, levels=[10, 30, 50, 90]).replicates("kappa", -1)
