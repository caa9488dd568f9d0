"""What concurrent episodes tell is kept in one transaction, and none goes on before its own is kept."""

import asyncio
import threading
from functools import partial

import pytest

from ludens.agents import CallablePolicy
from ludens.agents.journal import current_journal
from ludens.agents.llm import client, loop
from ludens.agents.policy import Call, Decision
from ludens.envs import make_env
from ludens.experiments import aplay, play
from ludens.experiments.runs.commits import Commits
from ludens.experiments.runs.database import StoreError
from ludens.experiments.runs.executors.base import Common
from ludens.experiments.runs.recorder import EpisodeTask, Recorder
from ludens.experiments.runs.records import EpisodeRecord, EpisodeSpec
from ludens.experiments.runs.run import Run
from ludens.experiments.runs.store import create_run
from tests.loopback import Loopback, say


@pytest.fixture
def store(tmp_path):
    specs = [EpisodeSpec(index, {"policy": "a"}) for index in range(4)]
    with create_run(tmp_path / "run.db", "play", {}, specs) as store:
        yield store


def ends(store, index):
    return partial(store.end_episode, EpisodeRecord(index, {}, "done"))


def statuses(store):
    return [record.status for record in Run(store.path).episodes()]


def transactions(store):
    """Return the statements that begin a transaction, as they are carried out."""
    begun = []
    store._database.set_trace_callback(lambda sql: sql.startswith("BEGIN") and begun.append(sql))
    return begun


def test_changes_of_one_turn_of_the_loop_are_one_transaction_that_all_wait_for(store):
    begun, seen, failures = transactions(store), [], []

    async def episode(commits, index):
        commits.add(ends(store, index), lambda: seen.append(index))
        assert index not in seen
        await commits.settled()
        assert statuses(store)[index] == "done"

    async def play():
        commits = Commits(store, failures.append)
        await asyncio.gather(*(episode(commits, index) for index in range(4)))

    asyncio.run(play())
    assert (len(begun), sorted(seen), failures) == (1, [0, 1, 2, 3], [])


def test_one_change_that_cannot_be_written_loses_no_other(store):
    failures = []

    def wrong():
        raise OverflowError("too large for a column")

    async def play():
        commits = Commits(store, failures.append)
        for change in (ends(store, 0), wrong, ends(store, 1)):
            commits.add(change)
        with pytest.raises(OverflowError, match="too large"):
            await commits.settled()

    asyncio.run(play())
    assert statuses(store) == ["done", "done", "planned", "planned"]
    assert [str(error) for error in failures] == ["too large for a column"]


def test_a_run_that_was_moved_is_kept_whole_and_the_failure_is_told(store):
    failures = []

    async def play():
        commits = Commits(store, failures.append)
        commits.add(ends(store, 0))
        commits.add(ends(store, 1))
        store.path.rename(store.path.with_name("elsewhere.db"))
        with pytest.raises(StoreError, match="was removed or moved"):
            await commits.settled()

    asyncio.run(play())
    assert statuses(store)[:2] == ["done", "done"]  # in the copy
    assert len(failures) == 1


def test_another_thread_finds_its_change_kept_at_once(store):
    async def play():
        commits = Commits(store, print)
        await asyncio.to_thread(commits.add, ends(store, 2))
        assert statuses(store)[2] == "done"

    asyncio.run(play())


def test_an_answer_is_kept_before_the_same_decision_asks_again():
    class Line:
        common, heard, kept = Common(), [], []

        def tell(self, message):
            self.heard.append(message)

        async def settled(self):
            self.kept = list(self.heard)

    async def asks_twice(turn, rng):
        journal = current_journal()
        for reply in ("Well.", "A"):
            async with journal.asking("m"):
                told = [message for message in line.heard if message[0] == "call"]
                assert all(message in line.kept for message in told)
            journal.record(Call("m", (), reply, "ok"))
        return Decision(0)

    line, policy = Line(), CallablePolicy(lambda turn: 0, name="asks twice")
    policy.adecide = asks_twice
    env = make_env("trust-v0")
    env.reset(seed=1)
    recorder = Recorder(EpisodeTask(EpisodeSpec(0, {})), 1, line)
    asyncio.run(recorder.decide(policy, env.turn(env.agent_selection)))
    assert [message[0] for message in line.kept].count("call") == 2


def test_a_policy_that_is_not_asynchronous_may_ask_within_a_run():
    async def ask():
        return await loop.shared(asyncio.sleep(0, "answer"))

    async def run():
        assert await loop.shared(asyncio.sleep(0, threading.get_ident())) == threading.get_ident()
        return loop.run(ask())

    assert loop.play(run()) == "answer"
    assert loop.run(ask()) == "answer"  # the loop goes on in a thread of its own


def test_a_run_in_a_loop_of_the_callers_asks_there_and_leaves_no_connection(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    send, asked_in = client._request, set()

    async def request(*given):
        asked_in.add(asyncio.get_running_loop())
        return await send(*given)

    async def main(path):
        model = {"spec": "openai/loopback", "api_base": server.url, "elicit": "sample"}
        await aplay("trust-v0", model, episodes=3, path=path)
        own = asyncio.get_running_loop()
        assert asked_in == {own}
        return f"-{id(own)}"

    monkeypatch.setattr(client, "_request", request)
    with Loopback(otherwise=say("A")) as server:
        for number in range(2):
            asked_in.clear()
            mine = asyncio.run(main(tmp_path / f"{number}.db"))
            kept = client.load("openai/loopback").in_memory_llm_clients_cache.cache_dict
            assert not [key for key in kept if key.endswith(mine)]
        play("trust-v0", {"spec": "openai/loopback", "api_base": server.url}, path=tmp_path / "played.db")
    assert Run(tmp_path / "1.db").summary().transport_retries == 0


def test_two_runs_in_two_threads_each_have_a_loop():
    begun = threading.Barrier(2, timeout=60)

    async def run():
        await asyncio.to_thread(begun.wait)
        return await loop.shared(asyncio.sleep(0, "answer"))

    answers = []
    threads = [threading.Thread(target=lambda: answers.append(loop.play(run()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["answer", "answer"]
