"""Real interrupts at random moments of real fits, in a process of their own.

    python -m tests.faults.interrupts [--data reviews.jsonl.gz] [--number 20]

Prints how long fits took to answer, and what became of the estimators: an interrupted
fit raises KeyboardInterrupt and leaves an estimator without a fit, or it keeps its
finished epochs, warns and returns. Exits with 1 if anything else happened. `--data` is
a file of JSON lines with a field ``text``; without it documents are made up.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import skembed

NAMES = (
    "SGNSEmbedder",
    "CBOWEmbedder",
    "GloVeEmbedder",
    "SoftmaxEmbedder",
    "PPMISVDEmbedder",
)
# What a fit takes, of which the moments of interrupts are drawn, is measured first.
_SLACK = 1.1


def make_documents(number, n_words=20_000, length=200):
    """Return documents of words whose frequencies fall with their number."""
    rng = np.random.default_rng(0)
    ids = rng.zipf(1.2, size=(number, length)) % n_words
    return [" ".join(map("w{}".format, row)) for row in ids]


def child(options):
    """Fit again and again; say when a fit begins and how it ends."""
    if options.data:
        from tests.benchmarks.common import read_documents

        documents = read_documents(options.data, options.documents)
    else:
        documents = make_documents(options.documents)
    kind = getattr(skembed, options.estimator)
    few = documents[:20]
    # Compiles, if that has not been done.
    kind(n_components=8, min_count=1, n_jobs=options.n_jobs).fit(documents[:300])
    for _ in sys.stdin:
        embedder = kind(random_state=0, n_jobs=options.n_jobs)
        how = interrupted_fit(embedder, documents)
        end = time.monotonic()
        answer = {"how": how, "end": end, "fault": fault(embedder, how, few)}
        print(json.dumps(answer), flush=True)


def interrupted_fit(embedder, documents):
    """Fit; say whether finished epochs were kept, or none, or nothing has happened."""
    how = "raised"
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("begin", flush=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            embedder.fit(documents)
            how = "kept" if caught else "complete"
    except KeyboardInterrupt:
        # One that comes after the end of the fit is no matter of the fit.
        pass
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return how


def fault(embedder, how, documents):
    """Return what is wrong with an estimator after its fit, or None."""
    attributes = [name for name in vars(embedder) if name.endswith("_")]
    if how == "raised":
        return f"half fitted: {attributes}" if attributes else None
    features = embedder.transform(documents)
    if features.shape != (len(documents), embedder.n_components):
        return f"features of shape {features.shape}"
    if not (np.isfinite(features).all() and features.any()):
        return "features are not finite, or zero"
    if how == "complete" or not hasattr(embedder, "n_iter_"):
        return None if how == "complete" else "kept without epochs"
    # "auto" stands for at most 60.
    most = 60 if embedder.max_iter == "auto" else embedder.max_iter
    if not 0 < embedder.n_iter_ <= most:
        return f"{embedder.n_iter_} epochs"
    return None if embedder.loss_curve_.size == embedder.n_iter_ else "loss_curve_"


class Process:
    """A process that fits one estimator when told to."""

    def __init__(self, estimator, documents, data=None, n_jobs=1):
        command = [sys.executable, "-m", "tests.faults.interrupts", "--child"]
        command += ["--estimator", estimator, "--documents", str(documents)]
        command += ["--n-jobs", str(n_jobs), *(["--data", data] if data else [])]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(60) != 0 and not exception[0]:
            raise RuntimeError(f"the process ended with {self.process.returncode}")

    def fit(self, delay=None):
        """Fit, interrupted after `delay` seconds; return what became of it."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "begin\n"
        start = time.monotonic()
        if delay is not None:
            time.sleep(delay)
            start = time.monotonic()
            self.process.send_signal(signal.SIGINT)
        answer = json.loads(self.process.stdout.readline())
        answer["seconds"] = answer.pop("end") - start
        return answer


def interrupted_fits(estimator, number, documents, data=None, n_jobs=1, seed=0):
    """Interrupt fits at random moments; return what became of each."""
    draw = random.Random(f"{seed} {estimator}")
    with Process(estimator, documents, data, n_jobs) as process:
        whole = _SLACK * process.fit()["seconds"]
        answers = []
        while len(answers) < number:
            answer = process.fit(draw.uniform(0.0, whole))
            # An interrupt that came after the end hit nobody who could answer it.
            if answer["how"] != "complete":
                answers.append(answer)
            elif answer["fault"]:
                raise RuntimeError(answer["fault"])
    return answers


def main():
    """Print a table of reactions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--estimator", choices=NAMES, help="all by default")
    parser.add_argument("--number", type=int, default=20, help="of interrupts of each")
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--data", help="JSON lines with a field text")
    parser.add_argument("--n-jobs", type=int, default=1)
    options = parser.parse_args()
    if options.child:
        child(options)
        return 0
    wrong = 0
    for name in [options.estimator] if options.estimator else NAMES:
        answers = interrupted_fits(
            name, options.number, options.documents, options.data, options.n_jobs
        )
        seconds = np.sort([answer["seconds"] for answer in answers])
        kept = sum(answer["how"] == "kept" for answer in answers)
        faults = [answer["fault"] for answer in answers if answer["fault"]]
        wrong += len(faults)
        print(
            f"{name}: {len(answers)} interrupts, median reaction "
            f"{np.median(seconds):.3f} s, longest {seconds[-1]:.3f} s; {kept} kept "
            f"finished epochs, {len(answers) - kept} raised; faults: {faults}",
            flush=True,
        )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
