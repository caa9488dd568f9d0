"""A key that is planted wherever a key may stand is found in nothing that ludens writes or prints."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from ludens.agents import LLMPolicy
from ludens.cli.entry import main
from ludens.experiments import bench
from tests.loopback import Answer, Loopback, failing, say

ENVIRONMENT = "sk-planted-0123456789-in-the-environment"
OPTION = "planted/option+key=42"
PASSWORD = "hunter-2"
HEADER = "planted-header-value-7"
BODY = "plantedbody99"
PLANTED = {
    ENVIRONMENT,
    OPTION,
    PASSWORD,
    HEADER,
    BODY,
    quote(OPTION, safe=""),
    base64.b64encode(f"user:{PASSWORD}".encode()).decode(),
}
ECHO = (
    f"Incorrect API key provided: {ENVIRONMENT}. You sent {OPTION} ({quote(OPTION, safe='')}), "
    f"user:{PASSWORD}, {HEADER}, {BODY}, Basic {base64.b64encode(f'user:{PASSWORD}'.encode()).decode()}"
)
BENCH = "protocols = ['SPD5']\nframings = ['neutral']\nelicit = 'sample'\nconcurrency = 1\n"
PRICE = "periods = 2\nruns = 1\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of the test's own, and no key of the machine but the planted one."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_TOKEN", "_KEY")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", ENVIRONMENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def address(server):
    return server.url.replace("http://", f"http://user:{PASSWORD}@") + f"?key={OPTION}#{OPTION}"


def study(kind, url):
    """Write a study file in which every setting that may hold a key holds one."""
    settings = json.dumps(
        {
            "api_key": OPTION,
            "extra_headers": {"X-Team": HEADER},
            "extra_body": {"deeper": {"password": BODY}, "plain": ENVIRONMENT},
        }
    ).replace(": ", " = ")
    waits = "retry_wait = 0.01, transport_retries = 0"
    model = f"{{spec = 'openai/loopback', api_base = '{url}', {waits}, {settings[1:-1]}}}"
    keys = {"bench": f"models = [{model}]\n{BENCH}", "pricing": f"firms = [{model}, 'nash']\n{PRICE}"}
    Path("study.toml").write_text(f"[{kind}]\n{keys[kind]}")


def written(folder, *outputs):
    """Return all that was written and printed, but the user's own study file."""
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "study.toml"]
    return [*texts, *(output.encode() for output in outputs)]


def leaks(texts):
    return [(planted, text[:80]) for planted in PLANTED for text in texts if planted.encode() in text]


REACTIONS = {
    "a reply": say(f"Choice: A {ECHO}"),
    "401": failing(401, ECHO),
    "400": failing(400, ECHO),
    "403": failing(403, ECHO),
    "404": failing(404, ECHO),
    "500": failing(500, ECHO),
    "no JSON": Answer(body=ECHO.encode()),
}


@pytest.mark.parametrize("kind", ["bench", "pricing"])
@pytest.mark.parametrize("reaction", REACTIONS)
def test_a_planted_key_is_found_nowhere(kind, reaction, folder, capsys):
    first = say("A") if kind == "bench" else say("Price: 1.5")
    with Loopback([first], otherwise=REACTIONS[reaction]) as server:
        study(kind, server.url.replace("http://", f"http://user:{PASSWORD}@"))
        main(["run", "study.toml", "--out", "run.db", "--debug"])
        main(["resume", "run.db", "--api-base", server.url, "--debug"])
        if reaction in {"a reply", "400"}:
            main(["report", "run.db"])
            main(["export", "run.db"])
            main(["show", "run.db", "--episode", "0"])
            main(["show", "run.db", "--json"])
            main(["run", "study.toml", "--print-config"])
        assert server.count > 1
        assert server.requests[0]["deeper"] == {"password": BODY}  # it is used
    captured = capsys.readouterr()
    assert leaks(written(folder, captured.out, captured.err)) == []


def test_nor_in_what_python_shows(folder):
    with Loopback(otherwise=failing(401, ECHO)) as server:
        settings = {"extra_headers": {"X-Team": HEADER}, "extra_body": {"password": BODY}}
        policy = LLMPolicy("openai/loopback", api_base=address(server), **settings)
        with pytest.raises(Exception) as caught:
            bench([policy], path="run.db", protocols=["SPD5"], framings=["neutral"], elicit="sample")
    shown = str(caught.getrepr(style="long", chain=True, showlocals=False))
    assert leaks([shown.encode(), repr(policy).encode(), json.dumps(policy.describe()).encode()]) == []


def test_the_password_in_an_address_is_sent_and_asked_for_again(folder, capsys):
    right = f"Basic {base64.b64encode(f'user:{PASSWORD}'.encode()).decode()}"
    seen = []

    with Loopback() as server:

        def guarded(request):
            seen.append(server.headers[-1].get("authorization"))
            return say("A") if seen[-1] == right else failing(401, "a password, please")

        server.otherwise = guarded
        with_password = server.url.replace("http://", f"http://user:{PASSWORD}@")
        study("bench", with_password)
        assert main(["run", "study.toml", "--out", "run.db", "--json"]) == 0
        assert set(seen) == {right}
        assert main(["extend", "run.db", "replicates=2", "--api-base", server.url]) == 1
        assert "give the address with its password again by --api-base" in capsys.readouterr().err
        assert main(["resume", "run.db", "--api-base", with_password, "--json"]) == 0
        assert seen[-1] == right
        out = capsys.readouterr()
    assert leaks(written(folder, out.out, out.err)) == []
