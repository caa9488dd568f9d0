"""Read a price and notes from a model's reply, or say why there is no price.

A price is read where it can be meant in one way only; everything else is asked again, with the reason. The
rules are ours:

====================================  =================================================================
reply                                 reading
====================================  =================================================================
``1.47``, ``$1.47``, ``.9 EUR``,      the number, whatever the currency's sign or name around it
``₹1.47``, ``CHF 1.47``
``1.47 per unit``, ``$1.47 each``     the number
``≈1.47``, ``~1.47``                  1.47: the sign belongs to one written price
``2,00``, ``1,4729``, ``0,123``       a decimal comma
``1,000.50``, ``1.000,50``            1000.5: the mark that comes last is the decimal one
``1,000,000``                         1000000: what stands there more than once separates thousands
``1.000``                             1: the prompts write a decimal point
``1.8 (undercut)``, ``I'll charge     the number that is stated, where nothing beside it takes it back and
$1.80.``, ``1.80. See you in          no other is stated; a rival's, an earlier one, one that counts
period 2!``, ``1.80, not 1.90``       something or is turned down is no other
``{"answer": {"price": 1.47}}``,      the number; a comment such as "or 1.50" leaves it open
``{'price': 1.47, // undercut``
``1,000``                             asked again: it may be one, and it may be a thousand
``1 000``, ``1.5-1.7``, ``3/2``,      asked again: more than one number
``1.50 (was 1.40)``
``free``, ``two``, ``about 2``,       asked again: not a number, or only near one; words such as "about"
``at least 2``                        leave the price open, which a sign does not
``[1.5]``, ``true``, ``null``         asked again: not a single number
``-1``, ``nan``, ``1e999``            asked again: no price can be that
====================================  =================================================================

The notes stand under the keys of one JSON object, or under headings at the beginning of a line ("PLANS: …").
A note that is left out is empty: a model does not keep what it does not write down.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ludens.agents.llm.reading.numbers import decimal, stated, taken_back
from ludens.agents.llm.reading.refusals import declined
from ludens.agents.llm.reading.statements import TAKEN_BACK
from ludens.agents.llm.reading.text import DECLINED, EMPTY, Outcome, json_objects, plain_numbers, unboxed

SLOTS = ("observations", "plans", "insights", "message", "public_reason")


@dataclass(frozen=True)
class PriceReading:
    """What a reply to the question for a price says.

    Attributes:
        outcome: ``"ok"``, ``"invalid"`` or ``"refused"``.
        price: in money; None unless ``"ok"``.
        detail: one sentence that says what was wrong, in words that the model can be shown; empty if
            ``"ok"``.
        notes: the texts beside the price, by `SLOTS`.
        further: the prices of further products, where several were asked for.
    """

    outcome: Outcome
    price: float | None = None
    detail: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    further: tuple[float, ...] = ()


def read_price_reply(
    text: str | None,
    *,
    lowest: float = 0.0,
    highest: float = math.inf,
    slots: Sequence[str] = SLOTS,
    cut: bool = False,
) -> PriceReading:
    """Read the price and the notes of a reply.

    Args:
        text: the reply.
        lowest: the lowest price that is possible in this market.
        highest: the highest.
        slots: the names of the notes that were asked for.
        cut: whether the reply ended because it reached the limit of tokens; then a number at its end may lack
            digits.
    """
    clean = unboxed(plain_numbers(text or ""))
    if not clean:
        return PriceReading("invalid", detail=EMPTY)
    objects, around, broken = json_objects(clean)
    sections = _sections(around)
    entries = [_flat(entry) for _, entry in objects]
    answers = [(entry, prices) for entry in entries if (prices := _under(entry, _PRICE_KEYS))]
    given = [_of_json(value) for _, prices in answers for value in prices]
    given += [_of_section(body) for name, body in sections if name == "price"]
    if answers and not sections and (beside := stated(around, _STATED, _of_text)) is not None:
        given.append(beside)
    if len(set(given)) > 1:
        return PriceReading("invalid", detail="The reply names a price more than once; name one price only.")
    if answers:
        if taken_back(around[max(start for start, _ in objects) :]):
            return PriceReading("invalid", detail=TAKEN_BACK)
        entry = answers[0][0]
        notes = {slot: _note(_under(entry, (slot,))) for slot in slots}
        return _priced(given[0], notes, lowest, highest)
    if given and not (cut or broken):
        notes = {slot: "\n".join(body for name, body in sections if name == slot) for slot in slots}
        return _priced(given[0], notes, lowest, highest)
    if not objects and not sections and not (cut or broken):
        bare = read_price(clean)
        short = re.search(r"[0-9]", clean) and len(clean) <= LONGEST_BARE and not _declines(clean)
        if isinstance(bare, float) or short:
            return _priced(bare, dict.fromkeys(slots, ""), lowest, highest)
    if _declines(around):
        return PriceReading("refused", detail=DECLINED)
    if cut or broken:
        return PriceReading("invalid", detail="The reply was cut off or broken before it gave a price.")
    return PriceReading("invalid", detail="The reply gives no price.")


def read_price(text: str) -> float | str:
    """Read the number that a text gives as a price, or return a sentence that says why there is none."""
    said = unboxed(plain_numbers(text))
    bare = _of_text(said)
    if isinstance(bare, float):
        return bare
    found = stated(said, _STATED, _of_text)
    return bare if found is None else found


LONGEST_BARE = 40
_PRICE_KEYS = ("price", "chosen_price", "my_price", "new_price")
_FRAMES = frozenset({"answer", "final_answer", "response", "reply", "output", "result", "decision", "action"})
_HEADING = re.compile(
    r"(?im)^[ \t#>*_`\-\d.)]{0,12}"
    r"(?:(?:my|new|updated|chosen|final|the|content|for|next|period'?s?)[ \t]+){0,4}"
    r"(?P<name>observations?|plans?|insights?|message|public[ \t_]reason|price|answer)"
    r"(?:\.txt|[ \t]+and[ \t]+thoughts"
    r"|[ \t]+for[ \t]+(?:(?:this|the[ \t]+next)[ \t]+period|period[ \t]+\d+))?"
    r"[*_`]*[ \t]*[:=][*_`]*"
)
_CURRENCY = (
    r"(?:(?:US|R|A|C|NZ|HK|S|MX)?\$|[€£¥₹₩₽₺₫₪₱฿₴₦₡₵₸₮₾₼]|(?:US[ \t]?)?dollars?|euros?|pounds?|yen|rupees?|"
    r"francs?|yuan|reais|real|pesos?|won|z[łl]|kr\.?|Rs\.?|Kč|Ft|руб(?:\.|лей|ля)?|元|円|원|"
    r"USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|INR|CNY|RMB|BRL|MXN|SEK|NOK|DKK|PLN|CZK|HUF|TRY|RUB|KRW|ZAR|SGD|HKD)"
)
_UNIT = r"(?:[ \t]*(?:(?:per|a|/)[ \t]*(?:unit|piece|item)(?:[ \t]+sold)?|each|apiece))?"
_PLAIN_PRICE = re.compile(
    rf"(?i)(?:[≈~≃][ \t]*)?(?P<sign>[-+]?)[ \t]*(?:{_CURRENCY})?[ \t]*(?P<second>[-+]?)"
    rf"(?P<digits>(?:[0-9]+(?:[.,'][0-9]+)*[.,]?|[.,][0-9]+)(?:e[-+]?[0-9]+)?)"
    rf"[ \t]*(?:{_CURRENCY})?{_UNIT}"
)
# A price within a sentence. Its sign stands apart from what is before it: in "1.5-1.7" a dash is none.
_STATED = re.compile(
    r"(?i)(?<![A-Za-z0-9_.,'])(?:[≈~≃][ \t]*)?(?:(?<![A-Za-z0-9_)])[-+](?=[0-9.$€£¥]))?"
    rf"(?:{_CURRENCY}[ \t]*)?[-+]?(?:[0-9]+(?:[.,'][0-9]+)*|[.,][0-9]+)(?:e[-+]?[0-9]+)?(?![A-Za-z0-9_'])"
    rf"(?:[ \t]*{_CURRENCY}(?!\w))?{_UNIT}"
)
_MARKUP = " \t\r\n*_`\"'"


def _under(entry: Sequence[tuple[str, Any]], names: Sequence[str]) -> list[Any]:
    """Return the values under any of these keys, each value once."""
    found: list[Any] = []
    for key, value in entry:
        if re.sub(r"[\s_-]+", "_", key.strip().lower()) in names and value not in found:
            found.append(value)
    return found


def _flat(entry: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the entries of an object with those of the answer that it frames: {"answer": {"price": 1.8}}."""
    framed = [
        inner
        for key, value in entry
        if key.strip().lower() in _FRAMES and isinstance(value, list)
        for inner in value
        if isinstance(inner, tuple)
    ]
    return [*entry, *framed]


def _note(values: Sequence[Any]) -> str:
    return "\n".join(
        value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in values
        if value is not None
    )


def _sections(text: str) -> list[tuple[str, str]]:
    """Return the parts of a text by their headings, without the text before the first heading."""
    hits = list(_HEADING.finditer(text))
    ends = [*(hit.start() for hit in hits[1:]), len(text)]
    return [(_slot(hit["name"]), text[hit.end() : end].strip()) for hit, end in zip(hits, ends, strict=False)]


def _slot(heading: str) -> str:
    name = heading.lower()
    if name in ("price", "answer"):
        return "price"
    if name.startswith("public"):
        return "public_reason"
    return name if name == "message" else name.rstrip("s") + "s"


def _declines(text: str) -> bool:
    return any(True for _ in declined(text))


def _priced(price: float | str, notes: Mapping[str, str], lowest: float, highest: float) -> PriceReading:
    if isinstance(price, str):
        return PriceReading("invalid", detail=price)
    if price < lowest:
        return PriceReading("invalid", detail=f"A price of {price:.6g} is below {lowest:.6g}, the lowest.")
    if price > highest:
        return PriceReading("invalid", detail=f"A price of {price:.6g} is above {highest:.6g}, the highest.")
    return PriceReading("ok", price + 0.0, notes=notes)


def _of_json(value: Any) -> float | str:
    if isinstance(value, str):
        return read_price(value)
    if isinstance(value, bool) or value is None:
        return f"The price is {json.dumps(value)}, which is no number."
    if isinstance(value, list):
        return "The price is a list or an object; name one price only, as a single number."
    try:
        return _finite(float(value))
    except OverflowError:
        return _finite(math.inf)


def _of_section(body: str) -> float | str:
    """Read the price under a heading: its first line, unless more numbers follow or words take it back."""
    first, _, rest = body.partition("\n")
    if taken_back(rest):
        return TAKEN_BACK
    return read_price(body if re.search(r"[0-9]", rest) else first)


def _of_text(text: str) -> float | str:
    said = text.strip(_MARKUP).removesuffix(".").rstrip(_MARKUP)
    shown = f"{' '.join(said.split())[:LONGEST_BARE]!r}"
    if not said:
        return "The reply gives no price."
    hit = _PLAIN_PRICE.fullmatch(said)
    if hit is None:
        if re.fullmatch(r"(?i)[-+]?(?:nan|inf(?:inity)?)", said):
            return _finite(math.nan)
        many = len(re.findall(r"[0-9]+(?:[.,'][0-9]+)*", said))
        if many > 1:
            return f"{shown} holds more than one number; name one price only."
        return f"{shown} is no plain number." if many else f"{shown} is no number."
    if hit["sign"] and hit["second"]:
        return f"{shown} is no plain number."
    digits, exponent = re.fullmatch(r"(?i)([^e]*)(e.*)?", hit["digits"]).groups()  # type: ignore[union-attr]
    plainly = decimal(digits)
    if plainly is None:
        return f"{shown} can be read in more than one way; write the price with a decimal point, as in 1.50."
    return _finite(float(hit["sign"] + hit["second"] + plainly + (exponent or "")))


def _finite(price: float) -> float | str:
    if not math.isfinite(price):
        return "The price is no finite number."
    if price < 0:
        return f"A price cannot be below 0; got {price:.6g}."
    return price
