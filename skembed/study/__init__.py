"""The command lines: a quick comparison on a task, and a study of tying strategies."""

from skembed.study._commands import study as main

__all__ = ["main"]
