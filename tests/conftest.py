"""The settings that every test shares."""

from __future__ import annotations

import gc
import os
import signal
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from ludens.agents import secrets

# A machine under load takes longer over every example: neither running one nor drawing one has a limit.
settings.register_profile("ludens", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in every run, so that only a change of the code changes the outcome.
settings.register_profile("ludens-ci", settings.get_profile("ludens"), derandomize=True)
settings.load_profile("ludens-ci" if os.environ.get("CI") else "ludens")

# Ctrl-C and the signals that end a process are tested; what a shell starts in the background, or `nohup`,
# ignores them, with all that it starts itself.
for _name, _usual in (("INT", signal.default_int_handler), ("TERM", signal.SIG_DFL), ("HUP", signal.SIG_DFL)):
    _signal = getattr(signal, f"SIG{_name}", None)
    if _signal is not None and signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _usual)


@pytest.fixture(scope="module", autouse=True)
def nothing_left_for_others() -> Iterator[None]:
    """Collect what a module's tests left behind: LiteLLM's clients, found open in the middle of a test of
    another module, would be warnings of that test. And forget the secrets of its policies: a word that was a
    key there would be masked in the replies of another module's models.
    """
    known = set(secrets._in_use)
    yield
    secrets._in_use.intersection_update(known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # what collects by itself before is still judged
        gc.collect()
