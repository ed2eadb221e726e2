"""The version of the package, which caches and pickles note."""

__version__ = "0.1.0.dev0"
