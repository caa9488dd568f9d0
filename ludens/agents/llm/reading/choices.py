r"""Read a choice between options from a model's reply, or say why there is none.

An answer is what is understood as one, not what nothing speaks against. A reply is divided into sentences,
and each sentence into words of known parts (`ludens.agents.llm.reading.sentences`); only a sentence that
consists of such words alone, in the form of a statement of the model's own choice, up to a reason for it, is
an answer:

======================================  ===============================================================
reply                                   reading
======================================  ===============================================================
``B``, ``**b)**``, ``Option B.``        B: the label, whatever marks it out
``Answer: B``, ``My pick is B``,        B: a noun for an answer, and the label
``B it is``
``I'm going with B``, ``Elijo B``,      B: the model's own choice, in the languages of ``languages.toml``
``我选B``
``B (defect)``, ``I will defect``       B, if that is what the option is called
``{"choice": "B"}``, ``\boxed{B}``       B: JSON, also with single quotes or in a fence, and boxes
``B, because A pays less``              B: a reason may name other options as worse
``Not B``, ``B?``, ``B, if …``,         asked again: turned down, doubted, conditional, drawn by chance, or
``B with probability .6``               followed by a second thought
``Person 1's choice is B``,             asked again: not the model's own choice
``You should choose B``
``A B``, ``A. Or rather B``             asked again: the reader never picks one of two
``B: cooperate`` (B is "defect")        asked again: label and name contradict each other
``Answer: B`` + the limit of tokens     asked again, unless the line or the object was complete
======================================  ===============================================================

What stands around an answer must not speak against it. A *definite* answer stands in JSON, in a box or on a
line of its own, and sentences on other lines may then speak of other options freely, as long as they do not
praise them, choose them or take the answer back. A reply that was asked to reason first may weigh options in
any words before a definite answer at its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ludens.agents.llm.reading.numbers import taken_back
from ludens.agents.llm.reading.refusals import declined
from ludens.agents.llm.reading.sentences import (
    INFLECTED,
    NAME,
    STRANGE_ANSWER,
    SURE,
    UNCLEAR,
    sentences,
    special,
)
from ludens.agents.llm.reading.statements import (
    CONDITION,
    TAKEN_BACK,
    completed,
    judge,
    none_of,
    speaks_against,
    statements,
)
from ludens.agents.llm.reading.text import (
    BROKEN,
    CUT,
    DECLINED,
    EMPTY,
    Outcome,
    Pairs,
    json_objects,
    json_thoughts,
    plain,
)

KEYS = frozenset(
    {
        *("choice", "answer", "option", "decision", "action", "move", "pick", "selection", "letter", "label"),
        *(
            "selected",
            "chosen",
            "vote",
            "signal",
            "final_answer",
            "final_choice",
            "final_decision",
            "my_choice",
        ),
        *("response", "output", "result", "reply"),
        *("my_answer", "my_decision", "my_action", "selected_option", "chosen_option", "choice_letter"),
    }
)
"""The keys under which an answer in JSON stands."""


@dataclass(frozen=True)
class ChoiceReading:
    """What a reply to a choice between options says.

    Attributes:
        outcome: ``"ok"``, ``"invalid"`` or ``"refused"``.
        place: the place of the chosen option among the labels; None unless ``"ok"``.
        detail: one sentence that says what was wrong, in words that the model can be shown; empty if
            ``"ok"``.
        reasoning: the thoughts given before the answer, if any.
        shares: for a stated belief: the share of each label, summing to 1.
    """

    outcome: Outcome
    place: int | None = None
    detail: str = ""
    reasoning: str | None = None
    shares: tuple[float, ...] | None = None


def read_choice(
    text: str | None,
    labels: Sequence[str],
    words: Sequence[str] = (),
    reasoning: bool = False,
    cut: bool = False,
) -> ChoiceReading:
    """Read the option that a reply chooses.

    Args:
        text: the reply.
        labels: single capital letters, or whole numbers, one per option.
        words: the names of the options beside their labels, in the same order; may be empty.
        reasoning: whether the model was asked to reason first, so that options may be weighed before the
            answer.
        cut: whether the reply ended because it reached the limit of tokens; then its last line is no answer.
    """
    text = text or ""
    read = _read if len(text) <= SHORT else _read.__wrapped__
    return read(text, tuple(labels), tuple(words), reasoning, cut)


# Most replies of a run are a few different ones.
@lru_cache(maxsize=1024)
def _read(
    text: str, labels: tuple[str, ...], words: tuple[str, ...], reasoning: bool, cut: bool
) -> ChoiceReading:
    clean = plain(text)
    if not clean:
        return ChoiceReading("invalid", detail=CUT if cut else EMPTY)
    if len(clean) > LONGEST_READ and reasoning:
        clean = clean[-LONGEST_READ // 2 :].partition("\n")[2]
    if len(clean) > LONGEST_READ:
        return ChoiceReading("invalid", detail=none_of(labels))
    objects, around, broken = json_objects(clean)
    formal = _Formal(objects, labels, words)
    prose = _boxes(formal.put_into(around), labels, words)
    if broken and (hit := BROKEN.search(prose)):
        prose = prose[: hit.start()] + UNCLEAR
    read = sentences(_with_names(prose, words), labels)
    answers = statements(read)
    problem, place = judge(read, answers, labels, reasoning)
    if not problem and formal.doubtful(place, labels, words):
        problem = TAKEN_BACK
    if (
        not problem
        and cut
        and not completed(read, answers, reasoning, re.search(r"\n[ \t]*\Z", text) is not None)
    ):
        problem = CUT
    if not problem:
        thoughts = _thoughts(objects, around) if reasoning else None
        return ChoiceReading("ok", place, reasoning=thoughts)
    # "I won't take B" turns an option down, not the question.
    said = "\n".join([around, *formal.texts])
    answered = any(each.place is not None for each in answers)
    if not answered and any(len(_mentions(what, labels, words)) != 1 for what in declined(said)):
        return ChoiceReading("refused", detail=DECLINED)
    if formal.strange:
        problem = problem.replace(repr(STRANGE_ANSWER), repr(formal.strange[0]))
    if broken and not any(each.whole for each in answers):
        problem = "The JSON in the reply is cut off or broken."
    elif cut:
        problem = CUT
    return ChoiceReading("invalid", detail=problem)


def read_shares(text: str | None, labels: Sequence[str], cut: bool = False) -> ChoiceReading:
    """Read how many of 100 people the reply expects to choose each label.

    The numbers stand in JSON such as ``{"A": 60, "B": 40}``, or on lines such as ``A: 60``. Each label must
    have one number, and the numbers must sum to 100 (99 to 101, to allow for rounding). A reply that was cut
    off is read only if its JSON is complete.
    """
    clean = plain(text or "")
    if not clean:
        return ChoiceReading("invalid", detail=CUT if cut else EMPTY)
    objects, around, broken = json_objects(clean)
    given: dict[str, set[float]] = {label: set() for label in labels}
    stated = [(key, str(value)) for _, entry in objects for key, value in entry if key in given]
    if cut and not stated:
        outcome = "refused" if any(True for _ in declined(around)) else "invalid"
        return ChoiceReading(outcome, detail=DECLINED if outcome == "refused" else CUT)  # type: ignore[arg-type]
    hits = list(
        re.finditer(
            rf"(?<![\w'])({'|'.join(labels)})\**\s*[:=]\s*\**([-\d.]++\s*+%?+)(?!\s*(?:or|to)\b)", around
        )
    )
    stated += [(hit[1], hit[2]) for hit in hits]
    if hits and taken_back(around[hits[-1].end() :]):
        return ChoiceReading("invalid", detail=TAKEN_BACK)
    if hits:
        # "If they trust each other:", "For example:"
        lead = sentences(around[: hits[0].start()].rstrip().rpartition("\n")[2][-LONGEST_TEXT:], labels)
        if lead and re.search(r"[?q]", lead[-1].kinds):
            return ChoiceReading("invalid", detail=CONDITION)
    for label, number in stated:
        if re.fullmatch(r"-?\d+(\.\d+)?\.?\s*%?", number.strip()):
            given[label].add(float(number.strip(" %").rstrip(".")))
    missing = [label for label, numbers in given.items() if not numbers]
    if missing:
        if any(len(_mentions(what, labels, ())) != 1 for what in declined(around)):
            return ChoiceReading("refused", detail=DECLINED)
        detail = "The JSON in the reply is cut off or broken." if broken else None
        return ChoiceReading(
            "invalid", detail=detail or f"The reply gives no number for {', '.join(missing)}."
        )
    twice = [label for label, numbers in given.items() if len(numbers) > 1]
    if twice:
        return ChoiceReading(
            "invalid", detail=f"The reply gives more than one number for {', '.join(twice)}."
        )
    numbers = [numbers.pop() for numbers in given.values()]
    total = sum(numbers)
    if min(numbers) < 0 or not 99 <= total <= 101:
        return ChoiceReading(
            "invalid", detail=f"The numbers must be at least 0 and sum to 100; they sum to {total:g}."
        )
    return ChoiceReading("ok", shares=tuple(number / total for number in numbers))


LONGEST_TEXT = 1_000
LONGEST_READ = 50_000
SHORT = 2_000
"""The most characters of a reply that are read, thoughts in tags aside; of longer weighing, the end."""

# --- Formal answers: JSON and boxes


class _Formal:
    """The answers in JSON objects.

    Attributes:
        strange: the values under the key of an answer that are no option.
        texts: what else the objects say under the key of an answer, for refusals.
    """

    def __init__(
        self, objects: Sequence[tuple[int, Pairs]], labels: Sequence[str], words: Sequence[str]
    ) -> None:
        self.strange: list[str] = []
        self.texts: list[str] = []
        self._later: list[str] = []
        self._marks: list[tuple[int, str]] = []
        for start, entry in objects:
            self._marks += [(start, mark) for mark in self._read(entry, labels, words)]

    def put_into(self, around: str) -> str:
        """Return the text with the character of each answer where its object began."""
        text = list(around)
        for start, mark in self._marks:
            # In the place of the line's end that json_objects put there: words may stand around the object.
            text[start] = f"{text[start].strip()}{mark}" if text[start] != "\n" else mark
        return re.sub(r"(?<=[\ue800-\uf001])\s*(?:(?=//|#)|\s(?=[A-Z\"*`]))", "\n", "".join(text))

    def doubtful(self, place: int | None, labels: Sequence[str], words: Sequence[str]) -> bool:
        """Return whether an explanation beside an answer in JSON takes it back."""
        return any(
            speaks_against(sentences(_with_names(plain(text), words), labels), place) for text in self._later
        )

    def _read(self, entry: Pairs, labels: Sequence[str], words: Sequence[str]) -> Iterator[str]:
        answered = False
        unclear = False
        marks = []
        for key, value in entry:
            name = re.sub(r"[\s-]+", "_", key.strip().lower())
            if name in KEYS:
                answered = True
                if isinstance(value, list) and value and isinstance(value[0], tuple):
                    marks += list(self._read(value, labels, words))
                    continue
                if value is None:
                    marks.append(UNCLEAR)
                    continue
                shown = str(value)
                self.texts.append(shown)
                text = isinstance(value, str) or (isinstance(value, int) and shown in labels)
                place = _only_answer(shown, labels, words) if text else None
                if place is None:
                    self.strange.append(shown[:20] or "nothing")
                marks.append(STRANGE_ANSWER if place is None else special(place, SURE))
            elif isinstance(value, str) and re.search(
                r"reason|thought|thinking|expla|analy|rational|justif|why|note|comment|refus", name
            ):
                self.texts.append(value)
                if answered:
                    self._later.append(value)
            else:
                shown = str(value)
                self.texts.append(shown[:LONGEST_TEXT])
                unclear |= bool(
                    re.search(
                        r"prob|chance|weight|percent|mix|odds|certain|condition|alternative|other|"
                        r"example|hypothe|tentative|draft",
                        name,
                    )
                    or (isinstance(value, str) and _of_others(value))
                    or name.upper() in labels
                    or (isinstance(value, str) and _mentions(value, labels, words))
                    or (isinstance(value, list) and any(f"'{label}'" in shown for label in labels))
                )
        if unclear:
            marks.append(UNCLEAR)
        yield from dict.fromkeys(marks)


def _of_others(value: str) -> bool:
    """Return whether a value beside an answer in JSON names another player, or doubts it."""
    said = [each for sentence in sentences(value[:LONGEST_TEXT], ()) for each in sentence.tokens]
    return any(
        each.kind == "D" or each.text == "other" or (each.kind == "o" and each.text not in _OWN_SEAT)
        for each in said
    )


_OWN_SEAT = ("you", "your", "person 1", "player 1", "we", "our")


def _only_answer(value: str, labels: Sequence[str], words: Sequence[str]) -> int | None:
    """Return the place of the option that a short text is, such as a value in JSON."""
    read = sentences(_with_names(plain(value), words), labels)
    answers = statements(read)
    problem, place = judge(read, answers, labels, reasoning=False)
    return None if problem else place


def _boxes(text: str, labels: Sequence[str], words: Sequence[str]) -> str:
    """Return the text with the character of a formal answer for each box of LaTeX."""

    def answer(hit: re.Match[str]) -> str:
        said = re.sub(r"\\[a-z]+\s*|[{}$]", " ", hit["said"])
        place = _only_answer(said, labels, words)
        return STRANGE_ANSWER if place is None else special(place, SURE)

    text = re.sub(
        r"(?:\\[(\[]|\$){0,3}\s{0,3}\\f?boxed\s*\{(?P<said>(?:[^{}\n]|\{[^{}\n]{0,60}\}){0,80})\}\s*(?:\\[)\]]|\$)*",
        answer,
        text,
    )
    return re.sub(r"\\(?:text|textbf|mathrm|mathbf|mathit)\{([^{}\n]{0,80})\}", r"\1", text)


# --- Names of options


def _with_names(text: str, words: Sequence[str]) -> str:
    """Return the text with a character for each name of an option, longest names first."""
    forms = [
        form
        for place, word in enumerate(words)
        for form in _forms(word.strip(), place)
        if len(word.strip()) > 1
    ]
    if not forms:
        return text
    marks = {form.lower(): mark for form, mark in sorted(forms, key=lambda form: len(form[0]))}
    longest = sorted(marks, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", re.IGNORECASE)
    return pattern.sub(lambda hit: f" {marks.get(hit[0].lower(), hit[0])} ", text)


def _forms(name: str, place: int) -> Iterator[tuple[str, str]]:
    """Yield the forms of an option's name, each with the character that stands for it."""
    yield name, special(place, NAME)
    first, *rest = name.split(" ")
    if not re.fullmatch(r"[A-Za-z]{3,}", first):
        return
    stem = first.removesuffix("e")
    tail = " ".join(["", *rest])
    yield f"{stem}ing{tail}", special(place, NAME)
    yield f"{first}s{tail}", special(place, INFLECTED)
    yield f"{stem}ed{tail}", special(place, INFLECTED)
    if not rest and re.search(r"(?:ate|ect)$", first):
        yield f"{stem}ion", special(place, NAME)


def _mentions(text: str, labels: Sequence[str], words: Sequence[str]) -> set[int]:
    """Return the places of the options that a text names."""
    return {
        token.place
        for sentence in sentences(_with_names(text, words), labels)
        for token in sentence.tokens
        if token.place is not None
    }


def _thoughts(objects: Sequence[tuple[int, Pairs]], around: str) -> str | None:
    thoughts = json_thoughts(objects)
    return (around if thoughts is None else thoughts).strip() or None
