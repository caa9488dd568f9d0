"""Plays pricing runs again and again, each time in a process of its own that may be killed.

Processes are forked from one that has imported LiteLLM, which takes seconds. Reads one life per line from
stdin, as JSON: the name of a function of `ludens.experiments.pricing` and its keyword arguments; answers with
its process id and, when it is over, with its exit code.
"""

from __future__ import annotations

import json
import os
import sys

import litellm  # noqa: F401  # for the children

from ludens.experiments.pricing import implant, play

HOMES = {
    "play_pricing": play,
    "resume_pricing": play,
    "implant": implant,
    "resume_implant": implant,
}

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        name, arguments = json.loads(line)
        getattr(HOMES[name], name)(**arguments)
        os._exit(0)
    print(child, flush=True)  # noqa: T201  # the answer
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201
