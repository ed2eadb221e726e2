"""The two command lines: a quick comparison on a task, and a study of strategies."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import scipy
import sklearn
from sklearn.feature_extraction.text import CountVectorizer

from skembed import __version__, _warmup, inspection
from skembed._utils.interrupts import end_everything
from skembed.study import (
    _candidates,
    _comparison,
    _evaluation,
    _figures,
    _graphs,
    _report,
    _search,
    _verdict,
)
from skembed.study._candidates import Candidate, Settings
from skembed.study._documents import Documents, InputError, load
from skembed.study._graph_files import read_graph
from skembed.study._graph_report import Report
from skembed.study._options import (
    DATA_HELP,
    FILES_HELP,
    GraphCommand,
    QuickCommand,
    StudyCommand,
)
from skembed.study._progress import Progress, tell

_LEAST_DOCUMENTS = 10
# With more, the quick comparison takes longer than some minutes.
_MANY_DOCUMENTS = 5000
# Parameters that reports show even if they have not been passed.
_ALWAYS_SHOWN = {"n_components", "min_count", "max_iter", "x_max"}
_SPECTRUM_SHIFTS = (1, 5)  # no shift, and the shift of five noise words
_SPECTRUM_SIZE = 100

COMPARISON_HELP = f"""\
What do word vectors give for a task, with few labels and with all, and which way of
tying word and context vectors is best? Trains word vectors with every estimator and
strategy (share_context, and bias where there is one), uses them to classify
documents, prints a table of cross-validated accuracies beside two references that
train no word vectors, and the best pipeline to copy. All strategies, over learning
rates and seeds: python -m skembed study --help.

{DATA_HELP} A run without it takes a few minutes
on two cores.
"""

COMPARISON_NOTES = f"""\
columns of the table:
{_report.COLUMNS_HELP}
what is run:
{_comparison.METHOD_HELP}
files:
{FILES_HELP},
  each also with .gz; UTF-8, or see --encoding. Texts may be empty, but not missing;
  labels are read as text and must not be empty. A class needs as many documents as
  there are folds (with two folds: four).

exit codes: 0 done (lines that failed are marked), 2 wrong usage or input, or no line
could be fitted, 130 interrupted (what is done by then is printed).
"""

STUDY_HELP = f"""\
One matrix or two? Trains word vectors with every way of tying word and context
vectors, in every estimator, over several seeds and with a learning rate (and l2)
searched for each, and writes a table and figures.

{DATA_HELP} All estimators take about
an hour without it on two free cores, and one takes less: --estimators sgns.

Graphs have a study of their own: python -m skembed study --edges FILE --help
"""

STUDY_NOTES = f"""\
files:
{FILES_HELP}; without --label also
  .txt (a document per line). Each also with .gz; UTF-8, or see --encoding.
  --wordsim: .tsv, on every line two words and a score, separated by tabs; lines
  that start with # are skipped.
  --output: results.md (means over the seeds at the chosen settings), results.csv
  (every fit), figures (.png), and a folder fits, from which a study that was stopped
  continues when the same command is given again.

exit codes: 0 done (what failed is listed), 2 wrong usage or input, or nothing could
be fitted, 130 interrupted (give the same command again to continue).
"""

GRAPH_HELP = """\
Do the nodes of a graph need two tables, one for sources and one for targets? Embeds a
graph with two tables, with one, and with one and a matrix. Prints how well each tells
held-out links from pairs without a link (existence), which of two nodes links to the
other (direction), and the classes of nodes, beside what the degrees of nodes alone
tell.
"""

GRAPH_NOTES = """\
files:
  --edges: on every line a source and a target, and perhaps a weight, separated by
  tabs, commas (.csv) or spaces. Lines that start with # are skipped. A first line may
  name the columns: source, target, weight. Ids are int if all are, or text: 007 and 7
  are two nodes. Edges of weight 0 are no links.
  --labels: on every line a node and its label, or several labels.
  Each also with .gz; UTF-8, or see --encoding.

measures:
  existence  area under the ROC curve of held-out links against pairs that combine
             their sources and targets; 0.5 is chance
  direction  share of held-out one-way links a → b with a higher score of (a, b) than
             of (b, a); a symmetric score has 0.5. Compare it with the degrees
  classes    accuracy of a logistic regression on the vectors of nodes; micro-averaged
             F1 if nodes have several labels

exit codes: 0 done (what failed is listed), 2 wrong usage or input, or nothing could
be fitted, 130 interrupted.
"""


def main(argv: list[str] | None = None) -> int:
    """Run ``python -m skembed`` and return the exit code.

    Parameters
    ----------
    argv : list of str, default=None
        Options of the quick comparison, or "study" and the options of the study. By
        default, the arguments of the process.

    Returns
    -------
    code : int
        0, 2 for wrong input, 130 if interrupted.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["study"]:
        return study(arguments[1:], "skembed study")
    return _end(run_comparison, arguments, "skembed", "interrupted")


def study(argv: list[str] | None = None, name: str = "skembed.study") -> int:
    """Run the study and return the exit code.

    Parameters
    ----------
    argv : list of str, default=None
        Options. By default, the arguments of the process.
    name : str, default="skembed.study"
        Name of the program in messages.

    Returns
    -------
    code : int
        0, 2 for wrong input, 130 if interrupted.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if any(argument.partition("=")[0] == "--edges" for argument in arguments):
        return _end(run_graph_study, arguments, name, "interrupted")
    ending = "interrupted; give the same command again to continue"
    return _end(run_study, arguments, name, ending)


def _end(
    run: Callable[[list[str], str], int],
    argv: list[str],
    name: str,
    ending: str,
) -> int:
    """Run a program and turn exceptions into messages and exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        # The model of an interrupted fit is not the requested result.
        with end_everything():
            code = run(argv, f"python -m {name}")
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        tell(f"{name}: {ending}")
        return 130
    except InputError as error:
        tell(f"{name}: error: {error}")
        return 2
    except BrokenPipeError:
        _drop_output()  # the reader has closed the pipe
        return 0
    except OSError as error:
        if error.filename:
            tell(f"{name}: error: {error.filename}: {error.strerror}")
        else:  # the output cannot be written
            tell(f"{name}: error: {error}")
            _drop_output()
        return 2


def _drop_output() -> None:
    """Discard buffered output, which would cause another error when Python ends."""
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


# --- The quick comparison


def run_comparison(argv: list[str] | None, prog: str) -> int:
    """Run the comparison with these options, and return the exit code."""
    formats = list(_report.FORMATS)
    options, settings = QuickCommand(
        prog, COMPARISON_HELP, COMPARISON_NOTES, formats
    ).read(argv)
    if options.plot and not _figures.can_draw():
        # Checked before the long run. The run is useful without a picture, too.
        tell(f"hint: {options.plot} needs matplotlib: pip install matplotlib")
        options.plot = None
    if options.plot and (problem := _figures.picture_problem(options.plot)):
        raise InputError(f"--plot {options.plot}: {problem}")
    documents = _load_labelled(options)
    about = _about_comparison(documents, settings)
    candidates = _candidates.quick(settings)
    rows: list[dict[str, Any]] = []

    def show() -> None:
        print(_report.FORMATS[options.output](rows, about), flush=True)

    try:
        tell("preparing the kernels (the first time, they are compiled)")
        _comparison.warm_up(candidates)
        _follow(documents, settings, candidates, rows)
    except KeyboardInterrupt:
        if rows:
            n_done = sum(row["accuracy"] is not None for row in rows)
            tell(f"only {n_done} {'line is' if n_done == 1 else 'lines are'} done")
            rows += [
                _comparison.without_result(candidate, _verdict.NOT_RUN)
                for candidate in candidates[len(rows) :]
            ]
            show()
        raise
    if all(row["accuracy"] is None for row in rows):
        raise InputError(f"no line could be fitted: {rows[-1]['error']}")
    show()
    if options.plot:
        try:
            _figures.draw_comparison(rows, about, options.plot)
        except OSError as error:
            problem = error.strerror or str(error)
            raise InputError(f"--plot {options.plot}: {problem}") from error
        tell(f"drawn to {options.plot}")
    return 0


def _load_labelled(options: argparse.Namespace) -> Documents:
    """Return the documents, with labels that can be cross-validated."""
    documents = load(options, draw=True)
    try:
        _comparison.check_labels(documents.labels or (), options.cv)
    except ValueError as error:
        place, hint = "", ""
        if options.data:
            place = f"{options.data}, --label {options.label}: "
        if options.max_documents:
            hint = f" Perhaps --max-documents {options.max_documents} leaves too few."
        raise InputError(f"{place}{error}{hint}") from error
    return documents


def _about_comparison(documents: Documents, settings: Settings) -> dict[str, Any]:
    """Return a description of the comparison, for the report."""
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
        **settings.parameters(set(_candidates.PARAMETERS) - _ALWAYS_SHOWN),
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
    """Run the comparison and fill `rows`, with a line per row on standard error."""
    texts, labels, _ = documents
    total, start = len(candidates), perf_counter()
    tell(f"comparing {total} ways on {len(texts)} documents, {settings.cv} folds each")
    if len(texts) > _MANY_DOCUMENTS:
        tell(f"hint: --max-documents {_MANY_DOCUMENTS} gives a first answer sooner")
    progress = Progress(candidate.family for candidate in candidates)
    for batch in _comparison.compare(texts, labels or (), candidates, settings):
        seconds = (perf_counter() - start) / len(batch)
        for row in batch:
            progress.done(candidates[len(rows)].family, seconds)
            rows.append(row)
            shown = _report.progress(row)
            progress.tell(f"{_verdict.name(row):37}  {shown}")
        start = perf_counter()


# --- The study


def run_study(argv: list[str] | None, prog: str) -> int:
    """Run the study with these options, and return the exit code."""
    options, settings = StudyCommand(prog, STUDY_HELP, STUDY_NOTES).read(argv)
    if not _figures.can_draw():
        tell("hint: no figures without matplotlib: pip install matplotlib")
    candidates = _candidates.study(settings)
    if not candidates:
        raise InputError("none of these estimators has any of these strategies")
    data, title = _load_data(options, settings)
    options.output.mkdir(parents=True, exist_ok=True)
    store = _search.Store(options.output / "fits", _search.programs(), data.digest())
    fits = _Study(data, settings)
    plan = [(candidate, candidate.searched(settings)) for candidate in candidates]
    search = _search.Search(plan, settings.seeds, fits.fit, store)
    n_fits = search.progress.n_all
    tell(f"{title}; ways to compare: {len(candidates)}, fits: {n_fits}")
    outcomes = search.outcomes()
    if all(outcome.problem is not None for outcome in outcomes):
        raise InputError(f"nothing could be fitted: {outcomes[0].problem}")
    spectra = fits.spectra(store)
    if search.n_found:
        tell(f"{search.n_found} of {search.progress.n_done} fits were done before")
    _write(options.output, outcomes, spectra, _about_study(title, data, settings))
    return 0


class _Study:
    """Fits of the study's candidates on its data."""

    def __init__(self, data: _evaluation.Data, settings: Settings):
        self.data = data
        self.settings = settings
        self.warm: set[str] = set()

    def fit(
        self, candidate: Candidate, setting: dict[str, float], seed: int
    ) -> dict[str, Any]:
        """Fit a candidate and return its record."""
        if candidate.family not in self.warm:
            # Otherwise the first fit's seconds would be those of the compiler.
            tell(f"preparing {candidate.title} (compiled the first time)")
            _warmup.warmup(candidate.make())
            self.warm.add(candidate.family)
        start = perf_counter()
        embedder = candidate.make(
            random_state=seed,
            n_jobs=self.settings.n_jobs,
            # Features of one fit are computed with several values of `combine`.
            combine="word",
            pooling="mean",
            scale=None,
            **setting,
        )
        record = _evaluation.measure(embedder, candidate.combines, self.data, seed)
        record["all_seconds"] = perf_counter() - start
        return record

    def spectra(self, store: _search.Store) -> dict[str, list[float]]:
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


def _load_data(
    options: argparse.Namespace, settings: Settings
) -> tuple[_evaluation.Data, str]:
    """Return the data and their name."""
    texts, labels, title = load(options, draw=False)
    if len(texts) < _LEAST_DOCUMENTS:
        raise InputError(
            f"{title}: {len(texts)} documents; at least {_LEAST_DOCUMENTS} are needed"
        )
    sets: dict[str, list[Any]] = {}
    if options.wordsim:
        try:
            sets = _evaluation.read_similarities(options.wordsim)
        except InputError as error:
            raise InputError(f"--wordsim {error}") from error
    classes: list[str | None] | None = None
    if labels is not None:
        classes = [None if label == options.unlabelled else label for label in labels]
    data = _evaluation.Data(texts, classes, sets)
    if classes is not None:
        _check_classes(data, settings.seeds, f"{title}, --label {options.label}")
    return data, title


def _check_classes(data: _evaluation.Data, n_seeds: int, place: str) -> None:
    labels = data.labels or []
    for seed in range(n_seeds):
        train, _, test = _evaluation.split(len(data.documents), seed)
        n_classes = len({labels[i] for i in data.labelled(train)})
        if n_classes < 2 or not data.labelled(test):
            raise InputError(
                f"{place}: the training documents of seed {seed} have {n_classes} "
                f"classes, and {len(data.labelled(test))} test documents have one; "
                "leave --label out, or take more documents"
            )


def _about_study(title: str, data: _evaluation.Data, settings: Settings) -> list[str]:
    """Return a description of the study, as paragraphs."""
    n_words = sum(len(text.split()) for text in data.documents)
    classes = "no classes"
    if data.labels is not None:
        named = [label for label in data.labels if label is not None]
        classes = f"{len(named):,} of them in {len(set(named))} classes"
    epochs = "default" if settings.max_iter is None else settings.max_iter
    factors = ", ".join(f"{factor:g}" for factor in settings.rates)
    penalties = ", ".join(f"{penalty:g}" for penalty in settings.penalties)
    given = settings.parameters(set(_candidates.PARAMETERS) - _ALWAYS_SHOWN)
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
        f"rates {factors} times each estimator's default, l2 of softmax {penalties}. "
        f"{others}"
        f"With {versions}, scikit-learn {sklearn.__version__}.",
    ]


def _write(
    folder: Path, outcomes: list[Any], spectra: dict[str, list[float]], about: list[str]
) -> None:
    names = (
        _figures.draw_study(outcomes, spectra, folder) if _figures.can_draw() else []
    )
    _report.write(folder / "results.csv", _report.study_as_csv(outcomes))
    table = _report.study_as_markdown(outcomes, about, names)
    _report.write(folder / "results.md", table)
    for name in ("results.md", "results.csv", *names):
        print(folder / name)


# --- The study on a graph


def run_graph_study(argv: list[str], prog: str) -> int:
    """Run the study on a graph with these options, and return the exit code."""
    options = GraphCommand(prog, GRAPH_HELP, GRAPH_NOTES).parse_args(argv)
    study = _graphs.Study(read_graph(options), options)
    if options.output is not None:
        # Before the long run: the folder may be impossible.
        options.output.mkdir(parents=True, exist_ok=True)
    results = list(study.results())
    if all(result.problem is not None for result in results[1:]):
        raise InputError(f"nothing could be fitted: {results[1].problem}")
    report = Report(study.about(), results)
    print(report.text())
    if options.output is not None:
        _report.write(options.output / "results.md", report.markdown())
        _report.write(options.output / "results.csv", report.csv())
    return 0
