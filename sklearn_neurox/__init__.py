"""Probing, understanding and intervening in neural networks, as scikit-learn estimators.

Every public name is defined in a subpackage (``sklearn_neurox.probes``, ``.neurons``,
``.evaluation``, ...) and can be imported from here. A subpackage is loaded when one of its names is
first used, so importing ``sklearn_neurox`` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activations import *
    from .datasets import *
    from .effects import *
    from .evaluation import *
    from .extraction import *
    from .interventions import *
    from .neurons import *
    from .persistence import *
    from .probes import *
    from .visualization import *

__version__ = "0.1.0"

# From the lowest to the highest layer: looking up a name loads no package above its own.
_PACKAGES = (
    "datasets",
    "activations",
    "extraction",
    "probes",
    "neurons",
    "interventions",
    "evaluation",
    "effects",
    "persistence",
    "visualization",
)


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f".{name}", __name__)
    packages = (import_module(f".{package}", __name__) for package in _PACKAGES)
    if name == "__all__":
        return sorted(public for package in packages for public in package.__all__)
    if not name.startswith("_"):
        for package in packages:
            if name in package.__all__:
                return getattr(package, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__getattr__("__all__"), *_PACKAGES])
