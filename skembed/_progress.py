"""What is checked, kept and told of a training after every epoch."""

from time import perf_counter
from typing import Any

import numpy as np

_PIECE = 1 << 20


class Progress:
    """Checks every epoch of a training, keeps its loss and prints a line about it.

    Parameters
    ----------
    estimator : BaseEmbedder
        Its `verbose`, `max_iter` and `learning_rate` are read.
    unit : str
        What is counted, e.g. "tokens".
    size : int
        How many of them an epoch visits.
    """

    def __init__(self, estimator: Any, unit: str, size: int):
        self.estimator = estimator
        self.unit = unit
        self.size = size
        self.curve: list[float] = []
        self._start = perf_counter()

    def finish_epoch(self, loss: float, *learned: np.ndarray) -> None:
        """Record an epoch's mean loss.

        Parameters
        ----------
        loss : float
        *learned : ndarray
            All learned numbers.

        Raises
        ------
        ValueError
            If one of them is not finite.
        """
        self.curve.append(float(loss))
        epoch = len(self.curve)
        name = type(self.estimator).__name__
        # Piece by piece, since the comparison fills an array of its own.
        pieces = (
            piece
            for array in learned
            for piece in np.array_split(array, 1 + array.size // _PIECE)
        )
        if not (np.isfinite(loss) and all(np.isfinite(p).all() for p in pieces)):
            raise ValueError(
                f"{name}: vectors became infinite or NaN in epoch {epoch}. "
                f"learning_rate={self.estimator.learning_rate} is too large for "
                "these documents; lower it."
            )
        if self.estimator.verbose:
            seconds = perf_counter() - self._start
            rate = self.size * epoch / max(seconds, 1e-9) / 1e6
            print(
                f"[{name}] epoch {epoch}/{self.estimator.max_iter}: loss {loss:.4f}, "
                f"{rate:.2f} million {self.unit}/s, {seconds:.1f} s"
            )

    def learned(self) -> dict[str, Any]:
        """Return the fitted attributes that tell of the training."""
        return {"loss_curve_": np.asarray(self.curve), "n_iter_": len(self.curve)}
