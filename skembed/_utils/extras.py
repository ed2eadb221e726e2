"""Libraries that are not always installed."""


def not_installed(caller: str, library: str, package: str) -> ImportError:
    """Return the error for a library that is needed and not installed.

    Parameters
    ----------
    caller : str
        What needs it, such as the name of a function.
    library : str
        Its name, for people to read.
    package : str
        Its name for pip.
    """
    return ImportError(
        f"{caller} needs {library}. Install it with: python -m pip install {package}"
    )
