"""Games as data and their PettingZoo environments. Importing this package registers all of them.

Each name is loaded when it is first used; the stub beside this file lists them.
"""

import lazy_loader

import ludens.envs.registration  # noqa: F401  # adds every environment to both PettingZoo registries

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
