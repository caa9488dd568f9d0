"""A request's parameters are honoured or rejected, never ignored."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents.local.engine import ChatParams, Ending, RequestError
from ludens.agents.local.parameters import read_parameters

SCHEMA = {"type": "object", "properties": {"choice": {"enum": ["A", "B"]}}}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({}, ChatParams()),
        ({"temperature": None, "stop": None, "seed": None}, ChatParams()),
        ({"max_tokens": 3}, ChatParams(max_tokens=3)),
        ({"max_completion_tokens": 3}, ChatParams(max_tokens=3)),
        ({"stop": "."}, ChatParams(stop=(".",))),
        ({"stop": ["a", "b"]}, ChatParams(stop=("a", "b"))),
        ({"temperature": 0, "top_p": 1, "n": 4, "seed": 9}, ChatParams(temperature=0.0, n=4, seed=9)),
        ({"logprobs": True, "top_logprobs": 200}, ChatParams(logprobs=True, top_logprobs=200)),
        ({"extra_body": {"top_k": 5, "min_p": 0.1}}, ChatParams(top_k=5, min_p=0.1)),
        ({"response_format": {"type": "text"}}, ChatParams()),
        (
            {"response_format": {"type": "ending", "start": "Answer: ", "choices": ["A", "B"]}},
            ChatParams(ending=Ending("Answer: ", ("A", "B"))),
        ),
        ({"response_format": {"type": "json_object"}}, ChatParams(schema={})),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
            ChatParams(schema=SCHEMA),
        ),
        (
            {"logit_bias": {"1": 2}, "presence_penalty": 1},
            ChatParams(sampling={"logit_bias": {"1": 2}, "presence_penalty": 1}),
        ),
        ({"stream": False, "max_retries": 0, "user": "me"}, ChatParams()),
    ],
)
def test_what_is_read(given, read):
    assert read_parameters(given) == read


@pytest.mark.parametrize(
    "given",
    [
        {"tools": []},
        {"max_tokens": 0},
        {"max_tokens": True},
        {"max_tokens": "3"},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": "warm"},
        {"top_p": 1.5},
        {"n": 0},
        {"seed": 1.5},
        {"stop": ["", "a"]},
        {"stop": 3},
        {"stop": [3]},
        {"logprobs": 5},
        {"top_logprobs": 5},
        {"logprobs": True, "top_logprobs": 100_000},
        {"response_format": {"type": "xml"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
        {"response_format": "json"},
        {"extra_body": 3},
    ],
)
def test_what_is_rejected_by_name(given):
    with pytest.raises(RequestError) as caught:
        read_parameters(given)
    assert any(name in str(caught.value) for name in given)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NAMES = [
    "temperature",
    "max_tokens",
    "stop",
    "n",
    "response_format",
    "seed",
    "logprobs",
    "top_logprobs",
    "extra_body",
]


@given(st.dictionaries(st.sampled_from(NAMES), anything))
def test_nothing_but_a_request_error_is_raised(given):
    with contextlib.suppress(RequestError):
        read_parameters(given)
