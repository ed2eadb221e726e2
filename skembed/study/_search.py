"""The fits of a study: which are made, in which order, and where they are stored.

The record of each finished fit is a small JSON file, so that a study that was stopped
resumes where it ended.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from skembed.study._candidates import Candidate
from skembed.study._options import StudyCommand, message
from skembed.study._progress import Progress
from skembed.study._report import write


def programs() -> str:
    """Return the origin of a record: versions, and a hash of this package's files."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    names = ("numba", "numpy", "scipy", "scikit-learn")
    versions = [f"{name} {metadata.version(name)}" for name in names]
    return ", ".join([*versions, digest.hexdigest()])


class Store:
    """Records in a folder, one file each, identified by their origin and key.

    Parameters
    ----------
    folder : Path
    *origin : str
        The origin of all records: the data and the programs.
    """

    def __init__(self, folder: Path, *origin: str):
        self.folder = folder
        self.origin = origin
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, key: dict[str, Any]) -> Path:
        text = json.dumps([*self.origin, key], sort_keys=True, default=str)
        name = hashlib.sha256(text.encode()).hexdigest()[:24]
        return self.folder / f"{name}.json"

    def get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        """Return the record of a key, or None if there is none."""
        try:
            return json.loads(self._path(key).read_text(encoding="utf-8"))["record"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: dict[str, Any], record: dict[str, Any]) -> None:
        """Store the record of a key."""
        content = {"key": key, "record": record}
        write(self._path(key), json.dumps(content, default=str))


@dataclass
class Outcome:
    """The result for one candidate.

    Attributes
    ----------
    candidate : Candidate
    records : dict
        Records by learning rate and seed.
    rate : float or None
        The learning rate that was chosen.
    problem : str or None
        Why there is no result.
    notes : list of str
    """

    candidate: Candidate
    records: dict[tuple[float | None, int], dict[str, Any]] = field(
        default_factory=dict
    )
    rate: float | None = None
    problem: str | None = None
    notes: list[str] = field(default_factory=list)

    def chosen(self) -> list[dict[str, Any]]:
        """Return the records at the chosen rate, in the order of seeds."""
        return [r for (rate, _), r in self.records.items() if rate == self.rate]


def criteria(records: dict[Any, dict[str, Any]]) -> dict[Any, float]:
    """Return the values by which a record is chosen. Lower is better.

    They are the held-out losses of the validation documents or, for an estimator
    without such a loss, the last training losses.
    """
    has_loss = all(record["validation"] is not None for record in records.values())
    judged = {}
    for key, record in records.items():
        curve = record["loss_curve"] or [0.0]
        loss = record["validation"]["loss"] if has_loss else curve[-1]
        judged[key] = math.inf if loss is None else loss
    return judged


class Search:
    """All fits of a study: a search of the learning rate, then the other seeds.

    Parameters
    ----------
    plan : iterable of (Candidate, list of float or None)
        The candidates, and the learning rates to try.
    n_seeds : int
    run : callable
        Takes a candidate, a rate and a seed. Returns a record, whose "all_seconds" is
        the time that it took.
    store : Store
    """

    def __init__(
        self,
        plan: Iterable[tuple[Any, list[float | None]]],
        n_seeds: int,
        run: Callable[[Any, float | None, int], dict[str, Any]],
        store: Store,
    ):
        self.plan = list(plan)
        self.n_seeds = n_seeds
        self._run = run
        self._store = store
        self.n_found = 0
        self.progress = Progress(
            candidate.family
            for candidate, rates in self.plan
            for _ in range(len(rates) + n_seeds - 1)
        )

    def outcomes(self) -> list[Outcome]:
        """Make all fits that are not stored yet, and return all outcomes."""
        found = [self._choose_rate(*planned) for planned in self.plan]
        for outcome in found:
            for seed in range(1, self.n_seeds) if outcome.problem is None else ():
                self._fit(outcome, outcome.rate, seed)
        return found

    def _choose_rate(self, candidate: Any, rates: list[float | None]) -> Outcome:
        outcome = Outcome(candidate)
        for rate in rates:
            # The smallest rate comes first. If it fails, all others fail, too.
            if outcome.problem is None:
                self._fit(outcome, rate, 0)
            else:
                self.progress.skip(candidate.family)
        if not outcome.records:
            self.progress.skip(candidate.family, self.n_seeds - 1)
            return outcome
        outcome.problem = None
        judged = criteria({rate: r for (rate, _), r in outcome.records.items()})
        outcome.rate = min(judged, key=lambda rate: judged[rate])
        if len(rates) > 1 and outcome.rate in (rates[0], rates[-1]):
            outcome.notes.append(
                "The best learning rate is at the edge of those tried: perhaps another "
                "one is better."
            )
        return outcome

    def _fit(self, outcome: Outcome, rate: float | None, seed: int) -> None:
        candidate = outcome.candidate
        key = {
            "family": candidate.family,
            "params": candidate.params,
            "combines": candidate.combines,
            "rate": rate,
            "seed": seed,
        }
        record = self._store.get(key)
        before = "" if record is None else ", done before"
        try:
            if record is None:
                record = self._run(candidate, rate, seed)
                self._store.put(key, record)
            else:
                self.n_found += 1
        except (ValueError, ArithmeticError, NotImplementedError) as error:
            self.progress.skip(candidate.family)
            self._fail(outcome, rate, error)
            return
        outcome.records[rate, seed] = record
        self.progress.done(candidate.family, record["all_seconds"])
        self._report(candidate, rate, seed, _summary(record) + before)

    def _fail(self, outcome: Outcome, rate: float | None, error: Exception) -> None:
        text = message(error, StudyCommand.searched)
        if outcome.records:
            outcome.notes.append(f"Failed once (learning rate {rate}): {text}")
        else:
            outcome.problem = text
        self._report(outcome.candidate, rate, None, f"not possible: {text}")

    def _report(
        self, candidate: Any, rate: float | None, seed: int | None, text: str
    ) -> None:
        name = f"{candidate.title} {candidate.label}"
        name += "" if rate is None else f", rate {rate:g}"
        name += "" if seed is None else f", seed {seed}"
        self.progress.tell(f"{name}: {text}")


def _summary(record: dict[str, Any]) -> str:
    """Return the numbers of a record for its progress line."""
    parts = []
    if record["test"] is not None and record["test"]["loss"] is not None:
        parts.append(f"held-out loss {record['test']['loss']:.3f}")
    reading = next(iter(record["readings"].values()))
    if reading["accuracy"] is not None:
        parts.append(f"accuracy {reading['accuracy']:.3f}")
    for name, (rho, _) in reading["similarity"].items():
        parts += [] if rho is None else [f"{name} {rho:.3f}"]
    return ", ".join([*parts, f"{record['seconds']:.1f} s"])
