"""Decisions per second of the embedded model through LiteLLM and ludens, compared with llama.cpp alone.

    python benchmarks/embedded_model.py [--games 8] [--repetitions 5]

The comparison calls xllamacpp directly, with one thread per concurrent request, the same file, slots, threads
and context, and its own prefix cache. Both sides answer the same prompts: new games of about 200 tokens, each
at the three decision nodes of its players, with one token of reply and the log-probabilities of the 20 most
probable tokens. The sides take turns within each repetition, so that other load on the machine affects both;
the ratio is the median over repetitions. It should be at least 0.8.

    python benchmarks/embedded_model.py --together

compares requests that are evaluated together (``--batched`` on the command line) with the same ones evaluated
one at a time: processor time per request, which other programs on the machine change little, and how far the
probabilities of first tokens lie apart. Beside it stands the physical limit of short answers: the processor
time in which the tokens that must be read are read in one piece by llama.cpp alone.

The script also shows a property that llama.cpp alone does not have: through ludens, the same request gives
the same log-probabilities regardless of earlier and concurrent requests.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ludens.agents.local import Settings, close_all, register
from ludens.agents.local.llamacpp import load
from ludens.agents.local.resolve import resolve

MODEL = "local/smollm2-135m"
SETTINGS = Settings(slots=8, context=1024)
CONCURRENCIES = (1, 8, 32)
REQUEST: dict[str, Any] = {
    "max_tokens": 1,
    "logprobs": True,
    "top_logprobs": 20,
    "temperature": 1.0,
    "seed": 1,
}
Chat = list[dict[str, str]]


def games(count: int, rng: random.Random) -> list[Chat]:
    """Return prompts of `count` games, each at three decision nodes, in random order."""
    system = {
        "role": "system",
        "content": "You take part in a study of decisions. Read the rules, then answer.",
    }
    prompts = []
    for _ in range(count):
        rows = [
            f"Person 1 {first}, Person 2 {second}: Person 1 gets {rng.randint(0, 99)}, Person 2 gets "
            f"{rng.randint(0, 99)}"
            for first in "AB"
            for second in "AB"
        ]
        rules = (
            "Person 1 and Person 2 each get points.\nPerson 1 chooses A or B.\n"
            "If Person 1 chose A: Person 2 chooses A or B.\nIf Person 1 chose B: Person 2 chooses A or B.\n\n"
            "Points:\n" + "\n".join(rows)
        )
        for who, node in ((1, ""), (2, "Suppose Person 1 chose A.\n"), (2, "Suppose Person 1 chose B.\n")):
            question = (
                f"You are Person {who} and get Person {who}'s points.\n{node}Which option do you choose?\n"
                "A: Option A\nB: Option B\nAnswer with one letter, A or B."
            )
            prompts.append([system, {"role": "user", "content": f"{rules}\n\n{question}"}])
    rng.shuffle(prompts)
    return prompts


def ours(prompts: list[Chat], concurrency: int, model: str = MODEL, **more: Any) -> tuple[float, list[float]]:
    """Return the seconds for all prompts through LiteLLM, and the first tokens' log-probabilities."""
    import litellm

    async def ask(gate: asyncio.Semaphore, prompt: Chat) -> float:
        async with gate:
            reply = await litellm.acompletion(model=model, messages=prompt, **REQUEST | more)
        return float(reply.choices[0].logprobs.content[0].top_logprobs[0].logprob)

    async def all_of_them() -> list[float]:
        gate = asyncio.Semaphore(concurrency)
        return await asyncio.gather(*(ask(gate, prompt) for prompt in prompts))

    begun = time.perf_counter()
    values = asyncio.run(all_of_them())
    return time.perf_counter() - begun, values


def bare(server: Any, prompts: list[Chat], concurrency: int) -> tuple[float, list[float]]:
    """Return the same as `ours`, by llama.cpp alone."""

    def ask(prompt: Chat) -> float:
        reply = server.handle_chat_completions(
            {"messages": prompt, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "cache_prompt": True, **REQUEST}
        )
        return float(reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"][0]["logprob"])

    begun = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as threads:
        values = list(threads.map(ask, prompts))
    return time.perf_counter() - begun, values


def together(count: int, repetitions: int) -> None:
    """Measure and print what evaluating requests together gains and changes."""
    server, rng = load(resolve(MODEL), SETTINGS), random.Random(0)
    bare(server, games(1, rng), 1), [ours(games(1, rng), 1, batched=each) for each in (False, True)]
    replies: dict[str, dict[str, Any]] = {
        "1 token": {},
        "up to 40 tokens": {"max_tokens": 40, "response_format": reasoned(100)},
        "up to 240 tokens": {"max_tokens": 240, "response_format": reasoned(800)},
    }
    limit: list[float] = []
    apart: list[float] = []
    spent: dict[tuple[str, bool], list[float]] = {(name, b): [] for name in replies for b in (False, True)}
    for _ in range(repetitions):
        # Three questions as one prompt, of which nothing was read before.
        whole = [{"role": "user", "content": "\n".join(p[1]["content"] for p in games(1, rng))}]
        used = time.process_time()
        reply = server.handle_chat_completions({"messages": whole, "max_tokens": 1, "cache_prompt": False})
        read = (time.process_time() - used) / reply["usage"]["prompt_tokens"]
        for name, asked in replies.items():
            prompts = games(count, rng)
            first = {}
            for batched in (False, True):
                used = time.process_time()
                first[batched] = ours(prompts, 8, batched=batched, **asked)[1]
                spent[name, batched].append((time.process_time() - used) / len(prompts))
            if not asked:
                limit.append(read * must_be_read(server, prompts) / len(prompts))
                apart += [abs(math.exp(a) - math.exp(b)) for a, b in zip(*first.values(), strict=True)]
    print("Processor seconds per request (median over repetitions):")
    for name in replies:
        alone, grouped = (statistics.median(spent[name, batched]) for batched in (False, True))
        gain = statistics.median(a / b for a, b in zip(spent[name, False], spent[name, True], strict=True))
        print(f"{name:>16}: {alone:.2f} one at a time, {grouped:.2f} together: {gain:.2f} times less")
    for batched, words in ((False, "one at a time"), (True, "together")):
        ratio = statistics.median(a / b for a, b in zip(limit, spent["1 token", batched], strict=True))
        print(f"{ratio:.2f} of the physical limit with 1 token, {words}")
    print(f"probabilities of first tokens differ by {statistics.mean(apart):.4f}, at most {max(apart):.4f}")
    close_all()


def reasoned(length: int) -> dict[str, Any]:
    """Return the response format of a reply with a reason of up to so many characters before its choice."""
    properties = {"reasoning": {"type": "string", "maxLength": length}, "choice": {"enum": ["A", "B"]}}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}


def must_be_read(server: Any, prompts: list[Chat]) -> int:
    """Return the number of tokens that are read where what neighbouring prompts share is read once."""
    asked = {"max_tokens": 1, "cache_prompt": True, "id_slot": 0}
    usages = [
        server.handle_chat_completions({"messages": prompt, **asked})["usage"]
        for prompt in sorted(prompts, key=lambda prompt: prompt[-1]["content"])
    ]
    return sum(each["prompt_tokens"] - each["prompt_tokens_details"]["cached_tokens"] for each in usages)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--games", type=int, default=8, help="games in each measurement, three prompts each")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--together", action="store_true", help="compare requests evaluated together")
    arguments = parser.parse_args()
    register(settings=SETTINGS)
    if arguments.together:
        together(arguments.games, arguments.repetitions)
        return
    server = load(resolve(MODEL), SETTINGS)
    rng = random.Random(0)
    warm = games(1, rng)
    ours(warm, 1), bare(server, warm, 1)
    print(f"{'concurrency':>11} {'ours/s':>8} {'bare/s':>8} {'ratio':>6}   varies by (ours, bare)")
    for concurrency in CONCURRENCIES:
        rates: list[tuple[float, float]] = []
        drift = [0.0, 0.0]
        for repetition in range(arguments.repetitions):
            prompts = games(arguments.games, rng)
            sides = [lambda p, c=concurrency: ours(p, c), lambda p, c=concurrency: bare(server, p, c)]
            measured = {}
            for side in (0, 1) if repetition % 2 else (1, 0):
                measured[side] = sides[side](prompts)
            rates.append(tuple(len(prompts) / measured[side][0] for side in (0, 1)))
            if repetition == 0:
                for side in (0, 1):
                    again = sides[side](prompts[::-1])[1][::-1]
                    drift[side] = max(abs(a - b) for a, b in zip(measured[side][1], again, strict=True))
        ratio = statistics.median(mine / peer for mine, peer in rates)
        mine, peer = (statistics.median(column) for column in zip(*rates, strict=True))
        print(
            f"{concurrency:>11} {mine:>8.2f} {peer:>8.2f} {ratio:>6.2f}   {drift[0]:.4f}, {drift[1]:.4f}",
            flush=True,
        )
    close_all()


if __name__ == "__main__":
    main()
