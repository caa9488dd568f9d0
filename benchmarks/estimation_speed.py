"""Fits of preferences, compared with the script that a researcher would write, on the same choices.

    python benchmarks/estimation_speed.py [--data CHOICES.csv --drop SUBJECTS.csv] [--starts 3] [--rows N]
    python benchmarks/estimation_speed.py --large

The data are 160 subjects × 117 choices between two allocations, with three types, simulated in the form of
the experiment of Bruhin, Fehr & Schunk (2019), or with --data the experiment's own table. The script computes
the log-likelihood of all rows in vectorised numpy and maximises it by `scipy.optimize.minimize` (BFGS,
numerical gradients, log-precision); for single subjects in a loop; for types by EM with such fits as M-steps,
until a step gains less than 1e-9. A second peer of the pooled fit is `Logit` of statsmodels (Newton's method,
errors clustered by subject) on the differences of attributes. A fit by ludens also includes covariances and
diagnoses. Reading the table is timed apart: two million simulated rows in a CSV file, checked and counted,
beside polars, which reads the columns of the same file. Last come three types of 100,000 choices, no two of
them in one situation, with the memory that they take (--large: nothing else).
"""

from __future__ import annotations

import argparse
import csv
import resource
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, special

from ludens.preferences.estimation import Choices, fit, fit_individuals, fit_types, read_choices, simulate

TYPES = np.array(
    [[0.10, 0.20, 0.05, -0.05, 0.025], [0.20, 0.50, 0.15, -0.05, 0.015], [-0.30, -0.10, 0.10, -0.1, 0.010]]
)
SHARES = (0.5, 0.35, 0.15)


class Rows(NamedTuple):
    """The choices as rows: attribute differences (n, 5), whether X was chosen (n,), subject (n,)."""

    gaps: np.ndarray
    taken: np.ndarray
    subject: np.ndarray


def simulated(subjects: int = 160, seed: int = 0) -> Choices:
    """Return simulated choices in the form of the experiment, without any of its numbers."""
    rng = np.random.default_rng(seed)
    points = rng.integers(20, 110, size=(39, 4)) * 10
    columns = np.repeat(points, 3, axis=0)
    kind, unkind = np.tile([0, 1, 0], 39), np.tile([0, 0, 1], 39)
    names = ("self_x", "other_x", "self_y", "other_y")
    table: dict[str, Any] = {
        "subject": np.repeat(np.arange(subjects), 117).astype(str),
        **{name: np.tile(columns[:, place], subjects) for place, name in enumerate(names)},
        "q": np.tile(kind, subjects),
        "v": np.tile(unkind, subjects),
        "choice_x": np.zeros(117 * subjects, dtype=int),
    }
    kinds = rng.choice(len(SHARES), size=subjects, p=SHARES)
    return simulate(read_choices(table, "bfs"), "bfs", TYPES[kinds], rng)


def real(data: Path, dropped: Path | None) -> Choices:
    """Return the experiment's choices without the subjects that its authors exclude."""
    gone = set(dropped.read_text(encoding="utf-8").split()) if dropped else set()
    with data.open(encoding="utf-8", newline="") as file:
        kept = [row for row in csv.DictReader(file) if row["sid"] not in gone]
    return read_choices({name: [row[name] for row in kept] for name in kept[0]}, "bfs", subject="sid")


def rows_of(choices: Choices) -> Rows:
    """Return the choices with one row each, as in the table."""
    table = choices.counts.tocoo()
    times = np.rint(table.data).astype(int)
    subject, column = np.repeat(table.coords[0], times), np.repeat(table.coords[1], times)
    attributes = choices.attributes[column // 2]
    return Rows(attributes[:, 0] - attributes[:, 1], column % 2 == 0, subject)


def loss(theta: np.ndarray, gaps: np.ndarray, taken: np.ndarray, weights: np.ndarray | float = 1.0) -> float:
    """Return the negative log-likelihood of rows, with θ = (α, β, γ, δ, log σ)."""
    gain = np.exp(theta[4]) * (gaps[:, 0] + gaps[:, 1:] @ theta[:4])
    return float((weights * np.logaddexp(0, np.where(taken, -gain, gain))).sum())


START = np.array([0.0, 0.0, 0.0, 0.0, np.log(0.01)])


def script_pooled(rows: Rows) -> float:
    """Fit all rows together, and return the log-likelihood."""
    return -float(optimize.minimize(loss, START, args=(rows.gaps, rows.taken), method="BFGS").fun)


def statsmodels_pooled(rows: Rows) -> float:
    """Fit all rows together by statsmodels with clustered errors, and return the log-likelihood."""
    from statsmodels.discrete.discrete_model import Logit

    settings = {"cov_type": "cluster", "cov_kwds": {"groups": rows.subject}}
    # Payoffs in hundreds, so that Newton's steps are of a size.
    return float(Logit(rows.taken.astype(float), rows.gaps / 100).fit(disp=0, **settings).llf)


def script_individuals(rows: Rows) -> np.ndarray:
    """Fit each subject in a loop, and return the log-likelihoods."""
    found = []
    for subject in range(rows.subject.max() + 1):
        own = rows.subject == subject
        found.append(
            -optimize.minimize(loss, START, args=(rows.gaps[own], rows.taken[own]), method="BFGS").fun
        )
    return np.array(found)


def script_mixture(rows: Rows, starts: int, types: int = 3, seed: int = 0) -> float:
    """Fit types by EM from random memberships, and return the best log-likelihood of the starts.

    EM ends when a step gains less than 1e-9.
    """
    rng, subjects = np.random.default_rng(seed), rows.subject.max() + 1
    best = -np.inf
    for _ in range(starts):
        membership, last = rng.dirichlet(np.full(types, 0.3), size=subjects), -np.inf
        theta = np.tile(START, (types, 1))
        for _ in range(2000):
            shares = membership.mean(axis=0)
            for k in range(types):
                weights = membership[rows.subject, k]
                theta[k] = optimize.minimize(
                    loss, theta[k], args=(rows.gaps, rows.taken, weights), method="BFGS"
                ).x
            by_type = np.empty((subjects, types))
            for k in range(types):
                gain = np.exp(theta[k, 4]) * (rows.gaps[:, 0] + rows.gaps[:, 1:] @ theta[k, :4])
                logs = -np.logaddexp(0, np.where(rows.taken, -gain, gain))
                by_type[:, k] = np.bincount(rows.subject, logs, subjects)
            joint = by_type + np.log(np.maximum(shares, 1e-300))
            level = float(special.logsumexp(joint, axis=1).sum())
            membership = np.exp(joint - special.logsumexp(joint, axis=1, keepdims=True))
            if level - last < 1e-9:
                break
            last = level
        best = max(best, level)
    return best


def timed(call: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """Return the result of a call, and the median of its seconds."""
    seconds = []
    answer = None
    for _ in range(repeats):
        begun = time.perf_counter()
        answer = call()
        seconds.append(time.perf_counter() - begun)
    return answer, float(np.median(seconds))


def compare(title: str, choices: Choices, starts: int) -> None:
    """Print a table of the three comparisons."""
    rows = rows_of(choices)
    print(f"\n## {title}: {len(choices.subjects)} subjects, {choices.size:.0f} choices\n")
    print("| fit | script (s) | ludens (s) | ratio | wanted | log-likelihood, ludens − script |")
    print("|---|---|---|---|---|---|")
    fit(choices, "bfs")  # loads modules, which is not part of a fit
    ours, quick = timed(lambda: fit(choices, "bfs"), 5)
    theirs, slow = timed(lambda: script_pooled(rows), 5)
    over = ours.log_likelihood - theirs
    print(f"| pooled | {slow:.3f} | {quick:.4f} | **{slow / quick:.0f}** | 10 | {over:+.1e} |")
    level, slow = timed(lambda: statsmodels_pooled(rows), 5)
    over = ours.log_likelihood - level
    print(
        f"| pooled, beside statsmodels | {slow:.3f} | {quick:.4f} | **{slow / quick:.1f}** | | {over:+.1e} |"
    )
    people, quick = timed(lambda: fit_individuals(choices, "bfs"), 3)
    singles, slow = timed(lambda: script_individuals(rows), 1)
    sound = np.array([one.converged and not np.isnan(one.values).any() for one in people.fits])
    gap = np.array([one.log_likelihood for one in people.fits]) - singles
    worst = gap[sound][np.argmax(np.abs(gap[sound]))]
    print(
        f"| individual | {slow:.2f} | {quick:.3f} | **{slow / quick:.0f}** | | "
        f"{worst:+.1e} at most, in {sound.sum()} subjects with a maximum |"
    )
    mixture, quick = timed(lambda: fit_types(choices, "bfs", 3, starts=starts), 3)
    level, slow = timed(lambda: script_mixture(rows, starts), 1)
    print(
        f"| mixture, 3 types, {starts} starts | {slow:.1f} | {quick:.3f} | **{slow / quick:.0f}** | 20 | "
        f"{mixture.log_likelihood - level:+.1e} |"
    )


def large(subjects: int = 500, each: int = 200, starts: int = 3) -> None:
    """Print seconds and peak memory of three types of choices that are all in situations of their own."""
    rng, count = np.random.default_rng(0), subjects * each
    table: dict[str, Any] = {
        "subject": np.repeat(np.arange(subjects), each),
        **{name: rng.uniform(200, 1100, count) for name in ("self_x", "other_x", "self_y", "other_y")},
        "q": rng.integers(0, 2, count),
        "choice_x": np.zeros(count, dtype=int),
    }
    table["v"] = (1 - table["q"]) * rng.integers(0, 2, count)
    kinds = rng.choice(len(SHARES), size=subjects, p=SHARES)
    design, reading = timed(lambda: read_choices(table, "bfs"), 1)
    choices = simulate(design, "bfs", TYPES[kinds], rng)
    before = resource.getrusage(resource.RUSAGE_SELF)
    mixture, seconds = timed(lambda: fit_types(choices, "bfs", 3, starts=starts), 1)
    after = resource.getrusage(resource.RUSAGE_SELF)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"\n## {count:,} choices in {len(choices.available):,} situations, 3 types from {starts} starts\n")
    print("| reading (s) | types (s) | of processors (s) | wanted (s) | peak memory (GB) | wanted (GB) |")
    print("|---|---|---|---|---|---|")
    print(f"| {reading:.1f} | {seconds:.1f} | {busy:.1f} | 60 | {after.ru_maxrss / 2**20:.2f} | 2 |")
    print(f"\nShares {np.round(mixture.shares, 3)}, planted {np.bincount(kinds) / subjects}.")


def compare_reading(rows: int) -> None:
    """Print how long it takes to read a long table, of few and of many distinct payoffs."""
    import polars

    print(f"\n## Reading a CSV file of {rows:,} rows\n")
    print("| payoffs | polars (s) | ludens (s) | ratio |")
    print("|---|---|---|---|")
    rng = np.random.default_rng(0)
    drawn = {
        "117 situations": rng.integers(2, 11, size=(117, 4))[rng.integers(0, 117, rows)] * 100,
        "all different": np.round(rng.random((rows, 4)) * 100, 3),
    }
    with TemporaryDirectory() as folder:
        for title, payoffs in drawn.items():
            path = Path(folder, "choices.csv")
            names = ("self_x", "other_x", "self_y", "other_y")
            columns = dict(zip(names, payoffs.T, strict=True))
            people = {"subject": np.arange(rows) // 200, "choice_x": rng.integers(0, 2, rows)}
            polars.DataFrame(people | columns).write_csv(path)
            _, quick = timed(lambda path=path: polars.read_csv(path), 3)
            _, slow = timed(lambda path=path: read_choices(path, "fehr_schmidt"), 1)
            print(f"| {title} | {quick:.2f} | {slow:.2f} | **{slow / quick:.0f}** |")


def main() -> None:
    """Compare on simulated choices, and on the experiment's if they are given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="the experiment's choices, a CSV file")
    parser.add_argument("--drop", type=Path, help="subjects to leave out, one per line")
    parser.add_argument("--starts", type=int, default=3, help="random starts of the mixture, on both sides")
    parser.add_argument("--rows", type=int, default=2_000_000, help="rows of the file that is read")
    parser.add_argument(
        "--large", action="store_true", help="only the 100,000 choices in situations of their own"
    )
    given = parser.parse_args()
    if given.large:
        large()
        return
    compare("Simulated", simulated(), given.starts)
    if given.data:
        compare(given.data.name, real(given.data, given.drop), given.starts)
    compare_reading(given.rows)
    large()


if __name__ == "__main__":
    main()
