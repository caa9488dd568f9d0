"""Policies by name, for a game: what manifests hold and the command line takes.

A name means the same preferences in every game. What it builds depends on the domain of the game, and stands
in that domain's table: `ludens.agents.tree.names`, `ludens.agents.pricing.names`, `ludens.agents.av.names`.

===============================  ====================================================================
specification                    policy, in every game
===============================  ====================================================================
``homo_economicus``              maximises its own payoff
``homo_moralis:0.5``             weighs what would be if everybody did as it does by κ = 0.5
``random``                       chooses uniformly
``human``                        a person at the keyboard
``provider/model``               the language model of that LiteLLM id
``sb3:ppo.zip`` …                a policy that another library trained, `ludens.agents.trained.names`
``module:object``                a policy of one's own: an instance, a class, or a function that makes one
a name of an installed package   the same, by an entry point of the group ``ludens.policies``
===============================  ====================================================================
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ludens.agents.secrets import without_secrets
from ludens.agents.specs import Domain, Name, build, make, parse, unfold
from ludens.agents.trained.names import NAMES as TRAINED
from ludens.agents.trained.names import load_trained
from ludens.errors import LudensError, UsageError
from ludens.plugins import installed, load_installed, load_object, of_python

if TYPE_CHECKING:
    from ludens.agents.policy import Policy

POLICIES = "ludens.policies"
"""The entry-point group of policies."""

PREFERENCES = "ludens.preferences"
"""The entry-point group of preferences, which become oracles in game trees."""


def _random() -> Policy:
    from ludens.agents.random import RandomPolicy

    return RandomPolicy()


def _human() -> Policy:
    from ludens.agents.human import HumanPolicy

    return HumanPolicy()


_EVERYWHERE = {"random": Name(_random), "human": Name(_human)}
_MODELS = "every model id with a slash, for example local/smollm2-135m"


def make_policy(spec: str | Mapping[str, Any] | Policy, game: object = None, **defaults: Any) -> Policy:
    """Return the policy that a specification names, for a game.

    Args:
        spec: a name as in the tables; or a mapping with that under ``"spec"`` and further settings beside it,
            which take precedence over those in the name. `Policy.describe` returns such a mapping. A policy
            is returned as it plays the game (`Policy.for_game`).
        game: what the policy is to play: an environment or its id, with or without ``ludens/`` and ``-v0``,
            or the rules (a `GameTree`, a `Market`, an `AdoptionGame`, a `Vignette` …). None stands for a game
            tree; names that exist for one other kind of game alone are then made for that kind.
        defaults: settings of language models that the specification does not set itself; other policies
            ignore them.

    Raises:
        UsageError: there is no such policy, it cannot play the game, or a setting is unknown or out of its
            range.
    """
    from ludens.agents.policy import Policy

    if isinstance(spec, Policy):
        return spec if game is None else spec.for_game(game)
    name, settings = unfold(spec)
    if isinstance(spec, Mapping) and not isinstance(name, str):
        called = spec.get("name", dict(spec))
        raise UsageError(
            f"The policy {called!r} has no specification to make it from: pass the policy itself."
        )
    if not isinstance(name, str):
        raise UsageError(f"A policy is named by a text, not by {name!r}; there are {_listed(game)}.")
    name = name.strip()
    domain = _domain(game)
    if is_model_id(name):
        return make(load_object(domain.model), name, {**defaults, **settings}, name)
    head, _, tail = name.partition(":")
    head, tail = head.strip(), tail.strip()
    if head in TRAINED:
        return load_trained(name, head, tail, settings)
    known = _find(head, domain, game)
    if known is None:
        return _own(name, head, tail, settings, game)
    if tail and not inspect.signature(known.builder()).parameters:
        raise _own_name(head, tail) or UsageError(f"There is no policy {name!r}; there are {_listed(game)}.")
    try:
        return build(head, known, parse(name, tail, known) | settings)
    except UsageError as error:
        raise _own_name(head, tail) or error from None


def policy_names(game: object = None) -> list[str]:
    """Return the specifications that need no model, with an example's numbers where they take some.

    Args:
        game: as for `make_policy`.

    Raises:
        UsageError: there is no such environment.
    """
    domain = _domain(game)
    names = {**_EVERYWHERE, **domain.names}
    own = [*installed(POLICIES), *(installed(PREFERENCES) if domain is _domain(None) else ())]
    return [name.example or head for head, name in names.items()] + sorted(set(own) - set(names))


def model_class(game: object) -> type[Policy]:
    """Return the class whose policies ask language models in a game.

    Args:
        game: as for `make_policy`.

    Raises:
        UsageError: there is no such environment.
    """
    return _model_class(_domain(game).model)


@cache
def _model_class(reference: str) -> type[Policy]:
    asks: type[Policy] = load_object(reference)
    return asks


def is_model_id(spec: str) -> bool:
    """Return whether a specification is the id of a language model: a slash comes before any colon, as in
    ``openrouter/meta/llama:free``, and not as in ``mine:Cautious:weights/a.pt``.
    """
    return "/" in spec.partition(":")[0]


def is_object(module: str, thing: str) -> bool:
    """Return whether ``module:thing`` is written as an object of a module is, and `module` is not the name of
    a policy.
    """
    tables = (_EVERYWHERE, *(domain.names for domain in _domains()))
    named = any(module in table for table in (*tables, installed(POLICIES), installed(PREFERENCES)))
    return not named and _dotted(module) and _dotted(thing)


def setting_of(head: str) -> str | None:
    """Return the setting that a bare value after a name's colon stands for: ``"kappa"`` for
    ``"homo_moralis"``; None where there is no such name or setting.
    """
    for domain in _domains():
        if head in domain.names:
            return domain.names[head].first
    return None


@cache
def _domains() -> tuple[Domain, ...]:
    """Return every domain, game trees first."""
    from ludens.agents.av.names import ADOPTION, DILEMMA
    from ludens.agents.pricing.names import DOMAIN as MARKETS
    from ludens.agents.tree.names import DOMAIN as TREES

    return TREES, DILEMMA, ADOPTION, MARKETS


def _domain(game: object) -> Domain:
    """Return the domain of a game; that of game trees for what no other domain claims.

    Raises:
        UsageError: there is no environment of that id, or the object is not a game.
    """
    from ludens.envs.turn import Game

    trees, *others = _domains()
    environment = getattr(game, "unwrapped", None)
    rules = game if environment is None else getattr(environment, "game", None)
    named = game if isinstance(game, str) else getattr(environment, "environment", None)
    if isinstance(named, str):
        short = named.removeprefix("ludens/").removesuffix("-v0")
        for domain in others:
            if short in domain.environments:
                return domain
    if isinstance(game, str) and ":" not in game:
        from ludens.envs.registration import environment_id

        environment_id(game)
    if rules is None or isinstance(rules, str):
        return trees
    for domain in (trees, *others):
        if domain.holds(rules):
            return domain
    if environment is None and not isinstance(rules, Game):
        raise UsageError(f"{game!r} is not a game: give an environment, its id, or the rules of a game.")
    return trees


def _find(head: str, domain: Domain, game: object) -> Name | None:
    """Return what a name means in a domain; None if no table has it.

    Raises:
        UsageError: the name is for other games.
    """
    known = domain.names.get(head) or _EVERYWHERE.get(head)
    if known is not None:
        return known
    elsewhere = [each for each in _domains() if head in each.names]
    if game is None and len(elsewhere) == 1:
        return elsewhere[0].names[head]
    if elsewhere:
        *most, last = [each.games for each in elsewhere]
        games = f"{', '.join(most)} and {last}" if most else last
        raise UsageError(
            f"The policy {head!r} is for {games}, and not for {_called(game, domain)}; there are "
            f"{_listed(game)}."
        )
    return None


def _own(name: str, head: str, tail: str, settings: Mapping[str, Any], game: object) -> Policy:
    """Return a policy that another package, or the user, brings."""
    if head in installed(POLICIES):
        return _brought(name, head, tail, load_installed(POLICIES, head), settings)
    if head in installed(PREFERENCES):
        return _oracle(name, head, tail, settings, game)
    thing, _, rest = tail.partition(":")
    if _is_reference(head, thing):
        reference = f"{head}:{thing}"
        return _brought(name, reference, rest, load_object(reference), settings)
    raise UsageError(f"There is no policy {name!r}; there are {_listed(game)}.")


def _brought(spec: str, head: str, tail: str, thing: Any, settings: Mapping[str, Any]) -> Policy:
    """Return the policy that a policy, a class or a function of somebody else's gives.

    Raises:
        UsageError: it gives none, or a setting is wrong.
    """
    from ludens.agents.policy import Policy

    if isinstance(thing, Policy):
        if tail or settings:
            raise UsageError(f"The policy {head!r} is made already, and takes no settings; got {spec!r}.")
        policy = thing
    elif callable(thing) and not of_python(thing):
        first = next(iter(_signature(thing).parameters), None)
        name = Name(_guarded(head, thing), first=first, words=None)
        policy = build(head, name, parse(spec, tail, name) | dict(settings))
    else:
        policy = thing
    if not isinstance(policy, Policy):
        given = "a function of Python's own" if callable(policy) else type(policy).__name__
        raise UsageError(
            f"{head!r} gives {given}, which is not a policy: name a subclass of "
            "ludens.agents.Policy, one of its instances, or a function that returns one."
        )
    if not isinstance(policy.name, str):
        raise UsageError(f"The policy that {head!r} gives is called {policy.name!r}: make its name a text.")
    policy.made_from = {"spec": spec, **without_secrets(settings)}
    return policy


def _signature(thing: Callable[..., Any]) -> inspect.Signature:
    """Return the parameters of a class or function; none where Python cannot tell them, as with some compiled
    functions.
    """
    try:
        return inspect.signature(thing)
    except (TypeError, ValueError):
        return inspect.Signature()


def _guarded(head: str, thing: Callable[..., Any]) -> Callable[..., Any]:
    """Return a class or function of somebody else's whose failure is one sentence."""

    def made(**settings: Any) -> Any:
        try:
            return thing(**settings)
        except LudensError:
            raise
        except Exception as error:
            raise UsageError(
                f"The policy {head!r} cannot be made ({type(error).__name__}: "
                f"{' '.join(str(error).split())}): mend it, or its settings."
            ) from error

    made.__signature__ = _signature(thing)  # type: ignore[attr-defined]  # what `inspect.signature` returns
    return made


def _oracle(name: str, head: str, tail: str, settings: Mapping[str, Any], game: object) -> Policy:
    """Return the oracle of preferences that another package brings."""
    domain = _domain(game)
    if domain is not _domain(None):
        raise UsageError(
            f"The policy {head!r} maximises preferences over the outcomes of game trees, and is not for "
            f"{_called(game, domain)}; there are {_listed(game)}."
        )
    from ludens.agents.tree.oracle import OutcomeOraclePolicy
    from ludens.preferences.outcomes import OutcomePreferences

    felt = load_installed(PREFERENCES, head)

    def oracle(**numbers: Any) -> Policy:
        more = {key: numbers.pop(key) for key in ("kappa", "belief") if key in numbers}
        return OutcomeOraclePolicy(OutcomePreferences(head, felt, numbers), **more)

    parameters = list(_signature(felt).parameters) if callable(felt) else []
    meaning = Name(oracle, first=parameters[1] if len(parameters) > 1 else None, words=frozenset({"belief"}))
    return build(head, meaning, parse(name, tail, meaning) | dict(settings))


def _own_name(head: str, tail: str) -> UsageError | None:
    """Return the error of a module that is called as a policy of ludens; None where it is none."""
    thing = tail.partition(":")[0]
    if "=" in tail or not _is_reference(head, thing):
        return None
    return UsageError(
        f"The policy {f'{head}:{thing}'!r} cannot be taken from a module, because {head!r} names a policy of "
        "ludens: rename the module."
    )


def _is_reference(module: str, thing: str) -> bool:
    """Return whether a text may be ``module:object``, as ``homo_morals:0.5`` may not."""
    if not _dotted(module) or not _dotted(thing):
        return False
    if "." in module:
        return True
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    return find_spec(module) is not None


def _dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _listed(game: object) -> str:
    """Return what can play a game, for error messages."""
    files = ", ".join(str(each.example) for each in TRAINED.values())
    return f"{', '.join(policy_names(game))}, {files}, and {_MODELS}"


def _called(game: object, domain: Domain) -> str:
    """Return what a game is called in error messages."""
    if game is None:
        return domain.games
    environment = getattr(game, "unwrapped", None)
    named = game if isinstance(game, str) else getattr(environment, "environment", None)
    return named if isinstance(named, str) else f"a {type(game).__name__}"
