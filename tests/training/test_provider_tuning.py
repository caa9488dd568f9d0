"""Tuning at a provider, end to end: LiteLLM's own client against a server on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ludens.agents import LLMPolicy
from ludens.agents.llm.faults import ModelError
from ludens.errors import UsageError
from ludens.experiments import play
from ludens.experiments.runs.lock import RunLock
from ludens.training.provider import (
    ProviderError,
    ProviderJob,
    cancel_provider_tune,
    provider_tune,
    resume_provider_tune,
)
from tests.loopback_tuning import Fault, TuningServer, gone, limited, lost, page, stalled

NANO = "openai/gpt-4.1-nano-2025-04-14"
SOON = {"poll": 0.005, "retry_wait": 0.001}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for split, count in (("train", 12), ("validation", 3)):
        rows = [
            {
                "prompt": [
                    {"role": "system", "content": "You play games."},
                    {"role": "user", "content": f"Game {i} of {split}. A or B?"},
                ],
                "completion": [{"role": "assistant", "content": "A"}],
            }
            for i in range(count)
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "job"


def tune(server, data, out, **more):
    return provider_tune(
        NANO, data, out=out, **{"epochs": 3, "max_cost": 1.0, "api_base": server.url, **SOON, **more}
    )


def test_a_model_is_tuned_and_is_a_policy_at_once(data, out):
    told, asked = [], []
    with TuningServer() as server:
        job = tune(
            server, data, out, suffix="kind", confirm=lambda e: asked.append(e) or True, progress=told.append
        )
        assert job.status == "succeeded"
        assert job.policy == "openai/ft:gpt-4.1-nano-2025-04-14:loopback:kind:1"
        assert job.trained_tokens == 12_345
        (request,) = server.requests
        assert request["hyperparameters"] == {"n_epochs": 3}
        assert (request["training_file"], request["validation_file"]) == ("file-1", "file-2")
        sent = [json.loads(line) for line in server.contents["file-1"].decode().splitlines()]
        assert len(sent) == 12
        assert [message["role"] for message in sent[0]["messages"]] == ["system", "user", "assistant"]
        policy = LLMPolicy(job.policy, api_base=server.url, elicit="sample")
        with play("trust-v0", policy, seed=1, path=out.with_suffix(".db")) as run:
            assert {record.decision.status for record in run.decisions()} == {"valid"}
        assert server.count("POST chat") > 0
    assert [e.examples for e in asked] == [12]
    seen = list(dict.fromkeys(standing.status for standing in told))
    assert seen == ["uploading", "validating_files", "queued", "running", "succeeded"]
    assert ProviderJob.read(out) == job


def test_nothing_is_sent_that_is_not_agreed_to(data, out, tmp_path):
    with TuningServer() as server:
        for settings, why in (
            ({"confirm": lambda estimate: False}, "not agreed to"),
            ({"max_cost": 1e-9}, "more than the limit"),
            ({"max_cost": float("nan")}, "more than the limit"),
            ({"poll": 0.0}, "poll is a number"),
            ({"max_cost": None}, "Tuning costs money"),
            ({"epochs": 0}, "epochs is at least 1"),
            ({"suffix": "x" * 65}, "suffix must have"),
        ):
            with pytest.raises(UsageError, match=why):
                tune(server, data, out, **settings)
        with pytest.raises(UsageError, match="cannot be held"):
            provider_tune("openai/unheard-of", data, out=out, max_cost=5, api_base=server.url)
        bad = tmp_path / "bad.jsonl"
        bad.write_text("{}\n")
        with pytest.raises(UsageError, match="Line 1"):
            tune(server, bad, out)
        assert server.asked == []
    assert not out.exists()


def test_faults_of_the_transport_pass(data, out):
    with TuningServer() as server:
        server.faults = {
            "POST files": [limited(0), gone(), Fault(503)],
            "POST jobs": [limited(0), Fault(500)],
            "GET job": [gone(), page(), Fault(502), limited(0), gone(), gone(), gone(), gone()],
        }
        assert tune(server, data, out).status == "succeeded"
        assert len(server.jobs) == 1


def test_retry_after_is_waited_for(data, out, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with TuningServer() as server:
        server.faults = {"GET job": [limited(12.5)]}
        tune(server, data, out)
    assert [seconds for seconds in waits if seconds > 1] == [12.5]


@pytest.mark.parametrize("answer", [lost(), lost(500), page()])
def test_a_job_whose_creation_was_not_answered_is_not_created_again(data, out, answer):
    heard = Fault(answer.status, answer.text, heard=True, body=answer.body)
    with TuningServer() as server:
        for number in range(5):  # others' jobs, more than a page of them
            server.add_job({"model": "other", "training_file": f"other-{number}"})
        server.faults = {"POST jobs": [heard]}
        job = tune(server, data, out)
        assert server.count("POST jobs") == 1
        assert job.job_id == "ftjob-6"


def test_a_second_job_on_our_file_is_cancelled(data, out):
    with TuningServer() as server:
        server.faults = {"POST jobs": [lost()], "GET jobs": [Fault(401, "no")]}
        with pytest.raises(ProviderError, match="whether the job was created is not known"):
            tune(server, data, out)
        server.add_job(server.requests[0])
        assert resume_provider_tune(out, **SOON).job_id == "ftjob-1"
        assert [job["status"] for job in server.jobs.values()] == ["succeeded", "cancelled"]


def test_a_rejected_file_is_told_in_the_providers_words(data, out):
    with TuningServer() as server:
        server.faults = {"POST files": [Fault(400, "Invalid file format. Line 3 is bad.")]}
        with pytest.raises(
            ProviderError, match=r"rejected the train file: Invalid file format\. Line 3 is bad\.$"
        ):
            tune(server, data, out)
        assert ProviderJob.read(out).status == "failed"
        server.faults = {"POST jobs": [Fault(400, "Model gpt-4.1-nano is not available for fine-tuning")]}
        with pytest.raises(ProviderError, match=r"rejected the job: Model gpt-4.1-nano is not available"):
            tune(server, data, out)
        assert tune(server, data, out).status == "succeeded"  # a failed attempt may be followed by another
    assert len(list(out.glob("job-*.json"))) == 2


def test_a_failed_job_is_told_in_the_providers_words(data, out):
    message = "The job failed due to an unsafe training file."
    with TuningServer(("validating_files", "failed"), error=message) as server:
        with pytest.raises(
            ProviderError, match="ftjob-1 failed: The job failed due to an unsafe training file"
        ):
            tune(server, data, out)
        assert ProviderJob.read(out).error == message.rstrip(".")
        with pytest.raises(ProviderError, match="unsafe training file"):
            resume_provider_tune(out, **SOON)


def test_a_job_cancelled_elsewhere(data, out):
    with TuningServer(("queued", "running", "cancelled")) as server:
        with pytest.raises(ProviderError, match="ftjob-1 was cancelled"):
            tune(server, data, out)
        assert ProviderJob.read(out).status == "cancelled"


def test_a_network_that_stays_away_leaves_the_job_to_be_resumed(data, out):
    with TuningServer() as server:
        server.faults = {"GET job": [gone()] * 500}
        with pytest.raises(
            ProviderError, match=r"did not answer about the job ftjob-1.*goes on there.*--resume"
        ):
            tune(server, data, out, patience=0.2)
        server.faults = {}
        assert resume_provider_tune(out, **SOON).status == "succeeded"
        assert server.count("POST jobs") == 1
        asked = len(server.asked)
        assert resume_provider_tune(out, **SOON).status == "succeeded"  # nothing left to ask
        assert len(server.asked) == asked


def test_a_server_that_fails_throughout_creates_nothing_twice(data, out):
    with TuningServer() as server:
        server.faults = {"POST jobs": [Fault(500)] * 9}
        with pytest.raises(ProviderError, match="after 3 tries"):
            tune(server, data, out, transport_retries=2)
        server.faults = {}
        assert resume_provider_tune(out, **SOON).status == "succeeded"
        assert (len(server.files), len(server.jobs)) == (2, 1)


def test_a_key_that_is_not_accepted(data, out):
    with TuningServer() as server:
        server.faults = {"POST files": [Fault(401, "Incorrect API key provided")]}
        with pytest.raises(ModelError, match="did not accept the key"):
            tune(server, data, out)
        assert resume_provider_tune(out, **SOON).status == "succeeded"


def test_quota_used_up_is_no_reason_to_wait(data, out):
    with TuningServer() as server:
        server.faults = {"POST jobs": [Fault(429, "You exceeded your quota (insufficient_quota)")]}
        with pytest.raises(ModelError, match="insufficient_quota"):
            tune(server, data, out)
        assert server.count("POST jobs") == 1


def test_no_key_is_said_before_anything_is_asked(data, out, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        provider_tune(NANO, data, out=out, max_cost=1)
    assert not out.exists()


def test_keys_are_not_written(data, out):
    with TuningServer() as server:
        tune(server, data, out, api_key="sk-very-secret", organization="org-1")
    for file in out.iterdir():
        assert b"sk-very-secret" not in file.read_bytes()
    assert ProviderJob.read(out).options == {"api_base": server.url, "organization": "org-1"}


def test_azure_is_spoken_to_in_its_own_way(data, out):
    with TuningServer(file_steps=("pending", "pending", "processed")) as server:
        settings = {"api_base": server.azure_url, "api_key": "k", "api_version": "2024-10-21", **SOON}
        server.faults = {"POST jobs": [lost()]}
        job = provider_tune(
            "azure/gpt-4.1-nano-2025-04-14", data, out=out, confirm=lambda e: e.cost is None, **settings
        )
        assert server.contents["file-1"].startswith(b"\xef\xbb\xbf{")
        assert server.count("GET file") >= 3
        alive = [made for made in server.jobs.values() if made["status"] != "cancelled"]
        assert [made["id"] for made in alive] == [job.job_id]
        assert server.requests[0]["trainingType"] == 1
        assert job.policy.startswith("azure/ft:")


def test_azure_rejects_a_file_after_reading_it(data, out):
    with TuningServer(file_steps=("pending", "error")) as server:
        settings = {"api_base": server.azure_url, "api_key": "k", "api_version": "2024-10-21", **SOON}
        with pytest.raises(ProviderError, match="rejected the train file"):
            provider_tune("azure/gpt-4.1-nano", data, out=out, confirm=lambda e: True, **settings)
        assert server.count("POST jobs") == 0


def test_vertex_needs_googles_sign_in(data, out):
    pytest.importorskip("litellm")
    with pytest.raises((UsageError, ModelError), match=r"google-auth|VERTEX|GCS"):
        provider_tune("vertex_ai/gemini-2.0-flash-001", data, out=out, max_cost=1)
    assert not out.exists()


KILLED = """
import sys
from ludens.training.provider import provider_tune
provider_tune({model!r}, sys.argv[1], out=sys.argv[2], epochs=3, max_cost=1, api_base=sys.argv[3], poll=0.005)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("place", ["POST files", "POST jobs", "GET job"])
def test_a_killed_process_is_resumed_and_pays_once(data, out, place):
    with TuningServer() as server:
        server.faults = {place: [stalled()]}
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED.format(model=NANO), str(data), str(out), server.url],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            while not server.count(place) and process.poll() is None:
                time.sleep(0.05)
            with pytest.raises(UsageError, match="Another process follows"):
                resume_provider_tune(out, **SOON)
            with pytest.raises(UsageError, match="--resume"):
                tune(server, data, out)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert ProviderJob.read(out).status != "succeeded"
        with pytest.raises(UsageError, match="--resume"):
            tune(server, data, out)
        assert resume_provider_tune(out, **SOON).status == "succeeded"
        assert (len(server.files), len(server.jobs)) == (2, 1)
        assert server.count("POST jobs") == 1


FAULTS = st.sampled_from(
    [
        limited(0),
        gone(),
        lost(),
        page(),
        Fault(500),
        Fault(500, heard=True),
        Fault(401, "no"),
        Fault(409, "wait"),
    ]
)
PLACES = st.sampled_from(["POST files", "GET files", "POST jobs", "GET jobs", "GET job"])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(PLACES, st.lists(FAULTS, max_size=8)))
def test_whatever_goes_wrong_one_job_is_paid_for(data, tmp_path_factory, faults):
    out = tmp_path_factory.mktemp("any") / "job"
    with TuningServer() as server:
        server.faults = {place: list(several) for place, several in faults.items()}
        job = None
        for attempt in range(60):
            try:
                job = (
                    tune(server, data, out, transport_retries=1, patience=0.01)
                    if attempt == 0
                    else resume_provider_tune(out, transport_retries=1, patience=0.01, **SOON)
                )
                break
            except (ProviderError, ModelError):
                continue
        assert job is not None
        assert job.status == "succeeded"
        assert [made["id"] for made in server.jobs.values()] == [job.job_id]


def test_a_file_changed_since_is_not_sent(data, out):
    with TuningServer() as server:
        server.faults = {"POST files": [Fault(401, "no")]}
        with pytest.raises(ModelError):
            tune(server, data, out)
        (out / "train.jsonl").write_text("{}\n")
        with pytest.raises(UsageError, match="not the file that was checked"):
            resume_provider_tune(out, **SOON)


def test_a_job_is_cancelled_on_request(data, out):
    with TuningServer(("queued", "running")) as server:
        server.faults = {"GET job": [gone()] * 500}
        with pytest.raises(ProviderError, match="goes on there"):
            tune(server, data, out, patience=0.05)
        assert cancel_provider_tune(out).status == "cancelled"
        assert server.jobs["ftjob-1"]["status"] == "cancelled"
        assert ProviderJob.read(out).status == "cancelled"
        with pytest.raises(ProviderError, match="nothing to cancel"):
            cancel_provider_tune(out)


def test_cancelling_beside_the_process_that_follows(data, out):
    with TuningServer(("queued", "running")) as server:

        def cancel(standing):
            if standing.status == "running" and not server.count("POST cancel"):
                assert cancel_provider_tune(out).status == "cancelled"

        with pytest.raises(ProviderError, match="was cancelled"):
            tune(server, data, out, progress=cancel)
        assert ProviderJob.read(out).status == "cancelled"


def test_a_job_not_known_to_be_created_is_cancelled_too(data, out):
    with TuningServer() as server:
        server.faults = {"POST jobs": [lost()], "GET jobs": [Fault(401, "no")]}
        with pytest.raises(ProviderError):
            tune(server, data, out)
        cancel_provider_tune(out)
        assert server.jobs["ftjob-1"]["status"] == "cancelled"


def test_the_same_job_has_the_same_place(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with TuningServer() as server:
        job = tune(server, data, None)
        assert job.folder.parts[0] == "tuned"
        with pytest.raises(UsageError, match="a job that is done"):
            tune(server, data, None)
        assert tune(server, data, None, epochs=4).folder != job.folder


def test_other_peoples_folders_are_left_alone(data, out):
    out.mkdir()
    (out / "thesis.txt").write_text("x")
    with TuningServer() as server:
        with pytest.raises(UsageError, match="holds something other than a tuning job"):
            tune(server, data, out)
        assert server.asked == []
    with pytest.raises(UsageError, match="not the record of a tuning job"):
        resume_provider_tune(out)
    assert [file.name for file in out.iterdir()] == ["thesis.txt"]


def test_a_result_that_cannot_be_asked_after_is_named_by_hand(data, out):
    with TuningServer() as server:
        server.faults = {"POST files": [Fault(401, "no")]}
        with pytest.raises(ModelError):
            tune(server, data, out)
        with pytest.raises(UsageError, match="no result to be named"):
            resume_provider_tune(out, tuned_model="endpoint-1")
        server.faults = {"GET job": [Fault(401, "no")]}
        with pytest.raises(ProviderError):
            resume_provider_tune(out, **SOON)
    assert resume_provider_tune(out, tuned_model="endpoint-1").policy == "openai/endpoint-1"
    assert resume_provider_tune(out).policy == "openai/endpoint-1"


def test_ctrl_c_says_how_to_go_on(data, out):
    def interrupt(standing):
        if standing.status == "running":
            raise KeyboardInterrupt

    with TuningServer() as server, pytest.raises(KeyboardInterrupt, match="--resume"):
        tune(server, data, out, progress=interrupt)
    lock = RunLock(out / "job.json")
    assert lock.acquire()
    lock.release()


def test_a_stranger_s_record_gets_no_key(data, out, monkeypatch):
    with TuningServer() as server:
        server.faults = {"GET job": [gone()] * 500}
        with pytest.raises(ProviderError):
            tune(server, data, out, patience=0.2)
        server.faults = {}
        asked, record = len(server.asked), (out / "job.json").read_bytes()
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
        for go_on in (resume_provider_tune, cancel_provider_tune):
            with pytest.raises(
                UsageError, match=r"would send the key in OPENAI_API_KEY to 127.*--api-base http"
            ):
                go_on(out)
        assert (len(server.asked), (out / "job.json").read_bytes()) == (asked, record)
        assert resume_provider_tune(out, api_base=server.url, **SOON).status == "succeeded"
