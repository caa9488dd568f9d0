"""How the models of a stored run are reached when it goes on: at their addresses, or at others given now.

A run's file keeps the configuration with which it was begun. Under ``addresses`` it lists the models that
were reached elsewhere later on: ``model`` (the policy's label), ``begun_at`` (its address in the
configuration, None for that of its provider) and ``now``.

A file may come from a stranger, and the keys of the environment would be sent to whatever address it names.
An address that is not the model's own provider's is therefore used only if it is repeated.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ludens.agents.llm.addresses import exposures, origin
from ludens.agents.llm.settings import ChoiceSettings, JudgeSettings, PriceSettings
from ludens.agents.policy import Policy
from ludens.agents.registry import is_model_id
from ludens.agents.secrets import MASK, masked, plain_address
from ludens.agents.specs import unfold
from ludens.errors import UsageError
from ludens.experiments.study.config import PolicyLike
from ludens.experiments.study.questions import label_of, spec_of

ApiBase: TypeAlias = str | Sequence[str] | Mapping[str, str] | None
"""An address; several of them, each alone or as ``MODEL=URL``; or addresses by model."""

# Settings of policies that are texts for people and models, and lead nowhere.
_WORDS = frozenset(
    name for kind in (ChoiceSettings, PriceSettings, JudgeSettings) for name in kind.names()
) - {"api_base", "headers_from"} | {"label", "stop", "sets"}


class Connection:
    """Where a stored run's models are reached.

    Args:
        path: the run's file, for messages.
        policies: all policies of the configuration that the file holds.
        stored: the file's ``addresses``.
        given: addresses given now.
        added: policies that the run gets now; an address without a model is theirs too where they have none.
        patience: the setting of that name for all models; None for what each has.

    Raises:
        UsageError: an address given now belongs to no model, or to more than one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        policies: Iterable[PolicyLike],
        stored: Sequence[Mapping[str, Any]] = (),
        given: ApiBase = None,
        *,
        added: Iterable[PolicyLike] = (),
        patience: str | float | None = None,
    ) -> None:
        self._path = path
        self._patience = {} if patience is None else {"patience": patience}
        self._policies = [policy for policy in policies if not isinstance(policy, Policy)]
        self._now: dict[tuple[str, str | None], str] = {
            (str(each["model"]), each["begun_at"]): str(each["now"]) for each in stored
        }
        self._trusted: set[Any] = set()
        alone, named = _entries(given)
        self._added: dict[str, str | None] = {
            label_of(policy): named.get(label_of(policy)) or (alone[0] if len(alone) == 1 else None)
            for policy in added
            if _is_hosted(policy) and _held(policy) is None
        }
        for model, address in named.items():
            self._name(model, address)
        for address in alone:
            self._replace(address, only=len(alone) == 1)

    @property
    def addresses(self) -> list[dict[str, Any]]:
        """What the run's file is to hold under ``addresses``."""
        return [
            {"model": model, "begun_at": begun_at, "now": masked(plain_address(now))}
            for (model, begun_at), now in self._now.items()
            if begun_at != plain_address(now)
        ]

    def reached(self, policy: PolicyLike) -> PolicyLike:
        """Return a policy of the configuration with the address at which it is reached now, and the patience
        with its server.
        """
        if not _is_hosted(policy):
            return policy
        now = self._now.get(_place(policy))
        reached = policy if now is None else _at(policy, now)
        return {**_settings(reached), **self._patience} if self._patience else reached

    def completed(self, policy: PolicyLike) -> PolicyLike:
        """Return a policy with the address given for it, if it is one that the run gets now."""
        address = None if isinstance(policy, Policy) else self._added.get(label_of(policy))
        return policy if address is None else _at(policy, address)

    def check(self) -> None:
        """Refuse to send a key to an address that the file names, unless it was given now as well.

        Raises:
            UsageError: a key would be sent there; nothing was.
        """
        for policy in self._policies:
            check_policy(self._path, self.reached(policy), self._trusted)

    def _name(self, model: str, address: str) -> None:
        meant = [policy for policy in self._hosted() if model in {label_of(policy), spec_of(policy)}]
        if not meant and model not in self._added:
            models = ", ".join(dict.fromkeys(map(label_of, self._hosted()))) or "none"
            raise UsageError(f"{self._path} has no model {model!r} that has an address; it has {models}.")
        self._set(meant, address)

    def _replace(self, address: str, *, only: bool) -> None:
        hosted = self._hosted()
        held: dict[str, list[PolicyLike]] = {}
        for policy in hosted:
            if (where := self._address(policy)) is not None:
                held.setdefault(where, []).append(policy)
        plain = plain_address(address)
        if plain in held:  # repeated, perhaps with its password
            self._set(held[plain], address)
        elif any(origin(where) == origin(address) for where in self._hidden()):
            self._trusted.add(origin(plain))
        elif only and len(held) == 1:
            self._set(next(iter(held.values())), address)
        elif only and not held and len({_place(policy) for policy in hosted}) == 1:
            self._set(hosted, address)
        elif self._added:
            return
        elif not hosted:
            raise UsageError(f"{self._path} asks no model over a network: leave --api-base out.")
        else:
            which = "addresses" if held else "models"
            there = ", ".join(held or dict.fromkeys(map(label_of, hosted)))
            raise UsageError(
                f"{self._path} has several {which} ({there}): say whose is meant, --api-base MODEL={plain}."
            )

    def _set(self, policies: Iterable[PolicyLike], address: str) -> None:
        for policy in policies:
            self._now[_place(policy)] = address
        self._trusted.add(origin(plain_address(address)))

    def _hosted(self) -> list[PolicyLike]:
        return [policy for policy in self._policies if _is_hosted(policy)]

    def _address(self, policy: PolicyLike) -> str | None:
        now = self._now.get(_place(policy), _held(policy))
        return None if now is None else plain_address(str(now))

    def _hidden(self) -> list[str]:
        """Return the addresses in other settings of models."""
        return [
            each.address
            for policy in self._policies
            for each in exposures(spec_of(policy), _options(policy))
            if each.setting not in {"api_base", "base_url"}
        ]


def moved(begun: Iterable[PolicyLike], now: Iterable[PolicyLike]) -> list[dict[str, Any]]:
    """Return what a run's file is to hold under ``addresses``, whose policies are others by their addresses
    alone.
    """
    addresses = []
    for before, after in zip(begun, now, strict=False):
        if not isinstance(before, Policy) and not isinstance(after, Policy):
            (model, was), (_, where) = _place(before), _place(after)
            if where is not None and plain_address(where) != was:
                entry = {"model": model, "begun_at": was, "now": masked(plain_address(where))}
                addresses += [entry] if entry not in addresses else []
    return addresses


def check_policy(path: str | os.PathLike[str], policy: PolicyLike, trusted: Collection[Any] = ()) -> None:
    """Refuse to ask a policy that a file describes where a key would be sent to an address in it.

    Args:
        path: the file.
        policy: as the file describes it.
        trusted: the addresses that were given now, as `ludens.agents.llm.addresses.origin` returns them.

    Raises:
        UsageError: a key would be sent.
    """
    if isinstance(policy, Policy):
        return
    for each in exposures(spec_of(policy), _options(policy)):
        where = origin(each.address)
        if where is not None and where in trusted:
            continue
        again = each.address if where is not None else "URL"
        raise UsageError(
            f"{path} would send the key in {each.key} to {each.host}, which its {each.setting} names and "
            f"which is not the provider of {label_of(policy)}: if that server is to have it, say so by "
            f"--api-base {again} (in Python api_base=…), and otherwise give another address."
        )
    if MASK in str(_held(policy)):
        raise UsageError(
            f"The address of {label_of(policy)} held a secret, which {path} does not keep: give it again "
            "by --api-base URL (in Python api_base=…)."
        )


def _entries(given: ApiBase) -> tuple[list[str], dict[str, str]]:
    """Return the addresses that stand alone, and those by model."""
    if isinstance(given, Mapping):
        return [], {str(model): str(address) for model, address in given.items()}
    alone, named = [], {}
    for text in [given] if isinstance(given, str) else given or []:
        model, equals, address = text.partition("=")
        if equals and "://" not in model:
            named[model.strip()] = address.strip()
        else:
            alone.append(text.strip())
    for address in (*alone, *named.values()):
        if origin(plain_address(address)) is None or "://" not in address:
            raise UsageError(
                f"--api-base takes an address such as http://127.0.0.1:8000/v1; got {masked(address)!r}."
            )
    return alone, named


def _is_hosted(policy: PolicyLike) -> bool:
    """Return whether a policy is a language model that is asked over a network, or has an address."""
    if isinstance(policy, Policy):
        return False
    spec = spec_of(policy)
    return (is_model_id(spec) and not spec.startswith("local/")) or _held(policy) is not None


def _settings(policy: PolicyLike) -> dict[str, Any]:
    return {"spec": policy} if isinstance(policy, str) else dict(policy)  # type: ignore[arg-type]  # no Policy


def _options(policy: PolicyLike) -> dict[str, Any]:
    return {name: value for name, value in unfold(_settings(policy))[1].items() if name not in _WORDS}


def _place(policy: PolicyLike) -> tuple[str, str | None]:
    """Return what tells a model of a run from the others: its label, and its address in the configuration."""
    return label_of(policy), _held(policy)


def _held(policy: PolicyLike) -> str | None:
    """Return the address in a policy's settings; of two, the one that LiteLLM takes."""
    settings = _settings(policy)
    address: str | None = settings.get("base_url") or settings.get("api_base")
    return address


def _at(policy: PolicyLike, address: str) -> PolicyLike:
    kept = {name: value for name, value in _settings(policy).items() if name != "base_url"}
    return {**kept, "api_base": address}
