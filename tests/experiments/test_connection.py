"""A run goes on at another address than the one it was begun at, and a stranger's file gets no key."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from ludens.agents import make_policy
from ludens.cli.entry import main
from ludens.errors import LudensError, UsageError
from ludens.experiments import Run, bench, extend, resume, run_study
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.implant import implant
from ludens.experiments.pricing.judging import judge
from ludens.experiments.pricing.study import PricingStudy
from tests.loopback import Loopback, failing, say

MODEL = "openai/loopback"
ONE = ("--protocols", "SPD5", "--framings", "neutral", "--elicit", "sample")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch, tmp_path):
    """No key of the machine takes part, and files lie in a folder of their own."""
    import os

    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_TOKEN", "_KEY")) or name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def broken_off(path="run.db", *, model=MODEL, answers=2):
    """A run whose server answers some questions and then wants a key; return its address."""
    with Loopback([say("A")] * answers, otherwise=failing(401, "no key")) as server:
        spec = {"spec": model, "api_base": server.url, "retry_wait": 0.01}
        with pytest.raises(Exception, match="did not accept the key"):
            bench([spec], path=path, protocols=["SPD5"], framings=["neutral"], elicit="sample", concurrency=1)
        return server.url


def rewritten(path, change):
    """Change the configuration in a run's file, as a stranger may."""
    database = sqlite3.connect(path)
    (text,) = database.execute("SELECT value FROM manifest WHERE key = 'config'").fetchone()
    config = json.loads(text)
    change(config)
    database.execute("UPDATE manifest SET value = ? WHERE key = 'config'", (json.dumps(config),))
    database.commit()
    database.close()


def answers(path):
    return [each.decision.status for each in Run(path).decisions() if each.decision.calls]


def test_a_run_goes_on_at_another_address(capsys):
    begun = broken_off()
    config = Run("run.db").manifest["config"]
    with Loopback(otherwise=say("A")) as server:
        assert main(["resume", "run.db", "--api-base", server.url, "--json"]) == 0
        assert server.count == len(answers("run.db")) - 2 > 0
        manifest = Run("run.db").manifest
        assert manifest["status"] == "done"
        assert manifest["config"] == config
        assert manifest["addresses"] == [{"model": MODEL, "begun_at": begun, "now": server.url}]
        assert extend("run.db", replicates=2).manifest["status"] == "done"
        assert server.count == len(answers("run.db")) - 2
    assert set(answers("run.db")) == {"valid"}
    assert Run("run.db").manifest["config"]["models"] == config["models"]


def test_one_that_is_extended_goes_on_at_another_address_with_all_its_models(capsys):
    begun = broken_off()
    with Loopback(otherwise=say("A")) as server:
        assert main(["extend", "run.db", "models+=openai/new", "--api-base", server.url, "--json"]) == 0
        asked = {request["model"] for request in server.requests}
    assert asked == {"loopback", "new"}
    manifest = Run("run.db").manifest
    assert manifest["addresses"] == [{"model": MODEL, "begun_at": begun, "now": server.url}]
    old, new = manifest["config"]["models"]
    assert (old["api_base"], new) == (begun, {"spec": "openai/new", "api_base": server.url})


def test_addresses_by_model():
    with Loopback([say("A")], otherwise=failing(401)) as one, Loopback([say("A")]) as two:
        models = [
            {"spec": "openai/one", "label": "first", "api_base": one.url},
            {"spec": "openai/two", "api_base": two.url},
        ]
        with pytest.raises(Exception, match="did not accept the key"):
            bench(
                models,
                path="run.db",
                protocols=["SPD5"],
                framings=["neutral"],
                elicit="sample",
                concurrency=1,
            )
        with pytest.raises(UsageError, match=r"several addresses .*--api-base MODEL=http://127"):
            resume("run.db", api_base="http://127.0.0.1:9/v1")
        with pytest.raises(UsageError, match=r"no model 'openai/three'.*it has first, openai/two"):
            resume("run.db", api_base={"openai/three": two.url})
        with Loopback(otherwise=say("A")) as third:
            code = main(["resume", "run.db", "--api-base", f"first={third.url}", "--json"])
            assert code == 0
            assert {request["model"] for request in third.requests} == {"one"}
        assert {request["model"] for request in two.requests} == {"two"}
    assert Run("run.db").manifest["addresses"] == [
        {"model": "first", "begun_at": one.url, "now": third.url},
    ]


def test_an_address_under_litellm_s_own_name_is_replaced_too():
    broken_off()
    rewritten("run.db", lambda config: config["models"][0].update(base_url="http://127.0.0.1:9/v1"))
    with Loopback(otherwise=say("A")) as server:
        assert resume("run.db", api_base=server.url).manifest["status"] == "done"
        assert server.count > 0
    assert Run("run.db").manifest["addresses"] == [
        {"model": MODEL, "begun_at": "http://127.0.0.1:9/v1", "now": server.url}
    ]


@pytest.mark.parametrize(
    "text", ["nothing", "127.0.0.1:8000/v1", "http://", "openai/loopback=x", "http://h:x/v1"]
)
def test_what_is_no_address_is_refused(text, capsys):
    broken_off()
    before = Run("run.db").manifest
    assert main(["resume", "run.db", "--api-base", text]) == 2
    assert "--api-base takes an address" in capsys.readouterr().err
    assert Run("run.db").manifest == before


def test_a_policy_of_python_or_other_waits_are_the_same_model_still():
    broken_off()
    with Loopback(otherwise=say("A")) as server:
        models = [
            {"spec": MODEL, "api_base": server.url, "timeout": 7, "transport_retries": 1, "api_key": "none"}
        ]
        assert resume("run.db", models=models).manifest["status"] == "done"
        assert server.count > 0


def test_a_stranger_s_file_gets_no_key(monkeypatch, capsys):
    begun = broken_off()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-in-the-environment")
    with Loopback(otherwise=say("A")) as server:
        rewritten("run.db", lambda config: config["models"][0].update(api_base=server.url))
        before = (answers("run.db"), Run("run.db").manifest)
        for command in (["resume", "run.db"], ["extend", "run.db", "replicates=2"]):
            assert main(command) == 2
            said = capsys.readouterr().err
            host = server.url.removeprefix("http://").removesuffix("/v1")
            assert f"the key in OPENAI_API_KEY to {host}" in " ".join(said.split())
            assert f"--api-base {server.url}" in " ".join(said.split())
        assert server.count == 0
        assert (answers("run.db"), Run("run.db").manifest) == before
        assert begun != server.url
        assert main(["resume", "run.db", "--api-base", server.url, "--json"]) == 0
        assert server.count > 0


@pytest.mark.parametrize(
    "change",
    [
        lambda model, url: model.update(api_base="https://api.openai.com/v1", base_url=url),
        lambda model, url: model.update(fallbacks=[{"model": "openai/other", "api_base": url}]),
        lambda model, url: model.update(extra_body={"deeper": {"api_base": url}}),
        lambda model, url: model.update(spec="ludens.agents:LLMPolicy", model=MODEL, api_base=url),
    ],
    ids=["base_url", "fallbacks", "extra_body", "a class of ludens"],
)
def test_nor_does_it_where_its_address_stands_elsewhere(change, monkeypatch):
    broken_off()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-in-the-environment")
    with Loopback(otherwise=say("A")) as server:
        rewritten("run.db", lambda config: change(config["models"][0], server.url))
        before = Run("run.db").manifest
        with pytest.raises(UsageError, match=r"would send the key in OPENAI_API_KEY to 127"):
            resume("run.db")
        assert server.count == 0
        assert Run("run.db").manifest == before


def test_a_secret_in_a_stranger_s_file_is_not_used(monkeypatch):
    broken_off()
    with Loopback(otherwise=say("A")) as server:
        secret = {"extra_headers": {"Authorization": "Bearer of-a-stranger"}, "api_key": "of-a-stranger"}
        rewritten("run.db", lambda config: config["models"][0].update(api_base=server.url, **secret))
        assert resume("run.db").manifest["status"] == "done"
        assert {each["authorization"] for each in server.headers} == {"Bearer none"}


def test_a_stranger_s_file_calls_no_function_of_python(tmp_path):
    broken_off()
    done = tmp_path / "done"
    command = {"spec": "os:system", "command": f"touch {done}"}
    rewritten("run.db", lambda config: config["models"].append(command | {"label": "x"}))
    with pytest.raises(UsageError, match="a function of Python's own"):
        make_policy(command)
    with pytest.raises(UsageError):
        resume("run.db")
    assert not done.exists()


def test_an_implantation_asks_the_source_s_firms_at_another_address(monkeypatch):
    reply = say("MY PLANS:\nkeep\n\nMY INSIGHTS:\nnone\n\nMY CHOSEN PRICE:\n1.6")
    with Loopback(otherwise=reply) as first:
        firms = [{"spec": MODEL, "api_base": first.url, "schema": False}, "nash"]
        price = PricingStudy(PricingConfig(firms=firms, periods=3))
        assert run_study(price, "price.db").manifest["status"] == "done"
    settings = {"periods": (2, 3), "sentences": {"one": ("Raise the price.",)}}
    with Loopback(otherwise=reply) as second:
        made = implant("price.db", path="one.db", api_base=second.url, **settings)
        assert made.manifest["status"] == "done"
        assert second.count > 0
        asked = second.count
        with Loopback([reply], otherwise=failing(401, "no key")) as third, pytest.raises(LudensError):
            implant("price.db", path="broken.db", api_base=third.url, concurrency=1, **settings)
        again = resume("broken.db", api_base=second.url)
        assert (again.manifest["status"], second.count) == ("done", 2 * asked - 1)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-in-the-environment")
        with pytest.raises(UsageError, match=r"price\.db would send the key in OPENAI_API_KEY"):
            implant("price.db", path="two.db", **settings)
        assert not Path("two.db").exists()


def test_a_judge_goes_on_at_another_address():
    notes = "MY PLANS:\nAvoid a price war. Undercut.\n\nMY INSIGHTS:\nnone\n\nMY CHOSEN PRICE:\n1.6"
    with Loopback(otherwise=say(notes)) as server:
        firms = [{"spec": MODEL, "api_base": server.url, "schema": False}, "nash"]
        run_study(PricingStudy(PricingConfig(firms=firms, periods=2)), "price.db")
    with Loopback([say("A")], otherwise=failing(401, "no key")) as first, pytest.raises(LudensError):
        judge("price.db", {"spec": MODEL, "api_base": first.url}, concurrency=1)
    with Loopback(otherwise=say("A")) as second:
        judge("price.db", {"spec": MODEL, "api_base": second.url})
        assert second.count > 0
    manifest = Run("price.judge.db").manifest
    assert manifest["status"] == "done"
    assert manifest["config"]["judge"]["api_base"] == first.url
    assert manifest["addresses"] == [{"model": MODEL, "begun_at": first.url, "now": second.url}]


def test_where_no_key_would_be_sent_a_run_goes_on(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-another-provider")
    broken_off()
    with Loopback(otherwise=say("A")) as server:
        rewritten("run.db", lambda config: config["models"][0].update(api_base=server.url))
        assert resume("run.db").manifest["status"] == "done"
        assert server.count > 0
