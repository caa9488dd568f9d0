"""`ludens align provider`: output, exit codes, one sentence for a mistake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ludens import cli
from tests.loopback_tuning import Fault, TuningServer, stalled

NANO = "openai/gpt-4.1-nano-2025-04-14"


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Runs the command in a folder with the data set ``data``; returns code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    row = {
        "prompt": [{"role": "user", "content": "A or B?"}],
        "completion": [{"role": "assistant", "content": "A"}],
    }
    Path("data").mkdir()
    Path("data/train.jsonl").write_text((json.dumps(row) + "\n") * 10)

    def run(*arguments):
        code = cli.main(["align", "provider", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_tune_and_see_the_policy(ran):
    with TuningServer() as server:
        code, out, err = ran(
            NANO, "data", "--epochs", 3, "--yes", "--out", "job", "--suffix", "kind", "--poll", 0.01,
            "--api-base", server.url,
        )  # fmt: skip
    assert code == 0
    assert "The tuned model is the policy openai/ft:gpt-4.1-nano-2025-04-14:loopback:kind:1" in out
    assert "10 examples of" in err
    assert "about $0.0007" in err
    assert "not verified" in err


def test_json_holds_the_record(ran):
    with TuningServer() as server:
        code, out, _ = ran(
            NANO, "data", "-y", "--out", "job", "--poll", 0.01, "--api-base", server.url, "--json"
        )
        found = json.loads(out)
        assert (code, found["status"], found["folder"]) == (0, "succeeded", "job")
        again = ran("--resume", "job", "--json")
    assert json.loads(again[1]) == found


def test_without_a_yes_nothing_is_sent(ran):
    with TuningServer() as server:
        code, out, err = ran(NANO, "data", "--api-base", server.url)
        assert (code, out) == (2, "")
        assert "nobody is there to agree to the price; say --yes" in " ".join(err.split())
        code, _, err = ran(NANO, "data", "--yes", "--max-cost", 0.0000001, "--api-base", server.url)
        assert code == 2
        assert "more than the limit" in " ".join(err.split())
        assert server.asked == []
    assert not Path("tuned").exists()


def test_a_failed_job_is_one_sentence(ran):
    with TuningServer(("queued", "failed"), error="Too many duplicates.") as server:
        code, out, err = ran(NANO, "data", "--yes", "--out", "job", "--poll", 0.01, "--api-base", server.url)
    assert (code, out) == (1, "")
    assert "ftjob-1 failed: Too many duplicates." in " ".join(err.split())
    assert "Traceback" not in err


def test_cancel(ran):
    with TuningServer() as server:
        server.faults = {"GET job": [Fault(401, "no")]}
        code, _, err = ran(NANO, "data", "--yes", "--out", "job", "--api-base", server.url)
        assert code == 1
        assert "--resume job" in " ".join(err.split())
        code, out, _ = ran("--cancel", "job")
        assert code == 0
        assert "cancelled" in out
        assert server.jobs["ftjob-1"]["status"] == "cancelled"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "Name a model and a data set"),
        ((NANO,), "Name a model and a data set"),
        ((NANO, "nowhere", "--yes"), "cannot be read as training data"),
        (("anthropic/claude", "data", "--yes"), "Tuning is offered at"),
        (("--resume", "nowhere"), "is not the record of a tuning job"),
        (("--cancel", "nowhere"), "is not the record of a tuning job"),
        (("--resume", "a", "--cancel", "b"), "take one job and nothing else"),
        ((NANO, "--resume", "a"), "take one job and nothing else"),
    ],
)
def test_a_mistake_is_one_sentence(ran, arguments, why):
    code, out, err = ran(*arguments)
    assert (code, out) == (2, "")
    assert why in " ".join(err.split())
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for a child there")
def test_ctrl_c_says_how_to_go_on_and_the_job_does(ran):
    with TuningServer(("queued", "running", "running", "succeeded")) as server:
        server.faults = {"GET job": [stalled(heard=False)]}
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ludens", "align", "provider", NANO, "data"),
                *("--yes", "--out", "job", "--api-base", server.url),
            ],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not server.count("GET job") and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        assert (process.returncode, out) == (130, "")
        assert "the job ftjob-1 goes on" in " ".join(err.split())
        assert "Warning" not in err
        code, out, _ = ran("--resume", "job", "--poll", 0.01)
        assert code == 0
        assert "openai/ft:" in out
        assert server.count("POST jobs") == 1
