"""Policies that misbehave in the process that asks them; see `tests.experiments.test_executors`."""

from __future__ import annotations

import os

from ludens.agents import CallablePolicy
from ludens.errors import LudensError


def _die(turn, rng):
    os._exit(7)


def _raise(turn, rng):
    raise LudensError("The policy has had enough: ask another one.")


def _fail(turn, rng):
    return {}["the secret"]


dying = CallablePolicy(_die, name="dying")
raising = CallablePolicy(_raise, name="raising")
failing = CallablePolicy(_fail, name="failing")
