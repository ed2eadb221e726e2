"""Tables of other libraries, which are imported when they are needed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from skembed._utils.extras import require
from skembed.vectors import _fasttext, _safetensors
from skembed.vectors._sources import Parts, of_gensim


def read_fasttext(path: Path, limit: int | None) -> Parts:
    """Read fastText's own ``.bin`` through gensim or fasttext.

    The vector of a word is that of fastText, with its n-grams. The n-grams themselves
    are not kept.

    Raises
    ------
    ImportError
        If neither is installed.
    ValueError
        If the file is damaged, or they cannot read it.
    """
    load = _fasttext_reader()
    # The library does not check the file itself.
    _fasttext.check(path)
    try:
        words, vectors, counts, *_ = load(str(path))
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path}: {load.__name__.removeprefix('_with_')} cannot read this fastText "
            f"file ({error}). It may be damaged, or one of a classifier."
        ) from error
    rows = slice(limit)
    return Parts(words[rows], vectors[rows], counts[rows], f"{path} (fasttext-bin)")


def _fasttext_reader() -> Any:
    try:
        import gensim.models.fasttext  # noqa: F401
    except ImportError:
        pass
    else:
        return _with_gensim
    try:
        import fasttext  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Reading fastText's .bin needs gensim or fasttext. Install one with: "
            "python -m pip install gensim. Files that end in .vec need neither."
        ) from error
    return _with_fasttext


def _with_gensim(path: str) -> Parts:
    from gensim.models.fasttext import load_facebook_vectors

    table = load_facebook_vectors(path)
    # fastText's end of a line has no n-grams, but gensim gives it those of "</s>".
    row = table.key_to_index.get("</s>")
    if row is not None:
        table.vectors[row] = table.vectors_vocab[row]
    return of_gensim(table)


def _with_fasttext(path: str) -> Parts:
    import fasttext

    model = fasttext.load_model(path)
    words, counts = model.get_words(include_freq=True)
    vectors = np.empty((len(words), model.get_dimension()), dtype=np.float32)
    for row, word in enumerate(words):
        vectors[row] = model.get_word_vector(word)
    return Parts(words, vectors, counts, path)


def model2vec_files(parts: Parts) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield names and contents of the files of a static model.

    The tokenizer takes runs of letters and runs of punctuation as words. It writes text
    in small letters if no word has a capital one. The last row, of zeros, is that of
    unknown words.

    Parameters
    ----------
    parts : Parts
        Its words are str.
    """
    words, vectors = parts.words, parts.vectors
    unknown = "[UNK]"
    while unknown in words:
        unknown = f"[{unknown}]"
    vocabulary = {word: row for row, word in enumerate((*words, unknown))}
    is_lower = all(word == word.lower() for word in words)
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"} if is_lower else None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": unknown},
    }
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "hidden_dim": vectors.shape[1],
        "max_length": None,
        "normalize": False,
    }
    module = {
        "idx": 0,
        "name": "0",
        "path": ".",
        "type": "sentence_transformers.models.StaticEmbedding",
    }
    yield "model.safetensors", _safetensors.file("embeddings", _rows(vectors), {})
    yield "tokenizer.json", iter([_json(tokenizer)])
    yield "config.json", iter([_json(config)])
    yield "modules.json", iter([_json([module])])


def _rows(vectors: np.ndarray) -> np.ndarray:
    return np.vstack([vectors, np.zeros((1, vectors.shape[1]), dtype=np.float32)])


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def to_spacy(parts: Parts) -> Any:
    """Return a copy as spaCy's Vectors.

    Raises
    ------
    ImportError
        If spaCy is not installed.
    ValueError
        If a word is not a str, or is empty.
    """
    spacy = require("spacy", "to_spacy", "spacy")
    for word in parts.words:
        if not isinstance(word, str) or not word:
            raise ValueError(
                f"spaCy's Vectors cannot hold the word {word!r}. Words must be str, "
                "and not empty: leave it out, or rename it."
            )
    strings = spacy.strings.StringStore(list(parts.words))
    data = np.array(parts.vectors)
    return spacy.vectors.Vectors(
        strings=strings, data=data, keys=list(parts.words), name="skembed"
    )
