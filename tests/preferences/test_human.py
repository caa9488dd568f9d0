"""Human numbers say where they are from, and only like is compared with like."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from ludens.errors import UsageError
from ludens.preferences import human


def test_every_number_has_a_source_or_a_reason():
    for number in human.HUMAN:
        assert (number.value is None) == (number.missing is not None)
        assert number.missing or (number.source and number.confidence != "none")
        if number.unit == "share" and number.value is not None:
            assert 0 <= number.value <= 1
    places = [(number.game, number.measure) for number in human.HUMAN]
    assert len(places) == len(set(places))


def test_only_what_was_checked_is_verified():
    verified = {number.game for number in human.HUMAN if number.verified}
    assert verified == {
        "dictator, online",
        "ultimatum, strategy method, online",
        human.BFS,
        *(human.bfs_group(number) for number in (1, 2, 3)),
    }
    assert all(number.confidence == "raw data or tables" for number in human.HUMAN if number.verified)


def test_shares_of_types_sum_to_one():
    shares = [human.numbers(human.bfs_group(number))[0].value for number in (1, 2, 3)]
    assert sum(shares) == pytest.approx(1)


def test_distance_of_shares_and_of_parameters():
    (gift, nothing, half) = human.distance("dictator, online", {"mean gift": 0.5, "gives half": 0.9})
    assert gift.difference == pytest.approx(0.241)
    assert gift.standardised is None
    assert (nothing.difference, nothing.reason) == (None, "not measured of the model")
    assert half.difference == pytest.approx(0.71)
    alpha = human.distance(human.BFS, {"alpha": 0.283}, {"alpha": 0.02})[0]
    assert alpha.difference == pytest.approx(0.2)
    assert alpha.standardised == pytest.approx(0.2 / math.hypot(0.02, 0.015))
    unknown = human.distance(human.BFS, {"alpha": math.nan})[0]
    assert (unknown.difference, unknown.reason) == (None, "not identified for the model")


def test_what_is_missing_stays_visible_with_its_reason():
    found = human.distance(human.MORALIS, {"alpha": 0.1, "beta": 0.1, "kappa": 0.5, "noise": 8.0})
    assert [entry.human.measure for entry in found] == ["alpha", "beta", "kappa", "noise"]
    assert all(entry.difference is None and "not available" in entry.reason for entry in found)
    assert [entry.value for entry in found] == [0.1, 0.1, 0.5, 8.0]


def test_unknown_games_and_measures():
    with pytest.raises(UsageError, match="no human numbers of 'chess'; there are those of dictator"):
        human.numbers("chess")
    with pytest.raises(UsageError, match="has no measure 'offer'; it has mean gift"):
        human.distance("dictator", {"offer": 0.5})


def test_no_heavy_library_is_imported():
    code = (
        "import sys; import ludens.preferences.human; print('scipy' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
