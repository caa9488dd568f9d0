"""Dilemmas of autonomous vehicles: ask policies, let populations choose cars, measure, and report.

Each name is loaded when it is first used; the stub beside this file lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
