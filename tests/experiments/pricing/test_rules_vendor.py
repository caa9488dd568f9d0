"""One vendor for all firms: what its software sees at each firm's turn, and which policies can be it."""

from __future__ import annotations

import json

import pytest

from ludens.agents.pricing.words import market_words
from ludens.envs.pricing.interventions import Information, Vendor
from ludens.errors import UsageError
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.result import measured
from ludens.experiments.pricing.session import MarketSession
from ludens.experiments.pricing.study import play_pricing
from tests.loopback import Loopback, say

MARKET = {"qualities": [2, 2], "costs": [1, 1.3], "quantity_scale": 100}


def text_of(request):
    return request["messages"][-1]["content"]


def asked(tmp_path, layout, **vendor):
    """What a vendor's model is asked for each firm in the second period."""

    def answer(request):
        cost = "1.3" if "costs your firm 1.3" in text_of(request) else "1"
        notes = {"observations": "", "plans": f"plan at {cost}", "insights": f"insight at {cost}"}
        return say(json.dumps({**notes, "price": 1.6 if cost == "1" else 1.7}))

    with Loopback([], otherwise=answer) as server:
        run = play_pricing(
            {"spec": "openai/loopback", "api_base": server.url, "layout": layout, "note_limit": 100},
            path=tmp_path / "run.db",
            market=MARKET,
            periods=2,
            ceiling=(),
            interventions=[Vendor(**vendor)] if vendor else [],
        )
        with run:
            assert measured(run).panel.prices[0].tolist() == [[1.6, 1.7]] * 2
    return [text_of(each) for each in server.requests if "Reply now for period 2" in text_of(each)]


@pytest.mark.parametrize("layout", ["full", "compact"])
def test_a_vendor_knows_that_it_is_one_and_sees_what_it_is_said_to_see(tmp_path, layout):
    for name in ("own", "pooled", "none"):
        (tmp_path / name).mkdir()
    alone = asked(tmp_path / "none", layout)
    own = asked(tmp_path / "own", layout, pooled=False)
    pooled = asked(tmp_path / "pooled", layout, pooled=True)
    assert all("vendor" not in text for text in alone)
    assert all("from what that firm knows alone" in text for text in own)
    assert all("see the data and the notes of all" in text for text in pooled)
    first, second = sorted(own, key=lambda text: "costs your firm 1.3" in text)
    assert "plan at 1.3" not in first
    assert "plan at 1.3" in second
    for text in pooled:
        for note in ("plan at 1.3", "insight at 1.3"):
            assert note in text
        assert "After each period you learn what other firms sold and earned." in text
    assert any("The competitor's cost of a unit is 1.3." in text for text in pooled)


def test_people_are_told_too():
    config = PricingConfig(firms="fixed:1.5", interventions=[Vendor()], market=MARKET)
    session = MarketSession(config, {"scale": 1.0})
    session.reset(0)
    assert "You set the prices of all firms" in market_words(session.turns()["firm_0"])


@pytest.mark.parametrize(
    ("firms", "more", "why"),
    [
        (["nash", "myopic"], [], "one policy"),
        (["qlearning", "qlearning"], [], "a table for each firm"),
        (["nash", "nash"], [{"kind": "Vendor"}], "at most one Vendor"),
        (["nash", "nash"], [Information()], "leave one out"),
    ],
)
def test_what_cannot_be_a_vendor_is_one_sentence_and_no_file(tmp_path, firms, more, why):
    rules = [Vendor(pooled=bool(more)), *more]
    with pytest.raises(UsageError, match=why):
        play_pricing(firms, path=tmp_path / "run.db", periods=1, interventions=rules)
    assert not list(tmp_path.iterdir())


def test_oracles_of_a_vendor_play_as_oracles_do(tmp_path):
    prices = []
    for name, rules in (("a", [Vendor(pooled=True)]), ("b", [])):
        with play_pricing("nash", path=tmp_path / name, market=MARKET, periods=2, interventions=rules) as run:
            prices.append(measured(run).panel.prices[0].tolist())
    assert prices[0] == prices[1]
