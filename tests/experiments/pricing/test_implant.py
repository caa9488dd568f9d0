"""Sentences put into plans: what is asked again, and what is made of the answers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ludens.errors import LudensError, UsageError
from ludens.experiments import Run, extend, load, report, resume
from ludens.experiments.pricing.effects import CONTROL, effects
from ludens.experiments.pricing.history import histories
from ludens.experiments.pricing.implant import SENTENCES, implant
from ludens.experiments.pricing.study import play_pricing
from ludens.experiments.runs.database import NoRunError
from tests.loopback import Loopback, failing, say

WORDS = {"avoid a price war": ("Hold.", "Do not fight."), "undercut": ("Cut.",)}


def slots(price):
    return f"OBSERVATIONS: seen\nPLANS: my own plan\nINSIGHTS: my own insight\nPRICE: {price}"


def by_plan(request):
    """Firms that hold charge .05 more, firms that cut .04 less, per unit of the price scale."""
    text = request["messages"][1]["content"]
    plan = re.search(r"YOUR PLANS, as you left them\n(.*)", text)[1]
    scale = float(re.search(r"costs your firm ([\d.]+) to make", text)[1])
    return say(
        slots(f"{scale * (1.7 + {'Hold.': 0.06, 'Do not fight.': 0.04, 'Cut.': -0.04}.get(plan, 0)):.4f}")
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "run.db"
    with Loopback([], by_plan) as server:
        model = {
            "spec": "openai/loopback",
            "api_base": server.url,
            "retry_wait": 0.01,
            "transport_retries": 0,
        }
        play_pricing([model, "myopic"], periods=15, scales=(1, 10), path=path, seed=2)
        yield path, server


def user(request):
    return request["messages"][1]["content"]


def test_the_change_is_measured_against_the_control_at_the_same_place(source, tmp_path):
    path, server = source
    server.requests.clear()
    run = implant(path, places=3, sentences=WORDS, path=tmp_path / "implant.db")
    assert server.count == len(run.episodes()) == 2 * 3 * 4
    found = {(effect.group, effect.sentence): effect for effect in effects(run)}
    assert list(found) == [
        ("avoid a price war", None), ("avoid a price war", "Hold."), ("avoid a price war", "Do not fight."),
        ("undercut", None), ("undercut", "Cut."),
    ]  # fmt: skip
    values = [effect.change.value for effect in found.values()]
    assert values == pytest.approx([0.05, 0.06, 0.04, -0.04, -0.04], abs=1e-9)
    change = found["avoid a price war", None].change
    assert (change.n, change.clusters) == (12, 2)
    assert (change.low, change.high) == pytest.approx((0.05, 0.05), abs=1e-9)
    assert all(effect.invalid == 0 for effect in found.values())


def test_the_firm_is_taken_back_to_its_period_with_one_sentence_and_no_insights(source, tmp_path):
    path, server = source
    server.requests.clear()
    run = implant(path, places=2, periods=(2, 5), sentences=WORDS, path=tmp_path / "implant.db", seed=3)
    with Run(path) as played:
        prices = [history.prices for history in histories(played)]
    asked = {
        (each.labels["source"], each.labels["period"], each.labels["sentence"]) for each in run.episodes()
    }
    assert {period for _, period, _ in asked} <= {2, 3, 4, 5}
    assert len(asked) == len(server.requests)
    for record, request in zip(run.decisions(), run_requests(run), strict=True):
        labels, text = record.labels, user(request)
        assert f"as you left them\n{labels['sentence'] or '(empty)'}\n\n" in text
        assert "YOUR INSIGHTS, as you left them\n(empty)" in text
        assert f"Reply now for period {labels['period']}." in text
        table = [line.split(" | ")[:3] for line in text.splitlines() if re.match(r"\d+ \|", line)]
        before = prices[labels["source"]][: labels["period"] - 1]
        assert np.array(table, dtype=float)[:, 1:] == pytest.approx(before, rel=1e-5)


def run_requests(run):
    return [{"messages": record.decision.calls[0].messages} for record in run.decisions()]


def test_an_implantation_that_broke_off_goes_on_and_asks_nothing_twice(source, tmp_path):
    path, server = source
    whole = implant(path, places=2, sentences=WORDS, path=tmp_path / "whole.db").final_table()
    server.requests.clear()
    server.script = [by_plan, by_plan, by_plan, failing(500)]
    broken = tmp_path / "broken.db"
    with pytest.raises(LudensError, match="gave no reply"):
        implant(path, places=2, sentences=WORDS, path=broken, concurrency=1)
    run = resume(broken)
    assert run.final_table() == whole
    assert server.count == len(run.episodes()) + 1


def test_a_sentence_without_a_price_is_counted_and_never_made_up(source, tmp_path):
    path, server = source

    def answer(request):
        return say("free") if "\nCut.\n" in user(request) else by_plan(request)

    server.script, server.otherwise, before = [], answer, server.otherwise
    try:
        run = implant(path, sentences=WORDS, path=tmp_path / "implant.db")
    finally:
        server.otherwise = before
    by_group = {effect.group: effect for effect in effects(run) if effect.sentence is None}
    assert by_group["undercut"].change.value is None
    assert by_group["undercut"].invalid == 2
    assert by_group["avoid a price war"].change.value == pytest.approx(0.05, abs=1e-9)
    assert {episode.status for episode in run.episodes()} == {"done", "aborted"}


def test_what_cannot_be_implanted_is_a_sentence(source, tmp_path):
    path, _ = source
    oracles = tmp_path / "oracles.db"
    play_pricing(["nash", "nash"], periods=3, path=oracles)
    with pytest.raises(UsageError, match="no period 2 to 13 in which a language model set a price"):
        implant(oracles, path=tmp_path / "x.db")
    with pytest.raises(UsageError, match="needs periods from 1 on"):
        implant(path, periods=(5, 2), path=tmp_path / "x.db")
    run = implant(path, sentences=WORDS, path=tmp_path / "implant.db")
    with pytest.raises(NoRunError, match="is a run of implant, not of pricing"):
        implant(run.path, path=tmp_path / "x.db")
    with pytest.raises(NoRunError, match="is a run of pricing, not of implant"):
        effects(Run(path))
    assert not (tmp_path / "x.db").exists()


def test_our_sentences_are_as_many_for_war_as_against_it_and_say_no_number():
    assert {group: len(texts) for group, texts in SENTENCES.items()} == {
        "avoid a price war": 4,
        "undercut": 4,
    }
    assert CONTROL not in SENTENCES
    texts = [text for group in SENTENCES.values() for text in group]
    assert len(set(texts)) == 8
    assert not any(re.search(r"\d", text) for text in texts)


def test_an_implantation_is_extended_by_sentences_and_replicates_and_reported(source, tmp_path):
    path, server = source
    run = implant(path, sentences={"undercut": ["Cut."]}, path=tmp_path / "implant.db", seed=1)
    assert len(run.episodes()) == 2 * 2
    server.requests.clear()
    extend(run.path, sentences=WORDS)
    assert {label["sentence"] for label in (each.labels for each in Run(run.path).episodes())} == {
        "", "Cut.", "Hold.", "Do not fight.",
    }  # fmt: skip
    assert server.count == 2 * 2
    extend(run.path, replicates=2)
    assert server.count == 2 * 2 + 2 * 4
    result = report(run.path)
    assert (result.ended, result.planned) == (16, 16)
    by_group = {each.group: each.change.value for each in result.effects if each.sentence is None}
    assert by_group == pytest.approx({"avoid a price war": 0.05, "undercut": -0.04}, abs=1e-9)
    page = result.report_path.read_text(encoding="utf-8")
    assert "plans replaced by" in page
    assert "Do not fight." in page
    study, again = load(run.path)
    assert again == result
    assert [row["sentence"] for row in study.tables(result)["effects"]] == [
        None, "Cut.", None, "Hold.", "Do not fight.",
    ]  # fmt: skip


def test_prices_on_a_grid_are_compared_as_prices(tmp_path):
    with Loopback([], by_plan) as server:
        model = {"spec": "openai/loopback", "api_base": server.url}
        source = tmp_path / "run.db"
        play_pricing([model, "nash"], periods=3, price_grid=[1.5, 1.66, 1.7, 1.76], path=source)
        run = implant(source, sentences=WORDS, path=tmp_path / "implant.db")
    found = {effect.sentence: effect.change.value for effect in effects(run)}
    assert found["Hold."] == pytest.approx(0.06, abs=1e-9)
    assert found["Cut."] == pytest.approx(-0.04, abs=1e-9)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"sentences": {"control": ["x"]}}, r"^implant\.sentences: .*none of which is called 'control'"),
        ({"sentences": {"a": ["x"], "b": ["x"]}}, "stands in one group only"),
        ({"firms": ["nash", "nash", "nash"]}, r"^implant\.firms: The market has 2 firms and 3 were named"),
        ({"firms": ["nash", "nsh"]}, r"^implant\.firms\[1\]: There is no policy 'nsh'"),
    ],
)
def test_wrong_keys_are_named_and_leave_no_file(source, tmp_path, given, why):
    with pytest.raises(UsageError, match=why):
        implant(source[0], path=tmp_path / "x.db", **given)
    assert list(tmp_path.iterdir()) == []
