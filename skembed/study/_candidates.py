"""The candidates of the command lines: estimators with tying strategies.

The study compares all strategies that an estimator supports. The list is derived from
the registry of strategies and the parameters of estimators, so it includes new
strategies once they are registered. The quick comparison has three strategies, and
features without word vectors for reference.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skembed._cbow import CBOWEmbedder
from skembed._glove import GloVeEmbedder
from skembed._ppmi_svd import PPMISVDEmbedder
from skembed._sgns import SGNSEmbedder
from skembed._softmax import SoftmaxEmbedder
from skembed._tying import strategies as _tying
from skembed.features import TextUnion

# Parameters that define what a word is. tf-idf has them, too.
TEXT = ("token_pattern", "lowercase", "strip_accents", "stop_words")


class CappedSVD(TruncatedSVD):
    """A TruncatedSVD that also works with fewer features than components."""

    n_components: int

    def fit_transform(self, X, y=None):
        """Fit to the input and return its components."""
        wanted = self.n_components
        self.n_components = max(1, min(wanted, X.shape[1] - 1))
        try:
            return super().fit_transform(X, y)
        finally:
            self.n_components = wanted


def _svd_of_tfidf(n_components: int, random_state: int, **text: Any) -> Any:
    svd = CappedSVD(n_components, random_state=random_state)
    return make_pipeline(TfidfVectorizer(**text), svd, Normalizer())


def _union_with_tfidf(**params: Any) -> TextUnion:
    # The same tf-idf as in the references, so that the two can be compared.
    text = {name: params[name] for name in TEXT if name in params}
    return TextUnion(PPMISVDEmbedder(**params), vectorizer=TfidfVectorizer(**text))


_Biases = Mapping[Any, tuple[str | None, ...]]

# The constants that the study compares, by strategy. Two tables learn the constant of
# negative sampling themselves.
_SAMPLED: _Biases = {
    False: (None,),
    True: (None, "shift", "word", "exact"),
    "signed": (None, "exact"),
}
_NORMALISED: _Biases = dict.fromkeys((False, True, "signed"), (None, "exact"))
# The constants of the quick comparison. One table of skip-gram has no constant of its
# own, so it is tried with all of them.
_QUICK_SAMPLED: _Biases = {
    False: (None, "exact"),
    True: ("exact", "shift", "word", None),
    "signed": (None, "exact"),
}


class Family(NamedTuple):
    """One estimator, as the command lines compare it.

    Attributes
    ----------
    title : str
    make : callable
        Constructs the estimator.
    biases : mapping
        Values of `bias` in the study, by `share_context`. Other strategies use the
        default of the strategy.
    quick_biases : mapping
        The same for the quick comparison.
    has_contexts : bool
        Whether the second of two tables holds vectors of words.
    """

    title: str
    make: Callable[..., Any]
    biases: _Biases = {}
    quick_biases: _Biases = {}
    has_contexts: bool = True


_TREE = partial(SoftmaxEmbedder, loss="hierarchical")
_EXACT: _Biases = dict.fromkeys((False, True, "signed"), ("exact",))
_FAMILIES = {
    "tf-idf": Family("tf-idf", TfidfVectorizer),
    "svd": Family("TruncatedSVD of tf-idf", _svd_of_tfidf),
    "sgns": Family("SGNS", SGNSEmbedder, _SAMPLED, _QUICK_SAMPLED),
    "cbow": Family("CBOW", CBOWEmbedder, _SAMPLED),
    "softmax": Family("Softmax", SoftmaxEmbedder, _NORMALISED, _EXACT),
    "hierarchical": Family(
        "Softmax tree", _TREE, _NORMALISED, _EXACT, has_contexts=False
    ),
    "glove": Family("GloVe", GloVeEmbedder),
    "ppmi-svd": Family("PPMI-SVD", PPMISVDEmbedder),
    "union": Family("tf-idf + PPMI-SVD", _union_with_tfidf),
}
_REFERENCES = ("tf-idf", "svd")
EMBEDDERS = ("sgns", "cbow", "softmax", "hierarchical", "glove", "ppmi-svd")
# What the quick comparison can have, and what it has by default.
QUICK = (*EMBEDDERS, "union")
QUICK_DEFAULT = ("sgns", "cbow", "glove", "ppmi-svd", "union")

_NAMES: dict[Any, str] = {False: "separate", True: "tied"}
# Strategies of the quick comparison.
_QUICK = (False, True, "signed")
# Choices besides `share_context`: name, parameter, its value, values of share_context.
_CHOICES: tuple[tuple[str, str, Any, tuple[Any, ...]], ...] = (
    ("directional", "directional", True, (False,)),
    ("word-only", "update", "word", (False, True)),
    ("no-window-noise", "exclude_window_noise", True, (False,)),
)
HALF = "half-size"
# Groups of candidates that figures show and tables mark.
_MAIN = ("separate", "tied", "signed")


@dataclass(frozen=True)
class Settings:
    """The settings of a command. The fields are options of the command lines.

    None stands for the estimators' defaults. An empty list of names stands for all.
    """

    estimators: tuple[str, ...] = ()
    # Parameters of estimators.
    n_components: int = 100
    min_count: int = 5
    max_iter: int | None = None
    x_max: float = 10.0
    max_features: int | None = None
    window: int | None = None
    subsample: float | None = None
    learning_rate: float | None = None
    token_pattern: str | None = None
    lowercase: bool | None = None
    strip_accents: str | None = None
    stop_words: str | None = None
    # Of the quick comparison.
    cv: int = 3
    labels_per_class: int = 10
    seed: int = 0
    # Of the study.
    strategies: tuple[str, ...] = ()
    rates: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    penalties: tuple[float, ...] = (0.0, 3.0, 10.0, 30.0)
    seeds: int = 3
    n_jobs: int = 1

    def parameters(self, known: Iterable[str]) -> dict[str, Any]:
        """Return the known parameters of an estimator that have a value."""
        values = {name: getattr(self, name) for name in PARAMETERS if name in known}
        return {name: value for name, value in values.items() if value is not None}


PARAMETERS = (
    "n_components",
    "min_count",
    "max_iter",
    "x_max",
    "max_features",
    "window",
    "subsample",
    "learning_rate",
    *TEXT,
)


class SearchedParameter(NamedTuple):
    """A parameter that the study searches.

    Attributes
    ----------
    name : str
    values : tuple of float
        Values to try, in ascending order.
    default : float
        The estimator's default.
    """

    name: str
    values: tuple[float, ...]
    default: float

    @property
    def start(self) -> float:
        """The value, of those to try, that is nearest to the default."""
        return min(self.values, key=lambda value: abs(value - self.default))


# Parameters that the study searches, one after the other, and their names in reports.
SEARCHED = {"learning_rate": "learning rate", "l2": "l2"}


class Candidate(NamedTuple):
    """One candidate of a comparison.

    Attributes
    ----------
    family : str
        The estimator.
    params : dict
        Its parameters. The study sets what it searches, seed and number of threads for
        each fit.
    group : str
        Its name in `Settings.strategies`.
    label : str
        Its name in tables and figures of the study.
    combines : tuple of str
        Values of `combine` with which the study evaluates a fit.
    """

    family: str
    params: dict[str, Any]
    group: str = ""
    label: str = ""
    combines: tuple[str, ...] = ("word",)

    @property
    def title(self) -> str:
        return _FAMILIES[self.family].title

    @property
    def is_reference(self) -> bool:
        """Whether it is a reference without word vectors."""
        return self.family in _REFERENCES

    @property
    def is_main(self) -> bool:
        """Whether it is one of the few that answer the study's question.

        These are two tables, one table, and one table with signs: each without a
        constant and, if there is a choice, with the exact constant.
        """
        return self.group in _MAIN and self.params.get("bias") in (None, "exact")

    def make(self, **params: Any) -> Any:
        """Return an unfitted estimator."""
        return _FAMILIES[self.family].make(**{**self.params, **params})

    def searched(self, settings: Settings) -> list[SearchedParameter]:
        """Return what the study searches: the parameters that the estimator has."""
        defaults = _defaults(self.family)
        values = {
            "learning_rate": [
                factor * defaults.get("learning_rate", 0) for factor in settings.rates
            ],
            "l2": settings.penalties,
        }
        return [
            SearchedParameter(name, tuple(sorted(set(found))), defaults[name])
            for name, found in values.items()
            if name in defaults
        ]


def _defaults(family: str) -> dict[str, Any]:
    """Return the parameters of a family's embedder, with their defaults."""
    return _FAMILIES[family].make().get_params()


def quick(settings: Settings) -> list[Candidate]:
    """Return the candidates of the quick comparison: two references, then embedders.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    list of Candidate
    """
    # References first: they are fast, so problems with the data show early.
    text, seed = settings.parameters(TEXT), {"random_state": settings.seed}
    svd = {"n_components": settings.n_components, **seed, **text}
    found = [Candidate("tf-idf", text), Candidate("svd", svd)]
    for family in settings.estimators or QUICK_DEFAULT:
        if family == "union":
            known = settings.parameters(_defaults("ppmi-svd"))
            found.append(Candidate(family, known | seed))
            continue
        params = settings.parameters(_defaults(family)) | seed
        for name in _QUICK:
            strategy = _tying.get_strategy(name)
            if family == "glove":
                # The sum of both tables, as published. With one table there is no sum.
                combine = "word" if strategy.n_tables < 2 else "sum"
                params = {**params, "combine": combine}
            found += _tied(family, strategy, _FAMILIES[family].quick_biases, params)
    return found


def study(settings: Settings) -> list[Candidate]:
    """Return the candidates of a study, estimator by estimator.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    list of Candidate
        The estimator's `fit` may reject some of them.
    """
    found: list[Candidate] = []
    for family in settings.estimators or EMBEDDERS:
        # A search chooses the others.
        known = set(_defaults(family)) - set(SEARCHED)
        params = settings.parameters(known)
        found += _all_tied(family, params)
        found += _choices(family, params)
        half = {**params, "n_components": max(1, settings.n_components // 2)}
        found += [
            candidate._replace(group=HALF, label=f"{candidate.label}, half size")
            for candidate in _all_tied(family, half)
            if candidate.params["share_context"] is False
        ]
    chosen = settings.strategies or groups()
    return [candidate for candidate in found if candidate.group in chosen]


def groups() -> list[str]:
    """Return the names by which strategies can be chosen in the study."""
    named = [_name(strategy) for strategy in _tying.strategies()]
    known = {name for family in EMBEDDERS for name in _defaults(family)}
    return [*named, *(name for name, key, _, _ in _CHOICES if key in known), HALF]


def _tied(
    family: str, strategy: _tying.Tying, biases: _Biases, params: dict[str, Any]
) -> Iterator[Candidate]:
    """Yield a candidate for each bias, or a single one if there is no choice."""
    name, combines = _name(strategy), _combines(family, strategy)
    params = {**params, "share_context": strategy.name}
    if "bias" not in _defaults(family):
        yield Candidate(family, params, name, name, combines)
        return
    tried = biases.get(strategy.name, (strategy.default_bias,))
    for bias in tried:
        label = name if len(tried) == 1 else f"{name}, bias={bias}"
        yield Candidate(family, {**params, "bias": bias}, name, label, combines)


def _all_tied(family: str, params: dict[str, Any]) -> Iterator[Candidate]:
    for strategy in _tying.strategies():
        yield from _tied(family, strategy, _FAMILIES[family].biases, params)


def _choices(family: str, params: dict[str, Any]) -> Iterator[Candidate]:
    known = _defaults(family)
    for group, key, value, share_contexts in _CHOICES:
        for name in share_contexts if key in known else ():
            strategy = _tying.get_strategy(name)
            own = {**params, "share_context": name, key: value}
            if "bias" in known:
                own["bias"] = strategy.default_bias
            label = f"{_name(strategy)}, {group}"
            combines = _combines(family, strategy)
            yield Candidate(family, own, group, label, combines)


def _name(strategy: _tying.Tying) -> str:
    return _NAMES.get(strategy.name, str(strategy.name))


def _combines(family: str, strategy: _tying.Tying) -> tuple[str, ...]:
    """Return the values of `combine` to evaluate: the sum only if it adds something."""
    has_sum = strategy.n_tables == 2 and _FAMILIES[family].has_contexts
    if not has_sum or "sum" in strategy.combine_notes:
        return ("word",)
    return ("word", "sum")
