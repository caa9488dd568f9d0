"""Q-learners load their compiler when they are used, and learn without a place to keep what it made."""

from __future__ import annotations

import subprocess
import sys

from ludens.agents.qlearning import core


def test_naming_a_policy_loads_no_compiler():
    program = (
        "import sys\n"
        "from ludens.agents.qlearning import QLearning, QLearningPolicy, LearningTables\n"
        "print(sorted({'numba', 'matplotlib', 'litellm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_function_that_cannot_be_kept_on_disk_is_compiled_all_the_same():
    # One without a file has no place for a cache, as one in a folder that nobody may write to has none.
    made = {}
    exec("def double(x):\n    return 2 * x", made)
    double = core.compiled(made["double"])
    assert double(4) == 8
    assert double.stats.cache_path is None
    assert core.learn.stats.cache_path
