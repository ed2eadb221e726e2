"""The results of both command lines as tables, Markdown, CSV and JSON."""

import ast
import csv
import io
import json
import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skembed.study._candidates import SEARCHED
from skembed.study._figures import CAPTIONS
from skembed.study._verdict import (
    Row,
    accuracy,
    fitted,
    heading,
    missing,
    ranked,
    reasons,
    verdict,
)

ABSENT = "–"
WIDTH = 88


def text_table(
    header: Sequence[str], groups: Sequence[Sequence[Sequence[str]]], n_words: int
) -> list[str]:
    """Return the lines of a table, with a rule above and below each group of rows.

    The first `n_words` columns are words, the others numbers.
    """
    widths = _widths([header, *(row for group in groups for row in group)])

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i < n_words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(padded)

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [line(header), rule]
    for group in groups:
        lines += [*map(line, group), rule]
    return lines


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with columns of equal width."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = _widths(cells)
    lines = [
        f"| {' | '.join(c.ljust(w) for c, w in zip(row, widths, strict=True))} |"
        for row in cells
    ]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    return "\n".join(lines)


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def csv_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as CSV with a header. Missing values are empty fields."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write(path: Path, text: str) -> None:
    """Write a file completely or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


# --- The quick comparison

_IMPORTS = {
    "sklearn.feature_extraction.text": ["TfidfVectorizer"],
    "sklearn.linear_model": ["LogisticRegression"],
    "sklearn.pipeline": ["make_pipeline"],
    "skembed": [
        "CBOWEmbedder",
        "GloVeEmbedder",
        "PPMISVDEmbedder",
        "SGNSEmbedder",
        "SoftmaxEmbedder",
    ],
    "skembed.features": ["TextUnion"],
}
_HEADER = (
    "estimator",
    "share_context",
    "bias",
    "parameters",
    "fit s",
    "few labels",
    "all labels",
)
COLUMNS_HELP = """\
  estimator      SGNS and CBOW (word2vec's two models, with negative sampling),
                 GloVe, or PPMI-SVD (the positive PMI matrix, factorised); tf-idf
                 + PPMI-SVD is skembed.features.TextUnion of both. If asked for:
                 skip-gram with a full softmax, or a hierarchical one (tree)
  share_context  False: separate tables of word and context vectors; True: one
                 table for both; signed: one table, but some dimensions count
                 negatively in a score
  bias           what SGNS and CBOW add to a score: None (as word2vec), shift,
                 exact (both known constants) or word (learned). One table with
                 None is there to show what it costs: it cannot hold the mean of
                 the scores. CBOW has the default of each strategy, and a softmax
                 has exact
  parameters     learned numbers of the embedding, mean over the folds
  fit s          seconds to train the vectors and to turn the training documents
                 into features, mean over the folds, without the classifier;
                 measured while other folds run
  few labels     accuracy of a classifier that knows the labels of a few training
                 documents of each class (--labels-per-class), while the features
                 are fitted on the texts of all of them; mean and standard
                 deviation over the folds
  all labels     accuracy with the labels of all training documents, likewise;
                 "failed" (the reason is below the table) or "not run" (the run was
                 interrupted)
Estimators and their rows are sorted by the accuracy with all labels. The references:
TfidfVectorizer with its defaults and the same options of what a word is, and its
TruncatedSVD with as many components as the vectors, if there are so many words.
Below the table stands the first line as a pipeline to copy.
"""
_COLUMNS = (
    "estimator",
    "share_context",
    "bias",
    "is_reference",
    "n_embedding_parameters",
    "fit_seconds",
    "accuracy",
    "accuracy_sd",
    "fold_accuracies",
    "few_accuracy",
    "few_accuracy_sd",
    "few_fold_accuracies",
    "pipeline",
    "error",
)


def progress(row: Row) -> str:
    """Return a row's seconds and accuracy, or the reason why it has none."""
    if row["accuracy"] is None:
        return f"failed: {row['error']}"
    shown = f"few labels {accuracy(row, 'few_')}  all {accuracy(row)}"
    return f"fit {row['fit_seconds']:.1f} s  {shown}"


def as_table(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Return a table as text, with the answer in words below.

    Parameters
    ----------
    rows : sequence of dict
    about : dict
        "data", "n_documents", "n_classes" and the settings of the comparison.

    Returns
    -------
    str
    """
    groups = ranked(rows)
    cells = [[_cells(row) for row in group] for group in groups]
    table = text_table(_HEADER, cells, n_words=3)
    words = map(wrap, _in_words(rows, about))
    return "\n".join([wrap(heading(about)), "", *table, *words, *_to_copy(groups)])


def as_markdown(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Return the table, and the answer in words, as Markdown."""
    cells = [_cells(row) for group in ranked(rows) for row in group]
    table = markdown_table(_HEADER, cells)
    return "\n\n".join([heading(about), table, *_in_words(rows, about)])


def _in_words(rows: Sequence[Row], about: dict[str, Any]) -> list[str]:
    words = [*reasons(rows), *verdict(rows)]
    if not all(row["is_reference"] for row in fitted(rows)):
        words.append(_caveat(rows, about))
    return words


def _to_copy(groups: list[list[Row]]) -> list[str]:
    """Return the lines of a program with the pipeline of the best embedder."""
    code = next((row["pipeline"] for group in groups for row in group), None)
    if code is None:
        return []
    imports = [
        f"from {module} import {', '.join(found)}"
        for module, names in _IMPORTS.items()
        if (found := [name for name in names if f"{name}(" in code])
    ]
    return [
        "",
        "The best of the embedders as a pipeline, to copy:",
        "",
        *imports,
        "",
        "pipeline = make_pipeline(",
        *(f"    {step}," for step in _steps(code)),
        ")",
    ]


def _steps(code: str) -> list[str]:
    """Return the arguments of ``make_pipeline(...)``, in short lines."""
    call = ast.parse(code, mode="eval").body
    steps = [ast.unparse(step) for step in getattr(call, "args", ())]
    return [
        step
        if len(step) < WIDTH - 4
        else textwrap.fill(step, WIDTH - 4, subsequent_indent=" " * 8)
        for step in steps
    ]


def _caveat(rows: Sequence[Row], about: dict[str, Any]) -> str:
    text = (
        '"About as good" means less than one standard deviation away, the larger of '
        f"the two. One seed, {about['cv']} folds: repeat with another --seed before "
        "relying on a small difference."
    )
    if any(row["estimator"] == "GloVe" for row in rows):
        text += (
            " GloVe uses the sum of a word's two vectors, or its only vector if there "
            "is one table."
        )
    return text


def _cells(row: Row) -> tuple[str, ...]:
    size = row["n_embedding_parameters"]
    return (
        row["estimator"].removesuffix(" of tf-idf"),
        str(row.get("share_context", ABSENT)),
        str(row.get("bias", ABSENT)),
        ABSENT if size is None else f"{size:,}",
        ABSENT if row["accuracy"] is None else f"{row['fit_seconds']:.1f}",
        accuracy(row, "few_"),
        accuracy(row),
    )


def wrap(text: str) -> str:
    """Return a paragraph in lines of the report's width."""
    return textwrap.fill(text, WIDTH, subsequent_indent="  ")


def as_json(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Return one JSON object: the settings, the rows in order, the answer in words.

    Parameters
    ----------
    rows : sequence of dict
    about : dict
        As for `as_table`. Every entry becomes an entry of the object. "complete" is
        false if a row has no accuracy.

    Returns
    -------
    str
    """
    in_order = [row for group in ranked(rows) for row in group]
    answer = {
        **about,
        "complete": not missing(rows),
        "results": in_order,
        "verdict": verdict(rows),
    }
    return json.dumps(answer, indent=2)


def as_csv(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Return the rows in order as CSV. The accuracies of the folds are one field."""
    texts = []
    for row in (row for group in ranked(rows) for row in group):
        # None is a value of `bias`. An empty field means that there is no `bias`.
        own: Row = {
            key: str(row[key]) for key in ("share_context", "bias") if key in row
        }
        for key in ("fold_accuracies", "few_fold_accuracies"):
            own[key] = " ".join(map(str, row[key]))
        texts.append({**row, **own})
    return csv_table(texts, _COLUMNS).removesuffix("\n")


FORMATS = {
    "table": as_table,
    "markdown": as_markdown,
    "json": as_json,
    "csv": as_csv,
}


# --- The study

_OWN_COLUMNS = ("share_context", "bias", "n_components")

READING_HELP = """\
- Rows in bold: two tables, one table, and one with signs, each without a constant and
  with the exact one. Figures show these if there are many rows.
- `vectors`: what stands for a word in documents and similarities: its word vector, or
  the sum of its word and context vectors. Both are read from the same fit.
- `learning rate`, `l2`: chosen among those tried on the first seed, one after the
  other: by the held-out loss of the validation documents for SGNS and CBOW, by their
  held-out cross-entropy for other estimators.
- `parameters`: learned numbers of the embedding.
- `held-out loss`: mean loss of negative sampling per pair of words in the test
  documents. Compare it with the baselines, which know nothing of which words go
  together, and only within an estimator.
- `training loss`: of the last epoch, where there is no held-out loss.
- `nats per pair`: held-out cross-entropy of the contexts of words in the test documents
  (`inspection.held_out_cross_entropy`). The unit is the same for all estimators, but
  estimators with different windows predict different contexts: pass `--window` to
  compare them. CBOW predicts no contexts from one word, so it has none.
- `accuracy`: share of test documents whose class a logistic regression on the means
  of the words' vectors finds.
- Names of similarity sets: Spearman's rank correlation of cosines with human scores.
- `own score`: mean score of a word as its own context.
- `fit s`: seconds of a fit at the chosen setting.

Numbers are means over the seeds, with the smallest and the largest in brackets. A seed
sets the start, the noise words and the split into training (70 %), validation (10 %)
and test documents (20 %).
"""


def results(outcomes: Iterable[Any]) -> list[dict[str, Any]]:
    """Return a row for every fit and every value of `combine`.

    Parameters
    ----------
    outcomes : iterable of Outcome

    Returns
    -------
    list of dict
        All rows have the same keys. Missing numbers are None.
    """
    return [
        {**_row(outcome.candidate, setting, seed, record, combine), "chosen": is_chosen}
        for outcome in outcomes
        for (setting, seed), record in outcome.records.items()
        for is_chosen in [setting == outcome.setting]
        for combine in record["readings"]
    ]


def _row(
    candidate: Any, setting: Any, seed: int, record: dict[str, Any], combine: str
) -> dict[str, Any]:
    params = candidate.params
    others = {k: v for k, v in params.items() if k not in _OWN_COLUMNS}
    curve, test, validation = (record[k] for k in ("loss_curve", "test", "validation"))
    reading = record["readings"][combine]
    return {
        "estimator": candidate.title,
        "strategy": candidate.label,
        **{name: str(params.get(name, "")) for name in _OWN_COLUMNS},
        "other_parameters": json.dumps(others),
        "vectors": combine,
        **dict.fromkeys(SEARCHED),
        **dict(setting),
        "seed": seed,
        "n_embedding_parameters": record["n_parameters"],
        "n_words": record["n_words"],
        "training_loss": curve[-1] if curve else None,
        "validation_loss": validation.get("loss"),
        "validation_cross_entropy": validation.get("cross_entropy"),
        "held_out_loss": test.get("loss"),
        "held_out_loss_zero": test.get("zero"),
        "held_out_loss_shift": test.get("shift"),
        "held_out_loss_offset": test.get("offset"),
        "held_out_cross_entropy": test.get("cross_entropy"),
        "unigram": test.get("unigram"),
        "uniform": test.get("uniform"),
        "accuracy": reading["accuracy"],
        **{name: rho for name, (rho, _) in reading["similarity"].items()},
        "own_score": record["self_scores"]["mean"],
        "fit_seconds": round(record["seconds"], 3),
        "notes": " ".join(record["notes"]),
    }


def study_as_csv(outcomes: Iterable[Any]) -> str:
    """Return all fits as CSV, including those of settings that were not chosen."""
    rows = results(outcomes)
    return csv_table(rows, list(rows[0])) if rows else ""


def study_as_markdown(
    outcomes: Sequence[Any], about: Sequence[str], pictures: Sequence[str]
) -> str:
    """Return the summary.

    Parameters
    ----------
    outcomes : sequence of Outcome
    about : sequence of str
        Paragraphs that describe the study.
    pictures : sequence of str
        Names of the files to show.
    """
    parts = ["# Tying strategies compared", *about]
    for title in dict.fromkeys(outcome.candidate.title for outcome in outcomes):
        group = [o for o in outcomes if o.candidate.title == title]
        parts += [f"## {title}", *_section(group)]
    problems = [
        f"- {outcome.candidate.title} {outcome.candidate.label}: {outcome.problem}"
        for outcome in outcomes
        if outcome.problem is not None
    ]
    if problems:
        parts += ["## Not possible", "\n".join(problems)]
    parts += ["## How to read the tables", READING_HELP.rstrip()]
    for name in pictures:
        parts += [f"![{CAPTIONS[name]}]({name})", f"*{CAPTIONS[name]}*"]
    return "\n\n".join(parts) + "\n"


def _section(group: Sequence[Any]) -> list[str]:
    """Return the tables and notes of one estimator."""
    done = [outcome for outcome in group if outcome.problem is None]
    if not done:
        return ["Nothing could be fitted; the reasons are below."]
    rows = _chosen(done)
    names = _measures(rows)
    searched = _searched(rows)
    notes: list[str] = []
    lines = []
    for outcome in done:
        label = outcome.candidate.label
        label = f"**{label}**" if outcome.candidate.is_main else label
        label += _marks(outcome, notes)
        setting = [f"{dict(outcome.setting)[name]:g}" for name in searched]
        for combine in outcome.candidate.combines:
            own = [r for r in _chosen([outcome]) if r["vectors"] == combine]
            values = [_spread([row[key] for row in own], key) for key in names]
            lines.append([label, combine, *setting, *values])
    header = ["strategy", "vectors", *searched.values(), *names.values()]
    parts = [markdown_table(header, lines), *_baselines(rows), *_pairs(done)]
    if notes:
        parts.append("\n".join(f"{i}. {note}" for i, note in enumerate(notes, 1)))
    return [*parts, *_by_value(done, searched)]


def _chosen(outcomes: Iterable[Any]) -> list[dict[str, Any]]:
    return [row for row in results(outcomes) if row["chosen"]]


def _measures(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the keys and titles of the columns that have numbers."""
    keys = list(rows[0])
    sets = keys[keys.index("accuracy") + 1 : keys.index("own_score")]
    titles = {
        "n_embedding_parameters": "parameters",
        "held_out_loss": "held-out loss",
        "training_loss": "training loss",
        "held_out_cross_entropy": "nats per pair",
        "accuracy": "accuracy",
        # The columns between two known ones belong to similarity sets.
        **dict(zip(sets, sets, strict=True)),
        "own_score": "own score",
        "fit_seconds": "fit s",
    }
    if any(row["held_out_loss"] is not None for row in rows):
        del titles["training_loss"]
    return {
        key: title
        for key, title in titles.items()
        if any(row[key] is not None for row in rows)
    }


def _spread(values: Sequence[Any], key: str) -> str:
    """Return mean, minimum and maximum of the values that exist."""
    numbers = [float(value) for value in values if value is not None]
    if not numbers:
        return ABSENT
    if key == "n_embedding_parameters":
        return f"{np.mean(numbers):,.0f}"
    digits = {"fit_seconds": 1, "own_score": 2}.get(key, 3)
    mean, least, most = np.mean(numbers), min(numbers), max(numbers)
    # GloVe's losses are small numbers.
    digits = 4 if key == "training_loss" and mean < 0.1 else digits
    if len(numbers) == 1:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ({least:.{digits}f}–{most:.{digits}f})"


def _marks(outcome: Any, notes: list[str]) -> str:
    """Return the numbers of an outcome's notes, and add new notes to the list."""
    own = dict.fromkeys(
        [*outcome.notes, *(n for record in outcome.chosen() for n in record["notes"])]
    )
    notes += [note for note in own if note not in notes]
    numbers = [str(notes.index(note) + 1) for note in own]
    return f" [{', '.join(numbers)}]" if numbers else ""


def _baselines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield sentences about the losses of baselines without vectors."""

    def spreads(*names: str) -> list[str]:
        # They are the same for all strategies on one split.
        by_seed = {row["seed"]: row for row in rows if row[names[0]] is not None}
        found = by_seed.values()
        return [_spread([row[name] for row in found], name) for name in names]

    zero, shift, offset = spreads(
        "held_out_loss_zero", "held_out_loss_shift", "held_out_loss_offset"
    )
    if zero != ABSENT:
        yield (
            f"Held-out loss without any vectors: {zero} where all scores are 0; "
            f"{shift} where all are -ln k, for k noise words; {offset} where they are "
            "the exact offset of the context."
        )
    unigram, uniform = spreads("unigram", "uniform")
    if unigram != ABSENT:
        yield (
            f"Nats per pair without any vectors: {unigram} for the shares of contexts "
            f"in the training documents (unigram), {uniform} for equal probabilities "
            "(uniform)."
        )


def _pairs(outcomes: Sequence[Any]) -> Iterator[str]:
    """Yield sentences about the number of word pairs behind the correlations."""
    record = outcomes[0].chosen()[0]
    found = next(iter(record["readings"].values()))["similarity"]
    if found:
        named = ", ".join(f"{name} {n:,}" for name, (_, n) in found.items())
        yield (
            f"Pairs of words that have vectors (first seed): {named}. Correlations of "
            "few pairs say nothing."
        )


def _searched(rows: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the names and titles of the parameters that were searched."""
    rows = list(rows)
    return {
        name: title
        for name, title in SEARCHED.items()
        if any(row[name] is not None for row in rows)
    }


def _by_value(outcomes: Sequence[Any], searched: Mapping[str, str]) -> Iterator[str]:
    """Yield lines about the effect of each parameter, for the first seed."""
    first_seed = [row for row in results(outcomes) if row["seed"] == 0]
    measures = {
        key: title
        for key, title in _measures(first_seed).items()
        if key not in ("n_embedding_parameters", "own_score", "fit_seconds")
    }
    for name, title in searched.items():
        values = sorted({dict(s)[name] for o in outcomes for s in o.steps[name]})
        if len(values) < 2:
            continue
        lines = []
        for outcome in outcomes:
            candidate = outcome.candidate
            own = {
                dict(setting)[name]: _row(
                    candidate,
                    setting,
                    0,
                    outcome.records[setting, 0],
                    candidate.combines[0],
                )
                for setting in outcome.steps[name]
            }
            for key, measure in measures.items():
                cells = [_spread([own.get(x, {}).get(key)], key) for x in values]
                lines.append([candidate.label, measure, *cells])
        header = ["strategy", "first seed", *(f"{title} {x:g}" for x in values)]
        yield f"### What depends on the {title}"
        yield markdown_table(header, lines)
