"""Policies: whatever maps a turn to a decision.

Each name is loaded when it is first used; the stub beside this file lists them.
"""

import lazy_loader

import ludens.agents.registration  # noqa: F401  # adds one seat against policies to Gymnasium's registry

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
