"""What notebooks show: every object by itself, quickly, in the pieces of the report, and never as markup."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace

import numpy as np
import pytest

from ludens.agents import CallablePolicy, LLMPolicy, OraclePolicy, make_policy
from ludens.agents.policy import Call, Decision
from ludens.display.notebook import Shown, View, to_html
from ludens.display.table import Cell, Table
from ludens.envs import FAMILIES, PROTOCOLS, DecisionNode, GameTree, PayoffNode, uniform_strategy
from ludens.envs.pricing import HomogeneousMarket, Market
from ludens.experiments import Study, StudyConfig, bench, load, play
from ludens.experiments.av import adopt
from ludens.experiments.pricing import play_pricing
from ludens.experiments.report import Page, render
from ludens.experiments.report.result import RunResult
from ludens.experiments.runs import run as runs
from ludens.preferences import homo_moralis
from ludens.preferences.estimation import (
    fit,
    fit_individuals,
    fit_types,
    questions,
    select_types,
    simulate,
)
from tests.experiments.pages import NASTY, Reader

TABLE = Table.of(
    "Choices",
    "In per cent.",
    ["all", ("by role", "first"), ("by role", "second")],
    [("ann", [Cell("−1.5", "−2.0 to 3.0", "n = 3"), "–", "2"]), ("bob", ["4", "5", "6"])],
    tested=[True, False],
)


def shown(thing, *, longest=400):
    """The HTML of a thing as a reader sees it: well formed, with nothing that runs."""
    text = thing._repr_html_()
    reader = Reader(text)
    assert reader.open == []
    assert not {"script", "img", "iframe", "object", "link"} & set(reader.tags)
    assert not [entry for entry in reader.attributes if entry[1].startswith("on")]
    assert not {"\x1b", "\u202e", "\u2028"} & set(text)
    assert len(repr(thing)) < longest
    return text, " ".join(" ".join(reader.said).split())


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "bench.db"
    return bench(["homo_moralis:0.5"], path=path, protocols=["TG1", "SPD1"])


@pytest.fixture
def statements(monkeypatch):
    """What is asked of runs' files, statement by statement."""
    asked = []
    opened = runs.connect

    def connect(path):
        database = opened(path)
        database.set_trace_callback(asked.append)
        return database

    monkeypatch.setattr(runs, "connect", connect)
    return asked


def classes(base=Shown):
    for each in base.__subclasses__():
        yield each
        yield from classes(each)


def test_every_class_names_what_is_shown_of_it():
    importlib.import_module("ludens.training.alignment.result")
    importlib.import_module("ludens.experiments.pricing.learning")
    named = {each.shown_by for each in classes()}
    assert len(named) > 10
    for reference in named:
        module, _, name = reference.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_results_of_studies_have_a_short_text():
    for each in classes(RunResult):
        assert each.__repr__ is RunResult.__repr__, each


def test_a_game_is_drawn_with_its_moves_and_payoffs():
    text, said = shown(PROTOCOLS["TG3"])
    assert text.count("<svg") == 1
    for word in ("Mini trust game TG3", "trustee", "reciprocate", "80"):
        assert word in said


def test_a_game_with_very_many_ends_is_listed_instead():
    def node(depth, path="r"):
        if depth == 7:
            return PayoffNode((1.0,))
        options = {name: node(depth + 1, path + name) for name in ("a", "b")}
        return DecisionNode(f"move {path}", "player", options)

    text, said = shown(GameTree("long", ("player",), node(0)))
    assert "<svg" not in text
    assert "128 ends" in said
    assert "player: a, b" in said


def test_a_family_lists_its_protocols():
    said = shown(FAMILIES["trust"])[1]
    assert "TG6 90 70 30 10" in said
    assert "van Leeuwen" in said
    assert repr(FAMILIES["trust"]) == "Family(trust: TG1, TG2, TG3, TG4, TG5, TG6)"


def test_a_market_shows_its_benchmark_prices():
    assert "0 0 2 1 1.473 1.925" in shown(Market.symmetric())[1]
    assert "Nash profits 0.2229, 0.2229" in shown(Market.symmetric())[1]
    assert "2 firms" in shown(HomogeneousMarket())[1]


def test_a_policy_shows_what_a_manifest_records():
    text, said = shown(LLMPolicy("openai/gpt-x", persona=NASTY, api_key="sk-planted-key-of-a-user"))
    assert "persona" in said
    assert "&lt;/script&gt;" in text
    assert "planted" not in text
    assert "kappa 0.5" in shown(OraclePolicy(homo_moralis(0.5)))[1]
    assert repr(make_policy("tit_for_tat")) == "TitForTat('tit_for_tat')"
    shown(CallablePolicy(lambda _: 0, NASTY))


def test_a_decision_shows_the_reply_as_text():
    call = Call("openai/x", [{"role": "user", "content": "A or B?"}], NASTY, "ok")
    decision = Decision(1, probabilities=(0.25, 0.75), reasoning=NASTY, calls=(call,))
    said = shown(decision, longest=2000)[1]
    assert "action 1" in said
    assert "0.250, 0.750" in said
    assert "<img src=x onerror=alert(1)>" in said  # as text, unescaped by the reader


def test_a_run_shows_how_it_stands_without_reading_what_was_decided(tmp_path, statements):
    run = play("trust-v0", ["homo_moralis:0.5", "tit_for_tat"], episodes=25, path=tmp_path / "run.db")
    statements.clear()
    said = shown(run)[1]
    assert len(statements) <= 8
    assert not [each for each in statements if re.search(r"\b(decisions|calls|texts)\b", each)]
    assert "25 done of 25 episodes" in said
    assert "The first 10 of 25." in said
    assert "homo moralis κ=0.5" in said
    small = play("trust-v0", ["homo_moralis:0.5", "tit_for_tat"], path=tmp_path / "small.db")
    many = len(statements)
    statements.clear()
    shown(small)
    assert len(statements) <= many


def test_a_run_that_was_removed_says_so(tmp_path):
    run = play("trust-v0", "random", path=tmp_path / "run.db")
    (tmp_path / "run.db").unlink()
    assert "There is no run at" in shown(run)[1]


def test_a_result_shows_its_report_and_reads_the_run_no_more(benchmark, statements):
    text, said = shown(benchmark)
    assert statements == []
    assert text.count("<svg") == 1
    for word in ("homo moralis κ=0.5", "Summary", "more tables", str(benchmark.run_path)):
        assert word in said
    assert repr(benchmark) == f"BenchResult({str(benchmark.run_path)!r}: 20 of 20 episodes)"


def test_results_of_other_studies_show_themselves(tmp_path):
    market = play_pricing(["myopic", "random"], periods=20, runs=2, path=tmp_path / "market.db")
    assert "Prices and gains" in shown(load(market.path)[1])[1]
    played = play("trust-v0", "random", path=tmp_path / "play.db")
    assert "1 done of 1 episodes" in shown(load(played.path)[1])[1]
    adopted = adopt(["homo_moralis:0.5", "homo_economicus"], rounds=5, path=tmp_path / "adopt.json")
    assert "homo economicus" in shown(adopted)[1]


def test_a_policy_with_markup_in_its_name_is_shown_as_text_in_runs_and_results(tmp_path):
    policy = CallablePolicy(lambda _: 0, NASTY)
    run = play("trust-v0", [policy, "random"], path=tmp_path / "run.db")
    assert "<img src=x onerror=alert(1)>" in shown(run)[1]
    result = bench([{"spec": "homo_moralis:0.5", "label": NASTY}], path=tmp_path / "b.db", protocols=["TG1"])
    assert "<img src=x onerror=alert(1)>" in shown(result)[1]


class AskedConfig(StudyConfig):
    """A configuration."""

    kind = "asked_in_a_notebook"


class AskedStudy(Study):
    """A study of one's own, whose result knows nothing of notebooks."""

    config_type = AskedConfig

    def episodes(self):
        return [{"question": 0}]

    def player(self):
        raise NotImplementedError

    def measure(self, run):
        return 42

    def show(self, result, console):
        raise NotImplementedError

    def page(self, result):
        return Page(title=NASTY, lead=NASTY, warnings=[NASTY], tables=[TABLE, TABLE])


def test_the_page_of_a_study_of_ones_own_shows_itself():
    study = AskedStudy(AskedConfig())
    said = shown(study.page(42))[1]
    assert "−1.5" in said
    assert "1 more table" in said


def test_report_and_notebook_share_the_table():
    def table(text):
        return re.search(r"<table>.*?</table>", text, re.DOTALL)[0]

    page = render(Page(title="t", lead="l", tables=[TABLE]))
    assert table(to_html(View("t", tables=[TABLE]))) == table(page)


class Nasty(Shown):
    shown_by = f"{__name__}:nasty_view"

    def __repr__(self):
        return "short"


def nasty_view(_):
    table = Table.of(NASTY, NASTY, [(NASTY, NASTY)], [(NASTY, [Cell(NASTY, NASTY, NASTY)])], corner=NASTY)
    return View(NASTY, NASTY, NASTY, [NASTY], tables=[table], folded=[table], facts={NASTY: NASTY})


def test_no_text_of_a_view_becomes_markup():
    assert shown(Nasty())[1].count("<img src=x onerror=alert(1)>") >= 14


def test_pictures_of_one_notebook_do_not_share_ids():
    ids = [set(re.findall(r'\bid="([^"]+)"', PROTOCOLS[name]._repr_html_())) for name in ("TG1", "TG2")]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert PROTOCOLS["TG1"]._repr_html_() == PROTOCOLS["TG1"]._repr_html_()


def test_pictures_follow_the_theme():
    text = PROTOCOLS["TG3"]._repr_html_()
    assert "fill: var(--ink)" in text
    assert "#1f2430" not in text


def choices_of(subjects, theta):
    """Choices of people alike, whole strategies in all protocols."""
    situations = [(game, uniform_strategy(game)) for game in PROTOCOLS.values()]
    return simulate(questions(situations, subjects=subjects), "moralis", theta, np.random.default_rng(1))


def test_estimates_show_parameters_and_warnings():
    choices = choices_of(12, (0.3, 0.2, 0.4, 8.0))
    pooled = fit(choices)
    said = shown(pooled)[1]
    assert "κ (kappa)" in said
    assert "12 subjects" in said
    assert "type 2" in shown(fit_types(choices, types=2, starts=2))[1]
    assert "by BIC" in shown(select_types(choices, upto=2, starts=2))[1]
    assert "12 subjects" in shown(fit_individuals(choices))[1]


def test_what_is_not_identified_has_no_number_in_a_notebook():
    found = fit(choices_of(2, (0.3, 0.2, 0.4, 1e-3)))
    assert found.warnings
    text, said = shown(found)
    assert "nan" not in text.lower().replace("&nan", "")
    assert found.warnings[0].message.split("`")[0][:40] in said


def test_a_report_is_named_where_there_is_one(benchmark):
    assert f"report {benchmark.report_path}" in shown(benchmark)[1]
    unwritten = replace(benchmark, report_path=None)
    assert ".html" not in shown(unwritten)[1]
