"""A model as a second reader of firms' notes, against a server on the loopback interface."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ludens.errors import UsageError
from ludens.experiments import Run
from ludens.experiments.pricing.judging import KINDS, judge
from ludens.experiments.pricing.panels import Note
from tests.experiments.pricing.panels_for_tests import panel_from
from tests.loopback import Loopback, say

WAR, CUT, BOTH, PLAIN = "Avoid a price war.", "Undercut the rival.", "Both firms benefit.", "Hold at 1.8."


def panel(*plans, status=("done",)):
    notes = [Note(0, period, 0, {"plans": text}) for period, text in enumerate(plans)]
    return panel_from(np.ones((1, 10, 2)), list(status), notes=notes)


def knowing(request):
    """Answers by what the sentence says, whatever the order of the kinds."""
    prompt = request["messages"][0]["content"]
    words = {"price war.": "price war, or", "Undercut": "below", "Both": "together", "Hold": "none of"}
    (wanted,) = [kind for word, kind in words.items() if word in prompt.split("\n")[2]]
    return say(re.search(rf"^([A-D])\. .*{wanted}", prompt, re.MULTILINE)[1])


def judged(server, path, found, **options):
    return {
        each.rule.name: each for each in judge(found, "openai/loopback", path, api_base=server.url, **options)
    }


def test_verdicts_stand_beside_the_rules(tmp_path):
    with Loopback([], otherwise=knowing) as server:
        found = judged(server, tmp_path / "judge.db", panel(f"{WAR} {CUT}", f"{BOTH} {PLAIN} {WAR}"))
        assert server.count == 4  # each different sentence once
    assert set(found) == set(KINDS) - {"none of these"}
    for each in found.values():
        assert (each.by_model, each.by_rule, each.by_both, each.read) == (1, 1, 1, 4)
        assert each.agreement.value == 1.0
        assert each.share.value == 0.25


def test_what_is_unreadable_is_left_out_and_never_guessed(tmp_path):
    with Loopback([], otherwise=say("I would say A or B")) as server:
        found = judged(server, tmp_path / "judge.db", panel(WAR))
        assert server.count == 3
    assert found["undercutting"].read == 0
    assert found["undercutting"].share.value is None


def test_verdicts_are_kept_and_not_paid_for_twice(tmp_path):
    path = tmp_path / "judge.db"
    with Loopback([], otherwise=knowing) as server:
        first = judged(server, path, panel(WAR, CUT))
        count = server.count
        assert judged(server, path, panel(WAR, CUT)) == first
        assert server.count == count
        with pytest.raises(UsageError, match="another judge, or on other sentences"):
            judged(server, path, panel(WAR, BOTH))
    assert Run(path).manifest["kind"] == "judge"


def test_a_sample_is_drawn_from_runs_that_are_done(tmp_path):
    many = panel(*(f"Hold at {price}." for price in range(40)))
    with Loopback([], otherwise=knowing) as server:
        found = judged(server, tmp_path / "judge.db", many, sample=5)
        assert server.count == found["cooperation"].read == 5
        assert judge(panel(WAR, status=("aborted",)), "openai/loopback", tmp_path / "none.db") == ()
    assert not (tmp_path / "none.db").exists()
