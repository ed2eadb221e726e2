"""Seconds of the functions in which the main thread spends a fit from strings.

    python -m tests.benchmarks.phases REVIEWS [--tokens 20000000] [--threads 2]

Each function is listed with the time of its own and of what it calls outside the list.
While the main thread is in `ThreadTeam`, the threads of the team work. Everything
else is serial. The kernels are compiled before.
"""

import argparse
import sys
import threading
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

import skembed
from tests.benchmarks.common import describe_machine, print_table, read_documents

PACKAGE = str(Path(skembed.__file__).parent)
INTERVAL = 0.01
LEAST_SHARE = 0.005
SETTINGS = {
    "SGNSEmbedder": {"max_iter": 1},
    "PPMISVDEmbedder": {"window": 5},
    "GloVeEmbedder": {"max_iter": 5},
}


class Sampler(threading.Thread):
    """Notes again and again in which function of the package a thread is."""

    def __init__(self, thread):
        super().__init__(daemon=True)
        self.watched = thread
        self.seconds = Counter()
        self.ended = threading.Event()

    def run(self):
        before = time.perf_counter()
        while not self.ended.wait(INTERVAL):
            frame = sys._current_frames().get(self.watched)
            now = time.perf_counter()
            self.seconds[_place(frame)] += now - before
            before = now


def _place(frame):
    """Return the innermost function of the package, and the team if it waits for it."""
    inside = None
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(PACKAGE):
            name = f"{path[len(PACKAGE) + 1 : -3]}.{frame.f_code.co_qualname}"
            if "ThreadTeam" in name:
                inside = "threads"
            elif "_utils" not in name:
                return name if inside is None else f"{name} ({inside})"
        frame = frame.f_back
    return "outside the package"


def repeat(documents, n_tokens):
    """Return the documents, again and again, until they have so many words."""
    repeated = []
    for text in cycle(documents):
        if n_tokens <= 0:
            return repeated
        repeated.append(text)
        n_tokens -= text.count(" ") + 1


def measure(name, texts, n_threads):
    """Print where the main thread spends a fit."""
    kind = getattr(skembed, name)
    # Enough text for the kernel that scans it.
    kind(random_state=0, n_jobs=n_threads).fit(texts[:4000])
    sampler = Sampler(threading.get_ident())
    sampler.start()
    start = time.perf_counter()
    kind(random_state=0, n_jobs=n_threads, **SETTINGS[name]).fit(texts)
    seconds = time.perf_counter() - start
    sampler.ended.set()
    print(f"\n{name}: {seconds:.1f} s")
    rows = [
        [place, f"{spent:.2f}", f"{100 * spent / seconds:.1f}"]
        for place, spent in sampler.seconds.most_common()
        if spent > LEAST_SHARE * seconds
    ]
    print_table(["function", "seconds", "% of the fit"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reviews", help="JSON lines with a field `text`, may be .gz")
    parser.add_argument("--tokens", type=int, default=20_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=list(SETTINGS))
    arguments = parser.parse_args()
    print(describe_machine())
    texts = repeat(read_documents(arguments.reviews), arguments.tokens)
    print(
        f"{len(texts)} documents, {arguments.tokens} words, {arguments.threads} threads"
    )
    for name in arguments.only:
        measure(name, texts, arguments.threads)


if __name__ == "__main__":
    main()
