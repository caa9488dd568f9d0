"""Evolution in a finite population: only the counts of types are kept, so that large ones are fast.

At every event a member is replaced by a copy of one:

    moran     the parent is drawn with weight exp(w·f) and replaces a random member (Nowak, Sasaki, Taylor &
              Fudenberg, Nature 428, 2004, with exponential fitness)
    pairwise  of two random members the first imitates the second with probability 1/(1 + exp(w·(f₁ − f₂)))
              (Szabó & Tőke 1998; Traulsen, Nowak & Pacheco 2006)
    wright_fisher  at once all members are replaced by copies of parents drawn with weight exp(w·f): one draw
              per generation whatever N is

f_i = σ·A_ii + (1−σ)·(Σ_j n_j·A_ij − A_ii)/(N−1): nobody meets themselves. With probability μ the copy is of
a random type instead (mutation). N events are a generation. All are simulated exactly: where
few events change anything, the number until the next one is drawn at once from its geometric distribution.

Between two types the first two have the ratio T⁻(k)/T⁺(k) = exp(w·(f_resident − f_mutant)), and so

    ρ = 1 / (1 + Σ_{k=1}^{N−1} Π_{j=1}^{k} T⁻(j)/T⁺(j))

is the probability that a single mutant takes over; without selection it is 1/N.
"""

# ruff: noqa: PLR0917  # compiled functions take their arguments in order

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ludens.agents.qlearning.core import compiled, uniform
from ludens.errors import UsageError
from ludens.preferences.stability import check_assortativity
from ludens.preferences.symmetric import symmetric_payoffs

Process = Literal["moran", "pairwise", "wright_fisher"]

_RARE = 0.05  # changes below this probability per event are waited for in one draw
_AFRESH = 1024  # changes after which weights are computed anew at the latest, or rounding errors would add up
_LOOK = 64  # events after which it is seen whether changes have become rare
_ONE = np.uint64(1)

PROCESSES: tuple[Process, ...] = ("moran", "pairwise", "wright_fisher")


def fixation_log_probability(
    payoffs: ArrayLike, population: int, selection: float, *, assortativity: float = 0.0
) -> float:
    """Return ln ρ, where ρ is the probability that one mutant among N − 1 residents takes over.

    Args:
        payoffs: A, shape (2, 2), residents first, in points.
        population: N, at least 2.
        selection: w, per point.
        assortativity: σ in [0, 1].

    Raises:
        UsageError: an argument is wrong.
    """
    from scipy.special import logsumexp

    table = _payoffs(payoffs, population, selection, assortativity)
    if len(table) != 2:
        raise UsageError(f"A fixation probability is that of two types; got {len(table)}.")
    mutants = np.arange(1, population)
    counts = np.stack([population - mutants, mutants], axis=1)
    own = np.diag(table)
    fitness = assortativity * own + (1 - assortativity) * (counts @ table.T - own) / (population - 1)
    exponents = np.cumsum(selection * (fitness[:, 0] - fitness[:, 1]))
    return -float(logsumexp(np.concatenate([[0.0], exponents])))


def residents_over_time(log_fixation: ArrayLike) -> NDArray[np.float64]:
    """Return how much of the time each type is that of all, if mutations are rare (Fudenberg & Imhof 2006).

    Then a mutant has died out or taken over before the next one comes, and the type of all is a Markov chain
    with transition probabilities ρ_ij/(types − 1).

    Args:
        log_fixation: ln ρ_ij, of a mutant j among residents i, shape (types, types); the diagonal is not
            read.

    Raises:
        UsageError: there are fewer than two types.
    """
    rates = np.array(log_fixation, dtype=np.float64)
    count = len(rates)
    if rates.shape != (count, count) or count < 2:
        raise UsageError("Rare mutations need a table of fixation probabilities of at least two types.")
    np.fill_diagonal(rates, -np.inf)
    # The method of Grassmann, Taksar & Heyman subtracts nothing; in logarithms nothing vanishes either.
    for last in range(count - 1, 0, -1):
        out = np.logaddexp.reduce(rates[last, :last])
        rates[:last, last] -= out
        rates[:last, :last] = np.logaddexp(rates[:last, :last], rates[:last, last, None] + rates[last, :last])
    weights = np.zeros(count)
    for last in range(1, count):
        weights[last] = np.logaddexp.reduce(weights[:last] + rates[:last, last])
    shares = np.exp(weights - weights.max())
    result: NDArray[np.float64] = shares / shares.sum()
    return result


def simulate(
    process: Process,
    payoffs: ArrayLike,
    start: ArrayLike,
    generations: int,
    *,
    selection: float,
    assortativity: float = 0.0,
    mutation: float = 0.0,
    rng: np.random.Generator,
    records: int = 200,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Simulate one population.

    Args:
        process: ``"moran"``, ``"pairwise"`` or ``"wright_fisher"``.
        payoffs: A, what the row type earns against the column type, in points, shape (types, types).
        start: the number of members of each type, shape (types,), together at least 2.
        generations: how many generations of N events each.
        selection: w, per point.
        assortativity: σ in [0, 1].
        mutation: μ in [0, 1], per event.
        rng: what the seed of the simulation is drawn from.
        records: how many states are kept at most, beside the first one.

    Returns:
        The generations at which the counts were recorded, shape (times,), and the counts, (times, types). A
        population of one type without mutation stays so.

    Raises:
        UsageError: an argument is wrong.
    """
    counts = np.array(start)
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or np.any(counts < 0):
        raise UsageError(f"A population starts with a whole number of members of each type; got {start!r}.")
    population = int(counts.sum())
    table = _payoffs(payoffs, population, selection, assortativity)
    if len(table) != len(counts):
        raise UsageError(f"There are payoffs of {len(table)} types and members of {len(counts)}.")
    if not 0 <= mutation <= 1:
        raise UsageError(f"The mutation rate lies between 0 and 1; got {mutation!r}.")
    if process not in PROCESSES:
        raise UsageError(f"There is no process {process!r}; there are {', '.join(PROCESSES)}.")
    if generations < 1 or records < 1:
        raise UsageError(
            f"A simulation has at least one generation and one record; got {generations} and {records}."
        )
    times = np.unique(np.linspace(0, generations, min(generations, records) + 1).round().astype(np.int64))
    # N·f is linear in the counts; who is counted never meets themselves.
    slopes = selection * (1 - assortativity) * table / (population - 1)
    own = selection * np.diag(table) * (assortativity - (1 - assortativity) / (population - 1))
    counts = counts.astype(np.int64)
    if process == "wright_fisher":
        return times, _generations(slopes, own, counts, times, mutation, rng)
    key = rng.integers(2**64, dtype=np.uint64)
    if len(table) == 2:
        up, down = _steps(process, slopes, own, population, mutation)
        mutants = _two_types(up, down, int(counts[1]), times, key)
        return times, np.stack([population - mutants, mutants], axis=1)
    if process == "moran":
        return times, _many_moran(slopes, own, counts, times, mutation, key)
    return times, _many_pairwise(slopes, own, counts, times, mutation, key)


def _generations(
    slopes: NDArray[np.float64],
    own: NDArray[np.float64],
    counts: NDArray[np.int64],
    times: NDArray[np.int64],
    mutation: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the counts of all types at the given generations, each drawn from the one before it."""
    population, kept = int(counts.sum()), [counts]
    for generation in range(1, int(times[-1]) + 1):
        fitness = own + slopes @ counts
        weights = counts * np.exp(fitness - fitness.max(where=counts > 0, initial=-np.inf))
        parents = (1 - mutation) * weights / weights.sum() + mutation / len(counts)
        counts = rng.multinomial(population, parents / parents.sum())
        if generation == times[len(kept)]:
            kept.append(counts)
    return np.array(kept)


def _steps(
    process: Process, slopes: NDArray[np.float64], own: NDArray[np.float64], population: int, mutation: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probabilities that an event adds a second type's member, and takes one away, by their
    number, each of shape (N + 1,).
    """
    mutants = np.arange(population + 1)
    counts = np.stack([population - mutants, mutants], axis=1)
    fitness = own + counts @ slopes.T
    ahead = np.clip(fitness[:, 1] - fitness[:, 0], -700, 700)
    shares = counts / population
    if process == "moran":
        weight = counts[:, 1] / (counts[:, 1] + counts[:, 0] * np.exp(-ahead))
        copied = np.stack([1 - weight, weight], axis=1)
    else:
        wins = 1 / (1 + np.exp(-ahead))
        copied = counts / (population - 1) * np.stack([1 - wins, wins], axis=1)
    copied = (1 - mutation) * copied + mutation / 2
    return shares[:, 0] * copied[:, 1], shares[:, 1] * copied[:, 0]


@compiled
def _waited(change: float, drawn: float, left: int) -> int:
    """Return at which of the next events something changes; 0 for none of those that are left."""
    if change <= 0.0:
        return 0
    # A run of events that change nothing has a geometric length. Where it is longer than what is left it may
    # begin anew afterwards: the chance of a change does not depend on the events that went by.
    steps = np.log(1 - drawn) / np.log1p(-change)
    return 0 if steps >= left else int(steps) + 1


@compiled
def _two_types(up: Any, down: Any, start: int, times: Any, key: Any) -> Any:
    """Return the number of the second type's members at the given generations."""
    population = up.size - 1
    kept = np.empty(times.size, np.int64)
    present, clock, row, place = start, 0, 0, np.uint64(0)
    while row < times.size:
        end = times[row] * population
        while clock < end:
            rises, change = up[present], up[present] + down[present]
            drawn = uniform(key, place)
            place += _ONE
            if change < _RARE:
                waited = _waited(change, drawn, end - clock)
                if waited == 0:
                    clock = end
                    break
                clock += waited
                drawn = uniform(key, place) * change
                place += _ONE
            else:
                clock += 1
            if drawn < rises:
                present += 1
            elif drawn < change:
                present -= 1
        kept[row] = present
        row += 1
    return kept


@compiled
def _many_moran(slopes: Any, own: Any, counts: Any, times: Any, mutation: float, key: Any) -> Any:
    """Return the counts of all types at the given generations, of the Moran process.

    Who is copied and who is replaced are drawn by themselves, which takes no table of all replacements. Where
    few events change anything, that table gives the next change; it is looked for after every `_LOOK` events.
    """
    types, population = counts.size, counts.sum()
    kept = np.empty((times.size, types), np.int64)
    weights, copies = np.empty(types), np.empty(types)
    rates, growth = np.zeros((types, types)), np.empty((types, types, types))
    for new in range(types):
        for old in range(types):
            for i in range(types):
                growth[new, old, i] = np.exp(slopes[i, new] - slopes[i, old])
    clock, row, place = 0, 0, np.uint64(0)
    # Weights are changed by multiplication, and computed anew before they could overflow.
    afresh = int(min(_AFRESH, max(1.0, 100 / (1e-9 + 2 * np.abs(slopes).max()))))
    since, looked, rare, change, total = afresh, _LOOK, False, 1.0, 0.0
    kind = types / mutation if mutation > 0.0 else 0.0
    rest = 1 / (1 - mutation) if mutation < 1.0 else 0.0
    while row < times.size:
        end = times[row] * population
        while clock < end:
            if since >= afresh:
                _weigh(slopes, own, counts, weights)
                since = 0
                total = 0.0
                for i in range(types):
                    copies[i] = counts[i] * weights[i]
                    total += copies[i]
            if rare or looked >= _LOOK:
                change = _rates(True, counts, weights, population, mutation, rates)
                rare, looked = change < _RARE, 0
            drawn = uniform(key, place)
            place += _ONE
            new, old = types - 1, types - 1
            if rare:
                waited = _waited(change, drawn, end - clock)
                if waited == 0:
                    clock = end
                    break
                clock += waited
                old, new = _drawn(rates, uniform(key, place) * change)
                place += _ONE
            else:
                clock += 1
                looked += 1
                if drawn < mutation:
                    new = min(int(drawn * kind), types - 1)
                else:
                    # Without branches, which a processor could not foresee.
                    left, reached, new = (drawn - mutation) * rest * total, 0.0, 0
                    for i in range(types - 1):
                        reached += copies[i]
                        new += int(left >= reached)
                member, passed, old = np.int64(uniform(key, place) * population), np.int64(0), 0
                place += _ONE
                for i in range(types - 1):
                    passed += counts[i]
                    old += int(member >= passed)
            if old != new:
                counts[old] -= 1
                counts[new] += 1
                since += 1
                total = 0.0
                for i in range(types):
                    weights[i] *= growth[new, old, i]
                    copies[i] = counts[i] * weights[i]
                    total += copies[i]
        kept[row] = counts
        row += 1
    return kept


@compiled
def _many_pairwise(slopes: Any, own: Any, counts: Any, times: Any, mutation: float, key: Any) -> Any:
    """Return the counts of all types at the given generations, by pairwise comparison."""
    types, population = counts.size, counts.sum()
    kept = np.empty((times.size, types), np.int64)
    weights, growth = np.empty(types), np.exp(slopes)
    rates = np.zeros((types, types))
    clock, row, place, since = 0, 0, np.uint64(0), _AFRESH
    # Weights are changed by multiplication, and computed anew before they could overflow.
    afresh = int(min(_AFRESH, max(1.0, 100 / (1e-9 + 2 * np.abs(slopes).max()))))
    change, changed = 0.0, True
    while row < times.size:
        end = times[row] * population
        while clock < end:
            if changed:
                since += 1
                if since >= afresh:
                    _weigh(slopes, own, counts, weights)
                    since = 0
                change = _rates(False, counts, weights, population, mutation, rates)
                changed = False
            drawn = uniform(key, place)
            place += _ONE
            if change < _RARE:
                waited = _waited(change, drawn, end - clock)
                if waited == 0:
                    clock = end
                    break
                clock += waited
                drawn = uniform(key, place) * change
                place += _ONE
            else:
                clock += 1
            if drawn < change:
                old, new = _drawn(rates, drawn)
                counts[old] -= 1
                counts[new] += 1
                for i in range(types):
                    weights[i] *= growth[i, new] / growth[i, old]
                changed = True
        kept[row] = counts
        row += 1
    return kept


@compiled
def _weigh(slopes: Any, own: Any, counts: Any, weights: Any) -> None:
    """Write exp(w·f) of every type, up to a common factor."""
    types, top = counts.size, -np.inf
    for i in range(types):
        weights[i] = own[i]
        for j in range(types):
            weights[i] += slopes[i, j] * counts[j]
        top = max(top, weights[i])
    for i in range(types):
        weights[i] = np.exp(max(weights[i] - top, -600.0))


@compiled
def _rates(moran: bool, counts: Any, weights: Any, population: int, mutation: float, rates: Any) -> float:
    """Write the probability of each replacement of a row's by a column's member; return their sum."""
    types, total, change = counts.size, 0.0, 0.0
    for i in range(types):
        total += counts[i] * weights[i]
    novel = mutation / types
    for i in range(types):
        if counts[i] == 0:
            for j in range(types):
                rates[i, j] = 0.0
            continue
        leaves = counts[i] / population
        for j in range(types):
            if i == j:
                continue
            if moran:
                copied = counts[j] * weights[j] / total
            else:
                copied = counts[j] / (population - 1) * weights[j] / (weights[i] + weights[j])
            rates[i, j] = leaves * ((1 - mutation) * copied + novel)
            change += rates[i, j]
    return change


@compiled
def _drawn(rates: Any, drawn: float) -> Any:
    """Return the row and the column at which the summed rates pass the number."""
    old, new = 0, 0
    for i in range(rates.shape[0]):
        for j in range(rates.shape[0]):
            if rates[i, j] > 0.0:
                old, new = i, j
                drawn -= rates[i, j]
                if drawn < 0.0:
                    return old, new
    return old, new


def _payoffs(
    payoffs: ArrayLike, population: int, selection: float, assortativity: float
) -> NDArray[np.float64]:
    table = symmetric_payoffs(payoffs)
    check_assortativity(assortativity)
    if population < 2:
        raise UsageError(f"A population has at least two members; got {population}.")
    if not (selection >= 0 and np.isfinite(selection)):
        raise UsageError(f"The intensity of selection is at least 0; got {selection!r}.")
    return table
