"""The configuration of a study: one pydantic model, checked where it is made, and written to TOML and JSON.

What a run's manifest holds is the configuration, so that every run can be built again from its file.
Policies are written by their specifications (`ludens.agents.make_policy`); one that is a Python object is
held as it is, and described in the manifest as well as it describes itself.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Self, TypeAlias, get_args, get_origin

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
)

from ludens.agents.policy import Policy
from ludens.agents.registry import is_model_id
from ludens.agents.secrets import (
    is_address,
    is_secret,
    masked,
    remember,
    without_secret_values,
    without_secrets,
)
from ludens.agents.trained.names import CONTENT, moved, pinned
from ludens.errors import UsageError
from ludens.experiments.runs.budget import Budget
from ludens.experiments.runs.database import MOST_SHARDS
from ludens.experiments.runs.executors.choice import ExecutorName
from ludens.experiments.runs.seeds import check_seed


def _count(value: object, info: ValidationInfo) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        name = str(info.field_name).replace("_", " ")
        what = f"number of {name}" if name.endswith("s") else name
        raise ValueError(f"The {what} is a whole number of at least 1; got {value!r}.")
    return value


def _seed(value: object) -> int:
    try:
        return check_seed(value)  # type: ignore[arg-type]  # what is not a number is what this finds out
    except UsageError as error:
        raise ValueError(str(error)) from None


Count = Annotated[int, BeforeValidator(_count)]
"""A whole number of at least 1."""


def _shards(value: object, info: ValidationInfo) -> int:
    if (number := _count(value, info)) > MOST_SHARDS:
        raise ValueError(f"A run has at most {MOST_SHARDS} shards; got {number}.")
    return number


Shards = Annotated[int, BeforeValidator(_shards)]
"""A number of files that a run can be divided over."""

Seed = Annotated[int, BeforeValidator(_seed)]
"""A whole number of at least 0."""

PolicyLike: TypeAlias = str | Mapping[str, Any] | Policy
"""A specification, one with settings beside it (``{"spec": …}``), or a policy."""


def as_policy(value: object) -> PolicyLike:
    """Return what names a policy as it is.

    Raises:
        ValueError: it can name none.
    """
    if isinstance(value, Policy):
        _check_kept(value.describe())
        return value
    if isinstance(value, str) and value.strip():
        _check_kept({} if "://" in value else {"spec": value})
        kept: PolicyLike = pinned(value)
        return kept
    if isinstance(value, Mapping):
        remember(value)
        settings: dict[str, Any] = plain_values(_with_template(value))
        _check_kept(settings)
        whole: PolicyLike = pinned(settings)
        return whole
    raise ValueError(
        "A policy is named by its specification, such as homo_economicus or openai/gpt-5-mini; got "
        f"{without_secret_values(value)!r}."
    )


def _with_template(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a language model with the text of its template in the place of a file, so that
    a run's file holds all that is asked.

    Raises:
        ValueError: the file cannot be read, or is no template.
    """
    given, spec = settings.get("template"), settings.get("spec")
    if given is None or not isinstance(spec, str) or not is_model_id(spec):
        return settings
    from ludens.agents.llm.prompts.own import template_text

    return {**settings, "template": template_text(given)}


def check_templates(values: Any) -> None:
    """See that a run's file holds the texts of its templates, as ludens writes them. A file that names one to
    be read here was written by somebody else, who would have it sent to a model.

    Raises:
        UsageError: it names one.
    """
    from ludens.agents.llm.prompts.own import names_file

    if isinstance(values, Mapping):
        template = values.get("template")
        asks = is_model_id(str(values.get("spec", "")))
        if asks and isinstance(template, str) and names_file(template):
            raise UsageError(
                f"The run names the file {template!r} where runs keep the text of a template: begin it anew."
            )
        values = list(values.values())
    if isinstance(values, list):
        for value in values:
            check_templates(value)


_TEXTS = frozenset({"label", "model", "persona", "prefix", "spec", "template"})


def _check_kept(settings: Mapping[str, Any]) -> None:
    """Refuse a text that shapes decisions and would not be kept as it is, since a resumed run would then ask
    something else.

    Raises:
        ValueError: it holds a key, or what looks like one.
    """
    for name, value in settings.items():
        if not isinstance(value, str) or is_secret(name) or is_address(name):
            continue
        shapes = name in _TEXTS or re.search(r"\s", value)
        if shapes and without_secrets({name: value}).get(name) != value:
            raise ValueError(
                f"The {name} holds what looks like a key ({masked(value)[:80]!r}), which no run keeps, so "
                "that it could not be resumed as it was begun: take the key out."
            )


def plain_values(value: Any, key: str = "") -> Any:
    """Return values that JSON and TOML can hold: texts, truth values, finite numbers, lists and tables of
    them.

    What is None is left out of tables; NumPy's numbers and arrays become Python's.

    Args:
        value: what a configuration holds.
        key: where it stands, for messages.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, Mapping):
        return {
            str(name): plain_values(each, f"{key}.{name}" if key else str(name))
            for name, each in value.items()
            if each is not None
        }
    if isinstance(value, np.ndarray | np.generic):
        return plain_values(value.tolist(), key)
    if isinstance(value, list | tuple):
        return [plain_values(each, f"{key}[{place}]") for place, each in enumerate(value)]
    if isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(
        f"{key or 'a value'} must be a text, a finite number, true or false, or a list or table of them; got "
        f"{value!r}."
    )


def described(policy: PolicyLike) -> str | dict[str, Any]:
    """Return a policy as JSON values, without secrets, which come from the environment."""
    if isinstance(policy, str):
        return masked(policy)
    settings: dict[str, Any] = plain_values(
        without_secrets(policy.describe() if isinstance(policy, Policy) else policy)
    )
    return settings


def as_kept(policy: PolicyLike) -> PolicyLike:
    """Return a policy of a run's file as ludens keeps it. A secret in it is somebody else's, and not used."""
    return policy if isinstance(policy, Policy) else described(policy)


CARRYING_OUT = frozenset({"address", "budget", "concurrency", "executor", "shards", "workers"})
"""Keys of a configuration that say how a run is carried out, and not what is asked in it."""

CONNECTION = frozenset(
    {"api_base", "base_url", "headers_from", "timeout", "transport_retries", "retry_wait", "patience"}
)
"""Settings that say how a model is reached, and not what it is asked."""


def same_policy(one: PolicyLike, other: PolicyLike) -> bool:
    """Return whether two specifications describe the same policy, however a model is reached.

    A Python object without a specification is known by its name alone.
    """
    return identity(one) == identity(other)


def identity(policy: PolicyLike) -> str | dict[str, Any]:
    """Return what makes a policy the policy that it is: its specification, with those settings that shape
    decisions; of a Python object without a specification, its name.
    """
    given = described(policy)
    if isinstance(given, str):
        return given
    if "spec" not in given:
        return {"name": given.get("name")}
    left_out = CONNECTION | {"label", "name", "kind"}
    settings = {name: value for name, value in given.items() if name not in left_out}
    if CONTENT in settings:  # wherever the file lies
        settings["spec"] = moved(str(settings["spec"]))
    return str(settings["spec"]) if len(settings) == 1 else settings


HOLDS_POLICIES = object()
"""Marks, in the annotation of a field, that it holds policies: one, several, or several by name."""

PolicySpec = Annotated[Any, BeforeValidator(as_policy), PlainSerializer(described), HOLDS_POLICIES]
"""A field of a configuration that holds a `PolicyLike`."""


def _listed(value: object) -> object:
    if isinstance(value, str | Mapping | Policy):
        return (value,)
    return tuple(value) if isinstance(value, Sequence) else value


PolicySpecs = Annotated[tuple[PolicySpec, ...], BeforeValidator(_listed)]
"""A field that holds several of them; one alone may be given by itself."""


def _as_budget(value: object) -> Budget | None:
    try:
        return Budget.read(value)
    except UsageError as error:
        raise ValueError(str(error)) from None


BudgetSpec = Annotated[
    Budget | None,
    BeforeValidator(_as_budget),
    PlainSerializer(lambda budget: None if budget is None else budget.as_json()),
]
"""A field that holds a `Budget`, also written as a table."""


class StudyConfig(BaseModel):
    """What every study can be told. A study's own configuration adds its fields.

    A field may be None only where None is its default, since a TOML file has no word for it.

    Attributes:
        seed: the root of the run's tree of seeds: the same seed gives the same run on every executor.
        concurrency: how many episodes are played at once.
        budget: what the run may spend (``{cost = 5.0, tokens = …, calls = …, time = "2h"}``); None for no
            limit.
        executor: where they are played: ``"serial"`` and ``"asyncio"`` in this process, ``"processes"`` in
            several of this machine, ``"ray"`` on a cluster; None for what suits the study. All give the same
            run.
        workers: how many processes; None for one per core, or for this process alone without an `executor`.
        shards: over how many files a new run is divided, at most 10: a folder in place of one file; None for
            one file.
        address: of a Ray cluster; None for that of this machine. No file holds it, because whoever has the
            cluster sees what is sent there.

    Raises:
        UsageError: a value is wrong; the message names its key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    kind: ClassVar[str] = ""
    """The study's name: of its table in a file, and in manifests. Error messages begin with it."""

    seed: Seed = 0
    concurrency: Count = 8
    budget: BudgetSpec = None
    executor: ExecutorName | None = None
    workers: Count | None = None
    shards: Shards | None = None
    address: str | None = Field(None, exclude=True)

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise UsageError(sentence(error, type(self), values)) from None
        for name in _TEXTS & set(type(self).model_fields):
            try:
                _check_kept({name: getattr(self, name)})
            except ValueError as error:
                raise UsageError(f"{self.kind}.{name}: {error}") from None

    def changed(self, /, **values: Any) -> Self:
        """Return the configuration with other values, checked anew.

        Raises:
            UsageError: a value is wrong.
        """
        kept = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**kept | values)

    def named_policies(self, *, without: Collection[str] = ()) -> list[PolicyLike]:
        """Return all policies that the configuration names, wherever they stand, but in fields `without`."""
        named: list[PolicyLike] = []

        def note(policy: PolicyLike) -> PolicyLike:
            named.append(policy)
            return policy

        self.with_policies(note, without=without)
        return named

    def with_policies(
        self, change: Callable[[PolicyLike], PolicyLike], *, without: Collection[str] = ()
    ) -> Self:
        """Return the configuration with every policy changed.

        Args:
            change: returns what takes a policy's place.
            without: the fields that stay as they are.

        Raises:
            UsageError: a policy is no longer one.
        """
        values = {}
        for name, field in type(self).model_fields.items():
            before = getattr(self, name)
            if name not in without and _holds_policies([field.annotation, *field.metadata]):
                after = _changed(before, change)
                if after != before:
                    values[name] = after
        return self.changed(**values) if values else self

    def as_json(self) -> dict[str, Any]:
        """Return JSON values from which an equal configuration can be made."""
        return self.model_dump(mode="json")


def _holds_policies(annotations: Sequence[Any]) -> bool:
    return any(
        each is HOLDS_POLICIES or _holds_policies([*get_args(each), *getattr(each, "__metadata__", ())])
        for each in annotations
    )


def _changed(value: Any, change: Callable[[PolicyLike], PolicyLike]) -> Any:
    """Return what a field holds with every policy changed."""
    if isinstance(value, list | tuple):
        return tuple(_changed(each, change) for each in value)
    if isinstance(value, Mapping) and not {"spec", "kind", "name"} & set(value):
        return {name: _changed(each, change) for name, each in value.items()}
    return change(value) if isinstance(value, str | Mapping | Policy) else value


def sentence(error: ValidationError, model: type[StudyConfig], values: Mapping[str, Any]) -> str:
    """Return what is wrong with a configuration of these values in one sentence that begins with the key."""
    first = min(error.errors(), key=lambda each: each["type"] == "missing")
    kind, given, location = first["type"], first.get("input"), first["loc"]
    path = model.kind + "".join(_steps(location, values, whole=kind == "missing"))
    if kind == "missing":
        return f"{path}: this key is needed and missing."
    if kind == "extra_forbidden":
        return f"{path}: there is no such key; {_instead(str(location[-1]), _model_at(model, location[:-1]))}"
    if kind in {"value_error", "assertion_error"}:
        return f"{path}: {first['ctx']['error']}"
    expected = first["msg"].removeprefix("Input should be").strip()
    return f"{path}: this should be {expected}; got {given!r}."


def _steps(location: Sequence[str | int], values: Any, *, whole: bool) -> Iterator[str]:
    """Yield the keys and places of a location in the values, without the names that pydantic puts between
    them, of validators and of members of unions.

    Args:
        location: as pydantic has it.
        values: what was given.
        whole: whether the last step is a key that the values lack.
    """
    for place, step in enumerate(location, 1):
        if isinstance(step, int):
            yield f"[{step}]"
            is_place = isinstance(values, Sequence) and not isinstance(values, str) and step < len(values)
            values = values[step] if is_place else None
        elif isinstance(values, Mapping) and (step in values or (whole and place == len(location))):
            yield f".{step}" if step.isidentifier() else f".{json.dumps(step, ensure_ascii=False)}"
            values = values.get(step)
        elif not isinstance(values, Mapping | Sequence | int | float | None) and step.isidentifier():
            yield f".{step}"  # of a Python object, which was read as a table


def _instead(key: str, model: Any) -> str:
    """Return what to write in place of a key that the model does not know."""
    fields: Mapping[str, Any] = getattr(model, "model_fields", {})
    if meant := get_close_matches(key, sorted(fields), 1, 0.75):
        return f"did you mean {meant[0]!r}?"
    for name, field in fields.items():
        if any(key in each.model_fields for each in _models(field.annotation)):
            return f"it belongs under {name!r}."
    return f"there are {', '.join(sorted(fields))}."


def _model_at(model: Any, location: Sequence[str | int]) -> Any:
    """Return the model that reads the table at a location; None where there is none."""
    for step in location:
        if isinstance(step, str) and isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(step)
            model = field.annotation if field is not None else model
        if get_origin(model) is not None:
            model = next(_models(model), None)
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in a field's annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)
