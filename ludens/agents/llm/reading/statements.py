"""Recognise statements of a choice in the sentences of a reply, and judge what stands around them.

A statement has the form of one of `_FORMS`, regular expressions over the kinds of words that `sentences`
gives; what it chooses is an option with a label, or a number. The rules stand at the top of
`ludens.agents.llm.reading.choices`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ludens.agents.llm.reading.sentences import (
    AMOUNT,
    BAD,
    COLON,
    COMMA,
    LABEL,
    LONGEST,
    NAME,
    QUOTE,
    SURE,
    Sentence,
    Token,
)

TAKEN_BACK = "The reply takes its answer back."
CONDITION = "The reply makes its answer depend on a condition; choose one option outright."
CHANCE = "The reply leaves its answer to chance or is not sure of it; choose one option outright."
ASKS = "The reply asks instead of answering."
DENIES = "The reply turns an option down; name the one that is chosen."
OTHERS = "The reply also speaks for another option; name the chosen one alone."
VAGUE = "The reply names an option but does not plainly choose it; name the chosen one alone."


@dataclass(frozen=True)
class Statement:
    """A statement of a choice.

    Attributes:
        number: of the sentence.
        place: the place of the option; None for a letter that is no label.
        text: the letter as written.
        whole: whether the whole sentence is understood as an answer and its reason.
        stated: whether it has a verb, or a colon after a noun, or is formal; a bare label may be a heading.
        noun: whether it has a noun for an answer.
        reason: the words around the statement, within the sentence.
        formal: whether it stands in JSON or in a box.
        kind: the kind of its token.
    """

    number: int
    place: int | None
    text: str
    whole: bool
    stated: bool
    noun: bool
    reason: tuple[Token, ...] = ()
    formal: bool = False
    kind: str = LABEL


_OPTION = f"[LHJX{AMOUNT}]"
# The forms of a statement, as regular expressions over kinds of words. See `sentences.KINDS`.
_FORMS = tuple(
    re.compile(pattern.replace("O", _OPTION))
    for pattern in (
        r"t?i?w*[sM][=:]?n?:?O",  # elijo A; going with A
        r"t?i?w*n?On?w*[sM]",  # Aを選びます; A seçeneğini seçiyorum
        r"t?iw*[vmM][=:]?[nm]?:?O",  # I will choose option A
        r"t?iw+p[=:]?n?:?O",  # I have chosen A
        r"t?iw*n?On?w*[vmMp]",  # ich werde A wählen
        r"t?iw*H",  # I will cooperate
        r"t?[nm]iw*[vmp]=n?O",  # the option I choose is A
        r"t?O[=,:]*[nmM]",  # A is my choice
        r"(?:t?(?:n*[nmMp][=:,]+){1,3}n?O|t?n+O)(?:=(?=[,:]|\Z))?",  # my answer is option A
        r"OE|t?EO",  # A it is
        r"Qiw*[vm]=n?O|O=Qiw*[vm]",  # what I choose is A
        r"t?[nm]=[vm]n?O",  # my decision is to go with A
        r"(?<=[S,])viw*n?O",  # also wähle ich A, but not "Wähle ich A, …"
        r"[tJ]?O=b[nmM]?",  # I think A is best
        r"O",
    )
)
_LEAD = re.compile(r"(?:[fSe][,:]*)*")
_BARE_END = re.compile(r"(?:[,:B/]|\Z)")


def statements(read: Sequence[Sentence]) -> list[Statement]:
    """Return all statements of a choice, and what looks like the beginning of one."""
    found: list[Statement] = []
    for number, sentence in enumerate(read):
        if len(sentence.tokens) <= LONGEST:
            found += statements_in(number, sentence)
    return found


def statements_in(number: int, sentence: Sentence) -> Iterator[Statement]:
    """Yield the statements of one sentence, from each place where one may begin."""
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
        for form in _FORMS:
            hit = form.match(kinds, start)
            if hit is None:
                continue
            option = next(token for token in tokens[hit.start() : hit.end()] if re.match(_OPTION, token.kind))
            after = tokens[hit.end() :]
            predicate = re.search(r"[=:vmMspEiwJ]", hit[0]) is not None
            if not predicate and not _BARE_END.match(kinds, hit.end()):
                continue
            if (
                hit[0][-1] in "nmM"
                and hit[0][-2:-1] in f"LHJX{AMOUNT}"
                and not _determined(sentence.tokens, option)
            ):
                continue
            reason = _tail(after, kinds[hit.end() :], option)
            leads = _introduces(before, kinds[:joint], kinds[joint:start], option) or (
                option.kind == AMOUNT and _aside(before, kinds[:joint], tokens[start])
            )
            whole = reason is not None and leads and not sentence.asks
            if not predicate and _opens(after) and (not whole or (after[1:2] and after[1].text == "which")):
                continue
            yield Statement(
                number,
                option.place,
                option.text,
                whole,
                stated=predicate,
                noun=predicate and bool(re.search(r"[nmM]", hit[0])) and "b" not in hit[0],
                reason=tuple(reason or ()),
                formal=option.kind == SURE,
                kind=option.kind,
            )
            if whole:
                break


def _reduced(tokens: Sequence[Token]) -> list[Token]:
    """Return tokens without words that change nothing, and one token for an option with its name."""
    kept: list[Token] = []
    for number, token in enumerate(tokens):
        if token.kind == "_" or (
            number
            and token.text in ("to", "zu")
            and tokens[number + 1 : number + 2]
            and tokens[number + 1].kind == NAME
        ):
            continue
        if token.kind == "b" and re.match(
            r"[_b]*[nm]", "".join(each.kind for each in tokens[number + 1 : number + 4])
        ):
            continue
        if token.kind == QUOTE and _frames_option(tokens, number):
            continue
        if token.text in "()" and _in_brackets(tokens, number):
            continue
        kept.append(token)
    merged: list[Token] = []
    for token in kept:
        if token.place is not None and token.kind in f"LHJ{AMOUNT}":
            back = len(merged) - 1
            while back >= 0 and merged[back].kind in f"{COMMA}{COLON}n" and len(merged) - back <= 3:
                back -= 1
            pair = [token.kind, *(each.kind for each in merged[back:])] == [LABEL, LABEL, COMMA]  # "(A, A)"
            if (
                back >= 0
                and not pair
                and merged[back].kind in f"LHJ{AMOUNT}"
                and merged[back].place == token.place
            ):
                kind = SURE if SURE in (token.kind, merged[back].kind) else merged[back].kind
                merged[back:] = [Token(kind, token.text, token.place)]
                continue
        merged.append(token)
    while merged and merged[-1].kind in (COMMA, COLON):
        merged.pop()
    while merged and merged[0].kind == COMMA:
        merged.pop(0)
    return merged


def _in_brackets(tokens: Sequence[Token], number: int) -> bool:
    """Return whether a bracket stands around a label after a noun: "option (A)"."""
    start = number if tokens[number].text == "(" else number - 2
    inside = "".join(token.kind for token in tokens[max(start, 1) - 1 : start + 3])
    return inside == f"n{COMMA}{LABEL}{COMMA}" and tokens[start].text + tokens[start + 2].text == "()"


def _frames_option(tokens: Sequence[Token], number: int) -> bool:
    """Return whether a quotation mark stands beside an option alone: "A", but not "I choose A"."""
    beside = [tokens[place] for place in (number - 1, number + 1) if 0 <= place < len(tokens)]
    if not any(token.kind in f"LHJXn{AMOUNT}" for token in beside):
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
    if rest[0] == "B" or tokens[0].text == "even if":
        return tokens
    if marks and (
        rest[0] == "E"
        or re.match(r"[Y_]+[=y]", rest)
        or re.match(r"t.*[y+\-]", rest)
        or tokens[0].text in ("it", "this", "they", "both", "there")
    ):
        return tokens
    # "A, the safer option", "A: B would be exploited"
    if marks and re.fullmatch(r"[fn=,m]+|[+bY]*u?[nm]", rest):
        return ()
    if COLON in kinds[:marks] and re.match(r"[LHJ][wy=]", rest) and tokens[0].place != option.place:
        return tokens
    if marks and option.kind == AMOUNT and (rest[0] == "T" or _beside(rest)):
        return tokens
    turned = re.match(rf"(?:/|N)n*[LHJ{AMOUNT}]", rest) or (
        re.match(rf".n*[LHJ{AMOUNT}]", rest) if tokens[0].text in ("to", "than") else None
    )
    if turned and (marks or rest[0] != "N") and tokens[turned.end() - 1].place != option.place:
        more = rest[turned.end() :].lstrip(",")
        if not more or more[0] in "BS":
            return tokens[turned.end() :]
    # "B) use it" says what the option is.
    listed = marks and after[0].text == ")" and option.kind == LABEL
    return () if listed and re.fullmatch(r"[uv_]{1,8}", rest) else None


def _beside(kinds: str) -> bool:
    """Return whether words after a number, such as "(undercut)", leave it as it is."""
    return not re.search(rf"[N?D%RrQO+#JqPi!]|\A[^o]*{AMOUNT}", kinds)


def _aside(before: Sequence[Token], kinds: str, first: Token) -> bool:
    """Return whether words before a statement of one's own number are about others, costs or the past: "My
    rival charged 1.90, so I …", "With a cost of 1, my price …".
    """
    own = first.kind == "i" or first.text == "my" or first.text.startswith("my ")
    return own and re.fullmatch(r"[_u]*[oVTP][^i?N%DRrQqO/|!\"]*", kinds) is not None


_COPIES = frozenset({"whatever", "same", "copy", "mirror", "match", "follow"})


_BETWEEN = re.compile(r"(?:(?:given the choice|choosing) )?(?:between|out of) [a-z] (?:and|or) [a-z] ?,?")


def _introduces(before: Sequence[Token], kinds: str, joint: str, option: Token) -> bool:
    """Return whether words before a statement lead to it: "Since it pays more, …", "It is risky, but …"."""
    if not before:
        return True
    first = next((kind for kind in kinds if kind not in ",_f"), "")
    if re.search(r"[RqPQ%D!\"]", kinds) or any(token.text in _COPIES for token in before):
        return False
    if _BETWEEN.fullmatch(" ".join(token.text for token in before)):
        return True
    if "C" in joint:
        # Not "everything but A".
        return "?" not in kinds and (joint[0] == COMMA or re.search(r"[iwvy=]", kinds) is not None)
    if "S" in joint:
        return ("?" not in kinds or "y" in kinds) and harm(
            before, False, option.place, strict=True, reason=True
        ) is None
    if first == "K" or before[0].text == "even though":
        # "After they choose A, …" is a condition.
        return ("?" not in kinds or "y" in kinds) and not (
            "o" in kinds and any(token.text == "after" for token in before)
        )
    if first == "B":
        return harm(before, False, option.place, strict=True, reason=True) is None
    return False


# --- What stands around an answer


def judge(
    read: Sequence[Sentence], answers: Sequence[Statement], names: Sequence[str], reasoning: bool
) -> tuple[str, int | None]:
    """Return what is wrong with a reply (nothing: ""), and the place of the option that it chooses.

    Args:
        read: the reply's sentences.
        answers: the statements in them.
        names: what the options are called in the sentence that says what is wrong.
        reasoning: whether options may be weighed in any words before a definite answer.
    """
    last = _definite_end(read, answers) if reasoning else None
    first = 0
    if last is not None:
        first = last.number
        # A label on a line of its own may head a list of options, unless a stated answer follows.
        answers = [
            each
            for each in answers
            if each.number >= first
            or (each.whole and (each.stated or not last.stated or len(read[each.number].tokens) == 1))
            or (not last.stated and _listed_with(read, each, last))
        ]
        leading = _leads_astray(read, last)
        if leading:
            return leading, None
    named = {each.text.upper() if each.place is None else names[each.place] for each in answers}
    whole = [each for each in answers if each.whole]
    if not whole:
        return _without_answer(read, answers, names, named)
    at = {each.number: each for each in whole}
    rivals = [
        *whole,
        *(each for each in answers if each.number in at and (each.stated or each.kind != AMOUNT)),
    ]
    if len({each.text if each.place is None else each.place for each in rivals}) > 1:
        return _several(named), None
    answer = next(
        (each for each in whole if each.formal),
        next((each for each in whole if read[each.number].alone), whole[0]),
    )
    if answer.place is None:
        return _stranger(answer.text.upper(), names), None
    if not answer.stated and any(
        each.place != answer.place and each.number != answer.number and not each.stated for each in answers
    ):
        # "Option A: …" and "Option B: …" are a list.
        return _several(named), None
    definite = answer.formal or read[answer.number].alone
    for number, sentence in enumerate(read[first:], first):
        if number in at:
            problem = harm(at[number].reason, False, answer.place, strict=True, reason=True)
        else:
            problem = _around(read, number, answer, strict=not definite)
        if problem:
            others = {names[token.place] for token in sentence.tokens if token.place is not None}
            rivals = [each for each in answers if each.number == number and each.place != answer.place]
            if (rivals or problem in (OTHERS, VAGUE)) and len(others | named) > 1:
                problem = _several(others | named)
            return problem, None
    return "", answer.place


def _concludes(read: Sequence[Sentence], answer: Statement) -> bool:
    """Return whether a statement is the conclusion that ends a reply: "… So I choose A."."""
    return answer.stated and answer.number == len(read) - 1 and read[-1].kinds.startswith("S")


def _listed_with(read: Sequence[Sentence], one: Statement, last: Statement) -> bool:
    """Return whether two labels stand at the heads of neighbouring lines: "A) cooperate", "B) defect"."""
    first, second = read[one.number], read[last.number]
    return second.line - first.line <= 2 and len(second.tokens) > 1 and one.place != last.place


def _leads_astray(read: Sequence[Sentence], answer: Statement) -> str | None:
    """Return what the words that lead to a definite answer on the next line make of it.

    "The other will surely pick this:" makes it another's choice, "If they do:" depends on a condition. Only
    the sentence just before can do so, if it ends in the middle or denies that there is an answer.
    """
    if not answer.number:
        return None
    lead = read[answer.number - 1]
    if len(lead.tokens) > LONGEST:
        return None
    denied = _denied(lead.tokens, lead.kinds, answer.place, after_answer=False) if "N" in lead.kinds else None
    if "?" in lead.kinds and not read[answer.number].alone and not re.search("[yo]", lead.kinds):
        return CONDITION
    if denied or (answer.stated and not answer.formal):
        return denied
    colon = lead.kinds.endswith(COLON)
    clause = lead.kinds.rstrip(",:").rpartition(COMMA)[2]
    if colon and "?" in lead.kinds and "y" not in lead.kinds:
        return CONDITION
    if colon and lead.tokens[0].text.startswith("here") and not _EXAMPLE.search(lead.text):
        clause = re.sub("[qQ]", "", "".join(each.kind for each in lead.tokens if each.text != "you"))
    if colon or (not lead.end and re.search(r"[=nmvw]\Z", clause)):
        return VAGUE if re.search(r"[oqN?D%QP!\"]", clause) else None
    return ASKS if lead.asks and not answer.formal and "o" in lead.kinds else None


_EXAMPLE = re.compile("example|template|sample|placeholder")


def _definite_end(read: Sequence[Sentence], answers: Sequence[Statement]) -> Statement | None:
    """Return the last definite answer of a reply that was asked to reason first."""
    definite = [
        each
        for each in answers
        if each.whole and (each.formal or read[each.number].alone or each.noun or _concludes(read, each))
    ]
    return definite[-1] if definite else None


def completed(
    read: Sequence[Sentence], answers: Sequence[Statement], reasoning: bool, line_ended: bool
) -> bool:
    """Return whether a reply that was cut off gave its answer in a complete object or on a complete line.

    Args:
        read: the reply's sentences.
        answers: the statements in them.
        reasoning: as in `judge`; then a bare label may be the heading of its weighing.
        line_ended: whether the last line is complete.
    """
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
    read: Sequence[Sentence], answers: Sequence[Statement], names: Sequence[str], named: set[str]
) -> tuple[str, int | None]:
    mentioned = {names[token.place] for each in read for token in each.tokens if token.place is not None}
    if named and len(named | mentioned) > 1:
        return _several(named | mentioned), None
    if not named:
        numbers = (re.fullmatch(r"(?:.*[,:])?_*[nm]_*[=:]_*#", each.kinds) for each in read)
        number = next((each.tokens[-1].text for each, hit in zip(read, numbers, strict=True) if hit), None)
        return none_of(names) if number is None else _stranger(number, names), None
    kinds = "".join(read[each.number].kinds for each in answers)
    for pattern, detail in (("R", TAKEN_BACK), (r"\?", CONDITION), ("[%D!]", CHANCE), ("N", DENIES)):
        if re.search(pattern, kinds):
            return detail, None
    if any(read[each.number].asks for each in answers):
        return ASKS, None
    if all(each.place is None for each in answers):
        return _stranger(answers[0].text.upper(), names), None
    return VAGUE, None


_MOST_LISTED = 26


def none_of(names: Sequence[str]) -> str:
    """Return the sentence that says that a reply has no answer."""
    return f"The reply gives none of the answers {_listed(names)}."


def _stranger(text: str, names: Sequence[str]) -> str:
    return f"{text!r} is not one of the options {_listed(names)}."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _MOST_LISTED else f"{names[0]} to {names[-1]}"


def _several(named: set[str]) -> str:
    return f"The reply names more than one option: {', '.join(sorted(named))}."


def _around(read: Sequence[Sentence], number: int, answer: Statement, strict: bool) -> str | None:
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
    if before and number + 1 == answer.number:
        unfinished = not sentence.end and re.search(r"[=mvw]\Z", kinds) is not None and not answer.stated
        if (kinds.endswith(COLON) or unfinished) and not _announces(sentence):
            return VAGUE
        if not sentence.end and not answer.stated and re.fullmatch(r"(?=.*[uo])[ub_o]+,", kinds):
            return VAGUE  # "Sincerely,": the letter is a signature
    tokens = sentence.tokens
    if not before and re.match(r"L[uY+\-].", kinds) and tokens[0].text == "a":
        tokens = tokens[1:]  # an article
    elif before and re.match(r"L[uY+\-]", kinds) and tokens[0].place != answer.place:
        return OTHERS
    others = any(token.place not in (None, answer.place) and token.kind in f"LX{SURE}" for token in tokens)
    if others and ((before and strict) or SURE in kinds or re.fullmatch(r"[LHJXuY,:\"]+", kinds)):
        return OTHERS
    follows = not before and number == answer.number + 1
    if follows and re.match(r"[,_]*C", kinds) and (re.search(r"[+O\-?]", kinds) or others):
        return TAKEN_BACK if not others else OTHERS
    if not before and re.match(r"[_u]?=_*N_*[nmM]", kinds):
        return TAKEN_BACK  # "That's the wrong answer."
    if not before and (not _tells(sentence) or _ELSEWHERE.match(kinds)):
        return VAGUE
    return harm(
        tokens,
        sentence.asks,
        answer.place,
        strict=strict or (same_line and not answer.formal),
        after=not before,
    )


# "That is what the other would say", "That's Person 2's choice", "Same as you"
_ELSEWHERE = re.compile(r"[=wyq]|[^i]*q[^i]*\Z|_*=Q[_u]*o|[_u]?=_*o=?[_n]*n|[uN_]*o[_,]*\Z")


def _tells(sentence: Sentence) -> bool:
    """Return whether a sentence after an answer is understood, as polite or about options, payoffs, others.

    "Forget it." is neither.
    """
    said = sentence.text
    known = re.search(r"[fy\-+#oBSKOTYLHhJA>N?]", sentence.kinds)
    return known is not None or not said or _CLOSING.match(said) is not None


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


def harm(
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
    if after and re.search(r"R|(?:\A|[,:])_*[re]", kinds):
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
    if tokens and tokens[-1].text == "the other" and re.search(r"i[w_]*[vmspu]o\Z", kinds):
        return OTHERS
    denied = _denied(tokens, kinds, place, after)
    if denied:
        return denied
    if '"' in kinds and re.search(r"[LHJ]", kinds) and re.search(r"[vms]", kinds):
        return VAGUE
    return _others(tokens, kinds, place, strict, reason)


_OWN_WISHES = frozenset(["want", "mean", "agree", "like", "do", "think", "believe"])


def _denied(tokens: Sequence[Token], kinds: str, place: int | None, after_answer: bool) -> str | None:
    """Return whether words turn the chosen option, or the answer, down."""
    if after_answer and re.match(r"[_fS,]*N(?:[,:_r]|\Z)", kinds):
        return TAKEN_BACK
    if after_answer and re.fullmatch(r"[_fS,]*[Nwi=_]*Nu?[,_]*", kinds):
        return TAKEN_BACK
    if after_answer and re.search(r"[^N,]N[_,]*\Z", kinds):
        return TAKEN_BACK  # "I would say neither."
    hit = re.search(r"[nm]_*[=:]+_*N", kinds)
    if hit and not any(token.place not in (None, place) for token in tokens[hit.end() :]):
        return DENIES  # "The answer is neither."
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
        if token.place == place and token.kind in f"LHJ{AMOUNT}":
            clause = kinds[:number].rpartition(COMMA)[2]
            if "N" in clause[-5:] or re.match(r"[_=w]*=_*[N\-]", kinds[number + 1 :]):
                return DENIES
    return None


def _speaks_of_other(tokens: Sequence[Token], place: int | None) -> bool:
    """Return whether the first thing that a sentence names is an option other than the chosen one."""
    first = next((token for token in tokens if token.place is not None or token.kind == "O"), None)
    return first is not None and first.place != place


def _others(tokens: Sequence[Token], kinds: str, place: int | None, strict: bool, reason: bool) -> str | None:
    """Return whether words speak for an option other than the chosen one; other numbers may be a reason."""
    for number, token in enumerate(tokens):
        other = token.kind == "O" or (token.place is not None and token.place != place)
        if not other or token.kind in "hX":
            continue
        before = kinds[:number].rpartition(COMMA)[2]
        after = kinds[number + 1 :].partition(COMMA)[0]
        if re.search(r"[>/][_nV]*\Z|T_*\Z", before):
            continue
        if re.search(r"N[^,:=]{0,4}\Z", before):
            continue
        if re.search(r"o[^i]*\Z|P", before):
            continue
        if re.match(r"_*K", before) and COMMA in kinds[number:]:
            continue  # "While B is tempting, …"
        if re.search(r"\?_*i?[_wu]*[vmsp]?[_n]*\Z", before) and re.search(r"[y#]", kinds[number:]):
            continue
        if (
            re.search(r"V[_n]*\Z", before)
            and re.search(r"[y#N\-]", kinds[number:])
            and "+" not in kinds[number:]
        ):
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
        if strict and token.kind != "H" and not (reason and token.kind == AMOUNT):
            return OTHERS
        if _wanted(tokens, number, before, after):
            return OTHERS
    return None


_WEIGHED = frozenset({"considered", "weighed", "compared", "about", "between"})


def _wanted(tokens: Sequence[Token], number: int, before: str, after: str) -> bool:
    """Return whether a clause that names another option may choose it: "I want B", "Give me B", "Then B"."""
    if re.search(r"i[w_]*[vmsp][_n]*\Z", before):
        return True
    if re.search(r"i[^oNPy#?]*\Z", before) and not any(each.text in _WEIGHED for each in tokens[:number]):
        return True
    mine = any(each.text == "my" for each in tokens[number:])
    if mine and re.match(r"_*[w=]+.*[nm]", after):
        return True
    return not after.strip("_n") and re.search(r"[oN?P>/\-#B]|[^_f]+y", before) is None


def speaks_against(read: Sequence[Sentence], place: int | None) -> bool:
    """Return whether an explanation, given apart from the answer at `place`, takes it back."""
    for sentence in read:
        if len(sentence.tokens) > LONGEST or harm(sentence.tokens, sentence.asks, place, strict=False):
            return True
        if any(each.whole and each.stated and each.place != place for each in statements_in(0, sentence)):
            return True
    return False
