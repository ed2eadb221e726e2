"""Libraries that are not always installed."""

from importlib import import_module
from typing import Any


def require(module: str, caller: str, package: str) -> Any:
    """Import and return a module, or say how to install it.

    Parameters
    ----------
    module : str
    caller : str
        What needs it, such as the name of a function.
    package : str
        Its name for pip.

    Raises
    ------
    ImportError
        If the module cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{caller} needs {module.partition('.')[0]}. Install it with: python -m "
            f"pip install {package}"
        ) from error
