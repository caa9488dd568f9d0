"""Read the prices of several products from one reply: each as `read_price_reply` reads a single one.

The prices stand under the keys ``price_1``, ``price_2`` … of a JSON object, or under headings of these names.
One that is missing or cannot be read leaves the whole reply unread.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from ludens.agents.llm.reading.prices import SLOTS, PriceReading, read_price_reply


def read_price_replies(
    text: str | None,
    products: int,
    *,
    lowest: float = 0.0,
    highest: float = math.inf,
    slots: Sequence[str] = SLOTS,
    cut: bool = False,
) -> PriceReading:
    """Read the prices and the notes of a reply.

    Args:
        text: the reply.
        products: how many prices were asked for.
        lowest: the lowest price that is possible in this market.
        highest: the highest.
        slots: the names of the notes that were asked for.
        cut: whether the reply ended because it reached the limit of tokens.

    Returns:
        The reading of the first price with the others in `further`; or of the first one that is no price.
    """
    if products == 1:
        return read_price_reply(text, lowest=lowest, highest=highest, slots=slots, cut=cut)
    readings = []
    for product in range(1, products + 1):
        if not re.search(rf"(?i)\bprice[ _-]?{product}\b", text or ""):
            whole = read_price_reply(text, lowest=lowest, highest=highest, slots=slots, cut=cut)
            missing = PriceReading("invalid", detail=f"The reply gives no price_{product}.")
            return whole if whole.outcome == "refused" else missing
        alone = _of_product(text or "", product)
        reading = read_price_reply(alone, lowest=lowest, highest=highest, slots=slots, cut=cut)
        if reading.price is None:
            named = f"price_{product}: {reading.detail}"
            return replace(reading, detail=named if reading.outcome == "invalid" else reading.detail)
        readings.append(reading)
    first, *others = readings
    return replace(first, further=tuple(each.price for each in others if each.price is not None))


def _of_product(text: str, product: int) -> str:
    """Return a reply as if it gave the price of one product alone."""
    # A reply that does not say which product its price is of gives none.
    unnamed = re.sub(r"(?i)\bprice(?=[\"'*_`\s]*[:=])", "unnamed", text)
    others = rf"price[ _-]?(?!{product}\b)\d+"
    lines = re.sub(rf"(?im)^[ \t#>*_`\-]*{others}[*_`]*[ \t]*[:=].*$", "", unnamed)
    keys = re.sub(rf"(?i)\b{others}\b", "other", lines)
    return re.sub(rf"(?i)\bprice[ _-]?{product}\b", "price", keys)
