"""Hierarchical Bayes for small samples, by NUTS (Hoffman & Gelman 2014) in numpyro: the extra ``bayes``.

For linear models; choices may be single alternatives or events. Subject i has weights θ_ik and log-noise log
λ_i:

    (g(θ_i1), …, g(θ_im), log λ_i) = μ + D·L·z_i,   z_i ~ Normal(0, I),   D = diag(τ),   L·Lᵀ a correlation

g is the identity or, for a weight that is kept `within` its range [low, high], the logit of
(θ − low)/(high − low). With one subject, or with hierarchical=False, all subjects have μ. The priors are our
choice, weak on the natural scale of weights and noise:

    μ_k ~ Normal(0, 1)      a weight is a ratio to one's own payoff; Normal(0, 1.5) on the logit scale
    μ_λ ~ Normal(log s, 1.5)   s the spread of own payoffs over the alternatives of a situation
    τ_k ~ HalfNormal(½) for weights, HalfNormal(1) on the logit scale and for log λ;  L ~ LKJ(2)

For a model whose scale is a precision σ, λ stands for 1/σ.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special, stats

from ludens.display.notebook import Shown
from ludens.errors import LudensError, UsageError
from ludens.preferences.estimation.data.choices import Choices
from ludens.preferences.estimation.fitting.pooled import check_choices
from ludens.preferences.estimation.fitting.results import Row
from ludens.preferences.estimation.models.catalogue import find_model
from ludens.preferences.estimation.models.linear import LinearModel, Model

Floats = NDArray[np.float64]

R_HAT = 1.01
"""Potential scale reduction above which chains have not mixed (Vehtari et al. 2021)."""
ENOUGH = 100
"""Effective draws per chain below which quantiles are unreliable (Vehtari et al. 2021)."""

_WEIGHT, _LOGIT, _NOISE = 1.0, 1.5, 1.5
_BETWEEN, _BETWEEN_LOGIT, _BETWEEN_NOISE = 0.5, 1.0, 1.0


@dataclass(frozen=True)
class PosteriorWarning:
    """A problem of the chains: its kind, the parameters that it concerns, and what to do."""

    kind: Literal["r_hat", "ess", "divergences"]
    parameters: tuple[str, ...]
    message: str


@dataclass(frozen=True, eq=False, repr=False)
class Posterior(Shown):
    """Draws from a posterior distribution.

    Attributes:
        model: the fitted model.
        names: the names of its parameters θ.
        draws: θ of the median subject (at μ), shape (chains, draws, p).
        individuals: θ of every subject, shape (chains, draws, subjects, p); None without a hierarchy.
        who: the subjects' names.
        r_hat, ess: potential scale reduction and effective draws of every parameter at μ, shape (p,); NaN
            for parameters held by `fix`.
        divergences: the number of transitions that diverged after the warm-up.
        fixed: parameters that the caller held at a value.
        warnings: problems of the chains.
        spreads: the standard deviations of the population, on the scale of g (see the module's docstring),
            shape (chains, draws, p); None without a hierarchy.
    """

    shown_by: ClassVar[str] = "ludens.preferences.estimation.views:of_posterior"

    model: Model
    names: tuple[str, ...]
    draws: Floats
    individuals: Floats | None
    who: tuple[str, ...]
    r_hat: Floats
    ess: Floats
    divergences: int
    fixed: Mapping[str, float]
    warnings: tuple[PosteriorWarning, ...]
    spreads: Floats | None = None

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value:.4g}" for name, value in zip(self.names, self.values, strict=True))
        return f"Posterior({self.model.name}: {values})"

    @property
    def values(self) -> Floats:
        """Posterior means, shape (p,)."""
        mean: Floats = self.draws.mean(axis=(0, 1))
        return mean

    @property
    def standard_errors(self) -> Floats:
        """Posterior standard deviations, shape (p,)."""
        spread: Floats = self.draws.std(axis=(0, 1))
        return spread

    def intervals(self, level: float = 0.95) -> Floats:
        """Return central credible intervals, shape (p, 2).

        Raises:
            UsageError: the level does not lie between 0 and 1.
        """
        if not 0 < level < 1:
            raise UsageError(f"An interval's level lies between 0 and 1; got {level!r}.")
        ends: Floats = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=(0, 1)).T
        return ends

    def table(self, level: float = 0.95) -> list[Row]:
        """Return a row per parameter with posterior mean, standard deviation and interval; z and p, which are
        not Bayesian, are NaN.
        """
        numbers = zip(self.values.tolist(), self.standard_errors.tolist(), self.intervals(level), strict=True)
        return [
            Row(
                parameter.name,
                parameter.symbol,
                mean,
                spread,
                float(ends[0]),
                float(ends[1]),
                math.nan,
                math.nan,
            )
            for parameter, (mean, spread, ends) in zip(self.model.parameters, numbers, strict=True)
        ]


class _Data(NamedTuple):
    """Counts by subject and situation, a row for each pair that was observed: who (n,), attributes (n, j, a),
    available (n, j), members (n, e, j) or None, counts (n, e).
    """

    who: NDArray[np.intp]
    attributes: Floats
    available: NDArray[np.bool_]
    members: NDArray[np.bool_] | None
    counts: Floats


def fit_bayes(
    choices: Choices,
    model: str | Model = "moralis",
    *,
    seed: int,
    draws: int = 500,
    warmup: int = 500,
    chains: int = 2,
    hierarchical: bool | None = None,
    within: Collection[str] = (),
    fix: Mapping[str, float] | None = None,
) -> Posterior:
    """Draw from the posterior distribution of a linear model's parameters.

    Args:
        choices: the data; counts may be fractional.
        model: a linear model or its name.
        seed: seed of the chains.
        draws: number of draws that each chain keeps.
        warmup: number of draws before them, which tune the sampler.
        chains: number of chains, run one after another.
        hierarchical: whether every subject has its own parameters; by default yes with two subjects or more.
        within: weights to keep in their range, for example ``{"kappa"}`` in [0, 1].
        fix: parameters to hold at values, the same for every subject.

    Raises:
        UsageError: the model is not linear, the choices lack its attributes, `within` names a weight without
            a range, `fix` names an unknown parameter, or a number of draws is below 1.
        LudensError: numpyro is not installed.
    """
    chosen, held = find_model(model), dict(fix or {})
    if not isinstance(chosen, LinearModel):
        raise UsageError(f"fit_bayes takes linear models, and {chosen.name!r} is not linear; use fit.")
    check_choices(choices, chosen)
    if choices.measure is not None:
        raise UsageError("fit_bayes takes choices among alternatives, not points on budgets; use fit.")
    chosen.restrict(held)  # refuses names and values that cannot be
    chosen.check_names(within, "within")
    for name in within:
        one = chosen.parameters[chosen.names.index(name)]
        if name == chosen.names[-1] or not math.isfinite(one.high - one.low) or name in held:
            raise UsageError(f"`within` names {name!r}, which has no range of two finite ends that is free.")
    if min(draws, warmup, chains) < 1:
        raise UsageError(
            f"Give draws, warmup and chains of 1 or more; got {draws!r}, {warmup!r} and {chains!r}."
        )
    own = len(choices.subjects) > 1 if hierarchical is None else hierarchical
    found = _sample(
        chosen,
        choices,
        own=own,
        within=frozenset(within),
        held=held,
        settings={"num_samples": draws, "num_warmup": warmup, "num_chains": chains},
        seed=seed,
    )
    return _conclude(chosen, choices, held, found, chains * draws)


def _sample(
    model: LinearModel,
    choices: Choices,
    *,
    own: bool,
    within: frozenset[str],
    held: Mapping[str, float],
    settings: Mapping[str, int],
    seed: int,
) -> dict[str, Floats]:
    try:
        import jax
        import numpyro
        from jax import numpy as jnp
        from numpyro import distributions
        from numpyro.infer import MCMC, NUTS
    except ImportError as error:
        raise LudensError(
            "Bayesian estimation needs numpyro, which is not installed: pip install 'ludens[bayes]'."
        ) from error
    subjects, width = (len(choices.subjects) if own else 1), len(model.names)
    data = _data(choices, own)
    logit = np.array([name in within for name in model.names])
    ends = [
        (one.low, one.high) if kept else (0.0, 1.0) for one, kept in zip(model.parameters, logit, strict=True)
    ]
    low, high = np.array(ends).T
    fixed = np.array([held.get(name, np.nan) for name in model.names])
    last = np.arange(width) == width - 1
    centre = np.where(last, math.log(_spread(choices)), 0.0)
    wide = np.where(last, _NOISE, np.where(logit, _LOGIT, _WEIGHT))
    between = np.where(last, _BETWEEN_NOISE, np.where(logit, _BETWEEN_LOGIT, _BETWEEN))

    def reported(raw: Any) -> Any:
        """Return θ from its values on the unbounded scale."""
        sign = 1.0 if model.scale == "noise" else -1.0
        weights = jnp.where(logit, low + (high - low) * jax.nn.sigmoid(raw), raw)
        theta = jnp.where(last, jnp.exp(sign * jnp.where(last, raw, 0.0)), weights)
        return jnp.where(np.isnan(fixed), theta, np.nan_to_num(fixed, nan=1.0))

    def programme() -> None:
        mean = numpyro.sample("mean", distributions.Normal(centre, wide).to_event(1))
        theta = numpyro.deterministic("theta", reported(mean))
        people = jnp.broadcast_to(theta, (subjects, width))
        if own:
            spread = numpyro.sample("spread", distributions.HalfNormal(between).to_event(1))
            chol = numpyro.sample("correlation", distributions.LKJCholesky(width, concentration=2.0))
            noise = numpyro.sample("z", distributions.Normal(jnp.zeros((subjects, width)), 1.0).to_event(2))
            people = numpyro.deterministic("individuals", reported(mean + (noise @ chol.T) * spread))
        numpyro.factor("choices", _log_likelihood(jnp, model, data, people))

    with jax.enable_x64(True):
        sampler = MCMC(
            NUTS(programme, target_accept_prob=0.9),
            progress_bar=False,
            chain_method="sequential" if own else "vectorized",
            **settings,
        )
        sampler.run(jax.random.PRNGKey(seed))
        kept = sampler.get_samples(group_by_chain=True)
        found = {name: np.asarray(kept[name]) for name in ("theta", "individuals", "spread") if name in kept}
        found["diverging"] = np.asarray(sampler.get_extra_fields(group_by_chain=True)["diverging"])
    return found


def _log_likelihood(jnp: Any, model: LinearModel, data: _Data, people: Any) -> Any:
    precision = 1 / people[:, -1:] if model.scale == "noise" else people[:, -1:]
    phi = jnp.concatenate([precision, precision * people[:, :-1]], axis=1)[data.who]
    level = jnp.where(data.available, jnp.einsum("nja,na->nj", data.attributes, phi), -jnp.inf)
    level = level - level.max(axis=1, keepdims=True)
    weights = jnp.exp(level)
    total = jnp.log(weights.sum(axis=1, keepdims=True))
    seen = data.counts > 0
    if data.members is None:
        # What was not seen may be impossible: its level is replaced before it can spoil a gradient.
        logs = jnp.where(seen, level, 0.0) - total
    else:
        mass = (weights[:, None] * data.members).sum(axis=2)
        logs = jnp.log(jnp.where(seen, mass, 1.0)) - total
    return jnp.where(seen, data.counts * logs, 0.0).sum()


def _data(choices: Choices, own: bool) -> _Data:
    """Return the counts by subject and situation; where all subjects share parameters, they count as subject
    0.
    """
    counts = choices.counts if own else sparse.csr_array(choices.total.reshape(1, -1))
    table = counts.tocoo()
    rows, columns = table.coords
    situations, events = columns // choices.events, columns % choices.events
    keys, inverse = np.unique(rows.astype(np.intp) * len(choices.available) + situations, return_inverse=True)
    times = np.zeros((len(keys), choices.events))
    np.add.at(times, (inverse, events), table.data)
    faced = keys % len(choices.available)
    return _Data(
        keys // len(choices.available),
        choices.attributes[faced],
        choices.available[faced],
        None if choices.members is None else choices.members[faced],
        times,
    )


def _spread(choices: Choices) -> float:
    """Return the standard deviation of x_0 over the alternatives of a situation, or 1 if it is 0."""
    here, own = choices.available, choices.attributes[..., 0]
    mean = (own * here).sum(axis=1) / np.maximum(here.sum(axis=1), 1)
    gaps = (own - mean[:, None])[here]
    return float(gaps.std()) or 1.0


def _conclude(
    model: LinearModel, choices: Choices, held: Mapping[str, float], found: Mapping[str, Floats], number: int
) -> Posterior:
    from numpyro.diagnostics import effective_sample_size

    theta, chains = found["theta"], found["theta"].shape[0]
    free = np.array([name not in held for name in model.names])
    r_hat, ess = np.full(len(free), np.nan), np.full(len(free), np.nan)
    if theta.shape[1] >= 4:
        r_hat[free] = rank_normalised_r_hat(theta)[free]
        ess[free] = np.asarray(effective_sample_size(theta))[free]
    diverged = int(found["diverging"].sum())
    warnings = []
    if apart := _named(model, r_hat > R_HAT):
        text = f"Chains disagree on {', '.join(apart)} (R̂ up to {np.nanmax(r_hat):.3f}); take more draws."
        warnings.append(PosteriorWarning("r_hat", apart, text))
    if few := _named(model, ess < ENOUGH * chains):
        text = f"There are few effective draws of {', '.join(few)} (as few as {np.nanmin(ess):.0f})"
        warnings.append(PosteriorWarning("ess", few, f"{text}; take more draws."))
    if diverged:
        text = f"{diverged} of {number} transitions diverged, so that parts of the posterior may be missed; "
        everything = _named(model, free)
        warnings.append(
            PosteriorWarning("divergences", everything, f"{text}take a longer warm-up, or hold a parameter.")
        )
    return Posterior(
        model=model,
        names=model.names,
        draws=theta.astype(np.float64),
        individuals=found.get("individuals"),
        who=choices.subjects,
        r_hat=r_hat,
        ess=ess,
        divergences=diverged,
        fixed=dict(held),
        warnings=tuple(warnings),
        spreads=found.get("spread"),
    )


def rank_normalised_r_hat(draws: Floats) -> Floats:
    """Return the larger of the split R̂ of ranks and of folded ranks, both as normal scores, of draws
    (chains, draws, p) (Vehtari et al., Bayesian Analysis 16(2), 2021).
    """
    folded = np.abs(draws - np.median(draws, axis=(0, 1)))
    larger: Floats = np.maximum(_split_r_hat(_scores(draws)), _split_r_hat(_scores(folded)))
    return larger


def _scores(draws: Floats) -> Floats:
    flat = draws.reshape(-1, draws.shape[-1])
    ranks = stats.rankdata(flat, axis=0)
    scores: Floats = special.ndtri((ranks - 3 / 8) / (len(flat) + 1 / 4)).reshape(draws.shape)
    return scores


def _split_r_hat(draws: Floats) -> Floats:
    half = draws.shape[1] // 2
    parts = np.concatenate([draws[:, :half], draws[:, -half:]])
    within = parts.var(axis=1, ddof=1).mean(axis=0)
    between = parts.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.sqrt((half - 1) / half + between / within)
    return ratio


def _named(model: LinearModel, which: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, one in zip(model.names, which, strict=True) if one)
