"""Intra-class correlation and shares of variance against published numbers and planted components."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.experiments.measures.reliability import Answer, reliability

SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_the_published_intra_class_correlation():
    """Shrout & Fleiss (1979), table 2: four ratings of six targets, ICC(1,1) = .17."""
    answers = [
        Answer(rating, target, {}, target)
        for target, ratings in enumerate(SHROUT_FLEISS)
        for rating in ratings
    ]
    found = reliability(answers)
    between, within = 4 * np.var([np.mean(row) for row in SHROUT_FLEISS], ddof=1), 0.0
    within = np.mean([np.var(row, ddof=1) for row in SHROUT_FLEISS])
    assert found.icc.value == pytest.approx((between - within) / (between + 3 * within))
    assert round(found.icc.value, 2) == 0.17
    assert found.icc.low < found.icc.value < found.icc.high
    assert found.question == pytest.approx(found.icc.value)
    assert found.repetition == pytest.approx(1 - found.icc.value)


def planted(spreads, *, questions=60, framings=3, orders=2, replicates=4, seed=0):
    rng = np.random.default_rng(seed)
    question, framing, order, noise = spreads
    of_question = rng.normal(0, question, questions)
    of_framing = rng.normal(0, framing, (questions, framings))
    of_order = rng.normal(0, order, (questions, orders))
    return [
        Answer(
            of_question[q] + of_framing[q, f] + of_order[q, o] + rng.normal(0, noise),
            q,
            {"framing": f, "order": o},
            q // 3,
        )
        for q in range(questions)
        for f in range(framings)
        for o in range(orders)
        for _ in range(replicates)
    ]


def test_planted_components_are_recovered():
    found = reliability(planted((2.0, 1.0, 0.5, 1.0), questions=400))
    total = 4 + 1 + 0.25 + 1
    assert found.question == pytest.approx(4 / total, abs=0.05)
    assert found.factors["framing"] == pytest.approx(1 / total, abs=0.03)
    assert found.factors["order"] == pytest.approx(0.25 / total, abs=0.02)
    assert found.repetition == pytest.approx(1 / total, abs=0.02)
    assert found.interactions == pytest.approx(0, abs=0.01)
    shares = (found.question, *found.factors.values(), found.interactions, found.repetition)
    assert sum(shares) == pytest.approx(1)


def test_exact_probabilities_need_no_repetition():
    answers = [Answer(p, q, {}, q, exact=True) for q, p in enumerate([0.0, 1.0, 0.5, 0.5])]
    found = reliability(answers)
    assert found.repetition * _total([0, 1, 0.5, 0.5]) == pytest.approx((0 + 0 + 0.25 + 0.25) / 4)
    sure = reliability([Answer(p, q, {}, q, exact=True) for q, p in enumerate([0.0, 1.0, 1.0])])
    assert sure.icc.value == 1


def _total(shares):
    pairs = [(a + b) / 2 - a * b for i, a in enumerate(shares) for j, b in enumerate(shares) if i != j]
    return np.mean(pairs)


def test_what_was_not_asked_has_no_number():
    once = reliability([Answer(float(q % 2), q, {"framing": f}, q) for q in range(6) for f in range(2)])
    assert once.icc.value is None
    assert "replicates" in once.icc.note
    assert once.factors == {"framing": None}
    assert once.question is not None
    constant = reliability([Answer(1.0, q, {}, q) for q in range(4)])
    assert constant.icc.value is None
    assert reliability([]).icc.value is None
