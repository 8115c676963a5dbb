"""LIA-X portrait animation: `liax.Animator`, and the modules. Nothing heavy is loaded before it is asked for."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from liax.inference.animator import Animator as Animator

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load `liax.Animator`, and with it PyTorch, when it is first asked for."""
    if name != "Animator":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from liax.inference.animator import Animator

    return Animator
