"""Half of a surrogate pair, which no server takes, is one sentence before anything is asked or written."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from ludens import cli
from ludens.agents import LLMPolicy, make_policy
from ludens.agents.llm import JudgeGame, JudgePolicy
from ludens.errors import UsageError
from ludens.experiments import as_toml, parse_study
from ludens.experiments.play.study import PlayConfig, PlayStudy
from tests.loopback import Loopback

ODD = "be kind\udcff"


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("persona", {"persona": ODD}),
        ("api_base", {"api_base": f"http://127.0.0.1:9/{ODD}"}),
        ("framing", {"framing": "\ud800"}),
        ("user", {"user": "\ud800"}),
        ("extra_headers.X-Name", {"extra_headers": {"X-Name": ODD}}),
        ("extra_headers.\udcff", {"extra_headers": {"\udcff": "x"}}),
        ("stop[1]", {"stop": ["\n", ODD]}),
        ("extra_body.a[0].b", {"extra_body": {"a": [{"b": ODD}]}}),
    ],
)
def test_a_setting_with_half_a_character_is_refused_by_its_name(key, settings):
    with pytest.raises(UsageError) as error:
        LLMPolicy("openai/m", **settings)
    said = str(error.value).encode("ascii", "backslashreplace").decode()
    assert said.startswith(f"LLMPolicy: {key}".encode("ascii", "backslashreplace").decode())
    assert "holds half a character ('\\ud" in said


def test_a_model_or_prefix_with_half_a_character_is_refused():
    with pytest.raises(UsageError, match="model holds half a character"):
        LLMPolicy(f"openai/{ODD}")
    with pytest.raises(UsageError, match="model holds half a character"):
        JudgePolicy(f"openai/{ODD}")
    with pytest.raises(UsageError, match="prefix holds half a character"):
        make_policy({"spec": "openai/m", "prefix": f"Maximise. {ODD}"}, "bertrand-v0")


def test_a_question_with_half_a_character_is_not_sent():
    game = JudgeGame("{sentence}\n{options}", {"food": "it is about food", "other": "it is not"})
    with (
        Loopback() as server,
        pytest.raises(
            UsageError, match=r"^The user message of judge holds half a character .* which no model"
        ),
    ):
        JudgePolicy("openai/m", api_base=server.url).decide(game.turn(ODD), np.random.default_rng(0))
    assert server.count == 0


def test_a_study_file_that_could_not_be_read_again_is_not_written():
    study = PlayStudy(PlayConfig(environment="trust-v0", policies={"spec": "openai/m", "persona": ODD}))
    with pytest.raises(UsageError, match=r"^play\.policies\.persona holds half a character"):
        as_toml(study)
    keyed = {"spec": "openai/m", "api_key": "k-1\udcff", "extra_headers": {"X-Api-Key": "k-2\udcff"}}
    with pytest.raises(UsageError, match=r"^play\.policies: LLMPolicy: api_key holds half a character"):
        PlayStudy(PlayConfig(environment="trust-v0", policies=keyed)).player()
    with pytest.raises(UsageError, match="TOML"):
        parse_study('[play]\nenvironment = "trust-v0"\npolicies = ["\\uD800"]\n')


@pytest.mark.parametrize("command", ["play", "bench", "ask", "adopt", "price"])
def test_on_the_command_line_it_is_one_sentence_and_leaves_no_file(tmp_path, capfd, command):
    path = tmp_path / "run.db"
    arguments = {
        "play": ("play", "trust-v0", "-p", "openai/m", "--persona", ODD),
        "bench": ("bench", "openai/m", "--persona", ODD),
        "ask": ("av", "ask", "openai/m", "--persona", ODD),
        "adopt": ("av", "adopt", "openai/m", "--persona", ODD),
        "price": ("price", "--firms", "openai/m", "--prefix", f"Maximise. {ODD}"),
    }[command]
    with Loopback() as server:
        code = cli.main([*arguments, "--api-base", server.url, "--out", str(path)])
    assert (code, server.count) == (2, 0)
    assert list(tmp_path.iterdir()) == []
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert "holds half a character ('\\udcff' at place" in said[0]


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_names_of_files_that_are_not_utf_8_work_and_are_shown_as_escapes(tmp_path, encoding):
    name = os.fsdecode(b"run-\xff.db")
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    program = [sys.executable, "-c", "import sys; from ludens.cli import main; sys.exit(main())"]
    for arguments in (
        ("play", "ultimatum-v0", "-p", "random", "--out", name),
        ("show", name),
        ("report", name),
        ("export", name),
        ("export", name, "--json"),
    ):
        done = subprocess.run(
            [*program, *arguments], cwd=tmp_path, env=environment, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b""), done
    assert b"run-\\udcff" in done.stdout
    assert (tmp_path / os.fsdecode(b"run-\xff.html")).is_file()
