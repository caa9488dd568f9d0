"""From a firm's view to the text that a language model is shown.

The templates lie in ``ludens/agents/llm/prompts/price_wordings``; all of them are our own words. A *prefix*
says what the firm is after (P0 to P3, after the treatments of Fish, Gonczarowski & Shorrer, arXiv
2404.00806), a *layout* how much of the market's history is shown and how: ``"full"`` for models with room,
``"compact"`` for small contexts. Every number is read from the turn.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ludens.agents.llm.prompts.games import Prompt, WordingError
from ludens.agents.policy import Wording
from ludens.agents.pricing.view import MarketView

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

Layout = Literal["full", "compact"]
Format = Literal["json", "slots"]

FOLDER = Path(__file__).parent / "price_wordings"
# Significant digits of prices; quantities and profits have one less. Small models read digit by digit.
DIGITS: Mapping[Layout, int] = {"full": 6, "compact": 4}


@dataclass(frozen=True)
class PricePromptOptions:
    """How a firm is told what it knows.

    Attributes:
        prefix: a name from `prefixes`, or a text of one's own.
        persona: a name from `ludens.agents.llm.personas`, or a text, put into the system message; None for
            a plain one.
        layout: ``"full"`` or ``"compact"``.
        window: how many of the last periods are shown.
        notes: whether the firm keeps PLANS and INSIGHTS.
        note_limit: how many characters of a note are shown again; the model is told. None for all.
    """

    prefix: str = "P0"
    persona: str | None = None
    layout: Layout = "full"
    window: int = 100
    notes: bool = True
    note_limit: int | None = None


def prefixes() -> tuple[str, ...]:
    """The names of the prefixes that come with ludens; any longer text is a prefix of its own."""
    return tuple(sorted(path.stem for path in (FOLDER / "prefixes").glob("*.j2")))


def check_prefix(prefix: str) -> str:
    """The prefix, if it is a known name or a text of several words.

    Raises:
        WordingError: it is neither.
    """
    if not isinstance(prefix, str) or (prefix not in prefixes() and len(prefix.split()) < 2):
        raise WordingError(
            f"There is no prefix {prefix!r}; choose one of {', '.join(prefixes())}, or give a text."
        )
    return prefix


def slots(telling: PricePromptOptions, view: MarketView) -> tuple[str, ...]:
    """The notes that a reply is asked for beside the price."""
    kept = ("plans", "insights") if telling.notes else ()
    return ("observations", *kept, *(("message",) if view.messages is not None else ()))


def render_firm(
    view: MarketView, telling: PricePromptOptions, format_: Format, allowed: Sequence[str] = ()
) -> Prompt:
    """The text for a firm's turn.

    Args:
        view: what the firm knows.
        telling: how it is told.
        format_: ``"json"`` asks for a JSON object, ``"slots"`` for parts under headings.
        allowed: the prices among which the firm must choose; empty if it may name any.
    """
    environment = _environment()
    named = f"personas/{telling.persona}.j2" if _exists("personas", telling.persona) else None
    persona = environment.get_template(named).render() if named else telling.persona
    own = None if _exists("prefixes", telling.prefix) else telling.prefix
    prefix = own or environment.get_template(f"prefixes/{telling.prefix}.j2").render()
    replying = {
        "layout": telling.layout,
        "format": format_,
        "keeps_notes": telling.notes,
        "talks": view.messages is not None,
        "message_limit": view.message_limit,
    }
    context = replying | _context(view, telling) | {"prefix": prefix, "allowed": allowed}
    layout = f"{telling.layout}.j2"
    system = environment.get_template("system.j2").render(persona=persona)
    templates = (layout, "system.j2", "reply.j2", "again.j2", named, own or f"prefixes/{telling.prefix}.j2")
    return Prompt(
        messages=(
            {"role": "system", "content": system.strip()},
            {"role": "user", "content": environment.get_template(layout).render(context).strip()},
        ),
        labels=(),
        order=(),
        words=(),
        reread=lambda reason: environment.get_template("again.j2").render(reason=reason, **replying).strip(),
        wording=Wording(
            "own" if own else telling.prefix, f"pricing/{layout}", _hash(templates, named or persona), ()
        ),
    )


def reply_schema(names: Sequence[str], longest: int | None = None) -> dict[str, Any]:
    """The response format that holds a reply to these notes and a price, in OpenAI's shape.

    Args:
        names: of the notes.
        longest: the most characters of a note, for engines that can hold a reply to it. Then the price is
            held to a few plain digits as well, without a sign; hosted models may not take such a schema.
    """
    text: dict[str, Any] = {"type": "string"}
    price: dict[str, Any] = {"type": "number"}
    if longest is not None:
        text["maxLength"] = longest
        price = {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,4})?$"}
    properties = dict.fromkeys(names, text) | {"price": price}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "price", "schema": schema, "strict": True}}


def number(value: float, digits: int = 6, decimals: int | None = None) -> str:
    """A number in at most so many significant digits and decimals, without an exponent; a dash for what is
    not known.
    """
    if not np.isfinite(value):
        return "-"
    short = float(f"{value:.{digits}g}")
    # What hardly sells anything would be a long row of zeros.
    return np.format_float_positional(short if decimals is None else round(short, decimals) + 0.0, trim="-")


def _context(view: MarketView, telling: PricePromptOptions) -> dict[str, Any]:
    played = len(view.prices)
    first = max(0, played - telling.window)
    rivals = view.rivals
    digits = DIGITS[telling.layout]
    names = [f"competitor {place}'s price" for place in range(1, len(rivals) + 1)]
    rows = [
        {
            "period": period + 1,
            "own": number(view.prices[period, view.product], digits),
            "others": [number(view.prices[period, rival], digits) for rival in rivals],
            "quantity": number(view.quantities[period], digits - 1, digits - 1),
            "profit": number(view.profits[period], digits - 1, digits - 1),
        }
        for period in range(first, played)
    ]
    return {
        "period": view.period + 1,
        "cost": number(view.cost),
        "ceiling": None if view.limit is None else number(view.limit),
        "rivals": view.present.firms - 1,
        "names": names if len(names) > 1 else ["competitor's price"],
        "rows": rows,
        "hidden": first,
        "plans": _shown(view.notes, "plans", telling),
        "insights": _shown(view.notes, "insights", telling),
        "note_limit": telling.note_limit,
        "notices": [_said(notice, view) for notice in view.notices],
        "messages": [(_sender(seat, view), text) for seat, text in view.messages or ()],
    }


def _shown(notes: Mapping[str, str], name: str, telling: PricePromptOptions) -> str:
    text = notes.get(name, "").strip()[: telling.note_limit]
    # The compact layout is told by its paragraphs.
    return " ".join(text.split()) if telling.layout == "compact" else text


def _sender(seat: str, view: MarketView) -> str:
    """What a seat is called: firms know one another by the columns of their tables."""
    firm = int(seat.rpartition("_")[2])
    if firm == view.firm:
        return "you"
    met = [int(view.market.owners[rival]) for rival in view.rivals]
    if firm not in met:
        return "another firm"
    return "competitor" if len(met) == 1 else f"competitor {met.index(firm) + 1}"


def _said(notice: str, view: MarketView) -> str:
    """An environment's sentence with what seats are called in place of their names."""
    called = re.sub(r"\bfirm_\d+\b", lambda hit: _sender(hit[0], view).replace("you", "your firm"), notice)
    return called[:1].upper() + called[1:]


def _exists(folder: str, name: str | None) -> bool:
    return name is not None and name in {path.stem for path in (FOLDER / folder).glob("*.j2")}


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # the text goes to a model, not to a browser
    )


@lru_cache(maxsize=256)
def _hash(templates: tuple[str | None, ...], persona: str | None) -> str:
    """Twelve hex digits of the content of all that a text is made of, texts of one's own among it."""
    from jinja2 import meta

    environment = _environment()
    found: dict[str, str] = {}
    names = [name for name in templates if name]
    while names:
        name = names.pop()
        path = FOLDER / name if name.endswith(".j2") else None
        if name in found:
            continue
        found[name] = path.read_text(encoding="utf-8") if path is not None else ""
        names += [other for other in meta.find_referenced_templates(environment.parse(found[name])) if other]
    text = "\0".join(f"{name}\0{found[name]}" for name in sorted(found))
    return hashlib.sha256(f"{text}\0{persona or ''}".encode()).hexdigest()[:12]
