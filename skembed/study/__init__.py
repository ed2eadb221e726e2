"""``python -m skembed.study``: one matrix or two? The tying strategies compared."""

import argparse
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import scipy
import sklearn

from skembed import _warmup, inspection
from skembed._utils.interrupts import end_everything
from skembed.study import _compare, _figures, _fits, _plan, _report, _runs, _similarity
from skembed.study._input import (
    InputError,
    column,
    count,
    docstrings,
    jobs,
    positive,
    read_file,
    tell,
)

__all__ = ["main"]

_DEFAULTS = _plan.Settings()
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

EPILOG = """\
files:
  --data: .csv (comma separated, with a header) or .jsonl, .ndjson (a JSON object per
  line); without --label also .txt (a document per line). Each also with .gz; UTF-8.
  --wordsim: .tsv, on every line two words and a score, separated by tabs; lines
  that start with # are skipped.
  --output: results.md (means over the seeds at the chosen learning rates),
  results.csv (every fit), figures (.png), and a folder fits, from which a study that
  was stopped continues when the same command is given again.

exit codes: 0 done (what failed is listed), 2 wrong usage or input, or nothing could
be fitted, 130 interrupted (give the same command again to continue).
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Parameters
    ----------
    argv : list of str, default=None
        Options. If None, those of the process.

    Returns
    -------
    code : int
        0, 2 for wrong input, 130 if interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    args = _parse(argv)
    try:
        # A fit that keeps what it has by then is not the study's result.
        with end_everything():
            return _run(args)
    except KeyboardInterrupt:
        tell("skembed.study: interrupted; give the same command again to continue")
        return 130
    except InputError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{args.output}: {error.strerror or error}"
    tell(f"skembed.study: error: {problem}")
    return 2


def _run(args: argparse.Namespace) -> int:
    if not _figures.can_draw():
        tell("hint: no figures without matplotlib: pip install matplotlib")
    chosen: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(args).items()
        if name in vars(_DEFAULTS)
    }
    settings = _plan.Settings(**chosen)
    candidates = _plan.candidates(settings)
    if not candidates:
        raise InputError("none of these estimators has any of these strategies")
    data, title = _load(args)
    args.output.mkdir(parents=True, exist_ok=True)
    origin = _runs.programs(), data.digest()
    store = _runs.Store(args.output / "fits", *origin)
    study = _Study(data, args.n_jobs)
    search = _runs.Search(
        [(c, _plan.rates(c, settings.rates)) for c in candidates],
        settings.seeds,
        study.fit,
        store,
        tell,
    )
    tell(f"{title}; ways to compare: {len(candidates)}, fits: {search.n_all}")
    outcomes = search.outcomes()
    if all(outcome.problem is not None for outcome in outcomes):
        raise InputError(f"nothing could be fitted: {outcomes[0].problem}")
    spectra = study.spectra(store, settings.min_count)
    if search.n_found:
        tell(f"{search.n_found} of {search.n_done} fits were done before")
    _write(args.output, outcomes, spectra, _about(title, data, settings))
    return 0


class _Study:
    """Fits of the study's candidates on its data."""

    def __init__(self, data: _fits.Data, n_jobs: int):
        self.data = data
        self.n_jobs = n_jobs
        self.warm: set[str] = set()
        self.tools = _fits.Tools(
            inspection.held_out_loss, inspection.self_scores, _similarity.similarity
        )

    def fit(
        self, candidate: _plan.Candidate, rate: float | None, seed: int
    ) -> dict[str, Any]:
        """Fit a candidate and return the record about it."""
        if candidate.family not in self.warm:
            # Otherwise the first fit's seconds would be those of the compiler.
            tell(f"preparing {candidate.title} (compiled the first time)")
            _warmup.warmup(_plan.KINDS[candidate.family][1])
            self.warm.add(candidate.family)
        start = perf_counter()
        embedder = candidate.embedder(rate, seed, self.n_jobs)
        combines = candidate.combines
        record = _fits.measure(embedder, combines, self.data, seed, self.tools)
        record["all_seconds"] = perf_counter() - start
        return record

    def spectra(self, store: _runs.Store, min_count: int) -> dict[str, list[float]]:
        """Return eigenvalues of the shifted PMI matrix of all documents, by title."""
        found = {}
        for shift in _SPECTRUM_SHIFTS:
            key = {"spectrum": shift, "n": _SPECTRUM_SIZE, "min_count": min_count}
            record = store.get(key)
            if record is None:
                tell(f"spectrum of the PMI matrix, shift {shift}")
                spectrum = inspection.pmi_spectrum(
                    self.data.documents,
                    n_components=_SPECTRUM_SIZE,
                    shift=shift,
                    min_count=min_count,
                    random_state=0,
                )
                record = {"eigenvalues": [float(x) for x in spectrum.eigenvalues]}
                store.put(key, record)
            title = "PMI" if shift == 1 else f"PMI - ln {shift}"
            found[title] = record["eigenvalues"]
        return found


def _load(args: argparse.Namespace) -> tuple[_fits.Data, str]:
    """Return the data and what they are called."""
    texts: list[str]
    labels: list[str] | None
    if args.data:
        texts, labels = read_file(args.data, args.text, args.label, args.documents)
        title = args.data.name
    else:
        texts, labels, title = docstrings()
        # They are in the order of the libraries: the first ones would be of one class.
        drawn = _compare.sample(len(texts), args.documents or len(texts), seed=0)
        texts, labels = [texts[i] for i in drawn], [labels[i] for i in drawn]
    if not any(text.strip() for text in texts):
        raise InputError(f"{args.data}, --text {args.text}: all texts are empty")
    if len(texts) < _LEAST_DOCUMENTS:
        raise InputError(
            f"{title}: {len(texts)} documents; at least {_LEAST_DOCUMENTS} are needed"
        )
    sets: dict[str, list[Any]] = {}
    if args.wordsim:
        try:
            sets = _similarity.read_similarities(args.wordsim)
        except (ValueError, OSError) as error:
            raise InputError(f"--wordsim {error}") from error
    classes: list[str | None] | None = None
    if labels is not None:
        classes = [None if label == args.unlabelled else label for label in labels]
    data = _fits.Data(texts, classes, sets)
    if classes is not None:
        _check_classes(data, args.seeds, f"{title}, --label {args.label}")
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


def _about(title: str, data: _fits.Data, settings: _plan.Settings) -> list[str]:
    """Return what was run, a paragraph each."""
    n_words = sum(len(text.split()) for text in data.documents)
    classes = "no classes"
    if data.labels is not None:
        named = [label for label in data.labels if label is not None]
        classes = f"{len(named):,} of them in {len(set(named))} classes"
    epochs = "default" if settings.max_iter is None else settings.max_iter
    factors = ", ".join(f"{factor:g}" for factor in settings.rates)
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}"
    return [
        f"Documents: {title}; {len(data.documents):,} documents, {n_words:,} words "
        f"between spaces, {classes}.",
        f"{settings.size} components, min_count {settings.min_count}, max_iter "
        f"{epochs}, x_max {settings.x_max:g} (GloVe), {settings.seeds} seeds, learning "
        f"rates {factors} times each estimator's default. Other parameters: defaults. "
        f"With {versions}, scikit-learn {sklearn.__version__}.",
    ]


def _write(
    folder: Path, outcomes: list[Any], spectra: dict[str, list[float]], about: list[str]
) -> None:
    names = []
    if _figures.can_draw():
        names = _figures.draw(outcomes, spectra, folder)
    _runs.write(folder / "results.csv", _report.as_csv(outcomes))
    table = _report.as_markdown(outcomes, about, names)
    _runs.write(folder / "results.md", table)
    for name in ("results.md", "results.csv", *names):
        print(folder / name)
    sys.stdout.flush()


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m skembed.study",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shown = " (default: %(default)s)"
    data = parser.add_argument_group("documents")
    data.add_argument("--data", type=Path, metavar="FILE", help="documents")
    for name, what in (
        ("text", "of the texts (default: text)"),
        ("label", "of the classes, if any"),
    ):
        data.add_argument(f"--{name}", type=column, metavar="COLUMN", help=what)
    data.add_argument(
        "--unlabelled",
        metavar="VALUE",
        help="what stands for no class: vectors are trained on such documents, too",
    )
    data.add_argument(
        "--documents",
        type=count(1),
        metavar="N",
        help="use the first N documents of the file, or N random docstrings",
    )
    data.add_argument(
        "--wordsim", type=Path, metavar="DIR", help="folder of word-similarity sets"
    )
    _add_comparison(parser.add_argument_group("comparison"))
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("skembed-study"),
        metavar="DIR",
        help="folder for tables, figures and finished fits" + shown,
    )
    args = parser.parse_args(argv)
    for name in ("text", "label"):
        if getattr(args, name) and not args.data:
            parser.error(f"--{name} belongs to --data FILE")
    args.text = args.text or "text"
    if args.label == args.text:
        parser.error("--text and --label must be two columns")
    if args.unlabelled is not None and not args.label:
        parser.error("--unlabelled belongs to --label COLUMN")
    return args


def _add_comparison(group: Any) -> None:
    shown = " (default: %(default)s)"
    for name, choices in (
        ("estimators", list(_plan.KINDS)),
        ("strategies", _plan.groups()),
    ):
        group.add_argument(
            f"--{name}",
            nargs="+",
            choices=choices,
            default=list(getattr(_DEFAULTS, name)) or choices,
            metavar="NAME",
            help=f"some of {', '.join(choices)} (default: all)",
        )
    rates = " ".join(f"{factor:g}" for factor in _DEFAULTS.rates)
    group.add_argument(
        "--rates",
        nargs="+",
        type=positive,
        default=list(_DEFAULTS.rates),
        metavar="FACTOR",
        help=f"learning rates, times each estimator's default (default: {rates})",
    )
    for name, text in (
        ("seeds", "number of seeds"),
        ("size", "dimensions of a word vector"),
        ("min-count", "leave rarer words out"),
    ):
        default = getattr(_DEFAULTS, name.replace("-", "_"))
        group.add_argument(
            f"--{name}", type=count(1), default=default, metavar="N", help=text + shown
        )
    group.add_argument(
        "--max-iter", type=count(1), metavar="N", help="epochs, instead of defaults"
    )
    group.add_argument(
        "--x-max", type=positive, default=_DEFAULTS.x_max, help="of GloVe" + shown
    )
    group.add_argument(
        "--n-jobs",
        type=jobs,
        default=-1,
        metavar="N",
        help="threads, at most one per processor; -1 for all" + shown,
    )
