"""What `ludens models` lists."""

from __future__ import annotations

import io
import json
import subprocess
import sys

from rich.console import Console

from ludens.agents.llm.models import PROVIDERS, list_models, render


def entry(name):
    return next(model for model in list_models() if model["name"] == name)


def test_keys_are_told_by_name_never_by_value(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "s3cret")
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    assert entry("mistral/mistral-small-latest")["ready"] is True
    assert entry("groq/openai/gpt-oss-20b")["needs"] == "set GROQ_API_KEY"
    console = Console(width=80, record=True, file=io.StringIO())
    render(list_models(), console)
    assert "s3cret" not in json.dumps(list_models()) + console.export_text()


def test_models_on_this_machine_say_what_they_need():
    here = [model for model in list_models() if model["where"] == "this machine"]
    assert here[0]["name"] == "local/smollm2-135m"
    assert all(model["ready"] is not bool(model["needs"]) for model in here)


def test_every_name_is_whole_in_a_narrow_terminal(capsys):
    render(list_models(), Console(width=80))
    shown = capsys.readouterr().out
    assert all(model["name"] in shown for model in list_models())
    assert max(map(len, shown.splitlines())) <= 80


def test_the_variables_are_those_that_litellm_reads(monkeypatch):
    import litellm

    for example, keys in PROVIDERS.values():
        for key in keys:
            monkeypatch.delenv(key, raising=False)
        assert set(keys) <= set(litellm.validate_environment(example)["missing_keys"])


def test_listing_does_not_load_litellm():
    code = (
        "import sys; from ludens.agents.llm.models import list_models; list_models(); "
        "print('litellm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
