"""Runs `ludens` again and again, each time in a process of its own that may be killed.

Processes are forked from one that has imported LiteLLM, which takes seconds. Reads the arguments of one life
per line (a JSON list) from stdin; answers with its process id and, when it is over, with its exit code.
"""

from __future__ import annotations

import json
import os
import sys

import litellm  # noqa: F401  # for the children

from ludens.cli import main

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123  # a device, not a path
            os.dup2(nowhere.fileno(), 1)
        os._exit(main(json.loads(line)))
    print(child, flush=True)  # noqa: T201  # the answer
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201
