"""What all readers of replies share: the plain text of a reply, the JSON objects in it, and its thoughts."""

from __future__ import annotations

import ast
import html
import json
import re
import unicodedata
import warnings
from collections.abc import Sequence
from typing import Any, Literal

Outcome = Literal["ok", "invalid", "refused"]

EMPTY = "The reply was empty."
DECLINED = "The model declined to answer."
CUT = "The reply was cut off before it gave an answer."
MAX_JSON_OBJECTS = 50
# A longer object that is no strict JSON is not worth the time to read it leniently.
LONGEST_LENIENT = 20_000

BROKEN = re.compile(r"\{\s{0,80}(?:[\"']|\w{1,40}\s{0,9}:)")
"""How an object begins; one that is left in the text around objects is broken."""

Pairs = list[tuple[str, Any]]
"""A JSON object with every key it holds: a key that stands there twice may hold two answers."""

_MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{EM DASH}": "-"})
# What Unicode does not itself take for a form of these characters.
_SAME = str.maketrans(
    dict(zip("‘’“”«»„‚‹›「」『』｢｣´", "''" + '"' * 5 + "'''" + '"' * 6 + "'", strict=True))
    | {chr(first + place): chr(65 + place) for first in (0x1F150, 0x1F170, 0x1F1E6) for place in range(26)}
    | dict.fromkeys(map(chr, [*range(0xFE00, 0xFE10), 0x20E3]))
    | {"؟": "?", "،": ",", "、": ",", "。": ". ", "।": ". ", "٫": ".", "٬": ","}
)

# Tags that only lay a text out, or that frame the answer itself. The content of any other pair of tags is
# thoughts: <think>, <reasoning>, <scratchpad>, and those that the next family of models will use.
_LAYOUT = (
    "a|abbr|article|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|head|hr|html|i|img|kbd|li|"
    "main|mark|ol|p|pre|q|samp|script|section|small|span|strong|style|sub|sup|table|tbody|td|tfoot|th|thead|title|tr|tt|u|ul|var"
)
_FRAMES = (
    r"(?:my|the|final)?[_-]?(?:answer|choice|decision|action|move|output|response|result|reply|rating|score|price|"
    r"option|selection|solution|final|letter|allocation|points|begin_of_solution|end_of_solution)"
)
_NAME = r"[A-Za-z][\w:.-]{0,40}"
_TAG = re.compile(
    rf"<(?P<open>{_NAME})(?:\s[^<>]{{0,500}})?(?P<empty>/)?>|</\s*(?P<close>{_NAME})\s*>"
    r"|\[(?P<open2>/?)(?P<name2>think|thinking|thought|thoughts|reasoning|scratchpad|analysis|reflection)\]"
    r"|◁(?P<open3>/?)(?P<name3>\w{1,20})▷",
    re.IGNORECASE,
)
_KEPT = re.compile(rf"(?i)(?:{_LAYOUT}|{_FRAMES})\Z")

# Marks that end, begin or fill a turn. They come in as many spellings as there are families of models.
_TURN_MARK = re.compile(
    r"<\|{1,2}[^<>|\n]{1,40}\|{1,2}>|<\|[a-z_]{0,30}\|?\Z|</?s>|\[/?INST\]|<</?SYS>>|<reserved_\d+>|<0x[0-9A-F]{2}>|<unused\d+>"
    r"|</?(?:eos|bos|eot|eom|eod|pad|unk|end|stop|sep|im_end|im_start|eot_id|end_of_turn|end_of_text|end_of_utterance|"
    r"end_of_sentence|endoftext|start_of_turn|start_of_image|assistant|user)>"
    r"|\[(?:eos|eot|end|done|stop|pad|eos_token|end_of_text|end of text|end of turn|unused_token_\d+)\]",
    re.IGNORECASE,
)
_HEADER = re.compile(r"(?i)\A\s*(?:assistant|model|bot)(?:\s*\n|\s*\Z)")
_NEXT_TURN = re.compile(r"(?i)\s*(?:user|human|system|tool)\b")
_CHANNEL = re.compile(r"(?i)<\|channel\|>\s*(\w+)[^<]{0,200}<\|message\|>")
# The same channels where the server dropped their marks.
_BARE_CHANNEL = re.compile(r"(?s)\A\s*analysis(?=[A-Z\W]).*assistant\s*final(?=\W|[A-Z{])")


def plain(text: str) -> str:
    """Return the text with straight quotes and with letters and digits in their plain form, without thoughts,
    end-of-turn marks, terminal escape codes, control characters and tags.

    Thoughts that have no end leave nothing of what follows them.
    """
    text = _answering_channel(html.unescape(text))
    text = unicodedata.normalize("NFKC", text).translate(_SAME)
    text = re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)", "", text)
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u2060\ufeff\ue000-\uf8ff]", " ", text)
    text = _without_turn_marks(_digits(text))
    return _without_tags(text).strip()


def plain_numbers(text: str) -> str:
    """Return the plain text (`plain`) with every dash that can stand for a minus sign as a hyphen."""
    return plain(text.translate(_MINUS))


def unboxed(text: str) -> str:
    r"""Return the text with what stands in LaTeX's boxes (``\boxed{1.8}``) in their place."""
    if "\\" not in text:
        return text
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf)\{([^{}\n]{0,80})\}", r"\1", text)
    text = re.sub(r"(?:\\[(\[]|\$){0,3}\s?\\f?boxed\s?\{([^{}\n]{0,80})\}\s?(?:\\[)\]]|\$)*", r" \1 ", text)
    return re.sub(r"\\([$%])", r"\1", text).strip()


def json_objects(text: str) -> tuple[list[tuple[int, Pairs]], str, bool]:
    """Return the JSON objects in a text, the text around them, and whether a broken object is among it.

    Each object comes with the place where it begins. In the text around them blanks stand in their place, so
    that places stay as they were. Single quotes, keys without quotes and a comma before the end are read too.
    """
    decoder = json.JSONDecoder(object_pairs_hook=Pairs)
    objects: list[tuple[int, Pairs]] = []
    around: list[str] = []
    broken, start, end = False, -1, 0
    for _ in range(MAX_JSON_OBJECTS):
        start = text.find("{", max(start + 1, end))
        if start < 0:
            break
        try:
            value, after = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            lenient = _lenient_object(text, start)
            if lenient is None:
                broken = broken or BROKEN.match(text, start) is not None
                continue
            value, after = lenient
        objects.append((start, value))
        around += [text[end:start], "\n".ljust(after - start)]
        end = after
    return objects, "".join([*around, text[end:]]), broken


def json_thoughts(objects: Sequence[tuple[int, Pairs]]) -> str | None:
    """Return the text under the key "reasoning" of the first JSON object that has one."""
    return next(
        (
            value
            for _, entry in objects
            for key, value in entry
            if key == "reasoning" and isinstance(value, str)
        ),
        None,
    )


def _digits(text: str) -> str:
    """Return the text with the digits of all scripts as those of ASCII."""
    if text.isascii():
        return text
    return re.sub(r"[^\x00-\x7f]", lambda hit: str(unicodedata.decimal(hit[0], hit[0])), text)


def _answering_channel(text: str) -> str:
    """Return what stands in the final channel, where a reply is divided into channels."""
    channels = list(_CHANNEL.finditer(text))
    if not channels:
        hit = _BARE_CHANNEL.match(text)
        return text[hit.end() :] if hit else text
    ends = [*(hit.start() for hit in channels[1:]), len(text)]
    return "\n".join(
        re.split(r"<\|(?:end|start|return|call)\|>", text[hit.end() : end])[0]
        for hit, end in zip(channels, ends, strict=True)
        if hit[1].lower() == "final"
    )


def _without_turn_marks(text: str) -> str:
    """Return the text without marks of turns, and without the turn that another speaker takes after one."""
    parts: list[str] = []
    said, end = False, 0
    for hit in _TURN_MARK.finditer(text):
        # <|begin_of_thought|> and its like are tags, not marks of turns.
        if re.search(r"(?i)think|thought|solution|reason", hit[0]):
            continue
        before = text[end : hit.start()]
        parts.append(_HEADER.sub("", before) if end else before)
        said = said or parts[-1].strip() != ""
        end = hit.end()
        if said and _NEXT_TURN.match(text, end):
            return "\n".join(parts)
    rest = text[end:]
    return "\n".join([*parts, _HEADER.sub("", rest) if end else rest])


def _without_tags(text: str) -> str:
    """Return the text without tags, and without what stands within pairs of tags that frame thoughts."""
    text = re.sub(r"<\|(begin|start|end)_of_(\w{1,20})\|>", lambda hit: _as_tag(hit[1], hit[2]), text)
    text = re.sub(r"<\|(/?)(\w{1,20})\|>", r"<\1\2>", text)
    kept: list[str] = []
    inside: list[str] = []
    end = 0
    for hit in _TAG.finditer(text):
        name = next(filter(None, (hit["open"], hit["close"], hit["name2"], hit["name3"]))).lower()
        closes = hit["close"] is not None or hit["open2"] == "/" or hit["open3"] == "/"
        # "<A>" is a letter in brackets rather than a tag; "<b>" is one.
        if (
            hit["open"] is not None
            and re.fullmatch(r"[A-Z]", hit["open"])
            and not re.search(rf"(?i)</{name}>", text[hit.end() : hit.end() + 2000])
        ):
            continue
        if not inside:
            kept.append(text[end : hit.start()])
        end = hit.end()
        if _KEPT.match(name):
            if not inside:
                kept.append("\n" if re.fullmatch(rf"(?i){_FRAMES}|p|br|li|div|pre|tr|h[1-6]", name) else " ")
        elif closes:
            if name in inside:
                del inside[inside.index(name) :]
            elif not inside:
                # The tag that opened the thoughts stood in the prompt.
                kept.clear()
        elif hit["empty"] is None:
            inside.append(name)
    if not inside:
        kept.append(text[end:])
    return "".join(kept)


def _as_tag(where: str, name: str) -> str:
    return f"<{'/' if where == 'end' else ''}{name}>"


def _lenient_object(text: str, start: int) -> tuple[Pairs, int] | None:
    """Return the object that begins here, read as Python reads a dictionary, and where it ends."""
    closed = _closed_object(text, start)
    if closed is None:
        return None
    written, end = closed
    for source in (written, written.replace("\n", " ")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source, mode="eval").body
            if isinstance(tree, ast.Dict):
                return _pairs(tree), end
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


_COMMENT = re.compile(r"//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/")
# A comment that makes the value beside it one of several, or none.
_DOUBT = re.compile(
    r"(?i)\b(?:or|either|maybe|perhaps|possibly|if|unless|not|example|placeholder|your|to ?do|tbd)\b"
)


def _closed_object(text: str, start: int) -> tuple[str, int] | None:
    """Return the text of the object that begins here, without comments and with apostrophes escaped, and the
    place after the brace that closes it; None if it is not soon closed, or a comment leaves its values open.
    """
    depth, quote = 0, ""
    kept: list[str] = []
    place = start
    stop = min(len(text), start + LONGEST_LENIENT)
    while place < stop:
        mark = text[place]
        taken = mark
        if quote:
            if mark == "\\":
                taken = text[place : place + 2]
            elif mark == quote == "'" and text[place - 1].isalnum() and text[place + 1 : place + 2].isalnum():
                taken = "\\'"  # "the rival's"
                place -= 1
            elif mark == quote:
                quote = ""
        elif mark in "\"'":
            quote = mark
        elif mark == "/" and (comment := _COMMENT.match(text, place)):
            if _DOUBT.search(comment[0]):
                return None
            taken = " " * len(comment[0])
        elif mark in "{[(":
            depth += 1
            if depth > 20:
                return None
        elif mark in "}])":
            depth -= 1
        kept.append(taken)
        place += len(taken)
        if depth == 0:
            return "".join(kept), place
    return None


_NAMED = {"true": True, "false": False, "null": None, "nan": float("nan"), "infinity": float("inf")}


def _pairs(tree: ast.Dict) -> Pairs:
    return [(str(_value(key)), _value(value)) for key, value in zip(tree.keys, tree.values, strict=True)]


def _value(tree: ast.expr | None) -> Any:
    match tree:
        case ast.Dict():
            return _pairs(tree)
        case ast.Constant() if isinstance(tree.value, str | int | float | bool | None):
            return tree.value
        case ast.List() | ast.Tuple() | ast.Set():
            return [_value(each) for each in tree.elts]
        case ast.Name():
            return _NAMED.get(tree.id.lower(), tree.id)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant(value=int() | float() as number)):
            return -number if isinstance(tree.op, ast.USub) else number
        case _:
            raise ValueError("no value of JSON")
