"""PettingZoo's and Gymnasium's own tests over all registered environments and their options.

    python benchmarks/conformance.py [--markdown]

PettingZoo's tests run on both APIs of every configuration, Gymnasium's `check_env` on one seat of it
(`ludens.agents.against`). A test fails with any exception, or any warning that is not PettingZoo's
recommendation against observations with a mask in them. Four tests draw actions without the mask, and do
not apply where it forbids some: there the environments refuse what is not legal. The exit status is 1 if any
test fails.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the test suite of PettingZoo imports environments that are deprecated
    import pettingzoo
    from gymnasium.utils.env_checker import check_env
    from pettingzoo.utils.conversions import parallel_to_aec, parallel_to_aec_wrapper

    from ludens.agents import against
    from ludens.envs import FAMILIES, environments

    SUITE = importlib.import_module("pettingzoo.test")
    STATE = importlib.import_module("pettingzoo.test.state_test")

FORMS: dict[str, dict[str, Any]] = {
    "": {},
    "box": {"observation": "box"},
    "rllib": {"observation": "rllib"},
}
TREES: dict[str, dict[str, Any]] = {
    "5 rounds, memory 3": {"rounds": 5, "memory": 3},
    "fixed roles": {"roles": "fixed"},
    "strategy method": {"method": "strategy"},
    "strategy method, 5 rounds, fixed roles": {"method": "strategy", "rounds": 5, "roles": "fixed"},
}
OTHERS: dict[str, dict[str, dict[str, Any]]] = {
    "ludens/bertrand-v0": {
        "any price": {"actions": "continuous", "observation": "box"},
        "3 firms, memory 2": {"firms": 3, "memory": 2, "points": 5},
        "one firm": {"firms": 1, "actions": "continuous"},
        "a regulator": {"interventions": [{"kind": "Regulator", "threshold": 1.6, "fine": 0.05}]},
        "linear demand": {
            "market": {
                "demand": "linear",
                "qualities": [2, 2],
                "costs": [1, 1],
                "slopes": [[1, -0.5], [-0.5, 1]],
            }
        },
    },
    "ludens/bertrand_sequential-v0": {
        "any price": {"actions": "continuous", "observation": "box"},
        "3 firms": {"firms": 3},
    },
    "ludens/av_adoption-v0": {
        "accidents drawn": {"payoffs": "realised"},
        "a mandate": {"regulation": {"mandate": True, "period": 2}},
        "100 people": {"people": 100},
    },
    # PettingZoo's test of max_cycles needs episodes of more than four rounds.
    "ludens/av_dilemma-v0": {f"study {number}": {"study": number, "rounds": 12} for number in range(1, 7)},
    "ludens/moral_machine-v0": {"3 respondents": {"respondents": 3}, "in the car": {"perspective": "first"}},
}
# Configurations whose mask forbids something, and the tests that draw actions without looking at it.
MASKED = {("ludens/av_adoption-v0", "a mandate"), *(("ludens/av_dilemma-v0", f"study {n}") for n in (1, 2))}
BLIND = {"parallel_seed_test", "state_test", "max_cycles_test", "check_env"}
OPPONENTS = {"ludens/bertrand-v0": "fixed:1.5", "ludens/bertrand_sequential-v0": "fixed:0.5"}
# Recommendations that observations with a mask, and prices in money, cannot follow.
EXPECTED = (
    "Observation is not a NumPy array",
    "Observation space for each agent probably should be",
    ".*For Box action spaces, we recommend using a symmetric and normalized space",
    ".*Not able to test alternative render modes",
)


def configurations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each environment with the words for its options, and the options."""
    families = {family.environment for family in FAMILIES.values()}
    for environment in environments():
        more = TREES if environment in families else OTHERS.get(environment, {})
        for words, options in {**FORMS, **more}.items():
            yield environment, words, options


def checks(environment: str, options: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """Return the tests of one configuration, by name."""

    def aec(**more: Any) -> Any:
        return pettingzoo.make("aec", environment, **{**options, **more})

    def parallel(**more: Any) -> Any:
        return pettingzoo.make("parallel", environment, **{**options, **more})

    def seat() -> Any:
        return against(environment, OPPONENTS.get(environment, "random"), **options)

    made: dict[str, Callable[[], object]] = {
        "api_test": lambda: SUITE.api_test(aec(), num_cycles=50),
        "parallel_api_test": lambda: SUITE.parallel_api_test(parallel(), num_cycles=50),
        "seed_test": lambda: SUITE.seed_test(aec, num_cycles=50),
        "seed_test, parallel": lambda: SUITE.seed_test(lambda: parallel_to_aec(parallel()), num_cycles=50),
        "parallel_seed_test": lambda: SUITE.parallel_seed_test(parallel, num_cycles=50),
        "state_test": lambda: STATE.state_test(aec(), parallel()),
        "render_test": lambda: SUITE.render_test(aec),
        "check_env": lambda: check_env(seat()),
    }
    if isinstance(aec().env if hasattr(aec(), "env") else None, parallel_to_aec_wrapper):
        module = SimpleNamespace(env=aec, parallel_env=parallel)
        made["max_cycles_test"] = lambda: SUITE.max_cycles_test(module)
    return made


def failure(check: Callable[[], object]) -> str | None:
    """Run a test, and return why it failed; None if it passed."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("error")
        for message in EXPECTED:
            warnings.filterwarnings("ignore", message=message)
        try:
            check()
        except Exception as error:
            return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return None


def main() -> None:
    """Run all tests and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    markdown = parser.parse_args().markdown
    tried: Counter[str] = Counter()
    blind: Counter[str] = Counter()
    failed: dict[str, list[str]] = {}
    whole = 0
    every = list(configurations())
    for environment, words, options in every:
        clean = True
        for name, check in checks(environment, options).items():
            if name in BLIND and (environment, words) in MASKED:
                blind[name] += 1
                continue
            why = failure(check)
            tried[name] += 1
            if why is not None:
                clean = False
                failed.setdefault(name, []).append(f"{environment}{f' ({words})' if words else ''}: {why}")
        whole += clean
    line = "| {:<20} | {:>6} | {:>6} | {:>14} |" if markdown else "{:<20} {:>6} {:>6} {:>14}"
    print(line.format("test", "tried", "passed", "does not apply"))
    if markdown:
        print("|---|---:|---:|---:|")
    for name, count in tried.items():
        print(line.format(name, count, count - len(failed.get(name, [])), blind[name]))
    print(f"\n{whole} of {len(every)} configurations pass every test that applies")
    for name, reasons in failed.items():
        for reason in reasons:
            print(f"failed {name}: {reason}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
