"""Importing ludens is cheap: the heavy libraries wait until something needs them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

import ludens

ROOMS = ("envs", "preferences", "agents", "experiments", "training", "cli", "testing")
HEAVY = ("litellm", "matplotlib", "numba", "pandas", "scipy", "torch", "transformers", "xllamacpp")


def modules_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after `statement`."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_ludens_loads_no_room_and_no_library():
    loaded = modules_after("import ludens")
    assert "ludens" in loaded
    assert {name for name in loaded if name.startswith("ludens.")} == set()
    assert loaded.isdisjoint({*HEAVY, "numpy", "gymnasium", "pettingzoo", "pydantic"})


@pytest.mark.parametrize("room", ROOMS)
def test_importing_a_room_loads_no_heavy_library(room):
    loaded = modules_after(f"import ludens.{room}")
    assert f"ludens.{room}" in loaded
    assert sorted(loaded.intersection(HEAVY)) == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_reached_by_naming_it(room):
    assert f"ludens.{room}" in modules_after(f"import ludens\nludens.{room}")


def test_the_version_is_the_installed_one():
    assert ludens.__version__ == version("ludens")


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'oracle'"):
        _ = ludens.oracle


def test_dir_names_the_rooms():
    assert set(ROOMS) <= set(dir(ludens))
