"""``python -m skembed``: what do word vectors give for a classification task?"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import joblib

from skembed import __version__
from skembed._utils.interrupts import end_everything
from skembed.study import _compare, _comparison_report
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

_DEFAULTS = _compare.Settings()

DESCRIPTION = """\
What do word vectors give for a task, with few labels and with all, and which way of
tying word and context vectors is best? Trains word vectors with every estimator and
strategy (share_context, and bias where there is one), uses them to classify
documents, prints a table of cross-validated accuracies beside two references that
train no word vectors, and the best pipeline to copy.

Without --data the documents are the docstrings of NumPy, SciPy and scikit-learn
as installed, and the classes their subpackages; nothing is downloaded. A run
takes about two to two and a half minutes on two cores. With --data: from your file.
"""

EPILOG = f"""\
columns of the table:
{_comparison_report.COLUMNS_HELP}
what is run:
{_compare.METHOD_HELP}
files:
  .csv (comma separated, with a header), .jsonl or .ndjson (a JSON object per line),
  each also with .gz; UTF-8. Texts may be empty, but not missing; labels are read
  as text and must not be empty. A class needs as many documents as there are
  folds (with two folds: four).

exit codes: 0 done (lines that failed are marked), 2 wrong usage or input, or no line
could be fitted, 130 interrupted (what is done by then is printed).
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        with end_everything():
            code = _run(_parse(argv))
        sys.stdout.flush()
        return code
    except InputError as error:
        tell(f"skembed: error: {error}")
        return 2
    except KeyboardInterrupt:
        tell("skembed: interrupted")
        return 130
    except BrokenPipeError:
        _drop_output()  # whoever was reading has seen enough
        return 0
    except OSError as error:
        tell(f"skembed: error: {error}")
        _drop_output()
        return 2


def _drop_output() -> None:
    """Let what is left in the buffers not fail once more when Python ends."""
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(args: argparse.Namespace) -> int:
    if args.plot and not _comparison_report.can_draw():
        # Said before the long run, which is worth its while without a picture.
        tell(f"hint: {args.plot} needs matplotlib: pip install matplotlib")
        args.plot = None
    if args.plot and (problem := _comparison_report.picture_problem(args.plot)):
        raise InputError(f"--plot {args.plot}: {problem}")
    texts, labels, title = _load(args)
    settings = _compare.Settings(
        **{name: getattr(args, name) for name in vars(_DEFAULTS)}
    )
    about = {
        "version": __version__,
        "data": title,
        "n_documents": len(texts),
        "n_classes": len(set(labels)),
        **vars(settings),
    }
    del about["n_jobs"]
    lines = _compare.candidates(settings)
    rows: list[dict[str, Any]] = []
    try:
        tell("preparing the kernels (the first time, they are compiled)")
        _compare.warm_up(settings)
        _follow(texts, labels, settings, lines, rows)
    except KeyboardInterrupt:
        if rows:
            n_done = sum(row["accuracy"] is not None for row in rows)
            tell(f"only {n_done} {'line is' if n_done == 1 else 'lines are'} done")
            not_run = lines[len(rows) :]
            rows += [
                _compare.without_result(c, _comparison_report.NOT_RUN) for c in not_run
            ]
            print(_comparison_report.FORMATS[args.output](rows, about), flush=True)
        raise
    if all(row["accuracy"] is None for row in rows):
        raise InputError(f"no line could be fitted: {rows[-1]['error']}")
    print(_comparison_report.FORMATS[args.output](rows, about), flush=True)
    if args.plot:
        _plot(rows, about, args.plot)
    return 0


def _follow(
    texts: list[str],
    labels: list[str],
    settings: _compare.Settings,
    lines: list[_compare.Candidate],
    rows: list[dict[str, Any]],
) -> None:
    """Run the comparison into `rows`, with a line about each on standard error."""
    total, start = len(lines), perf_counter()
    width = max(len(_comparison_report.name(line.labels)) for line in lines)
    tell(f"comparing {total} ways on {len(texts)} documents, {settings.cv} folds each")
    for batch in _compare.compare(texts, labels, lines, settings):
        rows += batch
        left = (perf_counter() - start) / len(rows) * (total - len(rows))
        for number, row in enumerate(batch, start=len(rows) - len(batch) + 1):
            place = f"[{number:{len(str(total))}}/{total}]"
            tell(
                f"{place} {_comparison_report.name(row):{width}}  "
                f"{_comparison_report.progress(row, left)}"
            )


def _plot(rows: list[dict[str, Any]], about: dict[str, Any], path: Path) -> None:
    try:
        _comparison_report.draw(rows, about, path)
    except OSError as error:
        raise InputError(f"--plot {path}: {error.strerror or error}") from error
    tell(f"drawn to {path}")


def _load(args: argparse.Namespace) -> tuple[list[str], list[str], str]:
    """Return texts, labels and what they are called."""
    if args.data:
        texts, found = read_file(args.data, args.text, args.label)
        labels = found or []  # a column is always named
        title = args.data.name
    else:
        texts, labels, title = docstrings()
    hint = ""
    if args.max_documents:
        drawn = _compare.sample(len(texts), args.max_documents, args.seed)
        texts, labels = [texts[i] for i in drawn], [labels[i] for i in drawn]
        hint = f" Perhaps --max-documents {args.max_documents} leaves too few."
    try:
        _compare.check_labels(labels, args.cv)
    except ValueError as error:
        option = f"{args.data}, --label {args.label}: " if args.data else ""
        raise InputError(f"{option}{error}{hint}") from error
    n_empty = sum(not text.strip() for text in texts)
    if n_empty == len(texts):
        raise InputError(f"{args.data}, --text {args.text}: all texts are empty")
    if n_empty:
        tell(f"note: {n_empty} of {len(texts)} texts are empty")
    return texts, labels, title


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m skembed",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    data = parser.add_argument_group("documents")
    data.add_argument("--data", type=Path, metavar="FILE", help="CSV or JSON lines")
    for name, what in (("text", "texts"), ("label", "classes")):
        data.add_argument(
            f"--{name}", type=column, metavar="COLUMN", help=f"column of the {what}"
        )
    data.add_argument(
        "--max-documents",
        type=count(2),
        metavar="N",
        help="use only a random sample of N documents, drawn with --seed",
    )
    _add_model_options(parser.add_argument_group("comparison"))
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output",
        choices=list(_comparison_report.FORMATS),
        default="table",
        help="form of the results on standard output (default: %(default)s); progress "
        "goes to standard error",
    )
    output.add_argument(
        "--plot",
        type=Path,
        metavar="FILE.png",
        help="also draw the table; needs matplotlib (the extra 'plot')",
    )
    parser.add_argument("--version", action="version", version=f"skembed {__version__}")
    args = parser.parse_args(argv)
    if args.data and not (args.text and args.label):
        parser.error("--data needs --text COLUMN and --label COLUMN")
    if not args.data and (args.text or args.label):
        parser.error("--text and --label belong to --data FILE")
    if args.data and args.text == args.label:
        parser.error("--text and --label must be two columns")
    args.estimators = tuple(dict.fromkeys(args.estimators))
    return args


def _add_model_options(group: Any) -> None:
    shown = " (default: %(default)s)"
    group.add_argument(
        "--estimators",
        nargs="+",
        choices=list(_compare.GRIDS),
        default=list(_DEFAULTS.estimators),
        metavar="NAME",
        help=f"some of {', '.join(_compare.GRIDS)} (default: all)",
    )
    options: list[tuple[str, Callable[[str], Any], str]] = [
        ("n-components", count(1), "dimensions of a word vector" + shown),
        ("epochs", count(1), "of SGNS, CBOW and GloVe (default: their own)"),
        ("x-max", positive, "x_max of GloVe; large corpora take more" + shown),
        ("min-count", count(1), "leave rarer words out" + shown),
        ("cv", count(2), "folds of the cross-validation" + shown),
        (
            "labels-per-class",
            count(2),
            "labelled documents of each class, for the column of few labels" + shown,
        ),
        ("seed", count(0, 2**32 - 1), "of folds, vectors, sample" + shown),
    ]
    for name, kind, text in options:
        default = getattr(_DEFAULTS, name.replace("-", "_"))
        group.add_argument(
            f"--{name}", type=kind, default=default, metavar="N", help=text
        )
    group.add_argument(
        "--n-jobs",
        type=jobs,
        default=min(2, joblib.cpu_count()),
        metavar="N",
        help=f"processes, at most one per processor; -1 for all{shown}",
    )


if __name__ == "__main__":
    sys.exit(main())
