"""Which addresses in a stored model's settings would be sent a key, and how a password in one is sent."""

from __future__ import annotations

import os

import pytest

from ludens.agents.llm.addresses import exposures, origin, reached
from ludens.agents.llm.faults import ModelError


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    """The keys of some providers and of nothing else."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_TOKEN", "_KEY", "_BASE", "_URL")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-key-of-openai")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-a-key")
    monkeypatch.setenv("GROQ_API_KEY", "gsk_a_key_of_groq_1")
    monkeypatch.setenv("AZURE_API_KEY", "a-key-of-azure-12345")


FOREIGN = [
    "http://127.0.0.1:8000/v1",
    "https://evil.org/v1",
    "https://api.openai.com.evil.org/v1",
    "https://xapi.openai.com/v1",
    "https://api.openai.com@evil.org/v1",
    "https://evil.org@api.openai.com/v1",
    "https://evil.org/https://api.openai.com/v1",
    "https://evil.org\\@api.openai.com/v1",
    "https://api.openai.com\t.evil.org/v1",
    "https://api.openai.com./v1",
    "https://api.openai.com:8443/v1",
    "https://api.openai.com:x/v1",
    "http://api.openai.com/v1",
    "https://api.op\u0435nai.com/v1",
    "api.openai.com.evil.org",
    "//evil.org",
    "https://",
    " ",
]


@pytest.mark.parametrize("address", FOREIGN[:-1])
def test_an_address_that_only_looks_like_the_provider_s_is_foreign(address):
    (exposure,) = exposures("openai/gpt-5-mini", {"api_base": address})
    assert (exposure.setting, exposure.key) == ("api_base", "OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("model", "address"),
    [
        ("openai/gpt-5-mini", "https://api.openai.com/v1"),
        ("openai/gpt-5-mini", "https://API.OpenAI.com:443/v1/"),
        ("anthropic/claude-sonnet-4-5", "https://api.anthropic.com"),
        ("groq/openai/gpt-oss-20b", "https://api.groq.com/openai/v1"),
        ("local/smollm2-135m", "https://evil.org"),
        ("mistral/mistral-small-latest", "https://evil.org/v1"),  # there is no key for it
        ("hosted_vllm/m", "http://127.0.0.1:8000/v1"),
        ("ollama/m", "http://127.0.0.1:11434"),
    ],
)
def test_an_address_of_the_provider_and_one_without_a_key_are_not(model, address):
    assert list(exposures(model, {"api_base": address})) == []


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("openai/m", {"base_url": "https://evil.org"}),
        ("openai/m", {"proxies": {"https": "evil.org:8080"}}),
        ("openai/m", {"extra_body": {"deeper": [{"api_base": "https://evil.org"}]}}),
        ("openai/m", {"unknown": "https://evil.org"}),
        ("openai/m", {"fallbacks": [{"model": "anthropic/x", "api_base": "https://evil.org"}]}),
        ("mistral/m", {"fallbacks": [{"model": "anthropic/x", "api_base": "https://evil.org"}]}),
        ("mistral/m", {"custom_llm_provider": "groq", "api_base": "https://api.mistral.ai/v1"}),
        ("azure/m", {"azure_endpoint": "https://evil.openai.azure.com"}),
        ("azure/m", {"api_base": "https://evil.org"}),
        ("bedrock/m", {"aws_bedrock_runtime_endpoint": "https://evil.org"}),
        ("bedrock/m", {"aws_sts_endpoint": "evil.org"}),
        ("bedrock/m", {"aws_region_name": "evil.org/x"}),
        ("vertex_ai/m", {"vertex_location": "evil.org/#"}),
        ("huggingface/https://evil.org", {}),
        ("nobody_knows/m", {"api_base": "https://evil.org"}),
        ("github_copilot/m", {"api_base": "https://evil.org"}),
        ("openai/m", {"use_litellm_proxy": True, "api_base": "https://api.openai.com"}),
        ("hosted_vllm/m", {"fallbacks": ["openai/m"], "api_base": "https://evil.org"}),
        ("hosted_vllm/m", {"deployment_id": "m", "api_base": "https://evil.org"}),
        ("hosted_vllm/m", {"azure": True, "api_base": "https://evil.org"}),
        (
            "hosted_vllm/m",
            {"context_window_fallback_dict": {"m": "openai/m"}, "api_base": "https://evil.org"},
        ),
        ("local/m", {"fallbacks": [{"model": "openai/m", "api_base": "https://evil.org"}]}),
        ("local/m", {"custom_llm_provider": "openai", "api_base": "https://evil.org"}),
        ("ludens.agents:LLMPolicy", {"model": "openai/m", "api_base": "https://evil.org"}),
        ("ludens.agents:LLMPolicy:model=openai/m,api_base=https://evil.org", {}),
    ],
)
def test_addresses_are_seen_wherever_they_stand(model, settings, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_a_token_of_hugging_face")
    assert list(exposures(model, settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.5, "top_p": 1, "seed": 3, "stop": ["\n"]},
        {"reasoning_effort": "low", "extra_body": {"chat_template_kwargs": {"enable_thinking": False}}},
        {
            "aws_region_name": "eu-central-1",
            "vertex_location": "europe-west4",
            "vertex_project": "my-project",
        },
        {"api_version": "2024-10-21", "user": "me", "service_tier": "flex"},
    ],
)
@pytest.mark.parametrize("model", ["openai/m", "bedrock/m", "vertex_ai/m", "nobody_knows/m"])
def test_ordinary_settings_are_no_addresses(model, settings):
    assert list(exposures(model, settings)) == []


def test_an_address_that_the_environment_names_is_the_user_s_own(monkeypatch):
    monkeypatch.setenv("AZURE_API_BASE", "https://mine.openai.azure.com/")
    assert list(exposures("azure/m", {"api_base": "https://mine.openai.azure.com"})) == []
    assert list(exposures("azure/m", {"api_base": "https://other.openai.azure.com"}))


def test_a_placeholder_is_no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    assert list(exposures("openai/m", {"api_base": "http://127.0.0.1:8000/v1"})) == []


def test_the_password_of_an_address_becomes_a_header():
    options = {"api_base": "http://user:p%40ss@h:8000/v1", "extra_headers": {"X": "1"}, "top_p": 1}
    assert reached(options) == {
        "api_base": "http://h:8000/v1",
        "extra_headers": {"Authorization": "Basic dXNlcjpwQHNz", "X": "1"},
        "top_p": 1,
    }
    assert reached({"api_base": "http://h/v1/@cf/m"}) == {"api_base": "http://h/v1/@cf/m"}


@pytest.mark.parametrize("name", ["extra_headers", "extra_body"])
@pytest.mark.parametrize("address", ["http://h/v1", "http://user:pass@h/v1"])
def test_what_is_added_to_requests_is_a_table(name, address):
    with pytest.raises(ModelError, match=f"^The option {name} must be a table") as error:
        reached({"api_base": address, name: "X-Key: a-secret-value"})
    assert "a-secret-value" not in str(error.value)
    assert reached({"api_base": "http://h/v1", name: None}) == {"api_base": "http://h/v1", name: None}


@pytest.mark.parametrize(
    "address", ["", "https://", "https://a b", "https://h:99999", "https://[::1", "\u212a.org"]
)
def test_what_can_be_read_in_two_ways_is_no_address(address):
    assert origin(address) is None
