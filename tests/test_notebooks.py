"""Notebooks: those of the examples run from top to bottom, and progress in one leaves one line behind."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient


def run(*cells, path):
    """The outputs of cells in a fresh kernel, in which bars do not wait until they are worth showing."""
    eager = "from ludens.experiments.runs import progress\nprogress.DELAY = progress.PAUSE = 0.0"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in (eager, *cells)])
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path)}}).execute()
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
