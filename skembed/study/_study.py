"""The study: one matrix or two? All tying strategies, over learning rates and seeds."""

import argparse
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import scipy
import sklearn
from sklearn.feature_extraction.text import CountVectorizer

from skembed import _warmup, inspection
from skembed.study import (
    _candidates,
    _figures,
    _fits,
    _runs,
    _similarity,
    _study_report,
    _tables,
)
from skembed.study._candidates import Candidate, Settings
from skembed.study._input import InputError, load
from skembed.study._options import FILES_HELP, StudyCommand
from skembed.study._progress import tell

_LEAST_DOCUMENTS = 10
_SPECTRUM_SHIFTS = (1, 5)  # none, and that of five noise words
_SPECTRUM_SIZE = 100

DESCRIPTION = """\
One matrix or two? Trains word vectors with every way of tying word and context
vectors, in every estimator, over several seeds and with a learning rate searched for
each, and writes a table and figures.

Without --data the documents are the docstrings of NumPy, SciPy and scikit-learn
as installed, and the classes their subpackages; nothing is downloaded. All
estimators take ten to fifteen minutes on two free cores, and one takes less:
--estimators sgns. With --data: from your file.
"""

EPILOG = f"""\
files:
{FILES_HELP}; without --label also
  .txt (a document per line). Each also with .gz; UTF-8, or see --encoding.
  --wordsim: .tsv, on every line two words and a score, separated by tabs; lines
  that start with # are skipped.
  --output: results.md (means over the seeds at the chosen learning rates),
  results.csv (every fit), figures (.png), and a folder fits, from which a study that
  was stopped continues when the same command is given again.

exit codes: 0 done (what failed is listed), 2 wrong usage or input, or nothing could
be fitted, 130 interrupted (give the same command again to continue).
"""


def run(argv: list[str] | None, prog: str) -> int:
    """Run the study that options ask for, and return the exit code."""
    options, settings = StudyCommand(prog, DESCRIPTION, EPILOG).read(argv)
    if not _tables.can_draw():
        tell("hint: no figures without matplotlib: pip install matplotlib")
    candidates = _candidates.study(settings)
    if not candidates:
        raise InputError("none of these estimators has any of these strategies")
    data, title = _load(options, settings)
    options.output.mkdir(parents=True, exist_ok=True)
    store = _runs.Store(options.output / "fits", _runs.programs(), data.digest())
    study = _Study(data, settings)
    plan = [(candidate, candidate.rates(settings.rates)) for candidate in candidates]
    search = _runs.Search(plan, settings.seeds, study.fit, store)
    n_fits = search.progress.n_all
    tell(f"{title}; ways to compare: {len(candidates)}, fits: {n_fits}")
    outcomes = search.outcomes()
    if all(outcome.problem is not None for outcome in outcomes):
        raise InputError(f"nothing could be fitted: {outcomes[0].problem}")
    spectra = study.spectra(store)
    if search.n_found:
        tell(f"{search.n_found} of {search.progress.n_done} fits were done before")
    _write(options.output, outcomes, spectra, _about(title, data, settings))
    return 0


class _Study:
    """Fits of the study's candidates on its data."""

    def __init__(self, data: _fits.Data, settings: Settings):
        self.data = data
        self.settings = settings
        self.warm: set[str] = set()

    def fit(
        self, candidate: Candidate, rate: float | None, seed: int
    ) -> dict[str, Any]:
        """Fit a candidate and return the record about it."""
        if candidate.family not in self.warm:
            # Otherwise the first fit's seconds would be those of the compiler.
            tell(f"preparing {candidate.title} (compiled the first time)")
            _warmup.warmup(candidate.make())
            self.warm.add(candidate.family)
        start = perf_counter()
        embedder = candidate.make(
            random_state=seed,
            n_jobs=self.settings.n_jobs,
            # Features are read for several ways to combine the vectors of one fit.
            combine="word",
            pooling="mean",
            scale=None,
            **({} if rate is None else {"learning_rate": rate}),
        )
        record = _fits.measure(embedder, candidate.combines, self.data, seed)
        record["all_seconds"] = perf_counter() - start
        return record

    def spectra(self, store: _runs.Store) -> dict[str, list[float]]:
        """Return eigenvalues of the shifted PMI matrix of all documents, by title."""
        counted = self.settings.parameters(("min_count", "max_features", "window"))
        text = self.settings.parameters(_candidates.TEXT)
        documents: list[Any] = self.data.documents
        if text:
            documents = list(map(CountVectorizer(**text).build_analyzer(), documents))
        found = {}
        for shift in _SPECTRUM_SHIFTS:
            key = {"spectrum": shift, "n": _SPECTRUM_SIZE, **counted, **text}
            record = store.get(key)
            if record is None:
                tell(f"spectrum of the PMI matrix, shift {shift}")
                spectrum = inspection.pmi_spectrum(
                    documents,
                    n_components=_SPECTRUM_SIZE,
                    shift=shift,
                    random_state=0,
                    **counted,
                )
                record = {"eigenvalues": [float(x) for x in spectrum.eigenvalues]}
                store.put(key, record)
            title = "PMI" if shift == 1 else f"PMI - ln {shift}"
            found[title] = record["eigenvalues"]
        return found


def _load(options: argparse.Namespace, settings: Settings) -> tuple[_fits.Data, str]:
    """Return the data and what they are called."""
    texts, labels, title = load(options, draw=False)
    if len(texts) < _LEAST_DOCUMENTS:
        raise InputError(
            f"{title}: {len(texts)} documents; at least {_LEAST_DOCUMENTS} are needed"
        )
    sets: dict[str, list[Any]] = {}
    if options.wordsim:
        try:
            sets = _similarity.read_similarities(options.wordsim)
        except InputError as error:
            raise InputError(f"--wordsim {error}") from error
    classes: list[str | None] | None = None
    if labels is not None:
        classes = [None if label == options.unlabelled else label for label in labels]
    data = _fits.Data(texts, classes, sets)
    if classes is not None:
        _check_classes(data, settings.seeds, f"{title}, --label {options.label}")
    return data, title


def _check_classes(data: _fits.Data, n_seeds: int, place: str) -> None:
    labels = data.labels or []
    for seed in range(n_seeds):
        train, _, test = _fits.split(len(data.documents), seed)
        n_classes = len({labels[i] for i in data.labelled(train)})
        if n_classes < 2 or not data.labelled(test):
            raise InputError(
                f"{place}: the training documents of seed {seed} have {n_classes} "
                f"classes, and {len(data.labelled(test))} test documents have one; "
                "leave --label out, or take more documents"
            )


def _about(title: str, data: _fits.Data, settings: Settings) -> list[str]:
    """Return what was run, a paragraph each."""
    n_words = sum(len(text.split()) for text in data.documents)
    classes = "no classes"
    if data.labels is not None:
        named = [label for label in data.labels if label is not None]
        classes = f"{len(named):,} of them in {len(set(named))} classes"
    epochs = "default" if settings.max_iter is None else settings.max_iter
    factors = ", ".join(f"{factor:g}" for factor in settings.rates)
    own = {"n_components", "min_count", "max_iter", "x_max"}
    given = settings.parameters(set(_candidates.PARAMETERS) - own)
    others = "Other parameters: defaults. "
    if given:
        listed = ", ".join(f"{name} {value}" for name, value in given.items())
        others = f"Other parameters: {listed}, and defaults. "
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}"
    return [
        f"Documents: {title}; {len(data.documents):,} documents, {n_words:,} words "
        f"between spaces, {classes}.",
        f"{settings.n_components} components, min_count {settings.min_count}, max_iter "
        f"{epochs}, x_max {settings.x_max:g} (GloVe), {settings.seeds} seeds, learning "
        f"rates {factors} times each estimator's default. {others}"
        f"With {versions}, scikit-learn {sklearn.__version__}.",
    ]


def _write(
    folder: Path, outcomes: list[Any], spectra: dict[str, list[float]], about: list[str]
) -> None:
    names = _figures.draw(outcomes, spectra, folder) if _tables.can_draw() else []
    _tables.write(folder / "results.csv", _study_report.as_csv(outcomes))
    table = _study_report.as_markdown(outcomes, about, names)
    _tables.write(folder / "results.md", table)
    for name in ("results.md", "results.csv", *names):
        print(folder / name)
