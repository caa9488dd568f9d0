"""The reader of replies: a table of known answers, and what must hold of any text."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents.llm.reading.choices import read_choice, read_shares

LABELS = ("A", "B")
WORDS = ("lend the cart", "use the cart alone")

READS_AS_B = [
    "B", "b", "B.", "b)", "(b)", "**B**", "`B`", "<b>B</b>", "“B”", "\x1b[31mB\x1b[0m", "- B", "B!", " B \n",
    "Option B", "option b", "Answer: B", "answer: b", "**Answer:** B", "**Answer: B**",
    "Final answer: Option B",
    "The answer is B", "My answer is B.", "I choose option B.", "I would pick B", "I'll go with B!",
    "B because it pays more", "B) use it", "B\n\nI choose B since 90 > 45", r"\boxed{B}",
    r"So \boxed{\text{B}}.", '{"choice": "B"}', '{"choice":"b"}', '{"answer": "Option B"}',
    '{"reasoning": "A pays 3, B 4", "choice": "B"}',

    "Ⓑ", "🅱", "В", "Β",
    "Ｂ", "B\u200b", "\ufeffB", "‘B’", "«B»", "Answer — B", "I'd say B", "<think>A or B? B.</think>\n\nB",
    "It could be B.</think>B", '{"choice": "B: Option B"}', '{"choice": "Option B."}',
    "**B** because it pays",
    "Since I do not trust them, I choose B", "If they are kind I get 50, so I choose B",
    "B. If they are kind I get 50.", "B, because if they are kind I get 50",
    "B. No other option pays as much.",
    "B. There is no need to wait.", "The answer is B. Why? It pays more.",
    "B, since the other option pays less.",
    'Sure! ```json\n{"choice": "B"}\n``` Good luck.', 'I think that {"answer":"B"} is best',
]  # fmt: skip

READS_AS_NOTHING = {
    "A or B": "gives none",
    "a or b": "gives none",
    "Both A and B": "gives none",
    "AB": "gives none",
    "A… but B": "more than one",
    "A... but B": "more than one",
    "A, but B": "more than one",
    "b) but a)": "more than one",
    "b, or a": "more than one",
    "I choose A or B": "more than one",
    "I choose A. Actually, I choose B.": "more than one",
    "Answer: A\nAnswer: B": "more than one",
    "Answer: A or B": "more than one",
    "Answer: A/B": "more than one",
    "Answer: B\nBut A is nice": "more than one",
    '{"choice": "A"} {"choice": "B"}': "more than one",
    'I choose A. {"choice": "B"}': "more than one",
    '{"choice": "A or B"}': "not one of the options",
    "C": "'C' is not one of the options A, B",
    "Answer: C": "'C' is not one of the options A, B",
    '{"choice": "C"}': "'C' is not one of the options A, B",
    "Answer: 7": "'7' is not one of the options A, B",
    "": "empty",
    " \n\t ": "empty",
    "\x1b[2J\x1b[H": "empty",
    "A fair split is best": "gives none",
    "A fair question.\nAnswer: B": "more than one",
    "I choose a fair split": "gives none",
    '{"choice": "B': "cut off",
    '{"reasoning": "B is': "cut off",
    "[" * 5000: "gives none",
    '{"a":' * 5000: "cut off",
    "consider the matter " * 3500: "gives none",
    "I choose but " * 5000: "gives none",
    "A." + "\n" * 20000 + "but " * 5000 + "the other.": "takes its answer back",
    '{"choice": "A", "choice": "B"}': "more than one",
    '{"choice": null}': "gives none",
    '{"choice": ""}': "'nothing' is not one",
    '{"choice": true}': "'True' is not one",
    '{"choice": "not A"}': "'not A' is not one",
    '{"choice": "A) is worse"}': "'A) is worse' is not one",
    "<think>A it is": "empty",
    "Answer with one letter, A or B.": "gives none",
    "Option B (which is A in the other order)": "gives none",
}

# The option that is named is not the one that is taken, or not for certain.
NAMED_ONLY = [
    "not A", "Answer: not A", "anything but A", "I would choose anything but A", "I would never choose A",
    "I would not choose A", "I don't think I'd choose A", "I do not think that, here, I'd choose A",
    "I doubt I would choose A", "There is no way I'd choose A", "Never would I choose A",
    "Why would I choose A",
    "Should I choose A?", "Do I choose A", "I choose A?", "Answer: A?", "Nobody could say the answer is A",
    "People expect I would choose A", "If I were you, I would choose A",
    "I would choose A if Person 1 chose A.",
    "A, unless you pay me", "A) is worse", "**A** would be unwise", '"A" gives 10', "A is my least favourite",
    "A as a first move is risky", "A: 45", "A: 60%", "A: no", "A... not!", "I prefer A less", "A. Wait, no.",
    "A - no, the other one", "A. On reflection, no.", "My first choice is A, but I take the other one.",
    r"not \boxed{A}", "I won't take A", "I refuse to choose A.", "I can't wait to choose A",
]  # fmt: skip


@pytest.mark.parametrize("reasoning", [False, True])
@pytest.mark.parametrize("text", NAMED_ONLY)
def test_an_option_that_is_only_named_is_not_taken(text, reasoning):
    reading = read_choice(text, LABELS, (), reasoning)
    assert (reading.outcome, reading.place) == ("invalid", None)


@pytest.mark.parametrize("text", READS_AS_B)
def test_an_answer_is_read_in_any_of_its_forms(text):
    assert read_choice(text, LABELS).place == 1


@pytest.mark.parametrize("text", READS_AS_NOTHING, ids=lambda text: repr(text[:40]))
def test_doubt_is_no_answer_and_has_its_reason(text):
    reading = read_choice(text, LABELS)
    assert (reading.outcome, reading.place) == ("invalid", None)
    assert READS_AS_NOTHING[text] in reading.detail


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot choose between A and B.",
        "As an AI, I have no preferences.",
        "As an AI language model, I don't take sides.",
        "I'm sorry, but I can’t",
        "I apologize, but I cannot fulfill this request.",
        "I won't participate.",
        "I must decline.",
    ],
)
def test_a_refusal_is_told_apart(text):
    assert read_choice(text, LABELS).outcome == "refused"


@pytest.mark.parametrize(
    "text",
    [
        "I cannot control what the other does, so",
        "I can't be sure.",
        "I will not lie: this is hard.",
        "As an AI, let me look at the payoffs.",
        "I refuse.",
        "I refuse to sign.",
        "I decline the offer.",
    ],
)
def test_to_know_little_or_to_turn_down_an_offer_is_no_refusal_to_answer(text):
    assert read_choice(text, LABELS, ("sign", "leave it unsigned")).outcome == "invalid"


def test_hesitation_before_a_clear_answer_is_no_refusal():
    assert read_choice("I cannot know what the other does.\nAnswer: B", LABELS).place == 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("use the cart alone", 1),
        ("I would lend the cart.", 0),
        ("B: use the cart alone", 1),
        ("I choose to use the cart alone", 1),
        ('{"choice": "lend the cart"}', 0),
        ("A: use the cart alone", None),
        ("lend the cart, or use the cart alone", None),
    ],
)
def test_what_the_story_calls_an_option_is_an_answer(text, place):
    assert read_choice(text, LABELS, WORDS).place == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("If I choose A I get 45, if I choose B, 90.\nAnswer: B", 1),
        ("A is 4.\n\n**Answer: B**", 1),
        ("A fair question.\nAnswer: B", 1),
        ('{"reasoning": "A pays 4, B pays 9", "choice": "B"}', 1),
        ("Thinking. Answer: A\nNo, wait.\nAnswer: B", None),
        ("A gives 4. B gives 9. So I choose B.", 1),
        ("Answer: B, though A is tempting", None),
    ],
)
def test_after_thinking_only_the_final_answer_counts(text, place):
    assert read_choice(text, LABELS, reasoning=True).place == place


def test_thoughts_are_kept():
    assert (
        read_choice('{"reasoning": "9 is more", "choice": "B"}', LABELS, reasoning=True).reasoning
        == "9 is more"
    )
    assert "9 is more" in (read_choice("9 is more.\nAnswer: B", LABELS, reasoning=True).reasoning or "")


@given(st.text(max_size=400), st.booleans())
def test_no_text_breaks_the_readers(text, reasoning):
    reading = read_choice(text, LABELS, WORDS, reasoning)
    assert (reading.outcome == "ok") == (reading.place in (0, 1)) == (not reading.detail)
    shares = read_shares(text, LABELS)
    assert (shares.outcome == "ok") == (shares.shares is not None)


PARTS = st.sampled_from(
    ["Answer: {}", "{}", "{})", "**{}**", "I choose {}.", "Option {}", '{{"choice": "{}"}}',
     "My answer is {}", "({})"]
)  # fmt: skip
GLUE = st.sampled_from([" ", "\n", ". ", ", but ", " or ", "... ", "\n\nNo: ", " and ", " / "])


@given(st.lists(PARTS, min_size=2, max_size=4), GLUE, st.data())
def test_two_answers_never_read_as_one(parts, glue, data):
    labels = data.draw(st.permutations([*"AB", *data.draw(st.lists(st.sampled_from("AB"), max_size=2))]))
    cased = [data.draw(st.sampled_from([label, label.lower()])) for label in labels[: len(parts)]]
    if len({label.upper() for label in cased}) < 2:
        cased = ["A", "B", *cased[2:]]
    text = glue.join(part.format(label) for part, label in zip(parts, cased, strict=False))
    assert read_choice(text, LABELS).place is None, text


@pytest.mark.parametrize("after", [" I choose A.", "\nI choose A.", " A", "\nAnswer: A"])
@pytest.mark.parametrize("between", ["", " ", "\n"])
def test_two_objects_that_differ_are_no_answer_whatever_follows(between, after):
    text = '{"choice": "B"}' + between + '{"choice": "A"}' + after
    assert read_choice(text, LABELS).place is None, text


@pytest.mark.parametrize(
    "text",
    ["I choose A. Answer: b Answer: A", "A. My choice: b My choice: A", "Answer: A. Option b Option A"],
)
def test_a_small_letter_after_the_noun_of_an_answer_is_one_of_two(text):
    assert read_choice(text, LABELS).place is None


@pytest.mark.parametrize(
    "text",
    [
        '{"A": 60, "B": 40}',
        "A: 60\nB: 40",
        "**A**: 60%\n**B**: 40%",
        '{"A": "60%", "B": "40 %"}',
        "B = 40, A = 60.",
    ],
)
def test_shares_are_read(text):
    assert read_shares(text, LABELS).shares == pytest.approx((0.6, 0.4))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A: 60", "no number for B"),
        ('{"A": 0.6, "B": 0.4}', "sum to 100"),
        ("A: 60, B: 60", "sum to 120"),
        ("A: 160, B: -60", "at least 0"),
        ("A: 60, B: 40. No, A: 50, B: 50", "more than one number for A, B"),
        ('{"A": 60, "B": 4', "cut off"),
        ("half and half", "no number for A, B"),
        ("A: 60 or 70\nB: 40", "no number for A"),
        ('{"A": 60, "A": 50, "B": 40}', "more than one number for A"),
        ('{"A": true, "B": 99}', "no number for A"),
        ("", "empty"),
    ],
)
def test_shares_that_are_incomplete_or_do_not_sum_are_not_mended(text, why):
    reading = read_shares(text, LABELS)
    assert reading.outcome == "invalid"
    assert why in reading.detail


@pytest.mark.parametrize(
    "text", ["If they trust: A: 60, B: 40", "A: 60, B: 40. Wait, reverse.", "For example:\nA: 60\nB: 40"]
)
def test_shares_on_a_condition_or_taken_back_are_none(text):
    assert read_shares(text, LABELS).outcome == "invalid"


@pytest.mark.parametrize(("best", "other"), list(permutations("AEIORSWYZ", 2)))
def test_labels_that_are_words_of_some_language_do_not_decide_in_which_one_a_reply_is_read(best, other):
    text = (
        f"Reply to {other}\nHouse 1 {other}, House 2 {best}: House 2 ends with 2\n"
        f"House 1 {other}, House 2 {other}: House 2 ends with 1\n"
        f"2 {best}, 1 {other}: 2 {best}\nAnswer: {best}"
    )
    reading = read_choice(text, (best, other), (), reasoning=True)
    assert (reading.outcome, reading.place) == ("ok", 0)
