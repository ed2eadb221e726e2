"""The fits of a study: which are made, in which order, and where they are stored.

The record of each finished fit is a small JSON file, so that a study that was stopped
resumes where it ended.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from skembed.study._candidates import SEARCHED, Candidate, SearchedParameter
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


Setting = tuple[tuple[str, float], ...]


@dataclass
class Outcome:
    """The result for one candidate.

    Attributes
    ----------
    candidate : Candidate
    records : dict
        Records by setting and seed. A setting has names and values of the parameters
        that are searched.
    setting : tuple
        The setting that was chosen.
    steps : dict
        The settings that were compared for each parameter, by its name.
    problem : str or None
        Why there is no result.
    notes : list of str
    """

    candidate: Candidate
    records: dict[tuple[Setting, int], dict[str, Any]] = field(default_factory=dict)
    setting: Setting = ()
    steps: dict[str, list[Setting]] = field(default_factory=dict)
    problem: str | None = None
    notes: list[str] = field(default_factory=list)

    def chosen(self) -> list[dict[str, Any]]:
        """Return the records of the chosen setting, in the order of seeds."""
        return [
            r for (setting, _), r in self.records.items() if setting == self.setting
        ]


def criteria(records: dict[Any, dict[str, Any]]) -> dict[Any, float]:
    """Return the values by which a record is chosen. Lower is better.

    They are the held-out losses of the validation documents or, for an estimator
    without such a loss, their cross-entropies. Without both, they are the last training
    losses.
    """
    for name in ("loss", "cross_entropy"):
        found = {key: record["validation"] for key, record in records.items()}
        if all(name in held_out for held_out in found.values()):
            losses = {key: held_out[name] for key, held_out in found.items()}
            break
    else:
        losses = {
            key: (record["loss_curve"] or [0.0])[-1] for key, record in records.items()
        }
    return {key: math.inf if x is None else x for key, x in losses.items()}


class Search:
    """All fits of a study: a search of some parameters, then the other seeds.

    One parameter is searched after the other. Each starts from the best values of the
    earlier ones, because a full grid would take many times as long.

    Parameters
    ----------
    plan : iterable of (Candidate, list of SearchedParameter)
        The candidates, and the parameters to search.
    n_seeds : int
    run : callable
        Takes a candidate, a setting as dict, and a seed. Returns a record, whose
        "all_seconds" is the time that it took.
    store : Store
    """

    def __init__(
        self,
        plan: Iterable[tuple[Any, list[SearchedParameter]]],
        n_seeds: int,
        run: Callable[[Any, dict[str, float], int], dict[str, Any]],
        store: Store,
    ):
        self.plan = list(plan)
        self.n_seeds = n_seeds
        self._run = run
        self._store = store
        self.n_found = 0
        self.progress = Progress(
            candidate.family
            for candidate, searched in self.plan
            for _ in range(_n_settings(searched) + n_seeds - 1)
        )

    def outcomes(self) -> list[Outcome]:
        """Make all fits that are not stored yet, and return all outcomes."""
        found = [self._choose(*planned) for planned in self.plan]
        for outcome in found:
            for seed in range(1, self.n_seeds) if outcome.problem is None else ():
                self._fit(outcome, outcome.setting, seed)
        return found

    def _choose(self, candidate: Any, searched: list[SearchedParameter]) -> Outcome:
        """Choose a setting on the first seed."""
        start = tuple((parameter.name, parameter.start) for parameter in searched)
        outcome = Outcome(candidate, setting=start)
        if not searched:
            self._fit(outcome, start, 0)
        for parameter in searched:
            self._vary(outcome, parameter)
            if not outcome.records:
                break
        if not outcome.records:
            n_left = _n_settings(searched) - 1 + self.n_seeds - 1
            self.progress.skip(candidate.family, n_left)
            return outcome
        outcome.problem = None
        for parameter in searched:
            outcome.notes += _at_edge(parameter, dict(outcome.setting)[parameter.name])
        return outcome

    def _vary(self, outcome: Outcome, parameter: SearchedParameter) -> None:
        """Choose the value of one parameter, and keep those of the others."""
        name, others = parameter.name, dict(outcome.setting)
        settings = [tuple((others | {name: x}).items()) for x in parameter.values]
        for setting in settings:
            if (setting, 0) not in outcome.records:
                self._fit(outcome, setting, 0)
            # The smallest value comes first. If it fails, all others fail, too.
            if not outcome.records:
                return
        made = {s: outcome.records[s, 0] for s in settings if (s, 0) in outcome.records}
        outcome.steps[name] = list(made)
        judged = criteria(made)
        outcome.setting = min(judged, key=lambda setting: judged[setting])

    def _fit(self, outcome: Outcome, setting: Setting, seed: int) -> None:
        candidate = outcome.candidate
        key = {
            "family": candidate.family,
            "params": candidate.params,
            "combines": candidate.combines,
            "setting": dict(setting),
            "seed": seed,
        }
        record = self._store.get(key)
        before = "" if record is None else ", done before"
        try:
            if record is None:
                record = self._run(candidate, dict(setting), seed)
                self._store.put(key, record)
            else:
                self.n_found += 1
        except (ValueError, ArithmeticError, NotImplementedError) as error:
            self.progress.skip(candidate.family)
            self._fail(outcome, setting, error)
            return
        outcome.records[setting, seed] = record
        self.progress.done(candidate.family, record["all_seconds"])
        self._report(candidate, setting, seed, _summary(record) + before)

    def _fail(self, outcome: Outcome, setting: Setting, error: Exception) -> None:
        text = message(error, StudyCommand.searched)
        if outcome.records:
            outcome.notes.append(f"Failed once ({in_words(setting)}): {text}")
        else:
            outcome.problem = text
        self._report(outcome.candidate, setting, None, f"not possible: {text}")

    def _report(
        self, candidate: Any, setting: Setting, seed: int | None, text: str
    ) -> None:
        name = f"{candidate.title} {candidate.label}"
        name += f", {in_words(setting)}" if setting else ""
        name += "" if seed is None else f", seed {seed}"
        self.progress.tell(f"{name}: {text}")


def _n_settings(searched: list[SearchedParameter]) -> int:
    """Return the number of settings that a search tries."""
    return 1 + sum(len(parameter.values) - 1 for parameter in searched)


def in_words(setting: Setting) -> str:
    """Return a setting as text."""
    return ", ".join(f"{SEARCHED[name]} {value:g}" for name, value in setting)


def _at_edge(parameter: SearchedParameter, value: float) -> Iterator[str]:
    """Yield a note if a chosen value might be better beyond those that were tried."""
    least, most = parameter.values[0], parameter.values[-1]
    # Nothing lies beyond 0.
    if least < most and value != 0 and value in (least, most):
        yield (
            f"The best {SEARCHED[parameter.name]} is at the edge of those tried: "
            "perhaps another one is better."
        )


def _summary(record: dict[str, Any]) -> str:
    """Return the numbers of a record for its progress line."""
    parts = []
    for name in ("loss", "cross_entropy"):
        value = record["test"].get(name)
        title = name.replace("_", "-")
        parts += [] if value is None else [f"held-out {title} {value:.3f}"]
    reading = next(iter(record["readings"].values()))
    if reading["accuracy"] is not None:
        parts.append(f"accuracy {reading['accuracy']:.3f}")
    for name, (rho, _) in reading["similarity"].items():
        parts += [] if rho is None else [f"{name} {rho:.3f}"]
    return ", ".join([*parts, f"{record['seconds']:.1f} s"])
