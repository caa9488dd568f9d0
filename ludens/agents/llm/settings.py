"""The settings of policies that ask a language model: the type, default, check and meaning of each, once.

A policy takes its settings by name and hands everything else to LiteLLM with each request. A name that is
close to a setting is taken for a misspelling, and a parameter that the policy decides itself is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from inspect import Parameter, Signature, get_annotations
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from ludens.agents.llm.abilities import LOCAL
from ludens.agents.llm.endpoint import PATIENCE
from ludens.agents.llm.prompts.games import check_framing
from ludens.agents.llm.prompts.own import template_text
from ludens.agents.llm.prompts.prices import Layout, check_prefix
from ludens.agents.llm.prompts.surfaces import is_table
from ludens.agents.llm.prompts.templates import personas
from ludens.agents.llm.reply import PRICES
from ludens.agents.policy import OnInvalid
from ludens.agents.secrets import plain_address, remember, without_secrets
from ludens.checks import check_choice, check_count, check_texts, duration, entries, real_number, whole_number
from ludens.errors import UsageError

Elicit = Literal["auto", "logprobs", "sample"]
AnswerFormat = Literal["auto", "letter"]
Order = Literal["auto", "random", "both"]
AnyLayout = Literal["auto", "table", Layout]
NEUTRAL = "neutral"

# Parameters of LiteLLM that the policy decides, and the setting that decides them, if there is one.
DECIDED = {
    "messages": "persona",
    "max_retries": "transport_retries",
    "num_retries": "transport_retries",
    "logprobs": "elicit",
    "top_logprobs": "elicit",
    "response_format": "",
    "drop_params": "",
    "logger_fn": "",
    "stream": "",
    "n": "",
}

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+=[A-Za-z_][A-Za-z0-9_]*")


def _policy(info: ValidationInfo) -> str:
    return str((info.context or {}).get("policy", "The policy"))


def _name(info: ValidationInfo) -> str:
    return str(info.field_name).rstrip("_")


def _one_of(words: Any) -> BeforeValidator:
    def check(value: object, info: ValidationInfo) -> object:
        check_choice(_policy(info), _name(info), value, _words(words))
        return value

    return BeforeValidator(check)


def _words(literal: Any) -> tuple[str, ...]:
    return tuple(word for part in get_args(literal) for word in (_words(part) if get_args(part) else (part,)))


def _at_least(least: int) -> BeforeValidator:
    def check(value: object, info: ValidationInfo) -> int:
        return check_count(_policy(info), _name(info), value, least=least)

    return BeforeValidator(check)


def _amount(*, above_0: bool) -> BeforeValidator:
    def check(value: object, info: ValidationInfo) -> float:
        number = math.nan if isinstance(value, bool | str) else _float(value)
        if not math.isfinite(number) or number < 0 or (above_0 and number == 0):
            kind = "above 0" if above_0 else "of 0 or more"
            raise UsageError(f"{_policy(info)} got {_name(info)}={value!r}; it must be a number {kind}.")
        return number

    return BeforeValidator(check)


def _float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # finds out whether it is a number
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _patience(value: object, info: ValidationInfo) -> float:
    seconds = duration(value)
    if seconds is None:
        raise UsageError(
            f"{_policy(info)} got patience={value!r}; it must be a number of seconds, or a text such as "
            "'90s', '10m' or '2h'."
        )
    return seconds


def _or_none(check: BeforeValidator) -> BeforeValidator:
    checked: Callable[..., Any] = check.func

    def optional(value: object, info: ValidationInfo) -> object:
        return None if value is None else checked(value, info)

    return BeforeValidator(optional)


def _flag(value: object, info: ValidationInfo) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{_policy(info)} got {_name(info)}={value!r}; it must be True or False.")
    return value


def _headers(value: object, info: ValidationInfo) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else entries(value)
    if given is None or not all(isinstance(each, str) and _HEADER.fullmatch(each) for each in given):
        raise UsageError(
            f"{_policy(info)} got headers_from={_header_names(given)}; it must be a list of texts "
            "NAME=VARIABLE: a header, and the environment variable that holds its value."
        )
    return tuple(given)


def _header_names(given: Iterable[object] | None) -> str:
    """Return headers without what may be a secret in place of a variable's name."""
    if given is None:
        return "something else"
    names = [each.partition("=")[0] if isinstance(each, str) else type(each).__name__ for each in given]
    return ", ".join(f"{name}=…" for name in names) or "nothing"


def _model(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(
            f"{_policy(info)} got model={value!r}; name it as provider/model, for example openai/gpt-5-mini."
        )
    return value


def _text(value: object, info: ValidationInfo) -> str | None:
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{_policy(info)} got {_name(info)}={value!r}; it must be a text.")
    return value


def _persona(value: object, info: ValidationInfo) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise UsageError(
            f"{_policy(info)} got persona={value!r}; give a text, or one of {', '.join(personas())}."
        )
    meant = get_close_matches(value.lower().replace(" ", "_"), personas(), 1, 0.8)
    if meant and value not in personas():
        raise UsageError(f"{_policy(info)} knows no persona {value!r}; did you mean {meant[0]!r}?")
    return value


def _template(value: object, info: ValidationInfo) -> str | None:
    return None if value is None else template_text(value)


def _order(value: object, info: ValidationInfo) -> Order | int:
    if not isinstance(value, str) and (number := whole_number(value)) is not None:
        return number
    if not isinstance(value, str) or value not in get_args(Order):
        words = ", ".join(map(repr, get_args(Order)))
        raise UsageError(f"{_policy(info)} got order={value!r}; choose one of {words} or a number.")
    return value  # type: ignore[return-value]  # one of the words


Count = Annotated[int, _at_least(0)]
Positive = Annotated[int | None, _or_none(_at_least(1))]
Amount = Annotated[float, _amount(above_0=False)]


def _layout(value: object, info: ValidationInfo) -> object:
    if not (isinstance(value, str) and is_table(value)):
        check_choice(_policy(info), _name(info), value, _words(AnyLayout))
    return value


Flag = Annotated[bool, BeforeValidator(_flag)]


class ModelSettings(BaseModel):
    """How a language model is reached and sampled.

    Attributes:
        model: the model's LiteLLM id, for example ``"openai/gpt-5-mini"``, or ``local/…`` for a model on this
            machine.
        temperature: of sampling. With log-probabilities, p ∝ probability^(1/temperature).
        timeout: seconds for one request. None for 120, and for no limit with a model on this machine, where
            requests wait for one another and not for a network.
        patience: seconds for which an outage (5xx, time-outs, broken connections) or a rate limit (429) of
            the server is waited out, from its first failure; also written ``"90s"``, ``"10m"`` or ``"2h"``.
            Then the run stops, to be resumed. A server that has never answered gets a few tries only.
        transport_retries: how often one request is repeated after such failures; None for as often as
            patience allows.
        retry_wait: seconds before the first repetition; the wait doubles each time, up to a minute. Where the
            server says how long to wait (Retry-After), this counts instead.
        max_tokens: the limit of a sampled reply. None for a limit that suits the question.
        seed: sent unchanged with every request. None draws one per request from the run's own stream, for
            models that take a seed.
        api_base: the address of an OpenAI-compatible server, for models named ``openai/…``. A user and a
            password in it (``http://user:password@host/v1``) are sent, and written nowhere.
        batched: whether a model on this machine (``local/…``) evaluates requests together, which is faster,
            and makes probabilities depend in the second decimal on the other requests. None for what its
            engine does: one at a time with GGUF files, together with Transformers.
        headers_from: headers of every request, each written ``NAME=VARIABLE``: the value is that of the
            environment variable, and is written nowhere.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    model: Annotated[str, BeforeValidator(_model)]
    temperature: Amount = 1.0
    timeout: Annotated[float | None, _or_none(_amount(above_0=True))] = None
    patience: Annotated[float, BeforeValidator(_patience)] = PATIENCE
    transport_retries: Annotated[int | None, _or_none(_at_least(0))] = None
    retry_wait: Amount = 1.0
    max_tokens: Positive = None
    seed: Annotated[int | None, _or_none(_at_least(0))] = None
    api_base: Annotated[str | None, BeforeValidator(_text)] = None
    batched: Annotated[bool | None, _or_none(BeforeValidator(_flag))] = None
    headers_from: Annotated[tuple[str, ...] | None, _or_none(BeforeValidator(_headers))] = None

    @model_validator(mode="after")
    def _batched_here(self, info: ValidationInfo) -> Self:
        if self.batched is not None and not self.model.startswith(LOCAL):
            raise UsageError(
                f"{_policy(info)} got batched={self.batched} for {self.model}: it is a setting of models on "
                "this machine (local/…); leave it out."
            )
        return self

    @classmethod
    def checked(cls, policy: str, model: object, given: Mapping[str, Any]) -> Self:
        """Return the settings that a policy is made with.

        Args:
            policy: the name of the policy's class, for messages.
            model: the model's LiteLLM id.
            given: settings by name, and options for LiteLLM beside them.

        Raises:
            UsageError: a value is out of its range, a name is a misspelt setting, or an option is one that
                the policy decides itself.
        """
        check_texts(f"{policy}: ", {"model": model, **given})
        remember(given)
        _check_options(policy, [name for name in given if name not in cls.names()], cls.names())
        _check_prices(policy, given)
        try:
            return cls.model_validate({**given, "model": model}, context={"policy": policy})
        except ValidationError as error:
            # Every field has a check of its own, and pydantic keeps the error that it raised.
            raise error.errors()[0]["ctx"]["error"] from None

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all settings other than the model, those of the class itself first."""
        ordered = [name for kind in cls.__mro__ for name in get_annotations(kind) if name in cls.model_fields]
        return tuple(
            cls.model_fields[name].alias or name for name in dict.fromkeys(ordered) if name != "model"
        )

    @classmethod
    def signature(cls) -> Signature:
        """Return the signature of a policy that takes these settings, for `help` and completion."""
        fields = {field.alias or name: field for name, field in cls.model_fields.items()}
        by_name = [
            Parameter(
                name, Parameter.KEYWORD_ONLY, default=fields[name].default, annotation=fields[name].annotation
            )
            for name in cls.names()
        ]
        model = Parameter("model", Parameter.POSITIONAL_OR_KEYWORD, annotation=str)
        return Signature([model, *by_name, Parameter("options", Parameter.VAR_KEYWORD, annotation=Any)])

    @property
    def options(self) -> dict[str, Any]:
        """Everything that is handed to LiteLLM unchanged."""
        return dict(self.model_extra or {})

    def described(self) -> dict[str, Any]:
        """Return all settings other than the model, and the options that are not secret, as JSON values."""
        values = {field.alias or name: getattr(self, name) for name, field in type(self).model_fields.items()}
        if self.headers_from is not None:
            values["headers_from"] = list(self.headers_from)
        if self.api_base is not None:
            values["api_base"] = plain_address(self.api_base)
        return {name: values[name] for name in self.names()} | without_secrets(self.options)


class AnswerSettings(ModelSettings):
    """How a question of a game is put and its answer is read.

    Attributes:
        framing: the wording, a name from `ludens.agents.llm.framings`.
        template: a Jinja2 template of the user's own in the place of a framing: its text, or a file (a
            `Path`, or a text of one line that ends in .j2, .jinja, .jinja2, .txt or .md). It is read once,
            and runs keep its text; see `ludens.agents.llm.prompts.own` for what may be left out of it.
        reasoning: let the model reason before it answers.
        format: ``"letter"`` asks for plain text that ends in a letter, as models tuned by ludens have learnt
            it; ``"auto"`` asks for JSON where the model can be held to a schema.
        invalid: what becomes of an episode in which no reply could be read: it is dropped, the seat forfeits
            it, or the run is aborted.
        persona: ``"homo_economicus"``, ``"homo_moralis"``, or a text, put into the system message.
        order: the order in which options are shown: a number k shows them rotated by k; ``"random"`` draws
            one order for each decision; ``"both"`` asks all orders and averages. ``"auto"`` is ``"both"``
            with log-probabilities and ``"random"`` with samples.
        retries: how often a reply that cannot be read is asked again, with the reason.
    """

    framing: Annotated[str, BeforeValidator(check_framing)] = NEUTRAL
    template: Annotated[str | None, BeforeValidator(_template)] = None
    reasoning: Flag = False
    format: Annotated[AnswerFormat, _one_of(AnswerFormat)] = "auto"
    invalid: Annotated[OnInvalid, _one_of(OnInvalid)] = "drop"
    persona: Annotated[str | None, BeforeValidator(_persona)] = None
    order: Annotated[Order | int, BeforeValidator(_order)] = "auto"
    retries: Count = 2

    @model_validator(mode="after")
    def _worded_once(self) -> Self:
        if self.template is not None and self.framing != NEUTRAL:
            raise UsageError(
                f"A template takes the place of a framing, and framing={self.framing!r} was given beside it: "
                "leave one out."
            )
        return self


class ChoiceSettings(AnswerSettings):
    """How a choice between options is elicited.

    Attributes:
        elicit: ``"logprobs"`` reads the probabilities of the options from the first token of the answer and
            draws the action from them; ``"sample"`` takes the reply itself; ``"auto"`` is the former where
            the model gives log-probabilities and is not asked to reason, and samples a question where they
            are not those of an answer (`ludens.agents.llm.reading.parsed.read_masses`).
        votes: how often a sampled question is asked; the most frequent answer that can be read counts, the
            first one among equally frequent ones.
        held: hold the answer of a sampled reply to the labels on offer while it is written, after thoughts
            without any form: by a grammar with models on this machine, by a JSON schema with others that take
            one.
    """

    elicit: Annotated[Elicit, _one_of(Elicit)] = "auto"
    votes: Annotated[int, _at_least(1)] = 1
    held: Flag = False

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.reasoning and self.elicit == "logprobs":
            raise UsageError(
                "elicit='logprobs' reads the first word of a reply, so it cannot go with reasoning=True."
            )
        return self


class PriceSettings(ModelSettings):
    """How the question for a price is put and its answer is read.

    Attributes:
        prefix: what the firm aims at, ``"P0"`` to ``"P3"`` or a text of the user's own.
        persona: ``"homo_economicus"``, ``"homo_moralis"`` (universalised over firms), or a text, put into
            the system message.
        layout: ``"full"``, or ``"compact"`` for short contexts; ``"auto"`` is compact for models on this
            machine. ``"table"`` and its surfaces (``"table/17"``) show the profits of some prices, of which
            one is chosen (`ludens.agents.llm.prompts.price_tables`), in place of data, prefix and notes.
        reasoning: whether the model thinks before it chooses a price of a table; None for yes.
        votes: how often it is asked about a table, the most frequent answer counting.
        held: hold its choice from a table to the labels while it is written, after free thoughts; for models
            on this machine.
        window: how many of the last periods are shown; None for 100, and for 4 in the compact layout.
        notes: whether the model keeps PLANS and INSIGHTS.
        note_limit: how many characters of each note are shown again; None for all, and for 32 in the compact
            layout.
        schema: ask for a JSON object held to a schema where the model takes one; otherwise for parts of a
            text.
        tries: how many requests a price may take, at least 1.
    """

    prefix: Annotated[str, BeforeValidator(check_prefix)] = "P0"
    persona: Annotated[str | None, BeforeValidator(_persona)] = None
    layout: Annotated[str, BeforeValidator(_layout)] = "auto"
    reasoning: Annotated[bool | None, _or_none(BeforeValidator(_flag))] = None
    votes: Annotated[int, _at_least(1)] = 1
    held: Flag = False
    window: Positive = None
    notes: Flag = True
    note_limit: Positive = None
    schema_: Flag = Field(default=True, alias="schema")
    tries: Annotated[int, _at_least(1)] = 10

    @model_validator(mode="after")
    def _of_a_table(self, info: ValidationInfo) -> Self:
        given = "votes" if self.votes != 1 else "held" if self.held else "reasoning"
        if not is_table(self.layout) and (self.votes != 1 or self.held or self.reasoning is not None):
            raise UsageError(
                f"{_policy(info)} has no setting {given!r} with layout={self.layout!r}: it is one of "
                "layout='table'."
            )
        return self


class JudgeSettings(ModelSettings):
    """How a judge is sampled: by its most probable answer.

    Attributes:
        temperature: of sampling, here 0.
        retries: how often a reply that cannot be read is asked again, with the reason.
    """

    temperature: Amount = 0.0
    retries: Count = 2


def _check_prices(policy: str, given: Mapping[str, Any]) -> None:
    """Refuse a price that is no amount of money: it would count as 0, and no limit of the cost would hold.

    Raises:
        UsageError: one is not.
    """
    for name in PRICES:
        price = 0.0 if name not in given else real_number(given[name])
        if price is None or not 0 <= price < math.inf:
            raise UsageError(
                f"{policy} got {name}={given[name]!r}; it must be a number of US dollars of 0 or more."
            )


def _check_options(policy: str, options: Iterable[str], settings: Iterable[str]) -> None:
    """Refuse options for LiteLLM that are misspelt settings, settings of another kind of policy, or decided
    by the policy itself.

    Raises:
        UsageError: one is; the message says which setting is meant.
    """
    settings = tuple(settings)
    for name in options:
        if name in DECIDED:
            setting = DECIDED[name] if DECIDED[name] in settings else ""
            instead = f": set {setting} instead" if setting else ", so it cannot be set"
            raise UsageError(f"{policy} decides {name} itself{instead}.")
        # Close enough for a slip of the keyboard; LiteLLM's own names (num_ctx, reasoning_effort) are not.
        if meant := get_close_matches(name, settings, 1, 0.8):
            raise UsageError(f"{policy} has no setting {name!r}; did you mean {meant[0]!r}?")
        if any(name in kind.names() for kind in (ChoiceSettings, PriceSettings, JudgeSettings)):
            raise UsageError(f"{policy} has no setting {name!r}; it has {', '.join(settings)}.")
