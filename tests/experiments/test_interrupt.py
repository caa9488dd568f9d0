"""Ctrl-C and SIGTERM: nothing new is asked, what is paid for is kept, and the run says how to go on."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
import threading
from functools import partial

import pytest

from ludens.experiments import Run, resume, run_study
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from tests.agents.test_human import sleeps
from tests.experiments.lives import lives_of
from tests.loopback import Loopback, limited, say


class Holding(Loopback):
    """Keeps the answers to some early requests back until `release` is set; answers the others at once.

    Args:
        free: how many requests are answered before.
        held: how many are held.
    """

    def __init__(self, held, free=0):
        super().__init__(self._reactions(held, free), otherwise=say("A"))
        self.release = threading.Event()
        self.all_here = threading.Semaphore(0)
        self._held = held

    def _reactions(self, held, free):
        def hold(request):
            self.all_here.release()
            while not self.release.wait(0.05) and not self.closing.is_set():
                continue
            return say("B")

        return [say("A")] * free + [hold] * held

    def wait(self):
        """Return when all requests that are held have come in."""
        for _ in range(self._held):
            assert self.all_here.acquire(timeout=600)


@pytest.fixture(scope="module")
def lives():
    with lives_of("tests.experiments.interrupt_lives") as lives:
        yield lives


class Interrupted:
    """A life whose standard error is read line by line while it lasts."""

    def __init__(self, lives, folder, *arguments, **named):
        stderr = folder / "stderr"
        os.mkfifo(stderr)
        self.send = lives.send
        self._code = []
        live = partial(lives.live, stderr, *arguments, **named)
        self._thread = threading.Thread(target=lambda: self._code.append(live()))
        self._thread.start()
        self.stderr = stderr.open()
        stderr.unlink()

    def line(self):
        """Return the next line after what the study says before it asks."""
        while "κ" in (line := self.stderr.readline()):
            continue
        return line

    def wait(self):
        """Return the exit code when the life is over."""
        self._thread.join()
        self.stderr.close()
        return self._code[0]


def bench(server, path):
    return (
        *("bench", "openai/loopback", "--protocols", "TG3", "--framings", "neutral,story", "--replicates", 3),
        *("--elicit", "sample", "--api-base", server.url, "--concurrency", 3, "--out", path),
    )


WAITING = "Waiting for the 3 calls under way: press Ctrl-C again to leave at once.\n"


@pytest.mark.parametrize("cell", [False, True])
def test_ctrl_c_waits_for_the_calls_under_way_and_keeps_their_answers(tmp_path, lives, cell):
    path = tmp_path / "run.db"
    with Holding(held=3, free=2) as server:
        life = Interrupted(lives, tmp_path, *((server.url, path) if cell else bench(server, path)), cell=cell)
        server.wait()
        life.send(signal.SIGINT)
        assert life.line() == WAITING
        with Run(path) as run:
            assert run.summary().calls == 2
        server.release.set()
        assert life.stderr.read() == f"Interrupted: go on with `ludens resume {path}`.\n"
        assert life.wait() == 130
        with Run(path) as run:
            assert run.manifest["status"] == "interrupted"
            assert run.summary().calls == server.count == 5
        assert Interrupted(lives, tmp_path, "resume", path).wait() == 0
        with Run(path) as run:
            assert run.manifest["status"] == "done"
            assert run.summary().calls == server.count == 24


def test_a_second_ctrl_c_leaves_at_once(tmp_path, lives):
    path = tmp_path / "run.db"
    with Holding(held=3, free=2) as server:
        life = Interrupted(lives, tmp_path, *bench(server, path))
        server.wait()
        life.send(signal.SIGINT)
        assert life.line() == WAITING
        life.send(signal.SIGINT)
        assert life.stderr.read() == f"Interrupted: go on with `ludens resume {path}`.\n"
        assert life.wait() == 130
        assert not server.release.is_set()
    with Run(path) as run:
        assert run.manifest["status"] == "interrupted"
        assert run.summary().calls == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_waits_for_the_calls_under_way_too(tmp_path, lives, number):
    path = tmp_path / "run.db"
    with Holding(held=3) as server:
        life = Interrupted(lives, tmp_path, *bench(server, path))
        server.wait()
        life.send(number)
        assert life.line() == "Waiting for the 3 calls under way: for at most 600 seconds.\n"
        server.release.set()
        assert life.stderr.read() == f"Terminated: go on with `ludens resume {path}`.\n"
        assert life.wait() == 128 + number
        assert server.count == 3
    with Run(path) as run:
        assert run.manifest["status"] == "interrupted"
        assert run.summary().calls == 3


def test_a_signal_to_end_waits_for_a_while_only(tmp_path, lives):
    path = tmp_path / "run.db"
    with Holding(held=3, free=2) as server:
        life = Interrupted(lives, tmp_path, *bench(server, path), grace=0.0)
        server.wait()
        life.send(signal.SIGTERM)
        assert f"Terminated: go on with `ludens resume {path}`.\n" in life.stderr.read()
        assert life.wait() == 143
    with Run(path) as run:
        assert run.manifest["status"] == "interrupted"
        assert run.summary().calls == 2


def test_no_further_call_of_a_decision_is_made_after_ctrl_c(tmp_path, lives):
    path = tmp_path / "run.db"
    with Holding(held=1) as server:
        hold = server.script[0]
        server.script[0] = lambda request: hold(request) and say("Well, it depends.")
        arguments = ("play", "ultimatum-v0", "-p", "openai/loopback", "--elicit", "sample", "--out", path)
        life = Interrupted(lives, tmp_path, *arguments, "--api-base", server.url)
        server.wait()
        life.send(signal.SIGINT)
        assert life.line().startswith("Waiting for the 1 call under way")
        server.release.set()
        assert life.wait() == 130
        assert server.count == 1
        with Run(path) as run:
            assert (run.summary().calls, run.decisions()) == (1, [])
        assert Interrupted(lives, tmp_path, "resume", path).wait() == 0
        assert server.count == Run(path).summary().calls


def test_what_only_waits_for_a_server_is_not_waited_for(tmp_path, lives):
    path, asked = tmp_path / "run.db", threading.Semaphore(0)

    def busy(request):
        asked.release()
        return limited(retry_after=250)

    with Loopback(otherwise=busy) as server:
        life = Interrupted(lives, tmp_path, *bench(server, path))
        for _ in range(3):
            assert asked.acquire(timeout=600)
        life.send(signal.SIGINT)
        assert life.wait() == 130
        assert server.count == 3
    with Run(path) as run:
        assert (run.manifest["status"], run.summary().calls) == ("interrupted", 0)


def test_ctrl_c_waits_for_a_model_that_plays_with_a_person(tmp_path, lives):
    path = tmp_path / "run.db"
    players = ("-p", "openai/loopback", "-p", "human", "--roles", "fixed", "--elicit", "sample")
    with Holding(held=1) as server:
        arguments = ("play", "ultimatum-v0", *players, "--episodes", 2, "--api-base", server.url)
        life = Interrupted(lives, tmp_path, *arguments, "--out", path)
        server.wait()
        life.send(signal.SIGINT)
        assert life.line().startswith("Waiting for the 1 call under way")
        server.release.set()
        assert life.stderr.read() == f"Interrupted: go on with `ludens resume {path}`.\n"
        assert life.wait() == 130
    with Run(path) as run:
        assert (run.manifest["status"], len(run.decisions())) == ("interrupted", 1)


def test_a_signal_to_end_ends_a_prompt_too(tmp_path):
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "ludens", "play", "ultimatum-v0", "-p", "human", "--out", "run.db"]
    ends = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    with subprocess.Popen(command, cwd=tmp_path, **ends, start_new_session=True) as process:
        os.close(terminal)
        shown, sent = b"", False
        while True:
            try:
                shown += os.read(keyboard, 4096)
            except OSError:  # the other end is closed
                break
            if b"Your choice" in shown and not sent:
                while not sleeps(process):
                    continue
                process.send_signal(signal.SIGTERM)
                sent = True
        assert process.wait() == 143
    os.close(keyboard)
    assert b"Terminated: go on with `ludens resume run.db`." in shown
    assert Run(tmp_path / "run.db").manifest["status"] == "interrupted"


def test_with_nothing_under_way_ctrl_c_stops_after_the_present_decision(tmp_path):
    path = tmp_path / "run.db"
    program = """
        import os, signal, sys
        from ludens.agents import Policy
        from ludens.agents.policy import Decision
        from ludens.experiments import play

        class Busy(Policy):
            name = "busy"
            asked = 0

            def decide(self, turn, rng):
                Busy.asked += 1
                if Busy.asked == 3:
                    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
                return Decision(0)

        play("ultimatum-v0", Busy(), episodes=50, path=sys.argv[1])
    """
    for number, last in ((signal.SIGINT, "Interrupted"), (signal.SIGTERM, "Terminated")):
        path = tmp_path / f"{number.name}.db"
        command = [sys.executable, "-c", textwrap.dedent(program), path, number.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == (143 if number == signal.SIGTERM else 1)
        assert "Waiting" not in done.stderr
        assert re.search(rf"{last}: go on with `ludens resume {re.escape(str(path))}`\.$", done.stderr)
        with Run(path) as run:
            assert (run.manifest["status"], len(run.decisions())) == ("interrupted", 3)


def test_a_callback_that_ends_the_process_leaves_a_run_in_order(tmp_path):
    def leave(progress):
        if progress.done == 3:
            raise SystemExit(7)

    with Loopback(otherwise=say("A")) as server:
        model = {"spec": "openai/loopback", "api_base": server.url, "api_key": "none"}
        config = BenchConfig(models=[model], protocols=["SPD5", "UG1"], elicit="sample", concurrency=2)
        with pytest.raises(SystemExit) as left:
            run_study(BenchStudy(config), tmp_path / "run.db", progress=leave)
        asked = server.count
        with Run(tmp_path / "run.db") as run:
            assert (left.value.code, run.manifest["status"]) == (7, "interrupted")
        # Nothing plays on behind the caller's back, and models can be asked from this process as before.
        resume(tmp_path / "run.db")
        decided = len(Run(tmp_path / "run.db").decisions())
    assert asked < server.count
    assert sum("loopback" in str(request["model"]) for request in server.requests) <= decided + 2
