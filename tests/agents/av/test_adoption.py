"""Policies that choose car programs: their choices, their names, and a stored run."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.agents import LLMPolicy, make_policy, policy_names
from ludens.agents.av.adoption import AdoptionOraclePolicy, FixedProgramPolicy
from ludens.agents.llm.prompts.games import render
from ludens.envs import make_env
from ludens.errors import UsageError
from ludens.experiments import play
from ludens.preferences.av.adoption import AdoptionPreferences, kappa_threshold
from ludens.testing import PolicyConformance


def turns(**options):
    """All turns of an episode played at random."""
    env, rng, found = make_env("av_adoption", **options), np.random.default_rng(0), []
    env.reset(seed=1)
    for agent in env.agent_iter():
        observation, _, terminated, truncated, _ = env.last()
        if terminated or truncated:
            env.step(None)
            continue
        found.append(env.unwrapped.turn(agent))
        env.step(int(rng.choice(np.flatnonzero(observation["action_mask"]))))
    return found


class Choosing(PolicyConformance):
    """At turns of the adoption game, some of them under a mandate."""

    game = "av_adoption"

    def turns(self):
        law = {"mandate": True, "period": 2}
        return [*turns(people=3, rounds=3, regulation=law), *turns(people=4, economies=0.2, rounds=3)]


class TestOracle(Choosing):
    def make(self):
        return AdoptionOraclePolicy(AdoptionPreferences(kappa=0.6, universalisation="pedestrian"))


class TestQuantal(Choosing):
    def make(self):
        return AdoptionOraclePolicy(AdoptionPreferences(kappa=0.3, altruism=0.1), noise=0.02, expected=0.5)


class TestFixed(Choosing):
    def make(self):
        return FixedProgramPolicy("self-protective")


@pytest.mark.parametrize(("kappa", "program"), [(0.0, 1), (0.32, 1), (0.34, 0), (1.0, 0)])
def test_the_threshold_parts_the_choices(kappa, program):
    (first, *_) = turns(people=8, pedestrians=3, rounds=1)
    assert float(kappa_threshold(first.game)) == pytest.approx(1 / 3)
    decision = make_policy(f"homo_moralis:{kappa}", "av_adoption").decide(first, np.random.default_rng(0))
    assert decision.action == program
    assert "To me a round is worth" in decision.reasoning


@pytest.mark.parametrize(
    ("spec", "preferences"),
    [
        ("homo_economicus", AdoptionPreferences()),
        ("homo_moralis:0.5", AdoptionPreferences(kappa=0.5)),
        (
            "homo_moralis:0.5,universalisation=passenger",
            AdoptionPreferences(kappa=0.5, universalisation="passenger"),
        ),
        ("altruist:0.3", AdoptionPreferences(altruism=0.3)),
        ("utilitarian", AdoptionPreferences(altruism=1.0)),
        ({"spec": "oracle", "kappa": 0.2, "altruism": 0.1}, AdoptionPreferences(0.2, 0.1)),
    ],
)
def test_names_make_the_preferences_that_they_say(spec, preferences):
    assert make_policy(spec, "av_adoption").preferences == preferences


def test_every_listed_name_is_one():
    turn = turns(people=3, rounds=1)[0]
    for name in policy_names("av_adoption"):
        if name != "human":
            assert make_policy(name, "av_adoption").decide(turn, np.random.default_rng(0)).action in {0, 1}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("homo_moralis", "needs its weight"),
        ("homo_moralis:2", "kappa in"),
        ("oracle:kappa=much", "needs a number"),
        ("homo_moralis:0.1,0.2", "cannot be read"),
        ("oracle:universalisation=god", "veil, passenger, pedestrian"),
        ("oracle:weight=1", "has no setting 'weight'"),
        ("always:red", "A program is"),
        ("nobody", "There is no policy"),
        (3, "named by a text"),
    ],
)
def test_wrong_names_are_told_in_a_sentence(spec, told):
    with pytest.raises(UsageError, match=told):
        make_policy(spec, "av_adoption")


def test_a_policy_for_cars_needs_the_adoption_game():
    env = make_env("trust")
    env.reset(seed=0)
    turn = env.unwrapped.turn(env.agent_selection)
    for policy in (make_policy("oracle:kappa=0.5", "av_adoption"), make_policy("always:utilitarian")):
        with pytest.raises(UsageError, match="av_adoption"):
            policy.decide(turn, np.random.default_rng(0))


def test_a_run_is_kept_and_its_policies_can_be_made_again(tmp_path):
    seats = ["homo_moralis:0.9", "homo_moralis:0.1", "oracle:altruism=0.6", "always:self-protective"]
    run = play(("av_adoption", {"people": 4, "rounds": 3}), seats, path=tmp_path / "run.db")
    chosen = {record.agent: record.choice for record in run.decisions()}
    assert list(chosen.values()) == ["utilitarian", "self-protective", "utilitarian", "self-protective"]
    again = play(
        ("av_adoption", {"people": 4, "rounds": 3}),
        run.manifest["config"]["policies"],
        path=tmp_path / "again.db",
    )
    assert again.final_table() == run.final_table()


def test_a_model_is_told_the_numbers_of_the_game_soberly():
    options = {
        "people": 9, "pedestrians": 2, "accident": 0.05, "symmetry": 0.5, "price_utilitarian": 0.125,
        "regulation": {"fine": 0.03, "subsidy": 0.07, "period": 1}, "rounds": 2,
    }  # fmt: skip
    first, *_, last = turns(**options)
    (_, asked) = render(first).messages
    for told in ("9 people", "2 pedestrians", "5 %", "0.125", "50 %", "A: utilitarian"):
        assert told in asked["content"]
    assert "fine" not in asked["content"]
    (_, later) = render(last, order=1).messages
    for told in (
        "fine of 0.03",
        "subsidy of 0.07",
        "Round 1: your car was",
        "B: utilitarian",
        "round 2 of 2",
    ):
        assert told in later["content"]
    assert render(last).words == ("utilitarian", "self-protective")


def test_a_model_sits_in_a_seat_by_its_name():
    assert isinstance(make_policy("local/smollm2-135m", "av_adoption", persona="homo_moralis"), LLMPolicy)
