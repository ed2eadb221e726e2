"""The cross-entropy of held-out reviews under every family, in nats per pair.

    python -m tests.benchmarks.cross_entropy reviews.jsonl.gz 5000

All models have the same window and subsample. Every fifth review is held out. The last
column is how much the model is below the unigram of its own fit.
"""

import argparse

from skembed import GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder
from skembed.inspection import held_out_cross_entropy
from tests.benchmarks.common import describe_machine, print_table, read_documents

SAMPLED = [(share, bias) for share in (False, True) for bias in (None, "exact")]
MODELS = [
    *((SGNSEmbedder, share, bias) for share, bias in (*SAMPLED, ("signed", "exact"))),
    *((GloVeEmbedder, share, None) for share in (False, True)),
    *((PPMISVDEmbedder, share, None) for share in (False, True, "signed")),
]


def measure(kind, share_context, bias, documents, arguments):
    """Return a row of the table."""
    params = {"bias": bias} if kind is SGNSEmbedder else {}
    fits, held_out = documents
    embedder = kind(
        arguments.size,
        share_context=share_context,
        window=5,
        window_weighting="dynamic",
        subsample=arguments.subsample,
        max_features=arguments.words,
        random_state=arguments.seed,
        **params,
    ).fit(fits)
    found = held_out_cross_entropy(embedder, held_out)
    return [
        kind.__name__,
        repr(share_context),
        repr(bias) if params else "",
        *(f"{nats:.4f}" for nats in found[:3]),
        f"{found.n_pairs:.0f}",
        f"{found.unigram - found.model:+.4f}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="JSON lines with a field text")
    parser.add_argument("documents", type=int, help="number of reviews")
    parser.add_argument("--size", type=int, default=50, help="dimensions")
    parser.add_argument("--words", type=int, default=3000)
    parser.add_argument("--subsample", type=float, default=1e-4)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    reviews = read_documents(arguments.data, arguments.documents)
    n_fits = len(reviews) * 4 // 5
    documents = reviews[:n_fits], reviews[n_fits:]
    print(describe_machine())
    header = ["estimator", "share_context", "bias", "model", "unigram", "uniform"]
    header += ["pairs", "gain"]
    print_table(header, [measure(*model, documents, arguments) for model in MODELS])


if __name__ == "__main__":
    main()
