"""Messages to the user on standard error, separate from results."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import median


def tell(message: str) -> None:
    """Print a message to the user, at once."""
    print(message, file=sys.stderr, flush=True)


class Progress:
    """A line for each finished step, with an estimate of the time left.

    Parameters
    ----------
    kinds : iterable of str
        The kind of each planned step. Steps of one kind take about the same time.
    """

    def __init__(self, kinds: Iterable[str]):
        self.n_done = 0
        self._waiting = Counter(kinds)
        self._seconds: dict[str, list[float]] = defaultdict(list)

    @property
    def n_all(self) -> int:
        """Number of finished and remaining steps."""
        return self.n_done + self._waiting.total()

    def skip(self, kind: str, n_steps: int = 1) -> None:
        """Skip steps."""
        self._waiting[kind] -= n_steps

    def done(self, kind: str, seconds: float) -> None:
        """Record a finished step and its seconds."""
        self.skip(kind)
        self.n_done += 1
        self._seconds[kind].append(seconds)

    def tell(self, text: str) -> None:
        """Print a line about the last finished step."""
        tell(f"[{self.n_done:{len(str(self.n_all))}}/{self.n_all}] {text}{self.left()}")

    def left(self) -> str:
        """Return an estimate of the time left, in words."""
        known = [s for seconds in self._seconds.values() for s in seconds]
        if not known or not self._waiting.total():
            return ""
        typical = median(known)
        left = sum(
            n_steps * median(self._seconds.get(kind) or [typical])
            for kind, n_steps in self._waiting.items()
        )
        if left < 90:
            return f" (about {left:.0f} s left)"
        return f" (about {left / 60:.0f} min left)"
