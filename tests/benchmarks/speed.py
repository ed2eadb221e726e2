"""Speed, quality beside it, and memory, ours and other programs' in turn.

    python -m tests.benchmarks.speed --data reviews.jsonl.gz --wordsim FOLDER

Prints one or two Markdown tables for each section; ``--only`` chooses sections. In
every round ours and the peers run one after the other, and ratios are medians of the
rounds' ratios, so that what else the machine does weighs on both. Needs the extra
`bench`.
"""

import argparse
import inspect
import tempfile
import time

import skembed
from tests.benchmarks import matrices, strategies, training, whole
from tests.benchmarks.common import describe_machine
from tests.benchmarks.data import Data

SECTIONS = {
    section.__name__: section
    for section in (
        training.sgns,
        training.cbow,
        training.short,
        training.flops,
        training.rows,
        strategies.strategies,
        matrices.scaling,
        matrices.counting,
        matrices.glove,
        matrices.factorisation,
        whole.text,
        whole.memory,
    )
}


def _names(text):
    names = text.split(",")
    unknown = set(names) - set(SECTIONS)
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown {sorted(unknown)}; sections are {', '.join(SECTIONS)}"
        )
    return names


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--wordsim", help="folder of .tsv files")
    parser.add_argument("--documents", type=int, default=None, help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--size", type=int, nargs="+", default=[100], help="dimensions")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=0.025, help="learning rate")
    parser.add_argument(
        "--fasttext",
        action="store_true",
        help="train fastText too, which takes several times as long as gensim",
    )
    parser.add_argument(
        "--choices", nargs="+", help="parameters that `strategies` tries; default: all"
    )
    parser.add_argument("--only", type=_names, default=list(SECTIONS), help="a,b,...")
    return parser.parse_args()


def main():
    options = parse()
    print(describe_machine())
    skembed.warmup()
    with tempfile.TemporaryDirectory() as folder:
        data = Data(options.data, options.documents, options.wordsim, folder)
        print(f"{len(data.documents)} documents, {data.n_tokens} tokens")
        for name in options.only:
            section = SECTIONS[name]
            print(f"\n## {name}\n\n{inspect.getdoc(section)}\n", flush=True)
            start = time.perf_counter()
            section(data, options)
            print(f"\n({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
