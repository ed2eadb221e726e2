"""What a study came to: a line for every fit as CSV, a summary as Markdown."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from skembed.study import _tables

_OWN_COLUMNS = ("share_context", "bias", "n_components")

CAPTIONS = {
    "loss_curves.png": "Training loss after each epoch, first seed.",
    "own_scores.png": "Scores of all words as their own context, first seed.",
    "spectrum.png": "Eigenvalues of the PMI matrix, the largest in size. Pairs of "
    "words that were not seen count as 0.",
    "parameters.png": "What vectors are judged by against the number of parameters: "
    "mean, smallest and largest of the seeds.",
}

READING_HELP = """\
- Rows in bold: two tables, one table, and one with signs, each without a constant and
  with the exact one. Figures show these if there are many rows.
- `vectors`: what stands for a word in documents and similarities: its word vector, or
  the sum of its word and context vectors. Both are read from the same fit.
- `rate`: the learning rate, chosen among those tried on the first seed: by the
  held-out loss of the validation documents for SGNS and CBOW, by the last training
  loss for GloVe.
- `parameters`: learned numbers of the embedding.
- `held-out loss`: mean loss of negative sampling per pair of words in the test
  documents. Compare it with the baselines, which know nothing of which words go
  together, and only within an estimator.
- `training loss`: of the last epoch, where there is no held-out loss; the objective of
  GloVe.
- `accuracy`: share of test documents whose class a logistic regression on the means
  of the words' vectors finds.
- Names of similarity sets: Spearman's rank correlation of cosines with human scores.
- `own score`: mean score of a word as its own context.
- `fit s`: seconds of a fit at the chosen rate.

Numbers are means over the seeds, with the smallest and the largest in brackets. A seed
sets the start, the noise words and the split into training (70 %), validation (10 %)
and test documents (20 %).
"""


def results(outcomes: Iterable[Any]) -> list[dict[str, Any]]:
    """Return a row for every fit and every way to read its vectors.

    Parameters
    ----------
    outcomes : iterable of Outcome

    Returns
    -------
    list of dict
        With the same keys; None where a number does not exist.
    """
    rows = []
    for outcome in outcomes:
        for (rate, seed), record in outcome.records.items():
            is_chosen = rate == outcome.rate
            for combine, reading in record["readings"].items():
                row = _row(outcome.candidate, rate, seed, record, combine, reading)
                rows.append({**row, "chosen": is_chosen})
    return rows


def _row(
    candidate: Any,
    rate: float | None,
    seed: int,
    record: dict[str, Any],
    combine: str,
    reading: dict[str, Any],
) -> dict[str, Any]:
    params = candidate.params
    others = {k: v for k, v in params.items() if k not in _OWN_COLUMNS}
    curve, test = record["loss_curve"], record["test"] or {}
    return {
        "estimator": candidate.title,
        "strategy": candidate.label,
        **{name: str(params.get(name, "")) for name in _OWN_COLUMNS},
        "other_parameters": json.dumps(others),
        "vectors": combine,
        "learning_rate": rate,
        "seed": seed,
        "n_embedding_parameters": record["n_parameters"],
        "n_words": record["n_words"],
        "training_loss": curve[-1] if curve else None,
        "validation_loss": (record["validation"] or {}).get("loss"),
        "held_out_loss": test.get("loss"),
        "held_out_loss_zero": test.get("zero"),
        "held_out_loss_shift": test.get("shift"),
        "held_out_loss_offset": test.get("offset"),
        "accuracy": reading["accuracy"],
        **{name: rho for name, (rho, _) in reading["similarity"].items()},
        "own_score": record["self_scores"]["mean"],
        "fit_seconds": round(record["seconds"], 3),
        "notes": " ".join(record["notes"]),
    }


def as_csv(outcomes: Iterable[Any]) -> str:
    """Return all fits, also those of rates that were not chosen, as CSV."""
    rows = results(outcomes)
    return _tables.as_csv(rows, list(rows[0])) if rows else ""


def as_markdown(
    outcomes: Sequence[Any], about: Sequence[str], pictures: Sequence[str]
) -> str:
    """Return the summary.

    Parameters
    ----------
    outcomes : sequence of Outcome
    about : sequence of str
        What was run, a paragraph each.
    pictures : sequence of str
        Names of files to show.
    """
    parts = ["# Tying strategies compared", *about]
    for title in dict.fromkeys(outcome.candidate.title for outcome in outcomes):
        group = [o for o in outcomes if o.candidate.title == title]
        parts += [f"## {title}", *_section(group)]
    problems = _problems(outcomes)
    if problems:
        parts += ["## Not possible", problems]
    parts += ["## How to read the tables", READING_HELP.rstrip()]
    for name in pictures:
        parts += [f"![{CAPTIONS[name]}]({name})", f"*{CAPTIONS[name]}*"]
    return "\n\n".join(parts) + "\n"


def _section(group: Sequence[Any]) -> list[str]:
    """Return the tables and notes of one estimator."""
    done = [outcome for outcome in group if outcome.problem is None]
    if not done:
        return ["Nothing could be fitted; the reasons are below."]
    rows = [row for row in results(done) if row["chosen"]]
    names = _measures(rows)
    notes: list[str] = []
    lines = []
    for outcome in done:
        marks = _marks(outcome, notes)
        for combine in outcome.candidate.combines:
            own = [
                row
                for row in rows
                if (row["strategy"], row["vectors"])
                == (outcome.candidate.label, combine)
            ]
            values = [_spread([row[key] for row in own], key) for key in names]
            lines.append(
                [
                    _name(outcome.candidate) + marks,
                    combine,
                    _tables.ABSENT if outcome.rate is None else f"{outcome.rate:g}",
                    *values,
                ]
            )
    header = ["strategy", "vectors", "rate", *names.values()]
    parts = [_tables.as_markdown(header, lines), *_baselines(rows), *_pairs(done)]
    if notes:
        parts.append("\n".join(f"{i}. {note}" for i, note in enumerate(notes, 1)))
    return [*parts, *_by_rate(done)]


def _name(candidate: Any) -> str:
    """Return the name of a row, in bold if it is one of the main ones."""
    return f"**{candidate.label}**" if candidate.is_main else candidate.label


def _measures(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the keys of the columns that there are numbers for, and their titles."""
    titles = {
        "n_embedding_parameters": "parameters",
        "held_out_loss": "held-out loss",
        "training_loss": "training loss",
        "accuracy": "accuracy",
        **{name: name for name in _sets(rows)},
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


def _sets(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the names of similarity sets: the columns between two known ones."""
    keys = list(rows[0])
    return keys[keys.index("accuracy") + 1 : keys.index("own_score")]


def _spread(values: Sequence[Any], key: str) -> str:
    """Return mean, smallest and largest of the values that exist."""
    numbers = [float(value) for value in values if value is not None]
    if not numbers:
        return _tables.ABSENT
    if key == "n_embedding_parameters":
        return f"{np.mean(numbers):,.0f}"
    digits = {"fit_seconds": 1, "own_score": 2}.get(key, 3)
    mean, least, most = np.mean(numbers), min(numbers), max(numbers)
    # Losses of GloVe are small numbers.
    digits = 4 if key == "training_loss" and mean < 0.1 else digits
    if len(numbers) == 1:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ({least:.{digits}f}–{most:.{digits}f})"


def _marks(outcome: Any, notes: list[str]) -> str:
    """Return the numbers of an outcome's notes, which are added to the list."""
    own = list(outcome.notes)
    own += [note for record in outcome.chosen() for note in record["notes"]]
    numbers = []
    for note in dict.fromkeys(own):
        if note not in notes:
            notes.append(note)
        numbers.append(str(notes.index(note) + 1))
    return f" [{', '.join(numbers)}]" if numbers else ""


def _baselines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say which losses need no vectors."""
    # The same for all strategies on one split; once for each seed.
    by_seed = {
        row["seed"]: row for row in rows if row["held_out_loss_zero"] is not None
    }
    if by_seed:
        zero, shift, offset = (
            _spread([row[f"held_out_loss_{name}"] for row in by_seed.values()], "loss")
            for name in ("zero", "shift", "offset")
        )
        yield (
            f"Held-out loss without any vectors: {zero} where all scores are 0; "
            f"{shift} where all are -ln k, for k noise words; {offset} where they are "
            "the exact offset of the context."
        )


def _pairs(outcomes: Sequence[Any]) -> Iterator[str]:
    """Say how many pairs of words correlations are of."""
    record = outcomes[0].chosen()[0]
    found = next(iter(record["readings"].values()))["similarity"]
    if found:
        named = ", ".join(f"{name} {n:,}" for name, (_, n) in found.items())
        yield (
            f"Pairs of words that have vectors (first seed): {named}. Correlations of "
            "few pairs say nothing."
        )


def _by_rate(outcomes: Sequence[Any]) -> Iterator[str]:
    """Say how much depends on the learning rate, on the first seed."""
    rates = sorted(
        {rate for o in outcomes for rate, _ in o.records if rate is not None}
    )
    if len(rates) < 2:
        return
    rows = [row for row in results(outcomes) if row["seed"] == 0]
    names = {
        key: title
        for key, title in _measures(rows).items()
        if key not in ("n_embedding_parameters", "own_score", "fit_seconds")
    }
    lines = []
    for outcome in outcomes:
        label, combine = outcome.candidate.label, outcome.candidate.combines[0]
        own = {
            row["learning_rate"]: row
            for row in rows
            if (row["strategy"], row["vectors"]) == (label, combine)
        }
        for key, title in names.items():
            cells = [_spread([own.get(rate, {}).get(key)], key) for rate in rates]
            lines.append([label, title, *cells])
    header = ["strategy", "first seed", *(f"rate {rate:g}" for rate in rates)]
    yield "### What depends on the learning rate"
    yield _tables.as_markdown(header, lines)


def _problems(outcomes: Iterable[Any]) -> str:
    return "\n".join(
        f"- {outcome.candidate.title} {outcome.candidate.label}: {outcome.problem}"
        for outcome in outcomes
        if outcome.problem is not None
    )
