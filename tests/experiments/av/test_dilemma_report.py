"""The dilemma's page, tables and command, and a run that was killed."""

from __future__ import annotations

import csv
import hashlib
import re
import signal
import threading

import numpy as np
import pytest

from ludens.cli import main
from ludens.envs.av.dilemma.studies import STUDIES
from ludens.experiments import Run, load, report
from ludens.experiments.av import ask
from ludens.experiments.av.figures import approval_curves, law, points, social_dilemma
from ludens.experiments.av.tables import tables
from ludens.preferences.av.approval import approval_probability, fit_approval
from tests.experiments.pages import Reader, decoded
from tests.experiments.test_resume import lives  # noqa: F401  # the fixture
from tests.loopback import Loopback, refusing, say

MODEL = "openai/loopback"


def everything(tmp_path):
    run = ask(["homo_moralis:0.41,act=logit"], studies=list(STUDIES), path=tmp_path / "all.db")
    return load(run.path)[1]


def test_the_page_has_every_section_and_asks_nothing_of_the_network(tmp_path):
    result = report(everything(tmp_path).run_path)
    page = result.report_path.read_text(encoding="utf-8")
    for section in ("pictures", "tables", "transcripts", "reading", "notes"):
        assert f'<section id="{section}"' in page
    assert page.count("<svg") == 4
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)
    assert "recalled and not verified" in page
    data, _ = decoded(Reader(page).scripts[0])
    assert len(data["decisions"]) == result.planned
    assert {entry["chosen"] for entry in data["decisions"]} >= {"stay", "swerve", "50"}


def test_the_approval_curve_gives_back_what_made_it(tmp_path):
    found = everything(tmp_path).measures[0]
    assert found.curve.kappa == pytest.approx(0.41)
    assert found.curve.scale == pytest.approx(4.1)
    assert {n: each.value for n, each in found.approval.items()} == pytest.approx(
        {n: float(approval_probability(n, 0.41, 4.1)) for n in found.approval}
    )


def test_the_social_dilemma_shows_where_self_interest_knows_its_seat(tmp_path):
    design = ["homo_moralis:0.5,universalisation=mixed,family=1"]
    run = ask(design, studies=[3], path=tmp_path / "x.db", references=())
    gaps = load(run.path)[1].measures[0].gaps
    alone, colleague, family = (
        gaps[who, "passenger"].value for who in ("alone", "co-worker", "family member")
    )
    assert family > colleague > 0.3
    assert alone > 0.3


def test_pictures_show_only_what_was_asked(tmp_path):
    run = ask(["utilitarian"], studies=[4], path=tmp_path / "four.db")
    result = load(run.path)[1]
    assert approval_curves(result) is None
    assert social_dilemma(result) is None
    assert law(result) is None
    assert points(result) is not None
    titles = [table.title for table in tables(result)]
    assert "100 points" in titles
    assert "Regulation" not in titles


def test_the_fit_agrees_with_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    n = rng.integers(1, 60, 400).astype(float)
    m = rng.integers(1, 3, 400).astype(float)
    y = (rng.random(400) < approval_probability(n, 0.5, 5.0, m)).astype(float)
    x = np.stack([n / (m + n), m / (m + n)], axis=1)
    groups = np.arange(400) % 40
    fitted = sm.GLM(y, x, family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    found = fit_approval(n, y, passengers=m, clusters=groups.tolist())
    b1, b2 = fitted.params
    assert found.kappa == pytest.approx(-b1 / b2, rel=1e-6)
    assert found.scale == pytest.approx(-b2, rel=1e-6)
    assert found.scale_error == pytest.approx(fitted.bse[1] * np.sqrt(40 / 39), rel=1e-5)
    low, high = found.kappa_interval
    assert low < 0.5 < high


def test_refusals_stand_in_the_tables_and_the_page(tmp_path):
    with Loopback(otherwise=refusing("I will not rate <b>lives</b>.")) as server:
        settings = {"api_base": server.url, "api_key": "none"}
        run = ask([MODEL], studies=[3], framings=["neutral"], path=tmp_path / "no.db", **settings)
    result = report(run.path)
    found = result.measures[0]
    assert found.refused["all"].value == 1
    assert found.invalid["all"].value == 0
    assert found.incomplete == found.asked == 12
    assert found.all_gaps.value is None
    page = result.report_path.read_text(encoding="utf-8")
    assert "<b>lives" not in page
    assert "could be read in both orders at only 0 of 12 questions" in page


def by_prompt(request):
    """A reply that depends on the prompt alone: a letter to acts, else a rating; some cannot be read."""
    text = request["messages"][1]["content"]
    digest = hashlib.sha256(text.encode()).digest()
    if len(request["messages"]) == 2 and digest[1] % 5 == 0:
        return say("hard to say")
    return say("A" if "one letter" in text else str(digest[0] % 101))


def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path, lives):  # noqa: F811  # the fixture
    def told(server, out):
        return ["av", MODEL, "--study", "1,3", "--framings", "neutral", "--api-base", server.url, "--elicit",
                "sample", "--seed", "3", "--concurrency", "2", "--out", str(out)]  # fmt: skip

    with Loopback(otherwise=by_prompt) as server:
        assert lives.live(*told(server, tmp_path / "whole.db")) == 0
        expected = server.count
    killed = threading.Event()

    def answer(request):
        if server.count == 17 and not killed.is_set():
            killed.set()
            lives.kill()
        return by_prompt(request)

    with Loopback(otherwise=answer) as server:
        assert lives.live(*told(server, tmp_path / "broken.db")) == -signal.SIGKILL
        with Run(tmp_path / "broken.db") as run:
            assert run.manifest["status"] == "running"
        assert lives.live("resume", str(tmp_path / "broken.db")) == 0
        # What was under way at the death is asked again: at most one request for each question open.
        assert expected < server.count <= expected + 2
    with Run(tmp_path / "whole.db") as whole, Run(tmp_path / "broken.db") as broken:
        assert broken.manifest["status"] == "done"
        assert broken.final_table() == whole.final_table()
        assert [each.decision.action for each in broken.decisions()] == [
            each.decision.action for each in whole.decisions()
        ]
    assert (tmp_path / "broken.html").exists()


def test_the_command_prints_a_table_json_and_csv_and_writes_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    told = ["av", "homo_moralis:0.3", "--study", "2,3", "--out", "run.db", "--csv", "run.csv"]
    assert main(told) == 0
    shown = capsys.readouterr().out
    assert "homo moralis κ=0.3" in shown
    assert "0.2–0.5" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert (tmp_path / "run.html").exists()
    rows = list(csv.DictReader((tmp_path / "run.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["measure"] for row in rows} >= {"approval", "kappa", "social_dilemma_gap", "invalid"}
    assert main(["show", "run.db"]) == main(["report", "run.db", "--json"]) == main(["resume", "run.db"]) == 0
    assert main(["av", "random", "--vary", "pedestrians=1/x", "--out", "no.db"]) == 2
    assert main(["av", "random", "--study", "9", "--out", "no.db"]) == 2
    assert main(["av", "nobody", "--out", "no.db"]) == 2
    assert not (tmp_path / "no.db").exists()


def test_the_command_prints_the_file_that_asks_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    told = ["av", "random", "--vary", "pedestrians=1/10", "--vary", "question=act/morality", "--seed", "3"]
    assert main([*told, "--print-config"]) == 0
    (tmp_path / "study.toml").write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["run", "study.toml", "--out", "file.db"]) == main([*told, "--out", "command.db"]) == 0
    assert Run("file.db").final_table() == Run("command.db").final_table()
    assert len(Run("file.db").decisions()) == 4 * 6
    assert main(["export", "file.db", "--table", "estimates"]) == 0
    assert (tmp_path / "file-estimates.csv").exists()
