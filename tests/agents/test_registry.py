"""Policies by name."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import ludens.agents
from ludens.agents import (
    CallablePolicy,
    Grim,
    HumanPolicy,
    LLMPolicy,
    OraclePolicy,
    QuantalPolicy,
    RandomPolicy,
    make_policy,
    policy_names,
)
from ludens.agents.pricing import usual_prices
from ludens.agents.registry import is_model_id
from ludens.envs import PROTOCOLS, make_env, questions
from ludens.envs.av.adoption.game import AdoptionGame
from ludens.envs.av.dilemma.vignette import Vignette
from ludens.envs.pricing import Market
from ludens.errors import UsageError
from ludens.preferences import HOMO_ECONOMICUS, Preferences, homo_moralis


@pytest.mark.parametrize(
    ("spec", "policy"),
    [
        ("random", RandomPolicy()),
        (" grim ", Grim()),
        ("human", HumanPolicy()),
        ("homo_economicus", OraclePolicy(HOMO_ECONOMICUS)),
        ("homo_moralis:0.5", OraclePolicy(homo_moralis(0.5))),
        ("homo_moralis:kappa=0.5,belief=equilibrium", OraclePolicy(homo_moralis(0.5), "equilibrium")),
        ("oracle", OraclePolicy(HOMO_ECONOMICUS)),
        ("oracle:alpha=.3, beta=.2, kappa=.1", OraclePolicy(Preferences(0.3, 0.2, 0.1))),
        ("quantal", QuantalPolicy(HOMO_ECONOMICUS)),
        ("quantal:kappa=0.5,noise=3", QuantalPolicy(homo_moralis(0.5), noise=3.0)),
        ({"spec": "quantal", "kappa": 0.5, "noise": 3}, QuantalPolicy(homo_moralis(0.5), noise=3.0)),
        ({"spec": "quantal:kappa=0.1", "kappa": 0.5}, QuantalPolicy(homo_moralis(0.5))),
        (
            {"spec": "oracle", "belief": {"opening": "trust"}},
            OraclePolicy(HOMO_ECONOMICUS, {"opening": "trust"}),
        ),
        ("openai/gpt-5-mini", LLMPolicy("openai/gpt-5-mini")),
        ("ollama/llama3:8b", LLMPolicy("ollama/llama3:8b")),
        ({"spec": "local/smollm2-135m", "framing": "twin"}, LLMPolicy("local/smollm2-135m", framing="twin")),
    ],
)
def test_specifications_name_policies(spec, policy):
    made = make_policy(spec)
    assert type(made) is type(policy)
    assert made == policy


def test_every_listed_name_makes_a_policy():
    for name in policy_names():
        assert make_policy(name).describe()["spec"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("chess", "no policy 'chess'; there are random, .*tit_for_tat.*, and every model id with a slash"),
        ("", "no policy ''"),
        ("random:3", "no policy 'random:3'"),
        ("homo_moralis", "needs its weight: write homo_moralis:0.5"),
        ("homo_moralis:high", "needs a number for kappa; got 'high'"),
        ("homo_moralis:1.5", "kappa between 0 and 1"),
        ("homo_moralis:nan", "finite number for kappa"),
        ("oracle:0.5", "cannot be read at '0.5': write key=value"),
        ("oracle:kappa=.1,kappa=.2", "each key once"),
        ("oracle:noise=3", "no setting 'noise'; it has alpha, beta, kappa, belief"),
        ("homo_economicus:kappa=.5", "no setting 'kappa'; it has belief"),
        ("oracle:belief=mine", "no belief 'mine'"),
        ("quantal:noise=-1", "noise of at least 0"),
        (5, "named by a text, not by 5"),
        (None, "named by a text, not by None"),
        ({"spec": "grim", "memory": 3}, "'grim' takes no settings; got memory"),
        ({"framing": "twin"}, "has no specification to make it from"),
        ({"spec": "openai/gpt-5-mini", "elicit": "tea leaves"}, "elicit"),
    ],
)
def test_wrong_specifications_are_told_in_one_sentence(spec, message):
    with pytest.raises(UsageError, match=message) as caught:
        make_policy(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("game", [None, "trust", "ludens/trust-v0", "bertrand", "av_dilemma", "av_adoption"])
def test_defaults_are_for_language_models_alone(game):
    assert make_policy("random", game, temperature=0.5) == make_policy("random", game)
    assert make_policy("openai/x", game, temperature=0.5).describe()["temperature"] == 0.5
    own = make_policy({"spec": "openai/x", "temperature": 1.0}, game, temperature=0.5)
    assert own.describe()["temperature"] == 1.0
    assert make_policy(own, game, temperature=0.5) is own


GAMES = ("trust", "bertrand", "av_dilemma", "moral_machine", "av_adoption")


@pytest.mark.parametrize("game", GAMES)
def test_a_name_means_the_same_preferences_in_every_game(game):
    def weight(spec):
        policy = make_policy(spec, game)
        return policy.kappa if game == "bertrand" else policy.preferences.kappa

    assert weight("homo_economicus") == weight("homo_moralis:0") == weight("oracle") == 0
    assert weight("homo_moralis:0.5") == weight("oracle:kappa=0.5") == 0.5
    assert weight({"spec": "homo_moralis:0.1", "kappa": 0.3}) == 0.3
    with pytest.raises(UsageError, match="'homo_moralis' needs its weight: write"):
        make_policy("homo_moralis", game)


@pytest.mark.parametrize("game", [None, *GAMES])
def test_every_listed_name_is_made_again_from_its_description_for_its_game(game):
    for name in policy_names(game):
        made = make_policy(name, game)
        written = json.loads(json.dumps(made.describe()))
        assert make_policy(written, game).describe() == written, name


@pytest.mark.parametrize(
    ("game", "same"),
    [
        (PROTOCOLS["TG1"], "trust"),
        (Market.symmetric(), "bertrand"),
        (Vignette(), "av_dilemma"),
        (AdoptionGame(), "av_adoption"),
        ("ludens/bertrand_sequential-v0", "bertrand"),
        ("moral_machine-v0", "av_dilemma"),
        *((make_env(name), name) for name in GAMES),
    ],
    ids=lambda game: game if isinstance(game, str) else type(game).__name__,
)
def test_rules_and_environments_stand_for_their_games(game, same):
    assert policy_names(game) == policy_names(same)
    made = make_policy("homo_moralis:0.5", game)
    assert type(made) is type(make_policy("homo_moralis:0.5", same))


@pytest.mark.parametrize(
    ("spec", "game", "told"),
    [
        (
            "nash",
            "trust",
            "'nash' is for pricing markets, and not for trust; there are random, .*tit_for_tat",
        ),
        ("tit_for_tat", "bertrand-v0", "'tit_for_tat' is for game trees, and not for bertrand-v0; .* nash,"),
        (
            "altruist:0.2",
            Market.symmetric(),
            "for game trees, dilemmas .* and the adoption game, .* a Market",
        ),
        ("always:utilitarian", "av_dilemma", "'always' is for the adoption game, and not for av_dilemma"),
        ("quantal:kappa=0.5", "bertrand", "'quantal' is for game trees, .*, and not for bertrand"),
        ("random", "nowhere", "There is no environment 'nowhere'"),
        ("homo_moralis:0.5", 3, "^3 is not a game: "),
        ("homo_moralis:0.5,universalisation=firms", "trust", "no setting 'universalisation'; it has kappa"),
        ("random:Cautious", "trust", "'random' names a policy of ludens: rename the module"),
    ],
)
def test_what_a_policy_cannot_play_is_one_sentence(spec, game, told):
    with pytest.raises(UsageError, match=told) as caught:
        make_policy(spec, game)
    assert "\n" not in str(caught.value)


def test_a_policy_in_the_wrong_game_says_what_to_do():
    env = make_env("av_dilemma")
    env.reset(seed=0)
    turn = env.unwrapped.turn(env.agent_selection)
    with pytest.raises(UsageError, match="name the policy for it"):
        make_policy("homo_moralis:0.5").decide(turn, None)


def test_random_is_uniform_over_options_or_from_the_interval():
    env = make_env("bertrand", actions="continuous", bounds=(0.5, 4.5))
    env.reset(seed=0)
    turn = env.unwrapped.turn(env.agent_selection)
    whole = RandomPolicy(lambda turn: turn.interval)
    drawn = [whole.decide(turn, np.random.default_rng(seed)).action for seed in range(400)]
    assert 0.5 <= min(drawn) < 0.6
    assert 4.4 < max(drawn) <= 4.5
    assert np.mean(drawn) == pytest.approx(2.5, abs=0.2)
    # In a market, by name and from Python: the usual range of prices.
    low, high = usual_prices(turn)
    named = [
        make_policy("random", env).decide(turn, np.random.default_rng(seed)).action for seed in range(99)
    ]
    assert low <= min(named) < max(named) <= high
    assert RandomPolicy().decide(turn, np.random.default_rng(0)).action == named[0]
    assert make_policy(RandomPolicy().describe(), env) == RandomPolicy()
    options = questions(PROTOCOLS["TG1"])["opening"]
    assert RandomPolicy().decide(options, np.random.default_rng(0)).probabilities == (0.5, 0.5)
    with pytest.raises(UsageError, match="bounds numbers by 0 and inf: give it finite bounds"):
        whole.decide(replace(turn, interval=(0.0, math.inf)), np.random.default_rng(0))


def test_a_policy_of_ones_own_cannot_be_made_from_its_description():
    with pytest.raises(
        UsageError, match="'mine' has no specification to make it from: pass the policy itself"
    ):
        make_policy(CallablePolicy(lambda observation: 0, "mine").describe())


def test_every_exported_name_exists_and_a_wrong_one_is_an_attribute_error():
    for name in ludens.agents.__all__:
        assert getattr(ludens.agents, name) is not None
        assert name in dir(ludens.agents)
    with pytest.raises(AttributeError, match=r"attribute .?TitForTats"):
        _ = ludens.agents.TitForTats


def test_scripted_policies_do_not_load_the_client_of_language_models():
    program = (
        "import sys\nfrom ludens.agents import make_policy\nmake_policy('tit_for_tat')\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('litellm', 'jinja2', 'scipy')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_slash_in_a_setting_does_not_make_a_language_model():
    assert is_model_id("openrouter/meta/llama:free")
    assert not is_model_id("mine:Cautious:weights/a.pt")
    with pytest.raises(UsageError, match=r"no policy 'no_such_module:P:weights/a\.pt'"):
        make_policy("no_such_module:P:weights/a.pt")
