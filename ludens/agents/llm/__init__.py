"""Language models as policies, through LiteLLM.

Each name is loaded when it is first used, so that importing this package loads neither LiteLLM nor Jinja2;
the stub beside this file lists the names.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
