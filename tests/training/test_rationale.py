"""Every number of a reasoning is right, copied cells stand in the prompt, and it ends as the oracle does."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.envs import FAMILIES, strategy
from ludens.preferences import Preferences, optimal_options, uniform_belief
from ludens.training.data.completions import completion, phrasings
from ludens.training.data.prompts import PromptRenderer
from ludens.training.data.rationale import RationaleWriter, terms_of

NUMBER = r"-?\d+(?:\.\d+)?(?:/\d+)?"
SUM = re.compile(rf"(?<![\w.])({NUMBER}) ?([+x-]) ?({NUMBER}) ?= ?({NUMBER})")
COMPARISON = re.compile(rf"(?<![\w.])({NUMBER}) ([<=>]) ({NUMBER})(?!\w)")
CHOICE = re.compile(rf"((?:{NUMBER} [A-Z](?:, )?){{2,}}): (the same|{NUMBER} [A-Z](?: and {NUMBER} [A-Z])*)")
WORK = {"+": Fraction.__add__, "-": Fraction.__sub__, "x": Fraction.__mul__}
HOLDS = {"<": Fraction.__lt__, "=": Fraction.__eq__, ">": Fraction.__gt__}
RENDERER = PromptRenderer()


def check_numbers(text, prompt):
    """Every sum and comparison holds, and each of their inputs was read from the prompt, worked out before,
    or is one of the preference's weights (the first factor of a product). Where options are set against each
    other, the one that is taken has the largest number.
    """
    known = {Fraction(number) for number in re.findall(NUMBER, prompt)} | {Fraction(0)}
    said = re.sub(r"(?i)person \d", "", text)
    places = sorted(
        [(hit.start(), hit, True) for hit in SUM.finditer(said)]
        + [(hit.start(), hit, False) for hit in COMPARISON.finditer(SUM.sub(lambda m: " " * len(m[0]), said))]
        + [(hit.start(), hit, None) for hit in CHOICE.finditer(said)],
        key=lambda entry: entry[0],
    )
    assert places
    for _, hit, is_sum in places:
        if is_sum is None:
            check_choice(hit, known)
            continue
        one, other = Fraction(hit[1]), Fraction(hit[3])
        assert one in known or hit[2] == "x", hit[0]
        assert other in known, hit[0]
        if is_sum:
            assert WORK[hit[2]](one, other) == Fraction(hit[4]), hit[0]
            known.add(Fraction(hit[4]))
        else:
            assert HOLDS[hit[2]](one, other), hit[0]


def check_choice(hit, known):
    numbers = {letter: Fraction(number) for number, letter in re.findall(rf"({NUMBER}) ([A-Z])", hit[1])}
    assert set(numbers.values()) <= known, hit[0]
    best = {letter for letter, number in numbers.items() if number == max(numbers.values())}
    if hit[2] == "the same":
        assert best == set(numbers), hit[0]
        return
    taken = re.findall(rf"({NUMBER}) ([A-Z])", hit[2])
    assert {letter for _, letter in taken} == best, hit[0]
    assert all(Fraction(number) == numbers[letter] for number, letter in taken), hit[0]


wishes = st.builds(
    Preferences,
    alpha=st.sampled_from((0, 0, 0.5, 0.3, -0.25)),
    beta=st.sampled_from((0, 0, 0.25, 0.6)),
    kappa=st.sampled_from((0, 0.1, 0.25, 0.5, 0.75, 1)),
)


def ordered_games():
    """Payoffs that make a game, without discarding most draws."""

    def arranged(family, numbers):
        low, mid, high, top = sorted(numbers)
        chosen = (top, high, low, mid) if family == "ultimatum" else (top, high, mid, low)
        return family, chosen

    distinct = st.lists(st.integers(1, 99), min_size=4, max_size=4, unique=True)
    families = st.sampled_from(("sequential_prisoners_dilemma", "trust", "ultimatum"))
    return st.builds(arranged, families, distinct)


@given(ordered_games(), wishes, st.integers(0, 1), st.sampled_from(("steps", "prose")), st.integers(0, 5))
def test_every_number_is_right_and_the_end_is_the_oracles(drawn, preferences, order, reasoning, phrasing):
    family, payoffs = drawn
    game = FAMILIES[family].game(payoffs=payoffs)
    belief = uniform_belief(game)
    terms = terms_of(game, preferences, belief)
    for node, best in optimal_options(game, preferences, belief).items():
        rendered = RENDERER.render(game, node, "neutral", order, reasoning=True)
        options = game.information_set(node).options
        found = RationaleWriter(game, terms, rendered.shown).write(node)[1]
        assert found == best
        answer = rendered.labels[rendered.order.index(options.index(min(best)))]
        text = completion(
            game, node, rendered, answer, terms=terms, reasoning=reasoning,
            phrasing=phrasing % phrasings(reasoning),
        )  # fmt: skip
        assert text.splitlines()[-1] == f"Answer: {answer}"
        prompt = rendered.messages[1]["content"]
        check_numbers(text, prompt)
        if reasoning == "steps":
            *_, last = CHOICE.finditer(text)
            # The last number told is that of the answer.
            assert last[2] == "the same" or re.search(rf" {answer}\b", last[2])
            rows = prompt.splitlines()
            copied = [line for line in text.splitlines() if " gets " in line]
            assert copied
            for line in copied:
                head, _, body = line.partition(": ")
                assert any(row.startswith(f"{head}: ") and body in row for row in rows), line


@given(ordered_games(), wishes, st.tuples(*[st.integers(0, 10)] * 3))
def test_the_argument_holds_for_any_belief(drawn, preferences, shares):
    family, payoffs = drawn
    game = FAMILIES[family].game(payoffs=payoffs)
    nodes = game.information_sets
    belief = strategy(game, {n.label: share / 10 for n, share in zip(nodes, shares, strict=False)})
    terms = terms_of(game, preferences, belief)
    for node, best in optimal_options(game, preferences, belief).items():
        assert RationaleWriter(game, terms, range(len(game.leaves))).write(node)[1] == best


def test_the_checker_finds_wrong_numbers():
    with pytest.raises(AssertionError):
        check_numbers("Person 1 A: 6 + 1 = 8", "6 1")
    with pytest.raises(AssertionError):
        check_numbers("7 > 12", "7 12")
    with pytest.raises(AssertionError):
        check_numbers("5 + 1 = 6", "6 1")
    with pytest.raises(AssertionError):
        check_numbers("12-3=8", "12 3")
    for wrong in (
        "7 A, 12 B: 7 A",
        "7 A, 12 B: 12 A",
        "7 A, 12 B: the same",
        "7 A, 7 B: 7 A",
        "7 A, 9 B: 9 B",
    ):
        with pytest.raises(AssertionError):
            check_numbers(wrong, "7 12")
    check_numbers("7 A, 12 B: 12 B", "7 12")
    check_numbers("7 A, 7 B: the same", "7")
