"""Decisions per second of a hosted model through ludens, compared with LiteLLM alone.

    python benchmarks/throughput.py [--decisions 4000] [--in-flight 64,256,1000] [--repetitions 3]

A server in a process of its own answers every request after 200 ms. One side calls `litellm.acompletion`
with the very requests that ludens sends; the other is a run of the benchmark of preferences, in which every
decision is one request, kept in the run's file before it counts. The sides take turns. What a decision costs
ludens itself is the processor time of the run less that of LiteLLM alone, which other programs on the machine
change little; rates need an idle machine.

    python benchmarks/throughput.py --workers 2

compares runs that so many processes share with runs of one process. The machine needs a core for each of
them, and some of one for the server and the process that writes.

    python benchmarks/throughput.py --memory 100000

plays so many episodes against a server that answers at once, and prints what the process holds beyond what it
held at the beginning.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MODEL = "openai/throughput"
DELAY = 0.2
"""Seconds after which the server answers."""
PROTOCOLS = ("SPD1", "SPD2", "SPD3", "SPD4", "SPD5", "SPD6")


def serve(connection: Connection, delay: float) -> None:
    """Answer requests of OpenAI's shape until the process ends; the port goes to the connection."""
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "throughput",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "A"}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101},
    }
    text = json.dumps(body).encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(text),
        text,
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
                if delay:
                    await asyncio.sleep(delay)
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=2048)
        connection.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def started(delay: float) -> tuple[multiprocessing.Process, str]:
    """Return a server's process and its address."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there, delay), daemon=True)
    process.start()
    return process, f"http://127.0.0.1:{here.recv()}/v1"


def config(address: str, decisions: int, in_flight: int, workers: int | None = None) -> Any:
    """Return a benchmark of so many decisions of one model, with as many open at once as asked for."""
    from ludens.experiments.bench.study import BenchConfig, BenchStudy

    def made(replicates: int) -> BenchStudy:
        return BenchStudy(
            BenchConfig(
                models=[{"spec": MODEL, "api_base": address, "api_key": "none", "order": 0}],
                protocols=PROTOCOLS,
                framings=["neutral"],
                elicit="sample",
                replicates=replicates,
                concurrency=in_flight,
                workers=workers,
            )
        )

    each = sum(labels["policy"] == MODEL for labels in made(1).episodes())
    return made(max(1, round(decisions / each)))


def ours(address: str, decisions: int, in_flight: int, folder: Path) -> tuple[int, float, float]:
    """Return how many decisions ludens made, the seconds, and the processor time."""
    from ludens.experiments.study.engine import run_study

    study = config(address, decisions, in_flight)
    asked = sum(labels["policy"] == MODEL for labels in study.episodes())
    begun, used = time.perf_counter(), time.process_time()
    run_study(study, folder / f"{time.monotonic_ns()}.db").close()
    return asked, time.perf_counter() - begun, time.process_time() - used


def requests(address: str, folder: Path) -> list[dict[str, Any]]:
    """Return the requests that ludens sends, once each."""
    from ludens.experiments.study.engine import run_study

    with run_study(config(address, 1, 8), folder / "requests.db") as run:
        return [
            {"messages": [dict(message) for message in call.messages], **call.parameters}
            for decision in run.decisions()
            for call in decision.decision.calls
        ]


def bare(address: str, asked: list[dict[str, Any]], decisions: int, in_flight: int) -> tuple[float, float]:
    """Return the seconds and the processor time of LiteLLM alone."""
    import litellm

    queue = iter([asked[place % len(asked)] for place in range(decisions)])

    async def work() -> None:
        for request in queue:
            await litellm.acompletion(
                model=MODEL, api_base=address, api_key="none", max_retries=0, timeout=120.0, **request
            )

    async def main() -> None:
        await asyncio.gather(*(work() for _ in range(in_flight)))

    begun, used = time.perf_counter(), time.process_time()
    asyncio.run(main())
    return time.perf_counter() - begun, time.process_time() - used


def compare(decisions: int, levels: list[int], repetitions: int) -> None:
    """Measure both sides in turns and print a table."""
    process, address = started(DELAY)
    heads = ("in flight", "ours/s", "LiteLLM/s", "ratio", "ms each", "LiteLLM ms", "own ms")
    print(" ".join(f"{head:>{max(7, len(head))}}" for head in heads))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = requests(address, folder)
        bare(address, asked, 64, 16)
        for level in levels:
            ratios, mine, theirs, costs = [], [], [], []
            for repetition in range(repetitions):
                measured: dict[str, tuple[float, float]] = {}
                for side in ("ours", "bare") if repetition % 2 else ("bare", "ours"):
                    if side == "ours":
                        count, seconds, used = ours(address, decisions, level, folder)
                    else:
                        count = decisions
                        seconds, used = bare(address, asked, decisions, level)
                    measured[side] = (count / seconds, 1000 * used / count)
                mine.append(measured["ours"][0])
                theirs.append(measured["bare"][0])
                ratios.append(mine[-1] / theirs[-1])
                costs.append((measured["ours"][1], measured["bare"][1]))
            own, lite = (statistics.median(column) for column in zip(*costs, strict=True))
            print(
                f"{level:>9} {statistics.median(mine):>7.0f} {statistics.median(theirs):>9.0f} "
                f"{statistics.median(ratios):>7.2f} {own:>7.2f} {lite:>10.2f} {own - lite:>7.2f}",
                flush=True,
            )
    process.terminate()


def share(decisions: int, in_flight: int, workers: int, repetitions: int) -> None:
    """Measure runs of one process and runs that several share in turns. The first decisions of each, while
    processes start, are left out.
    """
    process, address = started(DELAY)
    print(f"{'in flight':>9} {'one/s':>7} {f'{workers}/s':>7} {'times':>7}")
    rates: dict[int | None, list[float]] = {None: [], workers: []}
    with tempfile.TemporaryDirectory() as name:
        for repetition in range(repetitions):
            for number in (None, workers) if repetition % 2 else (workers, None):
                rates[number].append(_rate(config(address, decisions, in_flight, number), Path(name)))
    one, several = (statistics.median(each) for each in rates.values())
    print(f"{in_flight:>9} {one:>7.0f} {several:>7.0f} {several / one:>7.2f}")
    process.terminate()


def _rate(study: Any, folder: Path) -> float:
    """Return the decisions of the model per second in the last four fifths of a run."""
    from ludens.experiments.study.engine import run_study

    seen: list[tuple[float, int]] = []
    run_study(
        study,
        folder / f"{time.monotonic_ns()}.db",
        progress=lambda standing: seen.append((time.perf_counter(), standing.calls)),
    ).close()
    first = next(place for place, (_, calls) in enumerate(seen) if calls * 5 >= seen[-1][1])
    last = next(place for place, (_, calls) in enumerate(seen) if calls == seen[-1][1])
    return (seen[last][1] - seen[first][1]) / (seen[last][0] - seen[first][0])


def memory(episodes: int) -> None:
    """Play so many episodes and print how much more the process holds than after a few."""
    process, address = started(0.0)
    with tempfile.TemporaryDirectory() as name:
        for number in (200, episodes):
            ours(address, number, 64, Path(name))
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
                1 if sys.platform == "darwin" else 1024
            )
            print(
                f"{number:>8} episodes: {held / 1024 if sys.platform == 'darwin' else held:.0f} MiB at most",
                flush=True,
            )
    process.terminate()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--decisions", type=int, default=4000, help="in each measurement")
    parser.add_argument("--in-flight", default="64,256,1000", help="requests open at once")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--memory", type=int, metavar="EPISODES", help="measure memory in place of rates")
    parser.add_argument("--workers", type=int, help="compare so many processes with one")
    arguments = parser.parse_args()
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    if arguments.memory:
        memory(arguments.memory)
    elif arguments.workers:
        for level in arguments.in_flight.split(","):
            share(arguments.decisions, int(level), arguments.workers, arguments.repetitions)
    else:
        compare(
            arguments.decisions,
            [int(level) for level in arguments.in_flight.split(",")],
            arguments.repetitions,
        )


if __name__ == "__main__":
    main()
