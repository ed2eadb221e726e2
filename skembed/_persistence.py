"""What of an estimator is pickled, and what is said when another version loads it."""

import copy
import warnings
from typing import Any

from sklearn.utils.validation import check_is_fitted

from skembed import _version
from skembed._continuing import LARGE

_VERSION = "_skembed_version"


class PersistenceMixin:
    """Pickles know the version that has written them, and leave out large parts.

    Co-occurrence counts and the state of AdaGrad are larger than the vectors, so they
    are pickled only where an estimator is likely to need them: after `partial_fit`, and
    with ``warm_start=True``. Copies within a process are complete.
    """

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        if not (state.get("_streams") or state.get("warm_start")):
            state = {name: v for name, v in state.items() if name not in LARGE}
        return {**state, _VERSION: _version.__version__}

    def __copy__(self) -> Any:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def _as_fitted(self) -> Any:
        """Return a copy that a fit in another thread leaves as it is.

        All that is read of a model has to come from one copy: a fit may end at any
        moment, and replaces all attributes in one step.
        """
        model = self.__copy__()
        check_is_fitted(model)
        return model

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return twin

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        written = state.pop(_VERSION, "an unknown version")
        ours = _version.__version__
        if written != ours:
            warnings.warn(
                f"This {type(self).__name__} was pickled by skembed {written} and is "
                f"loaded by {ours}, with which it may lack attributes or give "
                "other results. Fit it again, or install that version.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)  # type: ignore[misc]
