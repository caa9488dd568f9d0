"""The suite asks every question, of everybody, once for each wording, and is the same again when rebuilt."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from ludens.agents import CallablePolicy, LLMPolicy, OraclePolicy
from ludens.envs import PROTOCOLS, SequentialEnv
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.experiments.bench.study import REFERENCES, BenchConfig, BenchStudy
from ludens.preferences import Preferences

MODEL = {"spec": "openai/loopback", "api_base": "http://127.0.0.1:9/v1", "api_key": "secret-123"}


def study(*models, **config):
    return BenchStudy(BenchConfig(models=models, **config))


def labels(made):
    return made.episodes()


def test_every_question_is_asked_in_every_wording_and_of_references_once():
    counts = Counter(entry["policy"] for entry in labels(study(MODEL, replicates=2)))
    # 6 × (3 + 2 + 2) nodes; × 3 framings × 2 orders × 2 replicates for the model
    assert counts == {"openai/loopback": 42 * 3 * 2 * 2} | dict.fromkeys(REFERENCES, 42)


def test_labels_place_each_question():
    suite = study(MODEL, protocols=("TG3",), framings=("twin",))
    first = labels(suite)[0]
    assert first == {
        "policy": "openai/loopback",
        "family": "trust",
        "protocol": "TG3",
        "node": "opening",
        "role": "investor",
        "framing": "twin",
        "order": 0,
        "replicate": 0,
    }
    places = {(e["policy"], e["node"], e["framing"], e["order"], e["replicate"]) for e in labels(suite)}
    assert len(places) == len(labels(suite)) == 2 * 2 + 4 * 2
    assert len(suite.episodes()) == 12


def test_questions_with_a_common_prompt_stand_together():
    worded = [(e["framing"], e["order"], e["protocol"]) for e in labels(study(MODEL)) if e["framing"] != "-"]
    runs = [place for number, place in enumerate(worded) if number == 0 or worded[number - 1] != place]
    assert len(runs) == len(set(runs))


def test_a_reference_named_as_a_model_is_asked_once():
    suite = study("random")
    assert list(suite.policies) == list(REFERENCES)


def test_a_suite_is_rebuilt_from_its_configuration_without_secrets():
    suite = study(
        MODEL, framings=("story",), replicates=2, beliefs=True, protocols=("TG1",), persona="be kind"
    )
    stored = json.dumps(suite.config.as_json())
    again = BenchStudy(BenchConfig(**json.loads(stored)))
    assert "secret-123" not in stored
    assert again.episodes() == suite.episodes()
    assert again.config.as_json() == suite.config.as_json()


def test_language_models_are_made_with_their_wording():
    policy = study(MODEL, persona="be kind", elicit="sample").policy("openai/loopback", "story", 1)
    assert isinstance(policy, LLMPolicy)
    assert (policy.settings.framing, policy.settings.order) == ("story", 1)
    assert (policy.settings.persona, policy.settings.elicit) == ("be kind", "sample")


def test_a_policy_with_a_spec_may_be_given_itself():
    suite = study(OraclePolicy(Preferences(alpha=0.2)), LLMPolicy("openai/x", temperature=0.5))
    oracle, model, *_ = suite.policies
    assert suite.policy(oracle, "-", 0) == OraclePolicy(Preferences(alpha=0.2))
    made = suite.policy(model, "twin", 1)
    assert (made.settings.temperature, made.settings.framing, made.settings.order) == (0.5, "twin", 1)


def test_settings_of_a_model_go_before_those_of_the_suite():
    policy = study({**MODEL, "elicit": "sample"}, elicit="logprobs").policy("openai/loopback", "story", 1)
    assert policy.settings.elicit == "sample"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"models": ("tit_for_tat", "tit_for_tat")}, "'tit_for_tat'.*label of its own"),
        ({"models": ("random",), "protocols": ("TG9",)}, "no protocol 'TG9'; there are .*SPD1"),
        ({"models": ("random",), "protocols": ()}, "at least one protocol"),
        ({"models": (MODEL,), "framings": ()}, "at least one framing"),
        ({"models": ("random",), "replicates": 0}, "at least 1; got 0"),
        ({"models": ({"persona": "x"},)}, "named by its spec"),
        ({"models": (CallablePolicy(lambda observation: 0, "random"),)}, "belongs to a reference"),
        (
            {"models": (CallablePolicy(lambda observation: 0), CallablePolicy(lambda observation: 1))},
            "'<lambda>'; give one of them a label",
        ),
    ],
)
def test_a_wrong_argument_is_one_clear_sentence(arguments, message):
    with pytest.raises(UsageError, match=message):
        BenchConfig(**arguments)


@pytest.mark.parametrize(
    "model", ["nobody", {**MODEL, "framing": "neutral", "temperature": -1}, {"name": "mine"}]
)
def test_a_policy_that_cannot_be_made_fails_before_anything_is_asked(model):
    with pytest.raises(UsageError):
        study(model).player()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_questions_are_the_turns_of_the_strategy_method(protocol):
    game = PROTOCOLS[protocol]
    asked = questions(game)
    assert list(asked) == [node.label for node in game.information_sets]
    env = SequentialEnv(game, environment=next(iter(asked.values())).environment, method="strategy")
    env.reset(seed=5)
    for turn in asked.values():
        theirs = env.turn()
        assert (turn.node, turn.role, turn.options, turn.known) == (
            theirs.node,
            theirs.role,
            theirs.options,
            theirs.known,
        )
        assert turn.method == "strategy"
        assert (turn.observation["observation"] == theirs.observation["observation"]).all()
        env.step(0)
