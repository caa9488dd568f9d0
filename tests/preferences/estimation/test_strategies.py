"""SFEM: what strategies prescribe, and that planted shares are recovered."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.errors import UsageError
from ludens.preferences.estimation import STRATEGIES, Automaton, read_rounds, strategy_frequencies
from ludens.preferences.estimation.strategies.automata import DAL_BO_FRECHETTE
from ludens.preferences.estimation.strategies.rounds import rounds_of

C, D = 1, 0
OWN, OTHER = [C, C, D, C, D, D, C], [C, D, D, C, D, C, C]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("always_defect", "DDDDDDD"),
        ("always_cooperate", "CCCCCCC"),
        ("tit_for_tat", "CCDDCDC"),
        ("suspicious_tit_for_tat", "DCDDCDC"),
        ("grim", "CCDDDDD"),
        ("win_stay_lose_shift", "CCDCCCD"),
        ("two_tits_for_tat", "CCDDDDD"),
        ("tit_for_two_tats", "CCCDCCC"),
        ("t2", "CCDDCDD"),
        ("grim_2", "CCCDDDD"),
    ],
)
def test_what_strategies_do_after_what_both_did(name, wanted):
    own, other = (np.array([each], dtype=np.int8) for each in (OWN, OTHER))
    prescribed = STRATEGIES[name].prescribed(own, other)[0]
    assert "".join("DC"[each] for each in prescribed) == wanted


def play(strategies, tremble, rng, matches=8, length=12):
    """Every subject plays matches against a partner who cooperates at random."""
    rows = []
    for subject, name in enumerate(strategies):
        for match in range(matches):
            other = rng.random(length) < 0.6
            own = np.full((1, length), -1, dtype=np.int8)
            seen = other.astype(np.int8)[None]
            for round_ in range(length):
                own[0, round_] = 0  # only what came before matters for what is prescribed now
                wanted = STRATEGIES[name].prescribed(own[:, : round_ + 1], seen[:, : round_ + 1])[0, round_]
                own[0, round_] = wanted if rng.random() > tremble else 1 - wanted
                rows.append((subject, match, round_ + 1, int(own[0, round_]), int(seen[0, round_])))
    return rounds_of(*map(list, zip(*rows, strict=True)))


PLANTED = {
    "always_defect": 30,
    "tit_for_tat": 24,
    "grim": 12,
    "win_stay_lose_shift": 6,
    "always_cooperate": 8,
}


def test_planted_shares_are_recovered_with_their_intervals():
    people = [name for name, count in PLANTED.items() for _ in range(count)]
    found = strategy_frequencies(play(people, 0.05, np.random.default_rng(4)), draws=200)
    total = sum(PLANTED.values())
    for place, (name,) in enumerate(found.strategies):
        share = PLANTED.get(name, 0) / total
        assert found.share(name) == pytest.approx(share, abs=0.02)
        low, high = found.intervals[place]
        assert low - 0.02 <= share <= high + 0.02
        assert (high - low > 0.05) == (share > 0)
    assert found.tremble == pytest.approx(0.05, abs=0.01)
    assert found.tremble_interval[0] < 0.05 < found.tremble_interval[1] + 0.005
    assert found.errors[0] == pytest.approx(np.sqrt(0.375 * 0.625 / 80), rel=0.3)
    assert found.shares.sum() == pytest.approx(1)
    most = found.memberships.argmax(axis=1)
    assert [found.strategies[each][0] for each in most] == people


def test_the_maximum_is_that_of_a_general_optimiser():
    from scipy.optimize import minimize

    rng = np.random.default_rng(1)
    people = ["tit_for_tat"] * 6 + ["always_defect"] * 5 + ["grim"] * 4
    rounds = play(people, 0.25, rng, matches=2, length=6)
    found = strategy_frequencies(rounds, DAL_BO_FRECHETTE, draws=0)
    agreed = np.stack(
        [
            [
                (STRATEGIES[name].prescribed(rounds.own, rounds.other) == rounds.own)[
                    rounds.subjects == i
                ].sum()
                for i in range(15)
            ]
            for (name,) in found.strategies
        ],
        axis=1,
    )

    def minus(free):
        shares = np.exp(free[:-1] - free[:-1].max())
        beta = 0.5 + 0.5 / (1 + np.exp(-free[-1]))
        likelihood = (shares / shares.sum() * beta**agreed * (1 - beta) ** (12 - agreed)).sum(axis=1)
        return -np.log(likelihood).sum()

    best = min(
        (minimize(minus, rng.normal(size=len(found.strategies) + 1)) for _ in range(5)), key=lambda r: r.fun
    )
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-3)
    assert found.log_likelihood >= -best.fun - 1e-5
    assert np.isnan(found.errors).all()


def test_strategies_that_prescribe_the_same_everywhere_get_no_share_of_their_own():
    rounds = rounds_of([1, 1, 2, 2], [1, 1, 1, 1], [1, 2, 1, 2], [1, 1, 0, 0], [1, 1, 1, 1])
    found = strategy_frequencies(
        rounds, ["always_defect", "always_cooperate", "grim", "tit_for_tat"], draws=0
    )
    assert ("always_cooperate", "tit_for_tat") in found.strategies
    assert np.isnan(found.share("tit_for_tat"))
    assert found.share("always_defect") == pytest.approx(0.5, abs=1e-6)


def test_a_table_is_read_in_any_words_and_order(tmp_path):
    file = tmp_path / "rounds.csv"
    lines = ["id,game,t,me,you", "a,1,2,C,D", "a,1,1,C,C", "b,1,1,D,C", "b,2,1,D,C", "b,2,2,C,D"]
    file.write_text("\n".join(lines))
    columns = {"subject": "id", "match": "game", "round": "t", "own": "me", "other": "you"}
    rounds = read_rounds(file, columns)
    assert rounds.own.tolist() == [[1, 1], [0, -1], [0, 1]]
    assert rounds.other.tolist() == [[1, 0], [1, -1], [1, 0]]
    assert (rounds.names, rounds.subjects.tolist(), rounds.size) == (("a", "b"), [0, 1, 1], 5)
    coded = {"subject": [1, 1], "match": [1, 1], "round": [1, 2], "own": [2, 1], "other": [1, 2]}
    assert read_rounds(coded, codes={"1": "cooperate", "2": "defect"}).own.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"own": [1, 7]}, "holds '7': write cooperate or defect"),
        ({"round": [1, 3]}, "lacks one before it"),
        ({"round": [1, 1]}, "has a round twice"),
        ({"round": [1, 1.5]}, "no whole number"),
        ({"other": None}, "no column 'other'"),
    ],
)
def test_wrong_tables_are_refused_in_a_sentence(change, words):
    table = {"subject": ["a", "a"], "match": [1, 1], "round": [1, 2], "own": [1, 0], "other": [1, 0]} | change
    with pytest.raises(UsageError, match=words):
        read_rounds({name: column for name, column in table.items() if column is not None})


def test_wrong_requests_are_refused_in_a_sentence():
    rounds = rounds_of([1], [1], [1], [1], [1])
    with pytest.raises(UsageError, match="no strategy 'nice'"):
        strategy_frequencies(rounds, ["nice", "grim"])
    with pytest.raises(UsageError, match="at least two"):
        strategy_frequencies(rounds, ["grim"])
    with pytest.raises(UsageError, match="prescribe the same"):
        strategy_frequencies(rounds, ["grim", "tit_for_tat"])
    with pytest.raises(UsageError, match="draws"):
        strategy_frequencies(rounds, draws=-1)
    with pytest.raises(UsageError, match="no rounds"):
        rounds_of([], [], [], [], [])
    with pytest.raises(UsageError, match="next states"):
        Automaton("mine", (True,), ((0, 0, 0, 1),))


def test_one_subject_gives_no_interval():
    rounds = rounds_of(["a"] * 3, ["1"] * 3, [1, 2, 3], [1, 0, 1], [0, 1, 1])
    found = strategy_frequencies(rounds, ["tit_for_tat", "always_defect"])
    np.testing.assert_allclose(found.shares, [1, 0], atol=1e-6)
    assert np.isnan(found.errors).all()
    assert np.isnan(found.intervals).all()
