"""What the study compares: every tying strategy that an estimator may hold.

The list derives from the registry of strategies and from the parameters that
estimators have, so that a new strategy takes part by being registered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from skembed._cbow import CBOWEmbedder
from skembed._glove import GloVeEmbedder
from skembed._ppmi_svd import PPMISVDEmbedder
from skembed._sgns import SGNSEmbedder
from skembed._tying import strategies as _tying

KINDS: dict[str, tuple[str, type]] = {
    "sgns": ("SGNS", SGNSEmbedder),
    "cbow": ("CBOW", CBOWEmbedder),
    "glove": ("GloVe", GloVeEmbedder),
    "ppmi-svd": ("PPMI-SVD", PPMISVDEmbedder),
}
_NAMES: dict[Any, str] = {False: "separate", True: "tied"}
# The constants that are compared; other strategies have what "auto" gives them.
_BIASES: dict[Any, tuple[str | None, ...]] = {
    False: (None,),
    True: (None, "shift", "word", "exact"),
    "signed": (None, "exact"),
}
# Choices beside `share_context`: name, parameter, its value, values of share_context.
_CHOICES: tuple[tuple[str, str, Any, tuple[Any, ...]], ...] = (
    ("directional", "directional", True, (False,)),
    ("word-only", "update", "word", (False, True)),
    ("no-window-noise", "exclude_window_noise", True, (False,)),
)
HALF = "half-size"
# Groups of the candidates that figures show and tables mark.
_MAIN = ("separate", "tied", "signed")


@dataclass(frozen=True)
class Settings:
    """What a study is run with; the fields are options of the command line."""

    estimators: tuple[str, ...] = tuple(KINDS)
    strategies: tuple[str, ...] = ()  # none named: all
    size: int = 100
    rates: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    seeds: int = 3
    min_count: int = 5
    max_iter: int | None = None
    x_max: float = 10.0


class Candidate(NamedTuple):
    """A way of tying in one estimator.

    Attributes
    ----------
    family : str
        The estimator, a key of `KINDS`.
    group : str
        What `Settings.strategies` calls it.
    label : str
        Its name in tables and figures.
    params : dict
        Parameters of the estimator, without rate, seed and number of threads.
    combines : tuple of str
        Values of `combine` that one fit is judged with.
    """

    family: str
    group: str
    label: str
    params: dict[str, Any]
    combines: tuple[str, ...]

    @property
    def title(self) -> str:
        return KINDS[self.family][0]

    @property
    def is_main(self) -> bool:
        """Whether it is one of the few that answer the study's question.

        These are two tables, one table, and one with signs, each without a constant
        and, where there is a choice, with the exact one.
        """
        return self.group in _MAIN and self.params.get("bias") in (None, "exact")

    def default_rate(self) -> float | None:
        """Return the estimator's own learning rate, None if it has none."""
        return KINDS[self.family][1]().get_params().get("learning_rate")

    def embedder(self, rate: float | None, seed: int, n_jobs: int | None) -> Any:
        """Return an estimator, not fitted."""
        embedder = KINDS[self.family][1](**self.params)
        embedder.set_params(
            random_state=seed,
            n_jobs=n_jobs,
            # Features are read for several ways to combine the vectors of one fit.
            combine="word",
            pooling="mean",
            scale=None,
        )
        return embedder if rate is None else embedder.set_params(learning_rate=rate)


def groups() -> list[str]:
    """Return the names by which strategies can be chosen."""
    named = [_name(strategy) for strategy in _tying.strategies()]
    known = {name for _, kind in KINDS.values() for name in kind().get_params()}
    return [*named, *(name for name, key, _, _ in _CHOICES if key in known), HALF]


def candidates(settings: Settings) -> list[Candidate]:
    """Return what a study compares, estimator by estimator.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    list of Candidate
        Some of them may be refused by the estimator's `fit`.
    """
    found = []
    for family in settings.estimators:
        known = KINDS[family][1]().get_params()
        common = _common(settings, known)
        found += _strategies(family, known, common)
        found += _choices(family, known, common)
        half = {**common, "n_components": max(1, settings.size // 2)}
        found += [
            candidate._replace(group=HALF, label=f"{candidate.label}, half size")
            for candidate in _strategies(family, known, half)
            if candidate.params["share_context"] is False
        ]
    chosen = settings.strategies or groups()
    return [candidate for candidate in found if candidate.group in chosen]


def _common(settings: Settings, known: dict[str, Any]) -> dict[str, Any]:
    wanted = {
        "n_components": settings.size,
        "min_count": settings.min_count,
        "max_iter": settings.max_iter,
        "x_max": settings.x_max,
    }
    return {k: v for k, v in wanted.items() if k in known and v is not None}


def _strategies(
    family: str, known: dict[str, Any], common: dict[str, Any]
) -> list[Candidate]:
    found = []
    for strategy in _tying.strategies():
        name, params = _name(strategy), {**common, "share_context": strategy.name}
        combines = _combines(strategy)
        if "bias" not in known:
            found.append(Candidate(family, name, name, params, combines))
            continue
        biases = _BIASES.get(strategy.name, (strategy.default_bias,))
        for bias in biases:
            label = name if len(biases) == 1 else f"{name}, bias={bias}"
            params = {**params, "bias": bias}
            found.append(Candidate(family, name, label, params, combines))
    return found


def _choices(
    family: str, known: dict[str, Any], common: dict[str, Any]
) -> list[Candidate]:
    found = []
    registered = {strategy.name: strategy for strategy in _tying.strategies()}
    for group, key, value, share_contexts in _CHOICES:
        for name in share_contexts if key in known else ():
            strategy = registered[name]
            params = {**common, "share_context": name, key: value}
            if "bias" in known:
                params["bias"] = strategy.default_bias
            label = f"{_name(strategy)}, {group}"
            found.append(Candidate(family, group, label, params, _combines(strategy)))
    return found


def _name(strategy: _tying.Tying) -> str:
    return _NAMES.get(strategy.name, str(strategy.name))


def _combines(strategy: _tying.Tying) -> tuple[str, ...]:
    """Return what to judge: the sum, too, where it is not the word vector again."""
    doubled = strategy.n_tables < 2 or "sum" in strategy.combine_notes
    return ("word",) if doubled else ("word", "sum")


def rates(candidate: Candidate, factors: Sequence[float]) -> list[float | None]:
    """Return the learning rates to try, the smallest first; [None] if it has none."""
    default = candidate.default_rate()
    if default is None:
        return [None]
    return [default * factor for factor in sorted(set(factors))]
