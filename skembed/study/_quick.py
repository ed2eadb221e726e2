"""The quick comparison: what do word vectors give for a classification task?"""

import argparse
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from skembed import __version__
from skembed.study import _candidates, _compare, _compare_report, _tables
from skembed.study._candidates import Candidate, Settings
from skembed.study._input import Documents, InputError, load
from skembed.study._options import FILES_HELP, QuickCommand
from skembed.study._progress import Progress, tell

DESCRIPTION = """\
What do word vectors give for a task, with few labels and with all, and which way of
tying word and context vectors is best? Trains word vectors with every estimator and
strategy (share_context, and bias where there is one), uses them to classify
documents, prints a table of cross-validated accuracies beside two references that
train no word vectors, and the best pipeline to copy. All strategies, over learning
rates and seeds: python -m skembed study --help.

Without --data the documents are the docstrings of NumPy, SciPy and scikit-learn
as installed, and the classes their subpackages; nothing is downloaded. A run
takes about two to two and a half minutes on two cores. With --data: from your file.
"""

EPILOG = f"""\
columns of the table:
{_compare_report.COLUMNS_HELP}
what is run:
{_compare.METHOD_HELP}
files:
{FILES_HELP},
  each also with .gz; UTF-8, or see --encoding. Texts may be empty, but not missing;
  labels are read as text and must not be empty. A class needs as many documents as
  there are folds (with two folds: four).

exit codes: 0 done (lines that failed are marked), 2 wrong usage or input, or no line
could be fitted, 130 interrupted (what is done by then is printed).
"""


def run(argv: list[str] | None, prog: str) -> int:
    """Run the comparison that options ask for, and return the exit code."""
    formats = list(_compare_report.FORMATS)
    options, settings = QuickCommand(prog, DESCRIPTION, EPILOG, formats).read(argv)
    if options.plot and not _tables.can_draw():
        # Said before the long run, which is worth its while without a picture.
        tell(f"hint: {options.plot} needs matplotlib: pip install matplotlib")
        options.plot = None
    if options.plot and (problem := _tables.picture_problem(options.plot)):
        raise InputError(f"--plot {options.plot}: {problem}")
    documents = _load(options)
    about = _about(documents, settings)
    candidates = _candidates.quick(settings)
    rows: list[dict[str, Any]] = []

    def show() -> None:
        print(_compare_report.FORMATS[options.output](rows, about), flush=True)

    try:
        tell("preparing the kernels (the first time, they are compiled)")
        _compare.warm_up(candidates, settings.n_jobs)
        _follow(documents, settings, candidates, rows)
    except KeyboardInterrupt:
        if rows:
            n_done = sum(row["accuracy"] is not None for row in rows)
            tell(f"only {n_done} {'line is' if n_done == 1 else 'lines are'} done")
            rows += [
                _compare.without_result(candidate, _compare_report.NOT_RUN)
                for candidate in candidates[len(rows) :]
            ]
            show()
        raise
    if all(row["accuracy"] is None for row in rows):
        raise InputError(f"no line could be fitted: {rows[-1]['error']}")
    show()
    if options.plot:
        try:
            _compare_report.draw(rows, about, options.plot)
        except OSError as error:
            problem = error.strerror or str(error)
            raise InputError(f"--plot {options.plot}: {problem}") from error
        tell(f"drawn to {options.plot}")
    return 0


def _load(options: argparse.Namespace) -> Documents:
    """Return the documents, with labels that can be cross-validated."""
    documents = load(options, draw=True)
    try:
        _compare.check_labels(documents.labels or (), options.cv)
    except ValueError as error:
        place, hint = "", ""
        if options.data:
            place = f"{options.data}, --label {options.label}: "
        if options.max_documents:
            hint = f" Perhaps --max-documents {options.max_documents} leaves too few."
        raise InputError(f"{place}{error}{hint}") from error
    return documents


def _about(documents: Documents, settings: Settings) -> dict[str, Any]:
    """Return what is run, for the report."""
    own = {"n_components", "min_count", "max_iter", "x_max"}
    return {
        "version": __version__,
        "data": documents.title,
        "n_documents": len(documents.texts),
        "n_classes": len(set(documents.labels or ())),
        "estimators": settings.estimators,
        "n_components": settings.n_components,
        "epochs": settings.max_iter,
        "x_max": settings.x_max,
        "min_count": settings.min_count,
        **settings.parameters(set(_candidates.PARAMETERS) - own),
        "cv": settings.cv,
        "labels_per_class": settings.labels_per_class,
        "seed": settings.seed,
    }


def _follow(
    documents: Documents,
    settings: Settings,
    candidates: Sequence[Candidate],
    rows: list[dict[str, Any]],
) -> None:
    """Run the comparison into `rows`, with a line about each on standard error."""
    texts, labels, _ = documents
    total, start = len(candidates), perf_counter()
    tell(f"comparing {total} ways on {len(texts)} documents, {settings.cv} folds each")
    progress = Progress(candidate.family for candidate in candidates)
    for batch in _compare.compare(texts, labels or (), candidates, settings):
        seconds = (perf_counter() - start) / len(batch)
        for row in batch:
            progress.done(candidates[len(rows)].family, seconds)
            rows.append(row)
            shown = _compare_report.progress(row)
            progress.tell(f"{_compare_report.name(row):37}  {shown}")
        start = perf_counter()
