"""Compiling ahead of time, for images and servers."""

import warnings
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from skembed._base import BaseEmbedder
from skembed._corpus import tokenize
from skembed._transformer import DocumentTransformer
from skembed._tying import strategies

# More words than a matrix has that is factorised densely, without the kernels of
# larger ones.
_N_WORDS = 1200
_TOKENS_PER_DOCUMENT = 20
# What makes a fit short and possible on any documents, without a warning; an
# estimator has some of these parameters.
_TINY = {
    "n_components": 1,
    "max_iter": 1,
    "early_stopping": True,
    "negative": 1,
    "subsample": 0,
    "min_count": 1,
    "combine": "word",
    "random_state": 0,
    "n_jobs": 1,
}


def warmup(*estimators: Any) -> None:
    """Compile the kernels of estimators in advance, and cache them on disk.

    A kernel is compiled when it is first needed, which makes the first `fit` of a
    new installation slower by some seconds. Later processes load it from the cache.
    Call this function while a container image is built, and in a server before it
    takes requests, starts threads or forks: a process that is forked while another
    thread compiles cannot compile itself. The function fits tiny documents. Afterwards,
    no parameters, data or number of threads require another compilation.

    Kernels are cached where numba caches: in the folder of the environment variable
    ``NUMBA_CACHE_DIR``, or next to the installed package or, if that folder cannot be
    written, in a folder of the user. If none of these can be written, compiled kernels
    are available to the current process only. With ``NUMBA_DISABLE_JIT=1`` there is
    nothing to do.

    Parameters
    ----------
    *estimators : estimator, or class of estimators
        What will be used: embedders, their classes, or objects that contain embedders,
        such as a :class:`~sklearn.pipeline.Pipeline` or a search. They are not changed.
        By default, all embedders of this package.

    Raises
    ------
    ValueError
        If one of them neither is an embedder nor contains one.

    Examples
    --------
    In advance, for one estimator:

    >>> from skembed import PPMISVDEmbedder, warmup
    >>> warmup(PPMISVDEmbedder)

    While an image is built, for all estimators::

        python -c "import skembed; skembed.warmup()"
    """
    found: dict[type[DocumentTransformer], None] = {}
    for given in estimators or _public_embedders():
        kinds = list(_embedders_in(given))
        if not kinds:
            raise ValueError(
                f"{given!r} is not an embedder and holds none. Pass embedders, their "
                "classes, pipelines that hold embedders, or nothing for all of them."
            )
        found.update(dict.fromkeys(kinds))

    from skembed._utils.jit import COMPILED

    if COMPILED:
        tokenize.compile_kernel()
        for kind in found:
            # Others only read documents.
            if issubclass(kind, BaseEmbedder):
                _fit_tiny(kind)


def _public_embedders() -> list[type[DocumentTransformer]]:
    package = import_module("skembed")
    public = [getattr(package, name) for name in package.__all__]
    return [kind for kind in public if _is_embedder(kind)]


def _is_embedder(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, DocumentTransformer)


def _embedders_in(given: Any) -> Iterator[type[DocumentTransformer]]:
    """Yield the classes of all embedders that an object is or holds."""
    if _is_embedder(given):
        yield given
    elif not isinstance(given, type) and hasattr(given, "get_params"):
        for part in (given, *given.get_params(deep=True).values()):
            if isinstance(part, DocumentTransformer):
                yield type(part)


def prepare(kind: type[BaseEmbedder], share_contexts: Iterable[Any]) -> None:
    """Compile, or load, only what an ordinary fit with some strategies needs.

    Parameters
    ----------
    kind : class of embedders
    share_contexts : iterable of bool or str
    """
    from skembed._utils.jit import COMPILED

    if COMPILED:
        tokenize.compile_kernel()
        _fit_strategies(kind, share_contexts, early_stopping=False)


def _fit_tiny(kind: Any) -> None:
    """Go all ways that kernels are on; each kernel has one compiled signature."""
    names = [strategy.name for strategy in strategies.strategies(kind._method)]
    for variant in kind._variants:
        _fit_strategies(kind, names, weighted=not variant, **variant)


def _fit_strategies(
    kind: type[BaseEmbedder],
    share_contexts: Iterable[Any],
    weighted: bool = False,
    **params: Any,
) -> None:
    words = [f"word{number}" for number in range(_N_WORDS)]
    # Twice, in another order, so that some words have several neighbours.
    words += np.random.default_rng(0).permutation(words).tolist()
    documents = [
        words[first : first + _TOKENS_PER_DOCUMENT]
        for first in range(0, len(words), _TOKENS_PER_DOCUMENT)
    ]
    texts = [" ".join(tokens) for tokens in documents]
    known = kind._get_param_names()
    tiny = {k: value for k, value in (_TINY | params).items() if k in known}
    with warnings.catch_warnings():
        # Some strategies say that they are of no use.
        warnings.simplefilter("ignore", UserWarning)
        for name in share_contexts:
            kind(share_context=name, **tiny).fit(texts).transform(documents)
        if weighted:
            # Weighted documents are counted by a kernel of their own.
            kind(**tiny).fit(texts, sample_weight=np.full(len(texts), 1.5))
