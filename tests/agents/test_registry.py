"""Policies by name."""

from __future__ import annotations

import subprocess
import sys

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
