"""The options of both command lines. Shared options are declared once."""

import argparse
import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import joblib

from skembed import __version__
from skembed.study._candidates import (
    EMBEDDERS,
    QUICK,
    QUICK_DEFAULT,
    Settings,
    groups,
)
from skembed.study._graphs import EMBEDDERS as GRAPH_EMBEDDERS

DEFAULTS = Settings()
_SHOWN = " (default: %(default)s)"
_MAX_DOCUMENTS = ("--max-documents", "--documents")
_OWN = " (default: each estimator's own)"

DATA_HELP = """\
Without --data the documents are the docstrings of NumPy, SciPy and scikit-learn
as installed, and the classes their subpackages; nothing is downloaded. With
--data they come from your file."""
FILES_HELP = """\
  .csv or .tsv (with a header; --separator if columns are separated otherwise),
  .jsonl or .ndjson (a JSON object per line)"""


def count(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a parser of whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        number = int(text) if text.strip().isdecimal() else -1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least}"
                + (f" to {most}" if most is not None else " on")
            )
        return number

    return parse


def jobs(text: str) -> int:
    """Parse a number of processes by joblib's rules, at most one per processor."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number == 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of processors, such as 2; -1 means all of them, "
            "-2 all but one"
        )
    return min(number, joblib.cpu_count())


def column(text: str) -> str:
    """Parse the name of a column."""
    if not text:
        raise argparse.ArgumentTypeError(
            "a column without a name cannot be chosen; name it in the file"
        )
    return text


def number(text: str, zero: bool = False) -> float:
    """Parse a finite number that is positive, or 0 if that is allowed."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf or (zero and value == 0)):
        wanted = "number from 0 on" if zero else "positive number"
        raise argparse.ArgumentTypeError(f"{text!r} is not a {wanted}")
    return value


def separator(text: str) -> str:
    """Parse the separator of columns."""
    text = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(text) != 1 or text in '\r\n"':
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one character, such as ';' or tab"
        )
    return text


def encoding(text: str) -> str:
    """Parse the name of a text encoding that Python knows."""
    try:
        "".encode(text)
    except (LookupError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an encoding that Python knows, such as latin-1"
        ) from error
    return text


def pattern(text: str) -> str:
    """Parse a regular expression."""
    try:
        n_groups = re.compile(text).groups
    except re.error as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a regular expression: {error}"
        ) from error
    if n_groups > 1:
        raise argparse.ArgumentTypeError(f"{text!r} has more than one group")
    return text


def _n(kind: Callable[[str], Any], text: str) -> dict[str, Any]:
    return {"metavar": "N", "type": kind, "help": text}


# Parameters of estimators: their options, parsers and help texts.
_PARAMETERS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "n_components": (
        ("--n-components", "--size"),
        _n(count(1), "dimensions of a word vector" + _SHOWN),
    ),
    "min_count": (("--min-count",), _n(count(1), "leave rarer words out" + _SHOWN)),
    "max_iter": (
        ("--epochs", "--max-iter"),
        _n(count(1), "of all estimators but PPMI-SVD" + _OWN),
    ),
    "x_max": (
        ("--x-max",),
        _n(number, "x_max of GloVe; large corpora take more" + _SHOWN),
    ),
    "max_features": (
        ("--max-features",),
        _n(count(1), "keep only the N most frequent words"),
    ),
    "window": (
        ("--window",),
        _n(count(1), "words on each side that are context" + _OWN),
    ),
    "subsample": (
        ("--subsample",),
        _n(
            partial(number, zero=True),
            "leave out tokens of more frequent words; 0: none" + _OWN,
        ),
    ),
    "learning_rate": (
        ("--learning-rate",),
        _n(number, "of all estimators but PPMI-SVD" + _OWN),
    ),
    "token_pattern": (
        ("--token-pattern",),
        {
            "type": pattern,
            "metavar": "REGEX",
            "help": "what a word is, for tf-idf, too (default: two or more letters or "
            "digits)",
        },
    ),
    "lowercase": (
        ("--no-lowercase",),
        {"action": "store_const", "const": False, "help": "tell cases apart"},
    ),
    "strip_accents": (
        ("--strip-accents",),
        {"choices": ["ascii", "unicode"], "help": "compare words without accents"},
    ),
    "stop_words": (
        ("--stop-words",),
        {"choices": ["english"], "help": "leave these words out"},
    ),
}


def message(error: Exception, searched: Sequence[str] = ()) -> str:
    """Return an error as one line, with options in place of parameters.

    Parameters
    ----------
    error : Exception
    searched : sequence of str
        Parameters that are not options of the command line.
    """

    def option(found: re.Match) -> str:
        (name, *_), _ = _PARAMETERS[found[1]]
        return name + " " * len(found[2])

    names = "|".join(name for name in _PARAMETERS if name not in searched)
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(rf"\b({names})(=|\b)", option, text)


class Command(argparse.ArgumentParser):
    """The options that both command lines have.

    Parameters
    ----------
    prog : str
    description, epilog : str
    estimators : sequence of str
        Names of the estimators that can be compared.
    default : sequence of str, default=None
        Those that are compared if none is named: by default all.
    """

    # Parameters that are not options, because the command tries several values.
    searched: tuple[str, ...] = ()
    forms = "CSV, TSV or JSON lines"

    def __init__(
        self,
        prog: str,
        description: str,
        epilog: str,
        estimators: Sequence[str],
        default: Sequence[str] | None = None,
    ):
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.documents = self.add_argument_group("documents")
        self.comparison = self.add_argument_group("comparison")
        self.output = self.add_argument_group("output")
        self.add_argument(
            "--version", action="version", version=f"skembed {__version__}"
        )
        self._add_documents()
        self._add_names("estimators", estimators, default)
        for name, (flags, settings) in _PARAMETERS.items():
            if name not in self.searched:
                default = getattr(DEFAULTS, name)
                self.comparison.add_argument(
                    *flags, dest=name, default=default, **settings
                )

    def _add_documents(self) -> None:
        add = self.documents.add_argument
        add("--data", type=Path, metavar="FILE", help=f"file of the form {self.forms}")
        add("--text", type=column, metavar="COLUMN", help="column of the texts")
        add("--label", type=column, metavar="COLUMN", help="column of the classes")
        add(
            "--encoding",
            type=encoding,
            metavar="NAME",
            help="of the file (default: utf-8)",
        )
        add("--separator", type=separator, metavar="CHARACTER", help="between columns")
        add(
            "--no-quotes",
            dest="quotes",
            action="store_false",
            help="take quotes in CSV and TSV as they are",
        )

    def _add_names(
        self, name: str, choices: Sequence[str], default: Sequence[str] | None = None
    ) -> None:
        shown = "all" if default is None else ", ".join(default)
        self.comparison.add_argument(
            f"--{name}",
            nargs="+",
            choices=choices,
            default=list(choices if default is None else default),
            metavar="NAME",
            help=f"some of {', '.join(choices)} (default: {shown})",
        )

    def _add_values(
        self, name: str, kind: Callable[[str], float], metavar: str, text: str
    ) -> None:
        values = getattr(DEFAULTS, name)
        shown = " ".join(f"{value:g}" for value in values)
        self.comparison.add_argument(
            f"--{name}",
            nargs="+",
            type=kind,
            default=list(values),
            metavar=metavar,
            help=f"{text} (default: {shown})",
        )

    def _add_numbers(self, *numbers: tuple[str, Callable[[str], int], str]) -> None:
        for name, kind, text in numbers:
            self.comparison.add_argument(
                f"--{name}",
                type=kind,
                default=getattr(DEFAULTS, name.replace("-", "_")),
                metavar="N",
                help=text + _SHOWN,
            )

    def _add_jobs(self, default: int, text: str) -> None:
        self.comparison.add_argument(
            "--n-jobs",
            type=jobs,
            default=default,
            metavar="N",
            help=f"{text}, at most one per processor; -1 for all{_SHOWN}",
        )

    def read(self, argv: list[str] | None) -> tuple[argparse.Namespace, Settings]:
        """Parse the options. Return all of them, and the settings separately."""
        options = self.parse_args(argv)
        for name in ("text", "label", "encoding", "separator"):
            if getattr(options, name) and not options.data:
                self.error(f"--{name} belongs to --data FILE")
        if not (options.quotes or options.data):
            self.error("--no-quotes belongs to --data FILE")
        self._check(options)
        if options.data and options.text == options.label:
            self.error("--text and --label must be two columns")
        options.encoding = options.encoding or "utf-8"
        chosen: dict[str, Any] = {
            name: tuple(dict.fromkeys(value)) if isinstance(value, list) else value
            for name, value in vars(options).items()
            if name in vars(DEFAULTS)
        }
        return options, Settings(**chosen)

    def _check(self, options: argparse.Namespace) -> None:
        """Raise an error for options that this command line cannot use."""


class QuickCommand(Command):
    """The options of the quick comparison."""

    def __init__(self, prog: str, description: str, epilog: str, formats: list[str]):
        super().__init__(prog, description, epilog, QUICK, QUICK_DEFAULT)
        self.documents.add_argument(
            *_MAX_DOCUMENTS,
            type=count(2),
            metavar="N",
            help="use only a random sample of N documents, drawn with --seed",
        )
        self._add_numbers(
            ("cv", count(2), "folds of the cross-validation"),
            (
                "labels-per-class",
                count(2),
                "labelled documents of each class, for the column of few labels",
            ),
            ("seed", count(0, 2**32 - 1), "of folds, vectors, sample"),
        )
        self._add_jobs(min(2, joblib.cpu_count()), "processes")
        self.output.add_argument(
            "--output",
            choices=formats,
            default="table",
            help="form of the results on standard output (default: %(default)s); "
            "progress goes to standard error",
        )
        self.output.add_argument(
            "--plot",
            type=Path,
            metavar="FILE.png",
            help="also draw the table; needs matplotlib (the extra 'plot')",
        )

    def _check(self, options: argparse.Namespace) -> None:
        if options.data and not (options.text and options.label):
            self.error(
                "--data needs --text COLUMN and --label COLUMN; documents without "
                "classes are for: python -m skembed study"
            )


class StudyCommand(Command):
    """The options of the study."""

    searched = ("learning_rate",)
    forms = "CSV, TSV, JSON lines or plain text"

    def __init__(self, prog: str, description: str, epilog: str):
        super().__init__(prog, description, epilog, EMBEDDERS)
        self.set_defaults(seed=DEFAULTS.seed)
        add = self.documents.add_argument
        add(
            *_MAX_DOCUMENTS,
            type=count(1),
            metavar="N",
            help="use the first N documents of the file, or N random docstrings",
        )
        add(
            "--unlabelled",
            metavar="VALUE",
            help="what stands for no class: vectors are trained on such documents, too",
        )
        add(
            "--wordsim", type=Path, metavar="DIR", help="folder of word-similarity sets"
        )
        self._add_names("strategies", groups())
        self._add_values(
            "rates", number, "FACTOR", "learning rates, times each estimator's default"
        )
        self._add_values(
            "penalties",
            partial(number, zero=True),
            "L2",
            "values of l2 for the softmax estimators, tried at the best learning rate",
        )
        self._add_numbers(("seeds", count(1), "number of seeds"))
        self._add_jobs(-1, "threads")
        self.output.add_argument(
            "--output",
            type=Path,
            default=Path("skembed-study"),
            metavar="DIR",
            help="folder for tables, figures and finished fits" + _SHOWN,
        )

    def _check(self, options: argparse.Namespace) -> None:
        options.text = options.text or "text"
        if options.unlabelled is not None and not options.label:
            self.error("--unlabelled belongs to --label COLUMN")


class GraphCommand(argparse.ArgumentParser):
    """The options of the study on a graph."""

    def __init__(self, prog: str, description: str, epilog: str):
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument(
            "--version", action="version", version=f"skembed {__version__}"
        )
        self._add_graph()
        self._add_comparison()
        self.add_argument_group("output").add_argument(
            "--output",
            type=Path,
            metavar="DIR",
            help="also write results.md and results.csv (every fold) to this folder",
        )

    def _add_graph(self) -> None:
        add = self.add_argument_group("graph").add_argument
        add("--edges", type=Path, metavar="FILE", required=True, help="file of edges")
        add("--labels", type=Path, metavar="FILE", help="file of labels of nodes")
        add("--undirected", action="store_true", help="edges have no direction")
        add("--encoding", type=encoding, default="utf-8", metavar="NAME")

    def _add_comparison(self) -> None:
        add = self.add_argument_group("comparison").add_argument
        add(
            "--estimators",
            nargs="+",
            choices=list(GRAPH_EMBEDDERS),
            default=["ppmi-svd"],
            metavar="NAME",
            help=f"some of {', '.join(GRAPH_EMBEDDERS)} (default: ppmi-svd)",
        )
        add(
            "--n-components",
            "--size",
            type=count(2),
            default=32,
            metavar="N",
            help="dimensions of a vector" + _SHOWN,
        )
        add(
            "--steps",
            nargs="+",
            type=count(1),
            default=[1, 3],
            metavar="N",
            help="steps from a source to its targets, each tried (default: 1 3)",
        )
        add(
            "--epochs", "--max-iter", dest="max_iter", type=count(1), metavar="N",
            help="of SGNS and GloVe (default: the estimators' own)",
        )  # fmt: skip
        add("--cv", type=count(2), default=5, metavar="N", help="folds" + _SHOWN)
        add(
            "--seed",
            type=count(0, 2**32 - 1),
            default=0,
            metavar="N",
            help="of folds and vectors" + _SHOWN,
        )
        add(
            "--n-jobs",
            type=jobs,
            default=-1,
            metavar="N",
            help="threads, at most one per processor; -1 for all" + _SHOWN,
        )
