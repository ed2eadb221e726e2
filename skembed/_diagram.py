"""Facts of a fitted estimator in scikit-learn's HTML diagram."""

from typing import Any

try:
    from sklearn.utils._repr_html.estimator import _VisualBlock
except ImportError:
    # The place of scikit-learn 1.6.
    from sklearn.utils._estimator_html_repr import _VisualBlock


def block(estimator: Any, facts: list[str]) -> Any:
    """Return the box of an estimator, with facts below its name.

    scikit-learn escapes the text. Parameters, attributes and features are added by the
    versions that show them.

    Parameters
    ----------
    estimator : BaseEstimator
    facts : list of str

    Returns
    -------
    sklearn.utils._VisualBlock
    """
    return _VisualBlock(
        "single",
        estimator,
        names=type(estimator).__name__,
        name_details=str(estimator),
        name_caption=", ".join(facts),
    )


def number(value: float, unit: str) -> str:
    """Return a number with its unit, as text: ``number(1, "word")`` is "1 word"."""
    amount = f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
    return f"{amount} {unit}" if value == 1 else f"{amount} {unit}s"
