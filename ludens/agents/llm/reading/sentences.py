"""Divide a reply into sentences, and each sentence into words whose part in an answer is known.

Every word, number and mark of a sentence becomes one `Token` with a kind, a single character, so that the
form of an answer is a regular expression over kinds: "I will choose option B" is ``iwvnL``. The words of each
language stand in ``languages.toml``; a sentence is read in the languages whose words it has most of.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

# One character for each kind of word in languages.toml.
KINDS = {
    "i": "i",
    "will": "w",
    "verb": "v",
    "chosen": "p",
    "self": "s",
    "noun": "n",
    "noun_or_verb": "m",
    "noun_or_self": "M",
    "is": "=",
    "neutral": "_",
    "best": "b",
    "think": "t",
    "filler": "f",
    "so": "S",
    "because": "B",
    "concession": "K",
    "contrast": "C",
    "condition": "?",
    "negation": "N",
    "doubt": "D",
    "chance": "%",
    "question": "Q",
    "quote": "q",
    "past": "P",
    "back": "R",
    "hesitation": "e",
    "back_first": "r",
    "other": "o",
    "other_option": "O",
    "first": "1",
    "second": "2",
    "third": "3",
    "last": "4",
    "it_is": "E",
    "instead": "/",
    "topic": "Y",
    "with": "V",
    "pays": "y",
    "worse": "-",
    "better": "+",
    "than": ">",
}
# What these mean where a number is asked for.
NUMBER_KINDS = {
    "number_noun": "n",
    "number_verb": "v",
    "number_self": "s",
    "number_neutral": "_",
    "number_other": "o",
    "number_reason": "T",
}
LABEL, NAME, INFLECTED, STRANGER, SURE, AMOUNT = "L", "H", "h", "X", "J", "A"
"""Kinds of tokens that name an option: its label, its name, a form of its name that no answer has, a letter
that is no label, a formal answer, and a number that is asked for."""
UNKNOWN, NUMBER, COMMA, COLON, QUOTE, OR, BAD = "u", "#", ",", ":", '"', "|", "!"

_FIRST = frozenset({"noun_or_verb", "noun_or_self", "self", "number_self"})

LONGEST = 400
"""A sentence of more tokens is no answer."""

_CJK = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7af"
_MARKS = "\u0300-\u036f\u064b-\u065f\u0670\u0900-\u0903\u093a-\u0963\u0e31-\u0e4e"
_LETTER = rf"(?:(?![{_CJK}])[^\W\d_][{_MARKS}]*)"
_ELISIONS = "l|d|j|n|m|t|s|c|qu|parce qu|puisqu|bien qu|dell|all|nell|un|quell|sull|dall"
_TOKEN = re.compile(
    rf"(?P<line>\n)|(?P<special>[\ue000-\uf8ff])|(?P<number>\d+(?:[.,:]\d+)*)|(?P<cjk>[{_CJK}])"
    rf"|(?P<word>[A-Za-z]\.(?:[A-Za-z]\.?)+|[A-Za-z]+\d\w*|(?i:{_ELISIONS})'(?={_LETTER}|[\ue000-\uf8ff])"
    rf"|{_LETTER}+(?=n't\b)|n't\b|'(?i:s|d|ll|m|re|ve|t)\b|(?<=\w)'{_LETTER}+|{_LETTER}+(?:-{_LETTER}+)*)"
    r"|(?P<end>[.!?;]+)|(?P<mark>->|~~|\S)",
)
_MARK_KINDS = {
    **dict.fromkeys(",()–—-", COMMA),
    **dict.fromkeys([":", "=", "->", "→", "⇒"], COLON),
    **dict.fromkeys("\"'", QUOTE),
    **dict.fromkeys("/&|+", OR),
    **dict.fromkeys(["~~", *"~❌✖✗✘🚫👎⛔❎🤔🤷🎲🙅❓❔☐%±≠¬"], BAD),
}
_ABBREVIATIONS = re.compile(
    r"(?i)\b(?:e\.\s?g|i\.\s?e|z\.\s?b|d\.\s?h|p\.\s?ex|p\.\s?ej|ad\s?es|bijv|etc|vs|т\.\s?е|np)\."
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or mark.

    Attributes:
        kind: its part in an answer, one of `KINDS` or of the constants below it.
        text: as written, in small letters.
        place: the option that it names; None if it names none.
    """

    kind: str
    text: str
    place: int | None = None


@dataclass(frozen=True)
class Sentence:
    """A sentence, or the part of one that stands on one line.

    Attributes:
        tokens: what it consists of, without marks of layout.
        end: the marks that end it.
        line: the number of its line.
        alone: whether it is all that stands on its line.
        known: whether it holds a word of a language that is known, or too few words to tell.
    """

    tokens: tuple[Token, ...]
    end: str
    line: int
    alone: bool = False
    known: bool = True

    @property
    def kinds(self) -> str:
        """The kinds of its tokens, in one string."""
        return "".join(token.kind for token in self.tokens)

    @property
    def text(self) -> str:
        """Its words and marks, in small letters."""
        return " ".join(token.text for token in self.tokens)

    @property
    def asks(self) -> bool:
        """Whether it is a question."""
        return "?" in self.end


@dataclass(frozen=True)
class _Raw:
    """A token before its part is known."""

    group: str
    text: str
    glued: bool


def sentences(text: str, labels: Sequence[str], numbers: bool = False) -> list[Sentence]:
    """Return the sentences of a text, in which options' names and formal answers are special characters.

    Args:
        text: plain text; see `special`.
        labels: single capital letters, or whole numbers.
        numbers: whether a number is asked for, so that the words of prices and ratings count.
    """
    text = re.sub(r"\[[ ]?\]", "☐", text)  # a box that is not ticked
    text = _ABBREVIATIONS.sub(lambda hit: re.sub(r"[.\s]", "", hit[0]), text)
    spoken = (hit[0].lower() for hit in re.finditer(rf"{_LETTER}+|[{_CJK}]", text[:20_000]))
    whole = _vocabulary().spoken(spoken, but=labels)
    found: list[Sentence] = []
    for number, line in enumerate(text.split("\n")):
        parts = list(_parts(line, numbered="".join(labels).isdigit()))
        for raw, end in parts:
            tokens = _tokens(raw, labels, whole, numbers)
            if any(token.kind not in (COMMA, QUOTE) for token in tokens) or "?" in end:
                words = [each.text.lower() for each in raw if each.group in ("word", "cjk")]
                known = len(words) < 4 or bool(whole) or bool(_vocabulary().spoken(words))
                found.append(Sentence(tuple(tokens), end, number, len(parts) == 1, known))
    return found


_SPECIAL = {NAME: 0xE000, INFLECTED: 0xE400, SURE: 0xE800, AMOUNT: 0xEC00}
MOST_AMOUNTS = 900
"""The most different numbers that have a character each."""


def special(place: int, kind: str) -> str:
    """Return the character that stands for the option at a place, by its name or in a formal answer."""
    return chr(_SPECIAL[kind] + place)


STRANGE_ANSWER = "\uf000"
"""The character that stands for a formal answer outside the options."""
UNCLEAR = "\uf001"
"""The character that stands for something formal that is no answer."""


def _parts(line: str, *, numbered: bool) -> Iterator[tuple[list[_Raw], str]]:
    """Yield the raw tokens of each sentence on a line, and the marks that end it. A number at the beginning
    is the line's, unless options are `numbered`.
    """
    ahead = r"^(?:[\s>#*•·]|-(?!\d))*" if numbered else r"^[\s>#*•·\-]*(?:\d{1,2}[.)]\s+)?"
    line = re.sub(ahead, "", line)
    raw: list[_Raw] = []
    before = 0
    for hit in _TOKEN.finditer(line):
        group = str(hit.lastgroup)
        glued = hit.start() == before
        before = hit.end()
        if group == "end":
            # "A.I." and "1.B" are no ends of sentences.
            if hit[0] == "." and re.match(r"[A-Za-z\d]", line[hit.end() : hit.end() + 1]) and raw:
                raw.append(_Raw("word", ".", True))
            elif not raw and hit[0] == "!" and line[hit.end() : hit.end() + 1].isalnum():
                raw.append(_Raw("mark", "¬", True))
            elif raw or "?" in hit[0]:
                yield raw, hit[0]
                raw = []
            continue
        # "A-" is a grade, and "A - it pays" is not.
        grade = group == "mark" and hit[0] in "-+" and glued and line[before : before + 1].strip() == ""
        raw.append(_Raw("word" if grade else group, hit[0], glued))
    if raw:
        yield raw, ""


def _tokens(raw: Sequence[_Raw], labels: Sequence[str], whole: tuple[str, ...], numbers: bool) -> list[Token]:
    """Return the tokens of a sentence."""
    vocabulary = _vocabulary()
    words = [each.text.lower() for each in raw]
    languages = vocabulary.spoken(words, whole, but=labels) or whole
    ranked = (*languages, *(each for each in whole if each not in languages))
    phrases = vocabulary.phrases(ranked, numbers)
    tokens: list[Token] = []
    number = 0
    while number < len(raw):
        each = raw[number]
        token, taken = None, 1
        letter = each.group == "word" and len(each.text) == 1
        last = (
            number + 1 == len(raw)
            or raw[number + 1].text.upper() in labels
            or raw[number + 1].group == "special"
            or (raw[number + 1].group == "mark" and raw[number + 1].text not in "/&|+=→")
        )
        if letter:
            token = _label(each.text, labels, last, _next_letter(raw, number), tokens)
            following = raw[number + 1].group if number + 1 < len(raw) else ""
            if token is not None and following == "word" and not raw[number + 1].text.startswith("'"):
                # "A escolha" is an article and a noun in Portuguese.
                article = phrases.longest(words[number : number + 1], 0)[0] == KINDS["neutral"]
                if article and phrases.longest(words, number + 1)[0] in (KINDS["neutral"], KINDS["noun"]):
                    token = Token(KINDS["neutral"], words[number])
                elif each.text in _WORDS:
                    token = None
        if token is None and each.group in ("word", "cjk"):
            kind, taken = phrases.longest(words, number)
            if kind == UNKNOWN and letter and each.text.isascii() and each.text.isupper():
                kind = STRANGER
            token = Token(kind, " ".join(words[number : number + taken]), _place(kind, len(labels)))
        elif each.group == "special":
            token = _special(each.text)
        elif each.group == "number":
            minus = number > 0 and raw[number - 1].text == "-" and each.glued
            named = each.text in labels and not minus
            token = Token(LABEL if named else NUMBER, each.text, labels.index(each.text) if named else None)
        elif each.group == "mark":
            kind = _MARK_KINDS.get(each.text, "")
            token = Token(kind, each.text) if kind else None
        if token is not None:
            tokens.append(token)
        number += taken
    return tokens


# Letters that are words of some languages.
_WORDS = "IOEYUWZ"
# Letters of other scripts that look like a Latin one.
_ALIKE = dict(zip("АВСЕНІКМОРТХУЅЈΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABCEHIKMOPTXYSJABEZHIKMNOPTYX", strict=True))


def _label(
    letter: str, labels: Sequence[str], last: bool, following: str | None, after: Sequence[Token]
) -> Token | None:
    """Return the token of a letter that stands for an option; None if it is a word or a stranger."""
    if not letter.isascii():
        # А, В and С are words of Russian too.
        letter = _ALIKE.get(letter, "") if last else ""
    elif letter not in labels and letter.upper() in labels:
        # A small letter must end its clause: "I choose a middle way" names no option.
        before = after[-2:-1] if after and after[-1].text == ":" else after[-1:]
        named = any(re.search(r"option|answer|choice|letter", each.text) for each in before)
        beside = following is not None and last and following in "abcdefghijklmnopqrstuvwxyz"
        letter = letter.upper() if (last and not (beside and after)) or named else ""
    return Token(LABEL, letter.lower(), labels.index(letter)) if letter in labels and letter else None


def _next_letter(raw: Sequence[_Raw], number: int) -> str | None:
    following = raw[number + 1].text.lower() if number + 1 < len(raw) else None
    return following if following is not None and len(following) == 1 else None


def _special(text: str) -> Token:
    if text == STRANGE_ANSWER:
        return Token(STRANGER, text)
    if text == UNCLEAR:
        return Token(BAD, text)
    kind = max((kind for kind in _SPECIAL if _SPECIAL[kind] <= ord(text)), key=_SPECIAL.__getitem__)
    return Token(kind, text, ord(text) - _SPECIAL[kind])


def _place(kind: str, options: int) -> int | None:
    place = {"1": 0, "2": 1, "3": 2, "4": options - 1}.get(kind)
    return place if place is not None and place < options else None


class _Phrases:
    """The phrases of some languages together, by their first word."""

    def __init__(self, tables: Iterable[dict[str, str]]) -> None:
        self._kinds: dict[tuple[str, ...], str] = {}
        self._longest: dict[str, int] = {}
        for table in tables:
            for phrase, kind in table.items():
                words = _words(phrase)
                if words and self._kinds.setdefault(words, kind) == kind:
                    self._longest[words[0]] = max(self._longest.get(words[0], 0), len(words))

    def longest(self, words: Sequence[str], start: int) -> tuple[str, int]:
        """Return the kind of the longest phrase that begins here, and its length in words."""
        for length in range(self._longest.get(words[start], 0), 0, -1):
            kind = self._kinds.get(tuple(words[start : start + length]))
            if kind is not None:
                return kind, length
        return UNKNOWN, 1


class _Vocabulary:
    """The words of all languages."""

    def __init__(self) -> None:
        with (Path(__file__).parent / "languages.toml").open("rb") as file:
            written = tomllib.load(file)
        self._tables: dict[str, dict[str, str]] = {}
        self._numbers: dict[str, dict[str, str]] = {}
        self._languages: dict[str, set[str]] = {}
        for language, entries in written.items():
            plain = self._tables.setdefault(language, {})
            counting = self._numbers.setdefault(language, {})
            # A word that stands in two lists counts as what can do more.
            for name in sorted(entries, key=lambda name: name not in _FIRST):
                listed = entries[name]
                for phrase in map(str.strip, listed.replace("\n", " ").split("|")):
                    if name in NUMBER_KINDS:
                        counting.setdefault(phrase, NUMBER_KINDS[name])
                    elif name != "words":
                        plain.setdefault(phrase, KINDS[name])
                    for word in _words(phrase):
                        self._languages.setdefault(word, set()).add(language)

    def spoken(
        self, words: Iterable[str], whole: Sequence[str] = (), but: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Return the languages of which a text has most words, at most three; none for an unknown one.

        Args:
            words: of the text.
            whole: the languages of the text around it, which decide between equals.
            but: labels, which are words of some languages and say nothing about the text's.
        """
        counted = (word for word in words if word.upper() not in but)
        counts = Counter(language for word in counted for language in self._languages.get(word, ()))
        if not counts:
            return ()
        most = max(counts.values())
        best = [language for language, count in counts.most_common() if count == most]
        return tuple(sorted(best, key=lambda each: (each not in whole, each != "en", each))[:3])

    @lru_cache(maxsize=256)  # noqa: B019 - there is one vocabulary
    def phrases(self, languages: tuple[str, ...], numbers: bool) -> _Phrases:
        """Return the phrases of these languages, the first ones first, and of English."""
        ranked = tuple(dict.fromkeys((*languages, "en")))
        counting = [self._numbers[each] for each in ranked] if numbers else []
        return _Phrases([*counting, *(self._tables[each] for each in ranked)])


@lru_cache(maxsize=1)
def _vocabulary() -> _Vocabulary:
    return _Vocabulary()


def _words(phrase: str) -> tuple[str, ...]:
    if " " not in phrase and (phrase.startswith("'") or phrase.endswith("'")):
        return (phrase,)
    return tuple(hit[0].lower() for hit in _TOKEN.finditer(phrase) if hit.lastgroup != "line")
