"""Word similarity of skip-gram and CBOW beside gensim's, with the same parameters.

    python -m tests.benchmarks.gensim_quality --data reviews.jsonl.gz --wordsim FOLDER

Prints the Spearman correlations with human scores for each seed, and their means. All
programs have the parameters of `tests.benchmarks.speed`: five epochs, window 5, five
noise words, subsampling 1e-3, learning rate 0.025; ours with two tables and no bias.
gensim takes several times as long, so `--gensim-seeds` may be fewer than `--seeds`.
Needs the extra `bench`.
"""

import argparse
import tempfile

import numpy as np

from tests.benchmarks import ours, peers
from tests.benchmarks.common import describe_machine, print_table, similarity
from tests.benchmarks.data import Data

MODELS = {"SGNS": True, "CBOW": False}


def measure(data, model, setting):
    """Yield seconds and correlations of ours, then of gensim."""
    programs = {
        "skembed": lambda: ours.train(data.tokens, setting),
        "gensim": lambda: peers.gensim_iterable(data, setting),
    }
    run = programs[model]()
    scores = [similarity(p, run.rows, run.vectors)[0] for p in data.sets.values()]
    return [run.seconds, *scores]


def cells(numbers):
    return [f"{numbers[0]:.1f}", *(f"{number:.3f}" for number in numbers[1:])]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--wordsim", required=True, help="folder of .tsv files")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--gensim-seeds", type=int, default=5)
    parser.add_argument("--size", type=int, default=100, help="dimensions")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(describe_machine())
    seeds = {"skembed": options.seeds, "gensim": options.gensim_seeds}
    means = []
    with tempfile.TemporaryDirectory() as folder:
        data = Data(options.data, options.documents, options.wordsim, folder)
        print(f"{len(data.documents)} documents, {data.n_tokens} tokens", flush=True)
        for program, n_seeds in seeds.items():
            for model in options.models:
                found = []
                for seed in range(n_seeds):
                    setting = peers.Setting(
                        skip_gram=MODELS[model],
                        size=options.size,
                        epochs=options.epochs,
                        threads=options.threads,
                        seed=seed,
                    )
                    found.append(measure(data, program, setting))
                    print(model, program, seed, *cells(found[-1]), flush=True)
                if found:
                    mean = cells(np.mean(found, axis=0))
                    means.append([model, program, n_seeds, *mean])
    print("\nMeans of the seeds:\n")
    print_table(["model", "program", "seeds", "seconds", *data.sets], means)


if __name__ == "__main__":
    main()
