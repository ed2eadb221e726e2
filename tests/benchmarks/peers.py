"""The same work done by other programs, as fast as each can be made to do it."""

import time
from typing import Any, NamedTuple

from tests.benchmarks.data import MIN_COUNT, write_token_file


class Run(NamedTuple):
    """What a training took and learned."""

    seconds: float
    rows: Any  # dict of str to int
    vectors: Any  # ndarray of shape (n_words, n_components)


class Setting(NamedTuple):
    """One model. The loss has fastText's name: ns, hs or softmax."""

    skip_gram: bool = True
    size: int = 100
    epochs: int = 5
    rate: float = 0.025
    threads: int = 1
    seed: int = 0
    loss: str = "ns"


def _word2vec(setting):
    from gensim.models import Word2Vec

    if setting.loss not in ("ns", "hs"):
        raise ValueError(f"gensim has no loss {setting.loss}; pass ns or hs")
    return Word2Vec(
        sg=int(setting.skip_gram),
        cbow_mean=1,
        vector_size=setting.size,
        window=5,
        hs=int(setting.loss == "hs"),
        negative=5 if setting.loss == "ns" else 0,
        sample=1e-3,
        alpha=setting.rate,
        min_count=MIN_COUNT,
        workers=setting.threads,
        epochs=setting.epochs,
        seed=setting.seed + 1,
    )


def _train(model, setting, **source):
    """Return the seconds of the training alone, after the vocabulary was built."""
    start = time.perf_counter()
    model.train(
        **source,
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=setting.epochs,
    )
    seconds = time.perf_counter() - start
    return Run(seconds, model.wv.key_to_index, model.wv.vectors)


def gensim_iterable(data, setting):
    """Train gensim on lists of tokens: one thread reads, `threads` compute."""
    model = _word2vec(setting)
    model.build_vocab(data.tokens)
    return _train(model, setting, corpus_iterable=data.tokens)


def gensim_file(data, setting):
    """Train gensim on a file of tokens, which every thread reads a part of."""
    model = _word2vec(setting)
    model.build_vocab(corpus_file=data.token_file)
    return _train(model, setting, corpus_file=data.token_file)


def gensim_whole(tokens, setting):
    """Return gensim's model of lists of tokens: vocabulary, tree and training."""
    model = _word2vec(setting)
    model.build_vocab(tokens)
    _train(model, setting, corpus_iterable=tokens)
    return model


def gensim_vocabulary(tokens, setting):
    """Return gensim's words of lists of tokens, with counts and the tree's paths."""
    model = _word2vec(setting)
    model.build_vocab(tokens)
    return model.wv


def fasttext(data, setting):
    """Train fastText without subwords: the whole call, which also reads the words."""
    start = time.perf_counter()
    model = fasttext_model(data.token_file, setting)
    seconds = time.perf_counter() - start
    rows = {word: row for row, word in enumerate(model.get_words())}
    return Run(seconds, rows, model.get_input_matrix()[: len(rows)])


def fasttext_model(path, setting, min_count=MIN_COUNT):
    """Return fastText's model of a file of tokens, without subwords."""
    import fasttext

    return fasttext.train_unsupervised(
        path,
        model="skipgram" if setting.skip_gram else "cbow",
        loss=setting.loss,
        dim=setting.size,
        ws=5,
        neg=5,
        t=1e-3,
        lr=setting.rate,
        minCount=min_count,
        minn=0,
        maxn=0,
        epoch=setting.epochs,
        thread=setting.threads,
        verbose=0,
    )


GENSIM = {"gensim, iterable": gensim_iterable, "gensim, corpus_file": gensim_file}


def programs(with_fasttext):
    """Return {name: function} of the programs to train."""
    return {**GENSIM, "fastText": fasttext} if with_fasttext else dict(GENSIM)


def gensim_rate(data, threads):
    """Return gensim's skip-gram tokens/s, one epoch, the better of its two ways."""
    setting = Setting(epochs=1, threads=threads)
    return max(data.n_tokens / way(data, setting).seconds for way in GENSIM.values())


def whole_way(analyze, documents, setting, path=None):
    """Return the seconds of gensim from raw documents to vectors.

    With a path, the tokens go through a file, whose writing counts.
    """
    start = time.perf_counter()
    tokens = [analyze(text) for text in documents]
    model = _word2vec(setting)
    if path is None:
        model.build_vocab(tokens)
        _train(model, setting, corpus_iterable=tokens)
    else:
        write_token_file(tokens, path)
        model.build_vocab(corpus_file=str(path))
        _train(model, setting, corpus_file=str(path))
    return time.perf_counter() - start
