"""Screening: a language model may enter a market only if it found the monopoly price where it was alone.

After Fish, Gonczarowski & Shorrer (arXiv 2404.00806), who first let every model price as a monopolist: high
prices of a model that cannot price are no evidence of collusion. A run of the monopoly counts as passed if
its prices converged and their mean over the last periods is within 5 % of the joint-profit price; a model
enters if it passed more than half of the runs that ended, aborted ones among them. Both numbers are ours.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

from ludens.agents.llm.model_policy import ModelPolicy
from ludens.agents.policy import Policy
from ludens.errors import UsageError
from ludens.experiments.pricing.measures import measure
from ludens.experiments.pricing.reading import panel
from ludens.experiments.runs.run import Run

NEAR = 0.05
"""How far the mean price of a passed run may be from the joint-profit price, as a share of it."""


def screened(source: Run | str | os.PathLike[str]) -> dict[str, tuple[int, int]]:
    """Return for each policy of a run of monopolies how many runs it passed, and how many ended.

    Raises:
        NoRunError: it is not a run of a pricing market.
        UsageError: several firms are in its market.
    """
    run = source if isinstance(source, Run) else Run(source)
    found = panel(run)
    if found.prices.shape[2] != 1:
        raise UsageError(
            f"{run.path} is a run of {found.prices.shape[2]} firms, and models are screened by one alone:"
            " name a run of one firm."
        )
    passed: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for each in measure(found):
        if each.status not in {"done", "aborted"}:
            continue
        name = each.firms[0]
        ended[name] += 1
        near = each.price is not None and abs(each.price - each.joint[0]) <= NEAR * each.joint[0]
        passed[name] += bool(near and each.all_converged)
    return {name: (passed[name], ended[name]) for name in ended}


def check_screened(policies: Iterable[Policy], source: str | os.PathLike[str]) -> None:
    """Refuse language models that did not find the monopoly price in a run of monopolies.

    Raises:
        NoRunError: there is no such run.
        UsageError: one was not screened there, or did not pass more than half of its runs; or the run is one
            of several firms.
    """
    known = screened(source)
    for policy in policies:
        if not isinstance(policy, ModelPolicy):
            continue
        if policy.name not in known:
            raise UsageError(
                f"{policy.name} was not screened in {source}, which has ended runs of"
                f" {', '.join(known) or 'nobody'}: let it price alone first."
            )
        passed, ended = known[policy.name]
        if 2 * passed <= ended:
            raise UsageError(
                f"{policy.name} may not enter: it found the monopoly price in {passed} of {ended} runs of"
                f" {source}, and more than half are needed; leave the screening out to let it play all the"
                " same."
            )
