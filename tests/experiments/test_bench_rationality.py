"""What a benchmark says before the parameters: repetition, what moves answers, what preferences explain."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ludens.agents.policy import Decision, Policy
from ludens.envs import PROTOCOLS, pure_strategies, uniform_strategy
from ludens.experiments import bench
from ludens.experiments.bench.rationality import rationality, remarks_on, variance_shares
from ludens.experiments.bench.result import to_json
from ludens.experiments.bench.tables import tables
from ludens.preferences import Preferences, utility_terms
from ludens.preferences.rationality.games import rationalise


def best(game, preferences):
    utility = utility_terms(game, uniform_strategy(game)).utility(preferences)
    return pure_strategies(game)[int(np.argmax(utility))]


def test_a_maximiser_is_explained_in_every_game_and_the_vector_found_explains_it():
    preferences = Preferences(0.3, 0.2, 0.55)
    played = [(game, best(game, preferences)) for game in PROTOCOLS.values()]
    found = rationalise(played)
    assert (found.games, found.explained) == (18, 18)
    vector = Preferences(found.alpha, found.beta, found.kappa)
    for game, strategy in played:
        utility = utility_terms(game, uniform_strategy(game)).utility(vector)
        chosen = (pure_strategies(game) == strategy).all(axis=1)
        assert utility[chosen][0] >= utility.max() - 1e-5


def test_the_largest_explained_share_by_search():
    """A fine grid of (α, β, κ) never explains more games than the programme says."""
    rng = np.random.default_rng(4)
    played = [
        (game, pure_strategies(game)[rng.integers(len(pure_strategies(game)))]) for game in PROTOCOLS.values()
    ]
    found = rationalise(played)
    grid = np.stack(np.meshgrid(*[np.linspace(-3, 3, 13)] * 2, np.linspace(0, 1, 11)), -1).reshape(-1, 3)
    optimal = np.zeros(len(grid))
    for game, strategy in played:
        utility = utility_terms(game, uniform_strategy(game)).utility(grid[:, None, :].reshape(-1, 3))
        chosen = int(np.argmax((pure_strategies(game) == strategy).all(axis=1)))
        optimal += utility[:, chosen] >= utility.max(axis=1) - 1e-9
    assert optimal.max() <= found.explained < 18
    at = utility_terms
    explained = 0
    for game, strategy in played:
        utility = at(game, uniform_strategy(game)).utility(Preferences(found.alpha, found.beta, found.kappa))
        chosen = (pure_strategies(game) == strategy).all(axis=1)
        explained += utility[chosen][0] >= utility.max() - 1e-5
    assert explained == found.explained


class Coin(Policy):
    """Answers every question by a coin whose result it does not tell as a probability."""

    name = "coin"
    stochastic = True

    def decide(self, turn, rng):
        return Decision(int(rng.integers(len(turn.options))))


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "run.db"
    return bench([Coin()], path=path, replicates=4)


def test_a_coin_does_not_repeat_itself_and_an_oracle_does(result):
    found = {each.policy: each.rationality for each in result.measures}
    coin = found["coin"].reliability
    assert coin.icc.low < 0.1
    assert abs(coin.icc.value) < 0.15
    assert coin.repetition == pytest.approx(1 - coin.icc.value)
    assert any("repeat little" in sentence for sentence in remarks_on("coin", found["coin"]))
    moralis = found["homo_moralis:0.5"]
    assert moralis.reliability.icc.value == pytest.approx(1)
    assert moralis.rationalised.value == 1
    assert not list(remarks_on("homo_moralis:0.5", moralis))
    # Nothing is a coin's most frequent choice where probabilities are one half each.
    assert found["random"].rationalised.value is None
    assert not list(remarks_on("random", found["random"]))


def test_it_stands_before_the_preferences_and_in_the_exported_estimates(result):
    titles = [table.title for table in tables(result)]
    assert titles.index("Rationality") < titles.index("Revealed preferences, uniform beliefs")
    rows = [row for row in to_json(result)["estimates"] if row["policy"] == "coin"]
    values = {row["measure"]: row["value"] for row in rows}
    assert values["retest_icc"] == pytest.approx(1 - values["variance_repetition"])
    assert values["variance_games"] + values["variance_repetition"] == pytest.approx(1)


def worded(result, spread):
    """The coin's questions, answered by wording and order alone for a share of the games."""
    (own,) = [each for each in result.measures if each.policy == "coin"]
    records = [record for record in result.decisions if record.labels["policy"] == own.policy]
    made = []
    for record in records:
        for framing in ("neutral", "story"):
            for order in (0, 1):
                labels = {**record.labels, "framing": framing, "order": order}
                if spread == "wording":
                    action = int(framing == "story")
                else:
                    action = PROTOCOLS[record.labels["protocol"]].protocol.endswith(("1", "2", "3")) + 0
                made.append(dataclasses.replace(record, labels=labels, decision=Decision(action)))
    return made


def test_wordings_and_games_are_told_apart(result):
    by_wording = rationality(worded(result, "wording"), ())
    shares = variance_shares(by_wording.reliability)
    assert shares["wording"] > 0.4
    assert shares["order"] == pytest.approx(0)
    assert shares["repetition"] == pytest.approx(0)
    assert any("more than the games do" in sentence for sentence in remarks_on("m", by_wording))
    by_game = variance_shares(rationality(worded(result, "games"), ()).reliability)
    assert by_game["games"] == pytest.approx(1)
    assert by_game["wording"] == pytest.approx(0)


class Formatted(Policy):
    """A stand-in for a model: it cooperates, and where it is asked in JSON only in every other game."""

    stochastic = False

    def __init__(self, answer_format):
        self.name = f"model in {answer_format}"
        self.answer_format = answer_format.split(",")[0]

    def describe(self):
        given = {"spec": "model", "label": self.name, "format": self.answer_format}
        return given if "," not in self.name else given | {"reasoning": False}

    def decide(self, turn, rng):
        last = turn.game.protocol[-1] if turn.game.protocol else "0"
        place = int(self.answer_format == "json" and int(last) % 2)
        return Decision(place, probabilities=tuple(float(each == place) for each in range(len(turn.options))))


def test_what_the_format_of_answers_moves_is_told_of_a_model_asked_in_two(tmp_path):
    alike = [Formatted("letter"), Formatted("letter, too")]
    alone = bench(alike, path=tmp_path / "one.db", framings=["neutral"])
    assert not alone.over_settings
    both = bench([Formatted("letter"), Formatted("json")], path=tmp_path / "two.db", framings=["neutral"])
    (found,) = both.over_settings.values()
    assert "format" in found.factors
    assert found.factors["format"] > 0.05
    assert "reasoning" not in found.factors
    for each in both.measures:
        assert "format" not in each.rationality.reliability.factors
    rows = {
        row["measure"]: row["value"]
        for row in to_json(both)["estimates"]
        if row["policy"].endswith(", together")
    }
    assert rows["variance_format"] == found.factors["format"]
    table = next(each for each in tables(both) if each.title == "Rationality")
    assert len(table.rows) == len(both.measures) + 1
