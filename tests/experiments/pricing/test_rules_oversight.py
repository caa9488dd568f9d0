"""Oversight of prices: who reads what, what is charged, what is kept, and runs that break off in between."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ludens import cli
from ludens.agents import Decision, Policy
from ludens.agents.llm.faults import ModelError
from ludens.agents.llm.reading.prices import read_price_reply
from ludens.agents.pricing.oversight import Oversight, Replaced, SentBack
from ludens.agents.pricing.words import market_words
from ludens.envs.pricing.theory.benchmarks import nash_prices
from ludens.errors import UsageError
from ludens.experiments import Run, resume
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.oversight import REVIEWS
from ludens.experiments.pricing.result import measured
from ludens.experiments.pricing.study import PricingStudy, play_pricing
from tests.agents.pricing.turns import pricing_turn
from tests.loopback import Loopback, say

MODEL = "openai/loopback"


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder; returns code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def text_of(request):
    return request["messages"][-1]["content"]


def asks_overseer(request):
    return "You oversee a market" in text_of(request)


def reply(price):
    notes = {"observations": "Private eyes.", "plans": "Secret plan.", "insights": "Private insight."}
    return say(json.dumps({**notes, "public_reason": "Demand is high.", "price": price}))


def firm(request):
    """A firm that names 1.9, and 1.6 when it is asked again."""
    return reply(1.6 if "was sent back" in text_of(request) else 1.9)


def verdict(word):
    """A verdict under whatever label it has, because the order of the options is drawn."""

    def answer(request):
        lines = text_of(request).splitlines()
        label = next((line[0] for line in lines if line[1:] == f": {word}"), "?")
        return say(json.dumps({"reasoning": f"I {word} since prices are alike.", "choice": label}))

    return answer


def market(overseer, firm=firm):
    """A server that answers for firms and for an overseer."""
    return Loopback([], otherwise=lambda request: (overseer if asks_overseer(request) else firm)(request))


def played(tmp_path, server, *, periods=3, name="run.db", **config):
    model = {"spec": MODEL, "api_base": server.url, "layout": "full"}
    if config.get("overseer") == MODEL:
        config["overseer"] = {"spec": MODEL, "api_base": server.url}
    return play_pricing([model, "fixed:1.7"], path=tmp_path / name, periods=periods, ceiling=(), **config)


def rows_of(run):
    return PricingStudy(PricingConfig(firms=["nash", "nash"])).tables(measured(run))


def test_a_price_that_is_sent_back_is_named_anew_and_the_second_one_stands(tmp_path):
    with (
        market(verdict("object")) as server,
        played(tmp_path, server, oversight={"rule": "revision", "firms": [0]}, overseer=MODEL) as run,
    ):
        found = measured(run)
    np.testing.assert_array_equal(found.panel.prices[0], [[1.6, 1.7]] * 3)
    assert [each.outcome for each in found.reviews] == ["sent back"] * 3
    assert [(each.named, each.revised, each.charged) for each in found.reviews] == [(1.9, 1.6, 1.6)] * 3
    assert {each.reason for each in found.reviews} == {"Demand is high."}
    assert {each.objection for each in found.reviews} == {"I object since prices are alike."}
    firms = [text_of(each) for each in server.requests if not asks_overseer(each)]
    overseer = [text_of(each) for each in server.requests if asks_overseer(each)]
    assert (len(firms), len(overseer)) == (6, 3)
    assert "I object since prices are alike." in firms[1]
    assert "Your price of 1.9 for this period was sent back." in firms[1]
    assert "may send it back to you once" in firms[0]
    for text in overseer:
        assert "Demand is high." in text
        assert "wants to charge 1.9" in text
        for secret in ("Secret plan", "Private"):
            assert secret not in text
    assert "1: 1.6, 1.7" in overseer[1]


def test_a_price_that_is_approved_stands(tmp_path):
    with (
        market(verdict("approve")) as server,
        played(tmp_path, server, oversight={"rule": "revision", "firms": [0]}, overseer=MODEL) as run,
    ):
        found = measured(run)
    assert found.panel.prices[0][:, 0].tolist() == [1.9] * 3
    assert {each.outcome for each in found.reviews} == {"approved"}


def test_a_verdict_that_cannot_be_read_is_none_and_the_price_stands(tmp_path):
    with (
        market(lambda request: say("Well, hard to tell.")) as server,
        played(tmp_path, server, oversight={"rule": "revision", "firms": [0]}, overseer=MODEL) as run,
    ):
        found = measured(run)
    assert found.panel.prices[0][:, 0].tolist() == [1.9] * 3
    assert [each.outcome for each in found.reviews] == ["no verdict"] * 3
    assert [each.objection for each in found.reviews] == [None] * 3


@pytest.mark.parametrize("price", ["last", "competitive"])
def test_a_veto_puts_the_stated_price_in_the_place(tmp_path, price):
    oversight = {"rule": "veto", "price": price, "firms": [0]}
    with (
        market(verdict("object")) as server,
        played(tmp_path, server, oversight=oversight, overseer=MODEL) as run,
    ):
        found = measured(run)
    own, outcomes = found.panel.prices[0][:, 0].tolist(), [each.outcome for each in found.reviews]
    firms = [text_of(each) for each in server.requests if not asks_overseer(each)]
    if price == "last":
        # There is nothing to put in the place of the first price.
        assert own == [1.9] * 3
        assert outcomes == [None, "replaced", "replaced"]
        assert "The first price that your firm names is charged as it is." in firms[0]
        assert "In period 2 you named 1.9; 1.9 was charged in its place." in firms[2]
    else:
        nash = float(nash_prices(PricingConfig(firms=["nash", "nash"]).scaled(1.0))[0])
        assert own == pytest.approx([nash] * 3, rel=1e-12)
        assert outcomes == ["replaced"] * 3
        assert f"{nash:.6g} was charged in its place. The reason given: I object" in firms[1]


def test_a_rule_objects_above_a_limit_that_is_scaled_as_money_is(tmp_path):
    for scale, named in ((1.0, 1.9), (10.0, 19)):
        oversight, name = {"rule": "veto", "price": "competitive"}, f"{scale}.db"
        config = {"oversight": oversight, "overseer": "above:1.8", "scales": [scale], "periods": 2}
        server = Loopback([], otherwise=reply(named))
        with server, played(tmp_path, server, name=name, **config) as run:
            found = measured(run)
        assert [each.outcome for each in found.reviews if each.firm == 0] == ["replaced"] * 2
        assert [each.outcome for each in found.reviews if each.firm == 1] == ["approved"] * 2
        assert f"The price is above {1.8 * scale:g}." in {each.objection for each in found.reviews}
        first = text_of(server.requests[0])
        assert f"By a rule of this market, a price above {1.8 * scale:g} is not charged" in first
        assert "overseer of this market reads" not in first


def test_under_logging_a_model_is_told_and_nothing_else_changes(tmp_path):
    with market(verdict("object")) as server, played(tmp_path, server, oversight={"rule": "logging"}) as run:
        found = measured(run)
    assert found.panel.prices[0][:, 0].tolist() == [1.9] * 3
    assert [each.reason for each in found.reviews if each.firm == 0] == ["Demand is high."] * 3
    assert {each.outcome for each in found.reviews} == {None}
    assert len(server.requests) == 3
    asked = text_of(server.requests[0])
    assert "reads your price and your PUBLIC REASON for it; both are recorded" in asked
    assert "PLANS, INSIGHTS and OBSERVATIONS are shown neither" in asked
    assert "PUBLIC REASON: <why you charge this price, for the overseer>" in asked


def test_reasons_under_headings_are_read_too():
    found = read_price_reply("PLANS: up\nPUBLIC REASON: costs rose.\nPRICE: 1.8")
    assert (found.price, found.notes["public_reason"], found.notes["plans"]) == (1.8, "costs rose.", "up")


def test_rivals_never_read_reasons_or_notes(tmp_path):
    with market(verdict("approve")) as server:
        model = {"spec": MODEL, "api_base": server.url}
        run = play_pricing(
            [{**model, "prefix": "P2"}, {**model, "notes": False}],
            path=tmp_path / "run.db",
            periods=2,
            interventions=[{"kind": "CheapTalk"}],
            oversight={"rule": "revision"},
            overseer=model,
        )
        run.close()
    firms = [text_of(each) for each in server.requests if not asks_overseer(each)]
    rival = [text for text in firms if "YOUR PLANS" not in text]
    assert len(rival) == 2
    for text in rival:
        assert "Demand is high." not in text
        assert "Secret plan." not in text
        assert "who does not see the MESSAGES between firms either" in text


def test_without_oversight_no_prompt_speaks_of_it(tmp_path):
    with Loopback([], otherwise=say("PRICE: 1.9")) as server:
        played(tmp_path, server, periods=1).close()
    asked = text_of(server.requests[0])
    assert "REASON" not in asked
    assert "overse" not in asked.lower()


class Objector(Policy):
    """An overseer of one's own."""

    name = "objector"

    def decide(self, turn, rng):
        return Decision(1 if turn.facts["price"] > 1.65 else 0, reasoning="Too much.")


def test_a_policy_of_ones_own_oversees_on_a_grid_too(tmp_path):
    run = play_pricing(
        ["fixed:1.5", "fixed:1.8"],
        path=tmp_path / "run.db",
        periods=2,
        price_grid=(1.4, 1.5, 1.8),
        oversight={"rule": "veto", "price": "competitive"},
        overseer=Objector(),
    )
    with run:
        found = measured(run)
    # The nearest point to the Nash price of 1.473 is 1.5.
    np.testing.assert_allclose(found.panel.prices[0], [[1.5, 1.5]] * 2)
    assert [each.outcome for each in found.reviews] == ["approved", "replaced"] * 2


@pytest.mark.parametrize("answered", [1, 2, 5])
def test_a_run_that_breaks_off_anywhere_goes_on_to_the_same_tables(tmp_path, answered):
    overseer = verdict("object")
    config = {"oversight": {"rule": "revision", "firms": [0]}, "overseer": MODEL, "seed": 4}
    with market(overseer) as server:
        with played(tmp_path, server, name="whole.db", **config) as run:
            whole = rows_of(run)
        asked = len(server.requests)

    def answer(request):
        return (overseer if asks_overseer(request) else firm)(request)

    with Loopback([answer] * answered, otherwise=say("no", status=401)) as server:
        with pytest.raises(ModelError):
            played(tmp_path, server, name="broken.db", **config)
        with Run(tmp_path / "broken.db") as run:
            measured(run)  # whatever is there can be shown
    with market(overseer) as server:
        with resume(tmp_path / "broken.db", api_base=server.url) as run:
            again = rows_of(run)
        assert len(server.requests) == asked - answered
    assert again == whole
    assert len(whole["reviews"]) == 3


def test_a_second_price_that_cannot_be_read_aborts_its_run_as_any_other_does(tmp_path):
    def stubborn(request):
        return say("free") if "was sent back" in str(request["messages"]) else reply(1.9)

    with market(verdict("object"), stubborn) as server:
        model = {"spec": MODEL, "api_base": server.url}
        run = play_pricing(
            [{**model, "tries": 2}, "fixed:1.7"],
            path=tmp_path / "run.db",
            periods=2,
            oversight={"rule": "revision", "firms": [0]},
            overseer=model,
        )
        with run:
            found = measured(run)
    assert found.panel.status == ("aborted",)
    assert [(each.outcome, each.revised, each.charged) for each in found.reviews] == [
        ("sent back", None, None)
    ]


def test_the_command_a_study_file_and_the_exported_table(ran, tmp_path):
    options = ("price", "--firms", "fixed:1.9,fixed:1.5", "--periods", 3)
    options += ("--oversight", "veto:price=competitive,firms=0", "--overseer", "above:1.8")
    code, out, err = ran(*options, "--out", "a.db")
    assert (code, err) == (0, "")
    assert "objections" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "Oversight" in Path("a.html").read_text(encoding="utf-8")
    code, text, _ = ran(*options, "--print-config")
    assert code == 0
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    commands = (("price", "report", "a.db"), ("run", "study.toml", "--out", "b.db"))
    one, two = (json.loads(ran(*command, "--json")[1])["reviews"] for command in commands)
    assert one == two
    assert all(set(row) == {column.name for column in REVIEWS} for row in one)
    assert [each["period"] for each in one] == [1, 2, 3]
    assert ran("export", "a.db", "--out", "tables")[0] == 0
    with next(Path().glob("tables*/*reviews.csv")).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["outcome"] for row in rows] == ["replaced"] * 3


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"overseer": "above:1.8"}, "needs oversight"),
        ({"oversight": {"rule": "veto"}}, "needs an overseer"),
        ({"oversight": {"rule": "logging"}, "overseer": "above:1.8"}, "logging none"),
        ({"oversight": {"rule": "veto", "firms": [2]}, "overseer": "above:1.8"}, "0 to 1"),
        ({"oversight": {"rule": "logging"}, "moves": "in turns"}, "move together"),
        ({"oversight": {"rule": "logging"}, "market": {"owners": [0, 0, 1]}}, "one product each"),
        (
            {
                "oversight": {"rule": "logging"},
                "interventions": [{"kind": "Merger", "period": 2, "firm": 0, "into": 1}],
            },
            "mergers",
        ),
        ({"oversight": {"rule": "fines"}, "overseer": "above:1.8"}, r"oversight\.rule"),
        ({"oversight": {"rule": "veto"}, "overseer": "above:high"}, "above:PRICE"),
        ({"oversight": {"rule": "veto"}, "overseer": "nonsense"}, "overseer"),
    ],
)
def test_oversight_that_makes_no_sense_is_one_sentence_and_no_file(tmp_path, config, why):
    with pytest.raises(UsageError, match=why):
        play_pricing(["fixed:1.5", "fixed:1.5"], path=tmp_path / "run.db", periods=1, **config)
    assert not list(tmp_path.iterdir())


def test_people_read_why_their_price_was_sent_back_or_replaced():
    back = Oversight("revision", sent_back=SentBack(1.9, "It is high."))
    words = market_words(pricing_turn([(1.5, 1.6)], oversight=back))
    assert "it may be sent back to you once." in words
    assert "Your price of 1.9 for this period was sent back; set it once more." in words
    assert "The reason given: It is high." in words
    gone = Oversight("veto", "competitive", replaced=Replaced(1.9, 1.47, "It is high."))
    words = market_words(pricing_turn([(1.47, 1.6)], oversight=gone))
    assert "another one, the competitive price" in words
    assert "In period 1 you named 1.9, and 1.47 was charged." in words
    assert "overseer" not in market_words(pricing_turn([(1.5, 1.6)]))
