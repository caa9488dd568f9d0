"""Settings are typed once, and every policy that asks a model shows, checks and describes its own."""

from __future__ import annotations

import inspect
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from ludens.agents.llm import JudgePolicy, LLMPolicy, ModelPolicy, PricePolicy, RatingPolicy
from ludens.errors import UsageError

KINDS = (LLMPolicy, RatingPolicy, PricePolicy, JudgePolicy)
SHARED = {
    "temperature",
    "timeout",
    "patience",
    "transport_retries",
    "retry_wait",
    "max_tokens",
    "seed",
    "api_base",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_signature_shows_the_settings_and_the_description_holds_them(kind):
    parameters = inspect.signature(kind).parameters
    by_name = [name for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY]
    assert list(parameters) == ["model", *by_name, "options"]
    assert set(by_name) > SHARED
    described = kind("openai/x").describe()
    assert list(described) == ["spec", *by_name]
    assert {name: parameters[name].default for name in by_name} == {
        name: value for name, value in described.items() if name != "spec"
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1},
        {"temperature": True},
        {"timeout": 0},
        {"transport_retries": 0.5},
        {"patience": -1},
        {"patience": True},
        {"patience": "soon"},
        {"patience": float("nan")},
        {"max_tokens": 0},
        {"seed": -1},
        {"api_base": 8000},
        {"batched": 1},
        {"batched": True},  # of a hosted model
        {"temprature": 1},
        {"stream": True},
        {"logprobs": True},
        {"messages": []},
        {"logger_fn": print},
    ],
    ids=str,
)
def test_messages_name_the_policy_that_is_used(kind, wrong):
    with pytest.raises(UsageError) as error:
        kind("openai/x", **wrong)
    assert str(error.value).startswith(f"{kind.__name__} ")
    assert str(error.value).endswith((".", "?"))
    assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match=rf"^{kind.__name__} got model=None"):
        kind(None)


@pytest.mark.parametrize("price", [-1e-6, "$1e-6", None, float("inf")])
def test_a_price_is_an_amount_of_money(price):
    with pytest.raises(UsageError, match=r"^LLMPolicy got output_cost_per_token=.* US dollars of 0 or more"):
        LLMPolicy("openai/x", input_cost_per_token=0, output_cost_per_token=price)


def test_a_parameter_that_is_decided_elsewhere_names_a_setting_only_where_there_is_one():
    with pytest.raises(UsageError, match="set elicit instead"):
        LLMPolicy("openai/x", logprobs=True)
    with pytest.raises(UsageError, match="so it cannot be set"):
        PricePolicy("openai/x", logprobs=True)


@pytest.mark.parametrize("kind", KINDS)
def test_policies_are_equal_by_their_kind_and_settings(kind):
    policy = kind("openai/x", temperature=0.5, top_p=0.9)
    assert policy == kind("openai/x", temperature=0.5, top_p=0.9, api_key="s3cret")
    assert policy != kind("openai/x", temperature=0.5)
    assert all(
        policy != other("openai/x", temperature=0.5, top_p=0.9) for other in KINDS if other is not kind
    )
    again = pickle.loads(pickle.dumps(policy))
    assert again == policy
    assert hash(again) == hash(policy)
    assert json.loads(json.dumps(policy.describe())) == policy.describe()


def test_numbers_of_numpy_are_kept_as_pythons_own():
    settings = LLMPolicy("openai/x", seed=np.int64(3), temperature=np.float32(0.5), order=np.int8(1)).settings
    assert (settings.seed, settings.temperature, settings.order) == (3, 0.5, 1)
    assert json.dumps(LLMPolicy("openai/x", seed=np.int64(3)).describe())


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(0, 0), (1.5, 1.5), (np.int64(7), 7), ("45", 45), ("90s", 90), ("10m", 600), ("1.5 h", 5400)],
)
def test_patience_is_written_in_seconds_minutes_or_hours(written, seconds):
    assert LLMPolicy("openai/x", patience=written).settings.patience == seconds
    assert LLMPolicy("openai/x").settings.patience == 300


def test_settings_cannot_be_changed_later():
    with pytest.raises(ValueError, match="frozen"):
        LLMPolicy("openai/x").settings.temperature = 2.0


def test_a_policy_of_ones_own_may_have_a_constructor_of_its_own():
    class Cold(ModelPolicy):
        def __init__(self, model: str, degrees: int = 0) -> None:
            super().__init__(model, temperature=degrees)

        async def adecide(self, turn, rng):
            raise NotImplementedError

    assert list(inspect.signature(Cold).parameters) == ["model", "degrees"]
    assert Cold("openai/x").settings.temperature == 0
    with pytest.raises(UsageError, match=r"^Cold got temperature=-1"):
        Cold("openai/x", -1)


def test_the_package_is_light_until_a_policy_is_named():
    program = (
        "import sys, ludens.agents, ludens.agents.llm\n"
        "import ludens.agents.llm.abilities\n"
        "print(sorted({'pydantic', 'jinja2', 'litellm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
