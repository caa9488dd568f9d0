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
from dataclasses import dataclass, field

from ludens.agents.llm.reading.refusals import declined
from ludens.agents.llm.reading.sentences import (
    BAD,
    COLON,
    COMMA,
    INFLECTED,
    LABEL,
    LONGEST,
    NAME,
    QUOTE,
    STRANGE_ANSWER,
    SURE,
    UNCLEAR,
    Sentence,
    Token,
    sentences,
    special,
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
        labels: single capital letters, one per option.
        words: the names of the options beside their labels, in the same order; may be empty.
        reasoning: whether the model was asked to reason first, so that options may be weighed before the
            answer.
        cut: whether the reply ended because it reached the limit of tokens; then its last line is no answer.
    """
    clean = plain(text or "")
    if not clean:
        return ChoiceReading("invalid", detail=CUT if cut else EMPTY)
    if len(clean) > LONGEST_READ and reasoning:
        clean = clean[-LONGEST_READ // 2 :].partition("\n")[2]
    if len(clean) > LONGEST_READ:
        return ChoiceReading("invalid", detail=NONE.replace("{labels}", ", ".join(labels)))
    objects, around, broken = json_objects(clean)
    formal = _Formal(objects, labels, words)
    prose = _boxes(formal.put_into(around), labels, words)
    if broken and (hit := BROKEN.search(prose)):
        prose = prose[: hit.start()] + UNCLEAR
    read = sentences(_with_names(prose, words), labels)
    answers = _answers(read)
    problem, place = _judge(read, answers, labels, reasoning)
    if not problem and formal.doubtful(place, labels, words):
        problem = TAKEN_BACK
    if (
        not problem
        and cut
        and not _complete(read, answers, reasoning, re.search(r"\n[ \t]*\Z", text or "") is not None)
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
    return ChoiceReading("invalid", detail=problem.replace("{labels}", ", ".join(labels)))


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
    stated += re.findall(
        rf"(?<![\w'])({'|'.join(labels)})\**\s*[:=]\s*\**([-\d.]++\s*+%?+)(?!\s*(?:or|to)\b)", around
    )
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


LONGEST_READ = 50_000
"""The most characters of a reply that are read, thoughts in tags aside; of longer weighing, the end."""

NONE = "The reply gives none of the answers {labels}."
TAKEN_BACK = "The reply takes its answer back."
CONDITION = "The reply makes its answer depend on a condition; choose one option outright."
CHANCE = "The reply leaves its answer to chance or is not sure of it; choose one option outright."
ASKS = "The reply asks instead of answering."
DENIES = "The reply turns an option down; name the one that is chosen."
OTHERS = "The reply also speaks for another option; name the chosen one alone."
VAGUE = "The reply names an option but does not plainly choose it; name the chosen one alone."


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
        return re.sub(r"(?<=[\ue800-\uf001])\s+(?=[A-Z\"*`])", "\n", "".join(text))

    def doubtful(self, place: int | None, labels: Sequence[str], words: Sequence[str]) -> bool:
        """Return whether an explanation beside an answer in JSON takes it back."""
        return any(_speaks_against(text, labels, words, place) for text in self._later)

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
                place = _only_answer(shown, labels, words) if isinstance(value, str) else None
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
                unclear |= bool(
                    re.search(
                        r"prob|chance|weight|percent|mix|odds|confiden|certain|condition|alternative|other",
                        name,
                    )
                    or name.upper() in labels
                    or (isinstance(value, str) and _mentions(value, labels, words))
                    or (isinstance(value, list) and any(f"'{label}'" in shown for label in labels))
                )
        if unclear:
            marks.append(UNCLEAR)
        yield from dict.fromkeys(marks)


def _only_answer(value: str, labels: Sequence[str], words: Sequence[str]) -> int | None:
    """Return the place of the option that a short text is, such as a value in JSON."""
    read = sentences(_with_names(plain(value), words), labels)
    answers = _answers(read)
    problem, place = _judge(read, answers, labels, reasoning=False)
    return None if problem else place


def _boxes(text: str, labels: Sequence[str], words: Sequence[str]) -> str:
    """Return the text with the character of a formal answer for each box of LaTeX."""

    def answer(hit: re.Match[str]) -> str:
        said = re.sub(r"\\[a-z]+\s*|[{}$]", " ", hit["said"])
        place = _only_answer(said, labels, words)
        return STRANGE_ANSWER if place is None else special(place, SURE)

    return re.sub(
        r"(?:\\[(\[]|\$)*\s*\\f?boxed\s*\{(?P<said>(?:[^{}\n]|\{[^{}\n]{0,60}\}){0,80})\}\s*(?:\\[)\]]|\$)*",
        answer,
        text,
    )


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


# --- Answers


@dataclass(frozen=True)
class _Answer:
    """A statement of a choice.

    Attributes:
        number: of the sentence.
        place: the place of the option; None for a letter that is no label.
        text: the letter as written.
        whole: whether the whole sentence is understood as an answer and its reason.
        stated: whether it has a noun or a verb of choosing, or is formal, and is no bare label.
        noun: whether it has a noun for an answer.
        reason: the words around the statement, within the sentence.
        formal: whether it stands in JSON or in a box.
    """

    number: int
    place: int | None
    text: str
    whole: bool
    stated: bool
    noun: bool
    reason: tuple[Token, ...] = ()
    formal: bool = False
    conceded: tuple[Token, ...] = field(default=())


_OPTION = "[LHJX]"
# The forms of a statement, as regular expressions over kinds of words. See `sentences.KINDS`.
_STATEMENTS = tuple(
    re.compile(pattern.replace("O", _OPTION))
    for pattern in (
        r"t?i?w*s[=:]?n?:?O",  # elijo A; going with A
        r"t?i?w*n?On?w*s",  # Aを選びます; A seçeneğini seçiyorum
        r"t?iw*[vm][=:]?n?:?O",  # I will choose option A
        r"t?iw+p[=:]?n?:?O",  # I have chosen A
        r"t?iw*n?On?w*[vmp]",  # ich werde A wählen
        r"t?iw*H",  # I will cooperate
        r"t?[nm]iw*[vmp]=n?O",  # the option I choose is A
        r"t?O[=,:]*[nm]",  # A is my choice
        r"t?(?:[nm][=:,]*){1,3}O=?",  # my answer is option A
        r"OE|t?EO",  # A it is
        r"[tJ]?O=b[nm]?",  # I think A is best
        r"O",
    )
)
_LEAD = re.compile(r"(?:[fS][,:]*)*")
_BARE_END = re.compile(r"(?:[,:B]|\Z)")


def _answers(read: Sequence[Sentence]) -> list[_Answer]:
    """Return all statements of a choice, and what looks like the beginning of one."""
    found: list[_Answer] = []
    for number, sentence in enumerate(read):
        if len(sentence.tokens) <= LONGEST:
            found += _statements(number, sentence)
    return found


def _statements(number: int, sentence: Sentence) -> Iterator[_Answer]:
    tokens = _reduced(sentence.tokens)
    kinds = "".join(token.kind for token in tokens)
    if not re.search(_OPTION, kinds):
        return
    lead = _LEAD.match(kinds)
    starts = [(lead.end() if lead else 0, 0)]
    starts += [(hit.end(), hit.start()) for hit in re.finditer(r"[,:SC][,:SCf_]*", kinds)]
    seen = set()
    for start, joint in starts:
        if start in seen:
            continue
        seen.add(start)
        before = tokens[:joint] if start > (lead.end() if lead else 0) else ()
        for form in _STATEMENTS:
            hit = form.match(kinds, start)
            if hit is None:
                continue
            option = next(token for token in tokens[hit.start() : hit.end()] if re.match(_OPTION, token.kind))
            after = tokens[hit.end() :]
            bare = form is _STATEMENTS[-1]
            predicate = re.search(r"[=:vmspEiwJ]", hit[0]) is not None
            if not predicate and not (_BARE_END.match(kinds, hit.end()) and not _opens(after)):
                continue
            if hit[0][-1] in "nm" and hit[0][-2:-1] in "LHJX" and not _determined(sentence.tokens, option):
                continue
            reason = _tail(after, kinds[hit.end() :], option)
            leads = _introduces(before, kinds[:joint], kinds[joint:start], option)
            whole = (
                reason is not None
                and leads
                and not (sentence.asks and option.kind != SURE)
                and not sentence.asks
            )
            yield _Answer(
                number,
                option.place,
                option.text,
                whole,
                stated=not bare,
                noun=bool(re.search(r"[nm]", hit[0])) and "b" not in hit[0],
                reason=tuple(reason or ()),
                formal=option.kind == SURE,
                conceded=tuple(before),
            )
            if whole:
                break


def _reduced(tokens: Sequence[Token]) -> list[Token]:
    """Return tokens without words that change nothing, and one token for an option with its name."""
    kept: list[Token] = []
    for number, token in enumerate(tokens):
        if token.kind == "_":
            continue
        if token.kind == "b" and re.match(
            r"[_b]*[nm]", "".join(each.kind for each in tokens[number + 1 : number + 4])
        ):
            continue
        if token.kind == QUOTE and _frames_option(tokens, number):
            continue
        kept.append(token)
    merged: list[Token] = []
    for token in kept:
        if token.place is not None and token.kind in "LHJ":
            back = len(merged) - 1
            while back >= 0 and merged[back].kind in f"{COMMA}{COLON}n" and len(merged) - back <= 3:
                back -= 1
            if back >= 0 and merged[back].kind in "LHJ" and merged[back].place == token.place:
                kind = SURE if SURE in (token.kind, merged[back].kind) else merged[back].kind
                merged[back:] = [Token(kind, token.text, token.place)]
                continue
        merged.append(token)
    while merged and merged[-1].kind in (COMMA, COLON):
        merged.pop()
    while merged and merged[0].kind == COMMA:
        merged.pop(0)
    return merged


def _frames_option(tokens: Sequence[Token], number: int) -> bool:
    """Return whether a quotation mark stands beside an option alone: "A", but not "I choose A"."""
    beside = [tokens[place] for place in (number - 1, number + 1) if 0 <= place < len(tokens)]
    if not any(token.kind in "LHJX" for token in beside):
        return False
    quotes = [place for place, token in enumerate(tokens) if token.kind == QUOTE]
    at = quotes.index(number)
    pair = quotes[at ^ 1] if (at ^ 1) < len(quotes) else None
    if pair is None:
        return False
    inside = tokens[min(number, pair) + 1 : max(number, pair)]
    return all(token.kind in "LHJXn_," for token in inside)


def _opens(after: Sequence[Token]) -> bool:
    """Return whether a bracket follows."""
    return bool(after) and after[0].text == "("


def _determined(tokens: Sequence[Token], option: Token) -> bool:
    """Return whether "A … choice" has a word such as "my" between: "A choice" is none."""
    at = next((place for place, token in enumerate(tokens) if token is option), 0)
    return any(token.kind == "_" for token in tokens[at + 1 :])


def _tail(after: Sequence[Token], kinds: str, option: Token) -> Sequence[Token] | None:
    """Return the reason that follows a statement; None if what follows is none."""
    marks = len(kinds) - len(kinds.lstrip(",:"))
    rest = kinds[marks:]
    if not rest:
        return ()
    tokens = after[marks:]
    if rest[0] == "B" or (marks and tokens[0].text in ("it", "this", "they", "both", "there")):
        return tokens
    if marks and re.fullmatch(r"[fn=,m]+|[+b]*u?[nm]", rest):
        return ()
    turned = re.match(r"(?:/|N)n*[LHJ]", rest)
    if turned and (marks or rest[0] == "/") and tokens[turned.end() - 1].place != option.place:
        more = rest[turned.end() :].lstrip(",")
        if not more or more[0] == "B":
            return tokens[turned.end() :]
    # "B) use it" says what the option is.
    if (
        marks
        and after[0].text == ")"
        and option.kind == LABEL
        and len(rest) <= 8
        and re.fullmatch(r"[uv_]+", rest)
    ):
        return ()
    return None


def _introduces(before: Sequence[Token], kinds: str, joint: str, option: Token) -> bool:
    """Return whether words before a statement lead to it: "Since it pays more, …", "It is risky, but …"."""
    if not before:
        return True
    first = next((kind for kind in kinds if kind not in ",_f"), "")
    if re.search(r"[RqPQ%D!\"]", kinds):
        return False
    if "C" in joint:
        return "?" not in kinds
    if "S" in joint:
        return ("?" not in kinds or "y" in kinds) and _harm(
            before, False, option.place, strict=True, reason=True
        ) is None
    if first == "K":
        return "?" not in kinds
    if first == "B":
        return _harm(before, False, option.place, strict=True, reason=True) is None
    return False


# --- What stands around an answer


def _judge(
    read: Sequence[Sentence], answers: Sequence[_Answer], labels: Sequence[str], reasoning: bool
) -> tuple[str, int | None]:
    """Return what is wrong with a reply (nothing: ""), and the place of the option that it chooses."""
    last = _definite_end(read, answers) if reasoning else None
    first = 0
    if last is not None:
        first = last.number
        answers = [
            each for each in answers if each.number >= first or (each.whole and each.noun and each.stated)
        ]
    named = {each.text.upper() if each.place is None else labels[each.place] for each in answers}
    whole = [each for each in answers if each.whole]
    if not whole:
        return _without_answer(read, answers, labels, named)
    at = {each.number: each for each in whole}
    rivals = [*whole, *(each for each in answers if each.number in at)]
    if len({each.text if each.place is None else each.place for each in rivals}) > 1:
        return _several(named), None
    answer = next(
        (each for each in whole if each.formal),
        next((each for each in whole if read[each.number].alone), whole[0]),
    )
    if answer.place is None:
        return f"{answer.text.upper()!r} is not one of the options {{labels}}.", None
    definite = answer.formal or read[answer.number].alone
    for number, sentence in enumerate(read[first:], first):
        if number in at:
            harm = _harm(at[number].reason, False, answer.place, strict=True, reason=True)
        else:
            harm = _around(read, number, answer, strict=not definite)
        if harm:
            others = {labels[token.place] for token in sentence.tokens if token.place is not None}
            rivals = [each for each in answers if each.number == number and each.place != answer.place]
            if (rivals or harm in (OTHERS, VAGUE)) and len(others | named) > 1:
                harm = _several(others | named)
            return harm, None
    return "", answer.place


def _definite_end(read: Sequence[Sentence], answers: Sequence[_Answer]) -> _Answer | None:
    """Return the last definite answer of a reply that was asked to reason first."""
    definite = [
        each for each in answers if each.whole and (each.formal or read[each.number].alone or each.noun)
    ]
    return definite[-1] if definite else None


def _complete(
    read: Sequence[Sentence], answers: Sequence[_Answer], reasoning: bool, line_ended: bool
) -> bool:
    """Return whether a reply that was cut off gave its answer in a complete object or on a complete line."""
    last = read[-1]
    if (not line_ended and re.search(r"[Cr]", last.kinds)) or (
        last.tokens[:1] and last.tokens[0].text.startswith("let")
    ):
        return False
    return any(
        each.whole
        and (
            each.formal
            or (
                (read[each.number].alone and (each.stated or not reasoning))
                and (line_ended or read[each.number].line < last.line)
            )
        )
        for each in answers
    )


def _without_answer(
    read: Sequence[Sentence], answers: Sequence[_Answer], labels: Sequence[str], named: set[str]
) -> tuple[str, int | None]:
    mentioned = {labels[token.place] for each in read for token in each.tokens if token.place is not None}
    if named and len(named | mentioned) > 1:
        return _several(named | mentioned), None
    if not named:
        numbers = (re.fullmatch(r"(?:.*[,:])?_*[nm]_*[=:]_*#", each.kinds) for each in read)
        number = next((each.tokens[-1].text for each, hit in zip(read, numbers, strict=True) if hit), None)
        return NONE if number is None else f"{number!r} is not one of the options {{labels}}.", None
    kinds = "".join(read[each.number].kinds for each in answers)
    for pattern, detail in (("R", TAKEN_BACK), (r"\?", CONDITION), ("[%D!]", CHANCE), ("N", DENIES)):
        if re.search(pattern, kinds):
            return detail, None
    if any(read[each.number].asks for each in answers):
        return ASKS, None
    if all(each.place is None for each in answers):
        return f"{answers[0].text.upper()!r} is not one of the options {{labels}}.", None
    return VAGUE, None


def _several(named: set[str]) -> str:
    return f"The reply names more than one option: {', '.join(sorted(named))}."


def _around(read: Sequence[Sentence], number: int, answer: _Answer, strict: bool) -> str | None:
    """Return what a sentence beside an answer has against it."""
    sentence = read[number]
    before = number < answer.number
    if len(sentence.tokens) > LONGEST:
        return (
            TAKEN_BACK
            if re.search(r"[RrCO]", sentence.kinds)
            else VAGUE
            if re.search("[LHJ]", sentence.kinds)
            else None
        )
    if not sentence.known:
        return VAGUE
    same_line = sentence.line == read[answer.number].line
    kinds = sentence.kinds
    if before and kinds.endswith(COLON) and number + 1 == answer.number and not _announces(sentence):
        return VAGUE
    tokens = sentence.tokens
    if not before and re.match(r"Lu", kinds) and tokens[0].text == "a":
        tokens = tokens[1:]  # an article
    elif before and re.match(r"Lu", kinds) and tokens[0].place != answer.place:
        return OTHERS
    others = any(token.place not in (None, answer.place) and token.kind in "LX" for token in tokens)
    if others and ((before and strict) or re.fullmatch(r"[LXu,:\"]+", kinds)):
        return OTHERS
    follows = not before and number == answer.number + 1
    if follows and re.match(r"[,_]*C", kinds) and (re.search(r"[+O\-?]", kinds) or others):
        return TAKEN_BACK if not others else OTHERS
    return _harm(
        tokens,
        sentence.asks,
        answer.place,
        strict=strict or (same_line and not answer.formal),
        after=not before,
    )


def _announces(sentence: Sentence) -> bool:
    """Return whether "… :" before an answer announces the model's own: "Here is my choice:"."""
    if re.fullmatch(r"[fS_nm=iwvstbpE,:]*", sentence.kinds):
        return True
    mine = any(token.text == "my" for token in sentence.tokens)
    return (
        mine
        and re.search(r"[nm]", sentence.kinds) is not None
        and not re.search(r"[oqDNR%?\"QP]", sentence.kinds)
    )


_CLOSING_QUESTION = re.compile(
    r"would you like|do you want (?:me|to)|do you have|shall we|anything else|is there anything|"
    r"(?:what|how) about you|what (?:is|'s|will be|would be|about) your|ready|how can i|can i help|"
    r"what (?:'s|is) next|what do you (?:think|choose|say)"
)
_CLOSING = re.compile(r"(?:please )?(?:let me know|feel free|i hope|if you (?:have|need|want|would|'d))\b")
_SOFT_CONDITIONS = frozenset(
    {
        *(
            "if",
            "when",
            "whenever",
            "otherwise",
            "once",
            "wenn",
            "sonst",
            "falls",
            "si",
            "sinon",
            "cuando",
            "se",
        ),
        *(
            "quando",
            "als",
            "indien",
            "jeśli",
            "jeżeli",
            "gdy",
            "если",
            "когда",
            "如果",
            "若",
            "もし",
            "만약",
            "إذا",
        ),
        *("لو", "अगर", "यदि", "eğer", "om", "hvis", "dacă", "jika", "pokud"),
    }
)


def _harm(
    tokens: Sequence[Token],
    asks: bool,
    place: int | None,
    strict: bool,
    *,
    reason: bool = False,
    after: bool = True,
) -> str | None:
    """Return what is wrong with an answer by the words beside it; None if nothing is.

    Args:
        tokens: the words of a sentence, or of the reason in an answer.
        asks: whether it is a question.
        place: of the chosen option.
        strict: whether other options may only be named as worse, or as what others choose.
        reason: whether the words follow "because" or its like.
        after: whether they stand after the answer, so that they may take it back.
    """
    kinds = "".join(token.kind for token in tokens)
    said = " ".join(token.text for token in tokens)
    if BAD in kinds or "%" in kinds:
        return CHANCE
    if "R" in kinds or (after and re.search(r"(?:\A|[,:])_*r", kinds)):
        return TAKEN_BACK
    if asks and not _CLOSING_QUESTION.match(said) and re.search(r"[^f_,]", kinds):
        return ASKS
    if re.fullmatch(r"[#,:_]*#[#,:_]*", kinds):
        return CHANCE
    closing = _CLOSING.match(said) and not re.search(r"[LHJXO]", kinds)
    of_others = not strict and _speaks_of_other(tokens, place)
    for hit in re.finditer(r"\?", kinds):
        before = kinds[: hit.start()].rstrip("_")
        soft = tokens[hit.start()].text in _SOFT_CONDITIONS
        told = before.endswith("B") or (
            hit.start() > 0 and tokens[hit.start() - 1].text in ("and", "that", "even")
        )
        fact = re.search(r"[y#]", kinds if not before.endswith(COMMA) else kinds[hit.end() :]) is not None
        if not (closing or of_others or (soft and (told or fact))):
            return CONDITION
    doubt = re.search(r"D", kinds)
    if doubt and not reason and "o" not in kinds[: doubt.start()]:
        return CHANCE
    denied = _denied(tokens, kinds, place, after)
    if denied:
        return denied
    if '"' in kinds and re.search(r"[LHJ]", kinds) and re.search(r"[vms]", kinds):
        return VAGUE
    return _others(tokens, kinds, place, strict)


_OWN_WISHES = frozenset(["want", "mean", "agree", "like", "do", "think", "believe"])


def _denied(tokens: Sequence[Token], kinds: str, place: int | None, after_answer: bool) -> str | None:
    """Return whether words turn the chosen option, or the answer, down."""
    if after_answer and re.match(r"[_fS,]*N(?:[,:_]|\Z)", kinds):
        return TAKEN_BACK
    if after_answer and re.fullmatch(r"[_fS,]*[Nwi=_]*Nu?[,_]*", kinds):
        return TAKEN_BACK
    for hit in re.finditer(r"N", kinds):
        after = kinds[hit.end() :]
        before = kinds[: hit.start()]
        if re.search(r"i[w_f]*\Z", before):
            verb = re.match(r"[w_]*([vmsp])", after)
            rest = after[verb.end() :] if verb else ""
            turned = re.match(r"[_n]*[LHJO]", rest)
            if verb and not (turned and tokens[hit.end() + verb.end() + turned.end() - 1].place != place):
                return DENIES
            if re.match(r"u", after) and tokens[hit.end()].text in _OWN_WISHES and "o" not in after:
                return DENIES
        if (
            re.search(r"[=w]_*\Z", before)
            and re.match(r"[_]*(?:b|n|\+)", after)
            and "o" not in before
            and "O" not in before
        ):
            return DENIES
    for number, token in enumerate(tokens):
        if token.place == place and token.kind in "LHJ":
            clause = kinds[:number].rpartition(COMMA)[2]
            if "N" in clause[-5:] or re.match(r"[_=w]*=_*[N\-]", kinds[number + 1 :]):
                return DENIES
    return None


def _speaks_of_other(tokens: Sequence[Token], place: int | None) -> bool:
    """Return whether the first thing that a sentence names is an option other than the chosen one."""
    first = next((token for token in tokens if token.place is not None or token.kind == "O"), None)
    return first is not None and first.place != place


def _others(tokens: Sequence[Token], kinds: str, place: int | None, strict: bool) -> str | None:
    """Return whether words speak for an option other than the chosen one."""
    for number, token in enumerate(tokens):
        other = token.kind == "O" or (token.place is not None and token.place != place)
        if not other or token.kind in "hX":
            continue
        before = kinds[:number].rpartition(COMMA)[2]
        after = kinds[number + 1 :].partition(COMMA)[0]
        if re.search(r">[_n]*\Z", before):
            continue
        if re.search(r"N[^,:=]{0,4}\Z", before):
            continue
        if re.search(r"o[^i]*\Z", before):
            continue
        if re.search(r"\?_*i?[_w]*[vms]?[_n]*\Z", before) and re.search(r"[y#]", kinds[number:]):
            continue
        if re.search(r"[+b]", after) and not re.search(r"[N\-][^+]*[+b]", after):
            # "B is tempting, but …"
            conceded = re.search(r"C", kinds[number:])
            rest = tokens[number + conceded.end() :] if conceded else ()
            if not conceded or any(each.kind == "O" or each.place not in (None, place) for each in rest):
                return OTHERS
            continue
        if re.search(r"(?:[nm]_*[=:]|s)[_n]*\Z", before) and not re.match(r"_*[wy=\-]", after):
            return OTHERS
        if re.search(r"[y=w]", after) and re.search(r"[\-#Ny]", after):
            continue
        if not strict or token.kind == "H":
            if re.search(r"i[w_]*[vmsp][_n]*\Z", before):
                return OTHERS
            continue
        return OTHERS
    return None


def _speaks_against(text: str, labels: Sequence[str], words: Sequence[str], place: int | None) -> bool:
    """Return whether an explanation, or the beginning of one, takes the answer back."""
    for sentence in sentences(_with_names(plain(text), words), labels):
        if len(sentence.tokens) > LONGEST or _harm(sentence.tokens, sentence.asks, place, strict=False):
            return True
        if any(each.whole and each.stated and each.place != place for each in _statements(0, sentence)):
            return True
    return False


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
