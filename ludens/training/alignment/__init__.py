"""From a base model to one with chosen preferences, measured before and after.

from ludens.training.alignment import align, make_plan
files = align(make_plan("local/smollm2-135m", "moralis", kappa=0.5), "runs/moral")

Each name is loaded when it is first used; the stub beside this file lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
