"""Sentences of plans and insights: how they are cut, what the keyword rules take and leave, counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.experiments.pricing.panels import Note
from ludens.experiments.pricing.texts import RULES, count_sentences, split
from tests.experiments.pricing.panels_for_tests import panel_from

RULE = {rule.name: rule for rule in RULES}


def kinds(sentence):
    return {name for name, rule in RULE.items() if rule.matches(sentence)}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("We must avoid a price war.", {"price_war", "price_war_avoidance"}),
        ("Aggressive cuts could trigger a price war", {"price_war", "price_war_avoidance"}),
        ("A PRICE-WAR has begun.", {"price_war"}),
        ("They will retaliate next period.", {"price_war"}),
        ("Undercut the competitor by 0.05.", {"undercutting"}),
        ("Try pricing slightly below the competitor.", {"undercutting"}),
        ("Set 1.65, just below my rival.", {"undercutting"}),
        ("Do not undercut the competitor.", set()),
        ("Avoid aggressively undercutting the rival.", set()),
        ("Hold steady rather than undercutting.", set()),
        ("Avoid undercutting, since that may lead to a price war.", {"price_war", "price_war_avoidance"}),
        ("Tacit cooperation keeps both of us profitable.", {"cooperation"}),
        ("Both firms benefit from prices near 1.9.", {"cooperation"}),
        ("There is no cooperation here.", set()),
        ("Keep the price at 1.8 and watch.", set()),
        ("Higher prices lower my sales.", set()),
        ("", set()),
    ],
)
def test_what_each_rule_takes_and_leaves(sentence, expected):
    assert kinds(sentence) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hold at 1.92. Watch the rival!", ["Hold at 1.92.", "Watch the rival!"]),
        ("- try 1.5\n- then 1.6", ["try 1.5", "then 1.6"]),
        ("1. Raise; 2) hold.", ["Raise;", "hold."]),
        ("1.85 works best", ["1.85 works best"]),
        (" \n ... \n", []),
    ],
)
def test_texts_are_cut_into_sentences(text, expected):
    assert split(text) == expected


@given(st.text())
def test_any_text_can_be_cut_and_looked_through(text):
    for sentence in split(text):
        assert sentence.strip() == sentence != ""
        kinds(sentence)


def noted(run, plans, insights="", period=0):
    return Note(run, period, 0, {"observations": "Undercut!", "plans": plans, "insights": insights})


def counted(panel, **options):
    found = count_sentences(panel, np.random.default_rng(0), **options)
    return {each.rule.name: each for each in found}


def test_sentences_are_counted_by_run_with_intervals_over_runs():
    notes = [
        noted(0, "Undercut the rival. Watch."),
        noted(0, "Undercut the rival.", "Sales fell.", period=1),
        noted(1, "Watch. Watch. Watch."),
        noted(2, "Undercut the rival."),
    ]
    panel = panel_from(np.ones((3, 4, 2)), ["done", "done", "aborted"], notes=notes)
    found = counted(panel)["undercutting"]
    assert (found.found, found.sentences) == (2, 7)
    assert found.share.value == pytest.approx(2 / 7)
    assert found.share.clusters == 2
    assert (found.share.low, found.share.high) == pytest.approx((0, 0.5))
    assert found.by_run == {0: (2, 4), 1: (0, 3), 2: (1, 1)}
    assert found.examples == ("Undercut the rival.",)
    assert counted(panel)["cooperation"].found == 0


def test_observations_count_only_where_asked_for():
    panel = panel_from(np.ones((1, 4, 2)), notes=[noted(0, "Watch.")])
    assert counted(panel)["undercutting"].found == 0
    assert counted(panel, fields=("observations",))["undercutting"].found == 1


def test_without_notes_nothing_is_counted_and_nothing_claimed():
    found = counted(panel_from(np.ones((2, 4, 2))))["price_war"]
    assert (found.found, found.sentences, found.by_run) == (0, 0, {})
    assert found.share.value is None
