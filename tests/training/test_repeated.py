"""Repeated play: known players persist or do not, and models are told their own history."""

from __future__ import annotations

import re

import pytest

from ludens.errors import UsageError
from ludens.experiments.study.engine import load_result
from ludens.preferences import HOMO_ECONOMICUS, homo_moralis
from ludens.training import build_dataset
from ludens.training.evaluation.exam import PolicyUnderTest, policy_under_test
from ludens.training.evaluation.persistence import by_round, table
from ludens.training.evaluation.repeated import ORACLE, RepeatedStudy, draw_matches, play_repeatedly
from tests.loopback import Loopback, say

MORAL = homo_moralis(0.5)


@pytest.fixture(scope="module")
def data():
    return build_dataset(MORAL, examples=60, validation=6, test=12, seed=1)


def played(policies, matches, path, rounds, target=MORAL):
    play_repeatedly(policies, matches, path, rounds=rounds, target=target, seed=3).close()
    return load_result(RepeatedStudy, path).persistence


def test_no_game_was_trained_on_and_both_seats_are_taken(data):
    matches = draw_matches(data, MORAL, games=9, framings=("neutral", "table"), seed=1)
    assert len(matches) == 2 * 2 * 9
    trained = {(each.family, each.payoffs) for each in (*data.train, *data.validation)}
    assert not trained & {(match.family, match.payoffs) for match in matches}
    random = [match for match in matches if match.partner == "random" and match.framing == "table"]
    assert {match.seat for match in random} == {0, 1}
    assert len({match.family for match in random}) == 3
    assert draw_matches(data, MORAL, games=9, framings=("neutral", "table"), seed=1) == matches


def test_oracles_persist_and_others_do_not(data, tmp_path):
    matches = draw_matches(data, MORAL, games=6, seed=1)
    who = [PolicyUnderTest(ORACLE, {"spec": "homo_moralis:0.5"}), PolicyUnderTest("x", {"spec": "random"})]
    found = played(who, matches, tmp_path / "a.db", 6)
    assert [(each.policy, each.partner) for each in found] == [
        (name, partner) for name in (ORACLE, "x") for partner in ("itself", "random")
    ]
    for each in found:
        wanted = 1.0 if each.policy == ORACLE else 0.5
        for share in (each.agreement, each.first, each.last, *each.rounds):
            assert share.value == pytest.approx(wanted)
        assert each.change.value == pytest.approx(0, abs=1e-12)
        assert (each.matches, len(each.rounds), each.lost.value) == (6, 6, 0)
    assert len(table(found).rows) == len(by_round(found).rows) == 4


def test_a_model_is_told_its_history_and_what_it_cannot_say_ends_the_match(data, tmp_path):
    """A model that takes the first option in five rounds, and says nothing in the sixth."""
    matches = [
        match for match in draw_matches(data, HOMO_ECONOMICUS, games=6, seed=1) if match.partner == "random"
    ]

    def react(request):
        text = request["messages"][-1]["content"]
        number = int(re.search(r"This is round (\d+) of 6", text)[1])
        assert len(re.findall(r"^Round \d+, you were", text, re.MULTILINE)) == number - 1
        return say("nothing" if number == 6 else "A")

    with Loopback(otherwise=react) as server:
        more = {"api_base": server.url, "api_key": "none", "elicit": "sample", "order": 0}
        found = played(
            [policy_under_test("first", "openai/loopback", **more)],
            matches,
            tmp_path / "a.db",
            6,
            HOMO_ECONOMICUS,
        )
    (only,) = found
    assert only.framing == "neutral"
    assert 0.5 < only.lost.value <= 1  # a second mover may not be asked in a round
    assert only.rounds[5].value is None
    assert all(share.value is not None for share in only.rounds[:5])


@pytest.mark.parametrize("family", ["prisoners_dilemma", "dictator", "trust"])
def test_every_family_is_played_and_every_match_is_counted(tmp_path, family):
    """Also games in which all move at once, and seats that never or seldom come to move."""
    data = build_dataset(HOMO_ECONOMICUS, families=[family], examples=12, validation=0, test=4, seed=1)
    matches = draw_matches(data, HOMO_ECONOMICUS, games=4, seed=1)
    who = [PolicyUnderTest("x", {"spec": "homo_economicus"})]
    found = played(who, matches, tmp_path / "a.db", 3, HOMO_ECONOMICUS)
    assert [(each.partner, each.matches) for each in found] == [("itself", 4), ("random", 4)]
    assert all(each.agreement.value == 1 for each in found)


def test_what_cannot_be_played_is_refused(data, tmp_path):
    matches = draw_matches(data, MORAL, games=1)
    twice = [PolicyUnderTest("x", {"spec": "random"})] * 2
    with pytest.raises(UsageError, match="label"):
        play_repeatedly(twice, matches, tmp_path / "a.db", rounds=2)
    assert not (tmp_path / "a.db").exists()
