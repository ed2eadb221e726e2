"""Scores of fitted embedders: of pairs of words, and of models on documents."""

from abc import abstractmethod
from typing import Any

import numpy as np

from skembed._corpus import reader
from skembed._corpus.alignment import count_rows, rows_of
from skembed._corpus.vocabulary import Corpus
from skembed._utils.threads import one_blas_thread

DIRECTIONS = ("both", "left", "right")


class ScoresMixin:
    """What embedders say of words that stand together."""

    vocabulary_: dict[str, int]
    word_vectors_: np.ndarray
    context_vectors_: np.ndarray
    _score_scale: np.ndarray
    _score_offset: np.ndarray

    @abstractmethod
    def _as_fitted(self) -> Any:
        """Return a copy that a fit in another thread leaves as it is."""

    @abstractmethod
    def _held_out_loss(self, corpus: Corpus) -> float:
        """Return the mean objective per pair of documents; lower is better."""

    def score(self, X, y=None):
        """Return the mean objective per pair of documents; higher is better.

        So a search needs no labels. The objective is that of training: of SGNS and
        CBOW the logarithm of a likelihood, in nats per pair or predicted word; of
        GloVe minus the weighted squared error per pair that co-occurs; of PPMI-SVD
        minus the squared error per entry of the PPMI matrix. It compares parameters
        that leave the objective as it is, such as `n_components` or `share_context`,
        and not others, such as `negative`, `shift` or `subsample`.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Documents as in `transform`; with ``input="cooccurrence"`` a matrix is one
            of counts, as in `fit`.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        float
            At most 0.

        Raises
        ------
        ValueError
            If a document is not valid, or no two words of the vocabulary co-occur.
        """
        model = self._as_fitted()
        corpus = reader.look_up_pairs(model, X)
        with one_blas_thread():
            return -model._held_out_loss(corpus)

    def score_pairs(self, words, contexts, *, direction="both"):
        """Return the model's score s(w, c) of words with contexts.

        Biases and offsets are included. For SGNS it estimates
        ``PMI(w, c) - ln(negative) + ln p(c) - ln p_noise(c)``, whatever the `bias`;
        for GloVe the logarithm of the co-occurrence count; for PPMI-SVD an entry of
        the matrix. `subsample` changes the counts that either is of.

        Parameters
        ----------
        words : str or array-like of str
            Words of the vocabulary.
        contexts : str or array-like of str
            Words of the vocabulary; broadcast against `words`.
        direction : {"both", "left", "right"}, default="both"
            After a fit with ``directional=True``: "left" takes contexts as standing
            before their word, "right" as standing behind it, "both" the mean of the
            two scores. Other models have one score, that of "both".

        Returns
        -------
        ndarray, float32
            Scores, in the broadcast shape.

        Raises
        ------
        ValueError
            If a word is not in the vocabulary, or the model has no contexts of that
            direction.
        """
        return self._as_fitted()._score_pairs(words, contexts, direction)

    def _score_pairs(self, words: Any, contexts: Any, direction: Any) -> np.ndarray:
        side, n_rows = self._side(direction), count_rows(vars(self))
        rows, columns = self._rows(words, n_rows), self._rows(contexts, n_rows)
        try:
            rows, columns = np.broadcast_arrays(rows, columns)
        except ValueError as error:
            raise ValueError(
                f"words of shape {rows.shape} and contexts of shape {columns.shape} "
                "cannot be broadcast: pass as many contexts as words, or one of either."
            ) from error
        scores = np.einsum(
            "...k,...k->...",
            self.word_vectors_[rows] * self._score_scale,
            getattr(self, f"{side}context_vectors_")[columns],
        )
        scores = scores + self._score_offset[columns]
        of_context = f"{side}context_biases_"
        for biases, places in (("word_biases_", rows), (of_context, columns)):
            if hasattr(self, biases):
                scores = scores + getattr(self, biases)[places]
        return scores

    def _side(self, direction: Any) -> str:
        """Return how the names of a direction's attributes begin."""
        if direction not in DIRECTIONS:
            raise ValueError(
                f"direction must be one of {DIRECTIONS}, got {direction!r}."
            )
        if direction == "both":
            return ""
        if not hasattr(self, f"{direction}_context_vectors_"):
            raise ValueError(
                f"direction={direction!r} needs tables of left and of right contexts, "
                f"which this {type(self).__name__} does not have: SGNSEmbedder and "
                "PPMISVDEmbedder learn them with directional=True. Pass "
                "direction='both'."
            )
        return f"{direction}_"

    def _rows(self, words: Any, n_rows: int) -> np.ndarray:
        words = np.asarray(words, dtype=object)
        unknown = [word for word in words.flat if word not in self.vocabulary_]
        if unknown:
            raise ValueError(
                f"{unknown[0]!r} is not in the vocabulary of {len(self.vocabulary_)} "
                "words; see vocabulary_."
            )
        return rows_of(self.vocabulary_, list(words.flat), n_rows).reshape(words.shape)
