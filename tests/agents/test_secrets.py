"""Secrets are known by their names and their values, kept out of files, and masked where they come back."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote

import numpy as np
import pytest
from jinja2 import UndefinedError

from ludens.agents import LLMPolicy, make_policy
from ludens.agents.llm.price_policy import PricePolicy
from ludens.agents.secrets import (
    is_secret,
    mask_error,
    masked,
    plain_address,
    remember,
    secrets_in,
    without_secrets,
)
from ludens.envs import PROTOCOLS
from ludens.envs.tree.questions import questions
from ludens.errors import UsageError
from ludens.experiments.bench.study import BenchConfig
from tests.loopback import Loopback, say


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "apiKey",
        "API-KEY",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "azure_ad_token",
        "azure_password",
        "client_secret",
        "extra_headers",
        "vertex_credentials",
        "aws_web_identity_token",
        "azure_ad_token_provider",
        "default_headers",
        "headers",
        "proxy_auth",
        "Authorization",
        "Proxy-Authorization",
    ],
)
def test_names_of_secrets(name):
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "api_base",
        "aws_region_name",
        "framing",
        "logit_bias",
        "max_completion_tokens",
        "max_tokens",
        "stop_token_ids",
        "top_k",
        "vertex_project",
    ],
)
def test_names_of_other_settings(name):
    assert not is_secret(name)


NESTED = {
    "extra_body": {"top_k": 5, "api_key": "s3cret", "deeper": {"password": "s3cret", "kept": 1}},
    "fallbacks": [{"model": "openai/y", "api_key": "s3cret"}],
    "aws_access_key_id": "s3cret",
    "top_p": 0.5,
}


def test_secrets_are_left_out_of_nested_settings():
    assert without_secrets(NESTED) == {
        "extra_body": {"top_k": 5, "deeper": {"kept": 1}},
        "fallbacks": [{"model": "openai/y"}],
        "top_p": 0.5,
    }


@pytest.mark.parametrize("kind", [LLMPolicy, PricePolicy])
def test_no_policy_describes_its_secrets_and_all_use_them(kind):
    policy = kind("openai/x", **NESTED)
    assert "s3cret" not in json.dumps(policy.describe())
    assert policy.options == NESTED


def test_no_benchmark_keeps_a_secret():
    config = BenchConfig(models=[{"spec": "openai/x", **NESTED}], protocols=["TG1"])
    assert "s3cret" not in json.dumps(config.as_json())
    assert make_policy({"spec": "openai/x", **NESTED}).options == NESTED


@pytest.mark.parametrize(
    "settings",
    [
        {"persona": "You are fond of sk-0123456789abcdef."},
        {"label": "sk-0123456789abcdef"},
        {"spec": "openai/sk-0123456789abcdef"},
        {"user": "one of AKIAIOSFODNN7EXAMPLE"},
    ],
)
def test_what_a_resumed_run_would_ask_without_is_refused(settings):
    spec = {"spec": "openai/x", **settings}
    with pytest.raises(UsageError, match=r"models\[0\]: The \w+ holds what looks like a key") as refused:
        BenchConfig(models=[spec], protocols=["TG1"])
    assert "0123456789abcdef" not in str(refused.value)
    if "persona" in settings:
        with pytest.raises(UsageError, match="holds what looks like a key"):
            BenchConfig(models=[LLMPolicy("openai/x", **settings)], protocols=["TG1"])
        with pytest.raises(UsageError, match=r"bench\.persona: The persona holds what looks like a key"):
            BenchConfig(models=["openai/x"], protocols=["TG1"], **settings)


KEYS = [
    "sk-0123456789abcdef",
    "sk-ant-api03-0123456789abcdef",
    "sk-proj-abc_def-0123456789",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghij",
    "github_pat_0123456789abcdefghij",
    "hf_0123456789abcdefghij",
    "xai-0123456789abcdefghij",
    "gsk_0123456789abcdefghij",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc123",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----",
]


@pytest.mark.parametrize("key", KEYS)
def test_what_looks_like_a_key_is_secret_wherever_it_stands(key):
    settings = {"anything": key, "nested": {"list": [1, key, "kept"]}, "kept": "as it is"}
    assert without_secrets(settings) == {"nested": {"list": [1, "kept"]}, "kept": "as it is"}
    assert masked(f"You sent {key}, which is wrong.") == "You sent ***, which is wrong."
    assert masked(f'{{"key":"{key}"}}') == '{"key":"***"}'


@pytest.mark.parametrize(
    "text",
    [
        "I choose A, since a risk-averse person would.",
        "Bearer of bad news; a bearer asset-holder. Basic income is basic knowledge.",
        "the token eyJ is short, sk-1 too, and so is hf_x",
        "a sk-learn_developer",
        "See https://platform.openai.com/account/api-keys#top or user@example.org.",
        "task-force-0123456789 and desk-0123456789abcdef",
        "gpt-5-mini, claude-sonnet-4-5-20250929, ft:gpt-4o-mini:org::A1b2C3d4",
        "",
    ],
)
def test_ordinary_words_are_no_keys(text):
    assert masked(text) == text
    assert without_secrets({"persona": text}) == {"persona": text}


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("http://user:hunter2@h:8000/v1", "http://h:8000/v1"),
        ("http://token@h/v1", "http://h/v1"),
        ("http://user:hun%2Fter2@h/v1", "http://h/v1"),
        ("http://user:hun/ter2@h/v1", "http://h/v1"),
        ("http://user:hun#ter2@h/v1", "http://h/v1"),
        ("http://user:hun@ter2@h/v1", "http://h/v1"),
        ("user:hunter2@h:8000/v1", "h:8000/v1"),
        ("https://h/v1?key=hunter2&api-version=2024-10-21", "https://h/v1?api-version=2024-10-21"),
        ("https://h/v1?api-key=hunter2", "https://h/v1"),
        ("https://h/v1?x=sk-0123456789abcdef", "https://h/v1"),
        ("https://h/v1#hunter2", "https://h/v1"),
        ("https://[::1]:8000/v1/@cf/m", "https://[::1]:8000/v1/@cf/m"),
        ("localhost:11434", "localhost:11434"),
    ],
)
def test_addresses_are_kept_without_what_is_secret_in_them(address, kept):
    assert plain_address(address) == kept
    assert "hunter" not in masked(f"cannot reach {address.partition('#')[0]}!") or "://" not in address
    assert LLMPolicy("openai/x", api_base=address).describe()["api_base"] == kept
    config = BenchConfig(models=[{"spec": "openai/x", "api_base": address}], protocols=["TG1"])
    assert config.as_json()["models"] == [{"spec": "openai/x", "api_base": kept}]


def test_secrets_of_policies_are_masked_in_every_form():
    LLMPolicy(
        "openai/x",
        api_base="http://me:pass%20word1@h/v1",
        api_key="a/secret+key=1",
        extra_headers={"Authorization": "Basic bWU6b3RoZXItcGFzcw==", "Accept": "application/json"},
        extra_body={"deep": [{"password": "p4ssw0rd!"}]},
    )
    key, password = "a/secret+key=1 a%2Fsecret%2Bkey%3D1", "pass word1 pass%20word1 bWU6cGFzcyB3b3JkMQ=="
    said = f"{key} {password} other-pass bWU6b3RoZXItcGFzcw== p4ssw0rd!"
    assert set(masked(said).split()) == {"***"}
    assert masked("application/json") == "application/json"


@pytest.mark.parametrize("secret", ["a/secret+key=1&more", "plantedkey0123456789"])
def test_codings_of_a_secret_are_masked(secret, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", secret)
    coded = secret.encode()
    forms = [
        *(base64.b64encode(coded).decode(), base64.urlsafe_b64encode(coded).decode(), coded.hex()),
        *(quote(secret), quote(secret, safe=""), re.sub("%..", lambda code: code[0].lower(), quote(secret))),
        *(html.escape(secret), json.dumps(secret)[1:-1], base64.b64encode(coded).decode().rstrip("=")),
    ]
    for form in forms:
        assert masked(f"you sent {form}, sir") == "you sent ***, sir"
        assert secret not in masked(f"key_{secret}_or so")


def test_secrets_of_the_environment_are_masked(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "0123-of-the-environment")
    monkeypatch.setenv("OTHER_API_KEY", "none")
    monkeypatch.setenv("SOME_PATH", "/usr/local/somewhere")
    assert (
        masked("0123-of-the-environment, none of /usr/local/somewhere") == "***, none of /usr/local/somewhere"
    )


def test_a_mere_word_is_masked_as_a_whole_word_alone():
    remember({"api_key": "sesame"})
    assert masked("My sesame is: no sesames.") == "My *** is: no sesames."


def test_a_key_that_is_a_name_in_an_answer_leaves_replies_readable():
    with Loopback([], say('{"reasoning": "more", "choice": "B"}')) as server:
        for key in ("choice", "reasoning"):
            policy = LLMPolicy(
                "openai/gpt-4o-mini", api_base=server.url, api_key=key, reasoning=True, order=0
            )
            decision = policy.decide(questions(PROTOCOLS["SPD4"])["opening"], np.random.default_rng(0))
            assert (decision.action, decision.reasoning) == (1, "more")


@pytest.mark.parametrize("word", ["none", "EMPTY", "dummy", "x", "", "price"])
def test_placeholders_are_no_secrets(word):
    assert secrets_in({"api_key": word}) == set()


def test_the_errors_behind_an_error_are_masked_too():
    error = ValueError("outer sk-0123456789abcdef", 3)
    error.__cause__ = KeyError("inner sk-0123456789abcdef")
    error.__cause__.__cause__ = error  # a circle ends
    mask_error(error)
    assert error.args == ("outer ***", 3)
    assert error.__cause__.args == ("inner ***",)


def test_errors_whose_message_is_read_only_are_masked_too():
    error = UndefinedError("no sk-abc123456789xyz here")
    mask_error(error)
    assert error.message == "no *** here"
