"""The page of a pricing run: safe, self-contained, every run and every text in it; tables and terminal."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ludens.agents.policy import Call, Decision, Wording
from ludens.envs.pricing import Market
from ludens.experiments.measures.costs import costs
from ludens.experiments.pricing import analyse, panel_of
from ludens.experiments.pricing.analysis import estimates
from ludens.experiments.pricing.figures import drawn_runs, gain_distribution, phase_plot, price_paths
from ludens.experiments.pricing.measures import measure
from ludens.experiments.pricing.page import page
from ludens.experiments.pricing.panels import Note
from ludens.experiments.pricing.result import PricingResult, panel_rows, to_json
from ludens.experiments.pricing.terminal import print_result
from ludens.experiments.report import transcripts, writing
from ludens.experiments.report.transcripts import Transcripts, page_data
from ludens.experiments.runs.database import StoreError
from ludens.experiments.runs.records import DecisionRecord
from ludens.experiments.study.export import write_rows
from tests.experiments.pages import NASTY, Reader, decoded, unpacked

PLANS = f"Avoid a price war. Undercut the rival. {NASTY}"


def prices(runs=3, periods=30, firms=2, seed=0):
    rng = np.random.default_rng(seed)
    moved = rng.normal(0, 0.03, (runs, periods, firms)).cumsum(axis=1)
    return 1.7 + 0.3 * np.tanh(moved)


def decision(run, period, firm, price, reply="price 1.7"):
    history = "\n".join(f"period {each}: 1.7 1.7" for each in range(period))
    messages = ({"role": "user", "content": f"Set a price.\n{history}\nNotes:\n{PLANS}"},)
    call = Call(
        "openai/x", messages, reply, "ok", prompt_tokens=100, completion_tokens=9, cost=0.25, seconds=1.0
    )
    choice = Decision(price, notes={"plans": PLANS}, wording=Wording("P1", "firm", "abc", ()), calls=(call,))
    return DecisionRecord(
        run, {}, 2 * period + firm, "choice", f"firm_{firm}", "openai/<b>x</b>", "ludens/bertrand-v0", None,
        "firm", "price", period, (), choice,
    )  # fmt: skip


def result_of(folder, *, runs=3, aborted=True, periods=30, called=True):
    found = prices(runs, periods)
    status = ["done"] * runs
    if aborted:
        found[1, 17:] = np.nan
        status[1] = "aborted"
    names = ("openai/<b>x</b>", "nash")
    panel = panel_of(found, Market.symmetric(), firms=names, status=status)
    notes = tuple(Note(run, period, 0, {"plans": PLANS}) for run in range(runs) for period in range(3))
    detail = tuple(f"no usable price: {NASTY}" if each == "aborted" else "" for each in status)
    panel = replace(panel, notes=notes, detail=detail)
    decisions = [
        decision(run, period, firm, 1.7, NASTY)
        for run in range(runs)
        for period in range(3)
        for firm in range(2)
    ]
    config = {
        "market": Market.symmetric().parameters, "scales": [1.0], "runs": runs, "periods": periods,
        "prefix": "P1", "interventions": [],
    }  # fmt: skip
    manifest = {
        "kind": "pricing", "config": config, "seed": 0, "started": "2026-01-02T03:04:05+00:00", "git": None,
        "versions": {"python": "3.11", "ludens": "0.1.0"}, "status": "done", "detail": "", "seconds": 12.0,
    }  # fmt: skip
    spent = tuple(
        costs([each for each in decisions if each.episode == run and called]) for run in range(runs)
    )
    return PricingResult(
        run_path=Path(folder) / "run.db",
        report_path=None,
        panel=panel,
        analysis=analyse(panel),
        costs=spent,
        decisions=tuple(decisions),
        manifest=manifest,
        planned=runs,
        ended=runs,
    )


def write_report(result, path=None):
    return writing.write_report(result, page(result), result.run_path, path)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return write_report(result_of(tmp_path_factory.mktemp("report")))


@pytest.fixture(scope="module")
def text(result):
    return result.report_path.read_text(encoding="utf-8")


def test_what_a_model_wrote_never_becomes_markup(text):
    reader = Reader(text)
    assert reader.open == []
    assert reader.tags.count("script") == 2
    assert not {"img", "b", "iframe", "object"} & set(reader.tags)
    assert not [entry for entry in reader.attributes if entry[1].startswith("on")]
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "innerHTML" not in text
    assert "&lt;b&gt;x" in text


def test_the_page_asks_for_nothing_from_elsewhere(text):
    addresses = [value for _, name, value in Reader(text).attributes if name in {"src", "href", "xlink:href"}]
    assert addresses
    assert all(address.startswith("#") for address in addresses)
    assert not re.search(r"url\((?!#)", text)
    assert "default-src 'none'" in text


def test_every_decision_can_be_read_with_its_prompt_reply_and_notes(text, result):
    data, whole = decoded(Reader(text).scripts[0])
    assert len(data["decisions"]) == len(result.decisions) == 18
    for entry, record in zip(data["decisions"], result.decisions, strict=True):
        (call,), (kept,) = entry["calls"], record.decision.calls
        labels, place = entry["labels"], (record.episode, record.round + 1, record.agent[-1])
        assert (labels["run"], labels["period"], labels["firm"]) == (
            str(place[0]), str(place[1]), f"firm {place[2]}",
        )  # fmt: skip
        assert (entry["chosen"], entry["outcome"]) == ("1.7", "price 1.7")
        assert whole(call["reply"]) == kept.reply == NASTY
        assert whole(call["messages"][0][1]) == kept.messages[0]["content"]
        assert {name: whole(ranges) for name, ranges in entry["notes"]} == record.decision.notes


def test_prompts_that_repeat_each_other_stand_once():
    records = [decision(0, period, 0, 1.7) for period in range(300)]
    short = page_data(transcripts=Transcripts(records))
    assert len(short) < 0.2 * sum(len(each.decision.calls[0].messages[0]["content"]) for each in records)
    data, whole = decoded(short)
    assert (
        whole(data["decisions"][-1]["calls"][0]["messages"][0][1])
        == (records[-1].decision.calls[0].messages[0]["content"])
    )


def test_a_long_run_is_kept_in_pieces_that_are_unpacked_one_by_one(monkeypatch):
    monkeypatch.setattr(transcripts, "PIECE", 20_000)
    records = [
        decision(0, period, firm, 1.7, f"reply {period} {firm}") for period in range(200) for firm in range(2)
    ]
    text = page_data(transcripts=Transcripts(records))
    assert text == page_data(transcripts=Transcripts(records))
    raw = json.loads(text)
    assert len(raw["pieces"]) > 3
    assert all(len(json.dumps(unpacked(each))) < 50_000 for each in raw["pieces"])
    data, whole = decoded(text)
    for entry, record in zip(data["decisions"], records, strict=True):
        (call,) = record.decision.calls
        assert whole(entry["calls"][0]["reply"]) == call.reply
        assert whole(entry["calls"][0]["messages"][0][1]) == call.messages[0]["content"]
        assert {name: whole(ranges) for name, ranges in entry["notes"]} == record.decision.notes


def test_an_aborted_run_is_shown_as_such_and_enters_no_mean(text, result):
    said = " ".join(Reader(text).said)
    assert "1 of 3 runs were aborted" in said
    assert "aborted in period 18" in said
    whole = result.analysis.groups[0]
    assert (whole.runs, whole.aborted, whole.price.n) == (3, 1, 2)
    means = [found.price for found in measure(result.panel)]
    assert means[1] is None
    assert whole.price.value == pytest.approx((means[0] + means[2]) / 2)


def test_the_null_stands_beside_the_estimate(text, result):
    said = " ".join(Reader(text).said)
    assert "these runs" in said
    assert "myopic best replies" in said
    assert result.analysis.null.slope == pytest.approx(0.42, abs=1e-3)
    assert f"{result.analysis.null.rival.value:.3f}" in said


def test_the_keyword_rules_are_printed_with_what_they_caught(text, result):
    said = " ".join(Reader(text).said)
    for counted in result.analysis.sentences:
        for pattern in (*counted.rule.patterns, *counted.rule.needs, *counted.rule.without):
            assert pattern in said
    assert "Undercut the rival." in said
    found = {counted.rule.name: counted.found for counted in result.analysis.sentences}
    assert found == {"price_war": 6, "price_war_avoidance": 6, "undercutting": 6, "cooperation": 0}


def test_every_run_that_was_begun_is_drawn(result):
    figure = price_paths(result.panel, result.analysis.measures)
    assert len([axes for axes in figure.axes if axes.get_visible()]) == 3
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 30]
    assert [line.get_ydata().tolist() for line in lines] == [
        result.panel.prices[0, :, firm].tolist() for firm in range(2)
    ]
    empty = np.full((2, 10, 2), np.nan)
    assert drawn_runs(panel_of(empty, Market.symmetric())) == []


def test_the_phase_plot_shows_each_price_against_the_rival_s_last(result):
    figure = phase_plot(result.panel)
    for firm, axes in enumerate(figure.axes):
        (dots,) = [line for line in axes.lines if line.get_marker() == "o"]
        played = result.panel.prices[[0, 2]]
        assert dots.get_ydata() == pytest.approx(played[:, 10:, firm].ravel())
        assert dots.get_xdata() == pytest.approx(played[:, 9:-1, 1 - firm].ravel())


def test_pictures_that_would_show_nothing_are_left_out():
    nothing = panel_of(np.full((1, 10, 2), np.nan), Market.symmetric())
    assert phase_plot(nothing) is None
    assert gain_distribution(measure(nothing)) is None
    alone = panel_of(np.full((1, 10, 1), 1.8), Market.symmetric(firms=1))
    assert phase_plot(alone) is None


@pytest.mark.parametrize("firms", [1, 2, 3, 5])
def test_any_number_of_firms_can_be_reported(tmp_path, firms):
    panel = panel_of(prices(2, 12, firms), Market.symmetric(firms=firms))
    found = result_of(tmp_path)
    whole = replace(found, panel=panel, analysis=analyse(panel), costs=found.costs[:2], decisions=())
    html = write_report(whole).report_path.read_text(encoding="utf-8")
    assert Reader(html).open == []
    assert 'id="transcripts"' not in html


def test_many_runs_are_told_and_not_all_drawn(tmp_path):
    found = result_of(tmp_path)
    panel = panel_of(prices(70, 6), Market.symmetric())
    whole = replace(found, panel=panel, analysis=analyse(panel), costs=found.costs[:1] * 70, decisions=())
    said = " ".join(Reader(write_report(whole).report_path.read_text(encoding="utf-8")).said)
    assert "The first 42 of 70 runs" in said


def test_a_report_that_cannot_be_written_leaves_the_old_one(result, tmp_path):
    target = tmp_path / "report.html"
    target.mkdir()
    with pytest.raises(StoreError, match="The report cannot be written to"):
        write_report(result, target)
    assert list(tmp_path.iterdir()) == [target]


def printed(result, width=80):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_result(result, console)
    return console.file.getvalue()


def test_the_terminal_shows_runs_means_and_the_null_in_80_columns(result):
    out = printed(result)
    assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith(("Report", "Run ")))
    assert "aborted" in out
    assert "myopic best replies would give" in out
    assert "openai/<b>x</b>" in out
    assert "\x1b" not in out


def test_json_holds_every_run_and_estimate_and_no_nan(result):
    data = json.loads(json.dumps(to_json(result), allow_nan=False))
    assert [run["status"] for run in data["runs"]] == ["done", "aborted", "done"]
    assert data["runs"][0]["costs"]["calls"] == 6
    assert data["null"]["slope"] == pytest.approx(0.42, abs=1e-3)
    names = {(row["measure"], row["of"]) for row in data["estimates"]}
    assert {("price", "all runs"), ("gain", "all runs"), ("rival_lag", "myopic best replies")} <= names


def test_tables_are_written_as_csv_whole(result, tmp_path):
    with write_rows(panel_rows(result.panel), tmp_path / "panel.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == (30 + 17 + 30) * 2
    assert (rows[0]["period"], rows[0]["firm"]) == ("1", "0")
    assert float(rows[2]["price"]) == result.panel.prices[0, 1, 0]
    assert {row["status"] for row in rows if row["run"] == "1"} == {"aborted"}
    with write_rows(estimates(result.analysis), tmp_path / "estimates.csv").open(encoding="utf-8") as file:
        (price,) = [
            row for row in csv.DictReader(file) if (row["measure"], row["of"]) == ("price", "all runs")
        ]
    assert float(price["value"]) == result.analysis.groups[0].price.value
    with pytest.raises(StoreError, match="cannot be written"):
        write_rows(panel_rows(result.panel), tmp_path / "nowhere" / "panel.csv")
