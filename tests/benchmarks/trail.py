"""How many files a fit enters, and how often it changes from one to another.

    python -m tests.benchmarks.trail [--show sgns]

Counts calls of the package's functions by a profile hook, in one thread, over a fit of
20 documents of 8 words with everything compiled and loaded. `--show` prints the calls
of one case, indented by their depth. Exits with 1 if a case is above its bar.
"""

import argparse
import itertools
import sys
import warnings
from pathlib import Path

import skembed
from tests.benchmarks.common import print_table

PACKAGE = Path(skembed.__file__).parent
DOCUMENTS = [
    " ".join(f"word{(row + place * (1 + row % 3)) % 12}" for place in range(8))
    for row in range(20)
]
# The most files entered and changes of file.
BARS = {
    "sgns": (22, 75),
    "glove": (22, 90),
    "ppmi_svd": (20, 95),
    "glove_partial_fit": (22, 100),
    "transform": (8, 16),
}


def make(name):
    """Return the call that is counted."""
    common = {"n_components": 4, "min_count": 1, "random_state": 0}
    if name == "ppmi_svd":
        return skembed.PPMISVDEmbedder(**common).fit
    if name.startswith("glove"):
        embedder = skembed.GloVeEmbedder(max_iter=1, **common)
        if name == "glove":
            return embedder.fit
        return embedder.partial_fit(DOCUMENTS).partial_fit
    embedder = skembed.SGNSEmbedder(max_iter=1, subsample=0, **common)
    return embedder.fit if name == "sgns" else embedder.fit(DOCUMENTS).transform


def calls_of(name):
    """Return (depth, file, function) of each call of a function of the package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make(name)(DOCUMENTS)
        call, found, depth = make(name), [], 0

        def note(frame, event, argument):
            nonlocal depth
            path = Path(frame.f_code.co_filename)
            if event not in ("call", "return") or PACKAGE not in path.parents:
                return
            if event == "call":
                file = path.relative_to(PACKAGE).as_posix()
                found.append((depth, file, frame.f_code.co_qualname))
                depth += 1
            else:
                depth -= 1

        sys.setprofile(note)
        try:
            call(DOCUMENTS)
        finally:
            sys.setprofile(None)
    return found


def count(calls):
    """Return how many files were entered, and how often the file changed."""
    files = [file for _, file, _ in calls]
    changes = sum(a != b for a, b in itertools.pairwise(files))
    return len(set(files)), changes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--show", choices=list(BARS))
    arguments = parser.parse_args()
    if arguments.show:
        for depth, file, function in calls_of(arguments.show):
            print(f"{'  ' * depth}{file}: {function}")
        return
    found = {name: count(calls_of(name)) for name in BARS}
    rows = []
    for name, most in BARS.items():
        within = all(one <= bar for one, bar in zip(found[name], most, strict=True))
        rows.append([name, *found[name], *most, "yes" if within else "no"])
    print_table(["case", "files", "changes", "most", "most", "within"], rows)
    sys.exit(any(row[-1] == "no" for row in rows))


if __name__ == "__main__":
    main()
