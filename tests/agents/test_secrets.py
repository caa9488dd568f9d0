"""Secrets are recognised by the names of the settings that hold them."""

from __future__ import annotations

import json

import pytest

from ludens.agents import LLMPolicy, make_policy
from ludens.agents.llm.price_policy import PricePolicy
from ludens.agents.secrets import is_secret, without_secrets
from ludens.experiments.bench.study import BenchConfig


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
