"""Notebooks: those of the examples run from top to bottom, and progress leaves one line behind."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = sorted((Path(__file__).parent.parent / "examples" / "notebooks").glob("*.ipynb"))
TRAINING = ("torch", "transformers", "trl", "peft", "datasets", "gguf")


def execute(notebook, folder):
    """Run a notebook in a fresh kernel without the user's settings; its cells hold their outputs then."""
    client = NotebookClient(notebook, timeout=1700, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, "IPYTHONDIR": str(folder / ".ipython")})


def run(*cells, path):
    """The outputs of cells in a fresh kernel, in which bars do not wait until they are worth showing."""
    eager = "from ludens.experiments.runs import progress\nprogress.DELAY = progress.PAUSE = 0.0"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in (eager, *cells)])
    execute(notebook, path)
    return [cell["outputs"] for cell in notebook.cells[1:]]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return run(
        "from ludens.experiments import aplay, bench, play\n"
        "result = bench(['homo_moralis:0.5'], protocols=['TG1'], path='bench.db')",
        "result",
        "run = await aplay('trust-v0', 'random', episodes=3, path='awaited.db')",
        "play('trust-v0', 'random', path='quiet.db', progress=lambda _: None);",
        "import sys\n!{sys.executable} -m ludens bench random --protocols TG1 --out command.db",
        path=tmp_path_factory.mktemp("notebook"),
    )


def test_a_bar_is_one_output_that_ends_in_the_last_state(outputs):
    for (bar,), total in ((outputs[0], 8), (outputs[2], 3)):
        assert bar["output_type"] == "display_data"
        assert f"{total} of {total}" in bar["data"]["text/plain"]
        assert f'<progress max="{total}" value="{total}"' in bar["data"]["text/html"]


def test_a_result_at_the_end_of_a_cell_shows_itself(outputs):
    (shown,) = outputs[1]
    assert "<svg" in shown["data"]["text/html"]
    assert shown["data"]["text/plain"] == "BenchResult('bench.db': 8 of 8 episodes)"


def test_who_reports_progress_gets_no_bar(outputs):
    assert outputs[3] == []


def test_a_command_leaves_no_progress_in_a_notebook(outputs):
    text = "".join(each["text"] for each in outputs[4])
    assert "random" in text
    assert "\x1b[2K" not in text
    assert "\x1b[1A" not in text
    assert "\r" not in text.replace("\r\n", "\n")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    if path.stem == "5_align" and (missing := [name for name in TRAINING if not find_spec(name)]):
        pytest.skip(f"needs the extra `train`: {', '.join(missing)}")
    execute(notebook, tmp_path)
    shown = [each for cell in notebook.cells for each in cell.get("outputs", [])]
    assert [each for each in shown if "text/html" in each.get("data", {})]
    assert not [each["text"] for each in shown if each.get("name") == "stderr"]


def test_there_is_a_notebook_for_each_use_and_one_on_data():
    assert [path.stem[0] for path in EXAMPLES] == list("123456")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_it_printed(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert cell["metadata"] == {}
