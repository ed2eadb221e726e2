"""Slow twins of the kernels, written from the papers and the kernels' docstrings.

Plain Python and float64 NumPy, one obvious step after the other: nothing here is
shared, blocked or compiled, and nothing is imported from the package. Arguments have
the kernels' forms (documents one behind the other, tables stacked), so that a test
can hand both sides the same arrays.
"""

import heapq
import itertools
import re
from dataclasses import dataclass, field

import numpy as np

# --- random streams -------------------------------------------------------------------


class Stream:
    """splitmix64 (Steele, Lea & Flood 2014), in Python's own integers."""

    MASK = 2**64 - 1

    def __init__(self, state):
        self.state = int(state)

    def next(self):
        """Return the next 64 random bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
        return z ^ (z >> 31)


def draw_word(stream, thresholds, alias):
    """Walker's alias method: the high bits choose a column, the low ones its half."""
    high, low = divmod(stream.next(), 2**32)
    column = high * len(thresholds) // 2**32
    return column if low < int(thresholds[column]) else int(alias[column])


def alias_probabilities(thresholds, alias):
    """Return the distribution from which `draw_word` draws."""
    probabilities = np.zeros(len(thresholds))
    for column, (threshold, other) in enumerate(zip(thresholds, alias, strict=True)):
        own = float(threshold) / 2**32
        probabilities[column] += own / len(thresholds)
        probabilities[other] += (1.0 - own) / len(thresholds)
    return probabilities


# --- documents ------------------------------------------------------------------------


def split(token_ids, doc_offsets):
    """Return the documents as lists of words."""
    return [
        [int(word) for word in token_ids[first:last]]
        for first, last in itertools.pairwise(doc_offsets)
    ]


def mark(documents):
    """Join documents; the first word of each becomes ``~word``."""
    joined = []
    for document in documents:
        joined += [~word if i == 0 else word for i, word in enumerate(document)]
    return np.array(joined, dtype=np.int32)


def unmark(tokens):
    """Return the word at each position, and the number of its document."""
    words = [int(token) if token >= 0 else ~int(token) for token in tokens]
    return words, np.cumsum(np.asarray(tokens) < 0).tolist()


def places_by_word(documents, n_words, window):
    """Return, for every word, (position, contexts on the left, on the right)."""
    places = [[] for _ in range(n_words)]
    position = 0
    for document in documents:
        for i, word in enumerate(document):
            right = len(document) - 1 - i
            places[word].append((position, min(i, window), min(right, window)))
            position += 1
    return places


def subsample(documents, keep_thresholds, seed):
    """Return the documents without dropped words, and the state of the stream."""
    stream = Stream(seed)
    kept = [
        [word for word in document if stream.next() >> 32 < int(keep_thresholds[word])]
        for document in documents
    ]
    return kept, stream.state


# --- counting and products ------------------------------------------------------------


def cooccurrences(documents, n_words, weights):
    """Return weighted counts of all ordered pairs within a window, as a dense array."""
    counts = np.zeros((n_words, n_words))
    for document in documents:
        for i, word in enumerate(document):
            for j, context in enumerate(document):
                if 1 <= abs(i - j) <= len(weights):
                    counts[word, context] += weights[abs(i - j) - 1]
    return counts


def whole_cooccurrences(documents, weights, by_document=None):
    """Return {(word, context): total} of products that are cut to whole numbers."""
    totals = {}
    for number, document in enumerate(documents):
        factor = 1.0 if by_document is None else by_document[number]
        for i, word in enumerate(document):
            for j, context in enumerate(document):
                if 1 <= abs(i - j) <= len(weights):
                    weight = int(weights[abs(i - j) - 1] * factor)
                    totals[word, context] = totals.get((word, context), 0) + weight
    return totals


def multiply(indptr, indices, data, dense):
    """Return the product of a CSR matrix and a dense one, in float64."""
    out = np.zeros((len(indptr) - 1, dense.shape[1]))
    for row in range(len(indptr) - 1):
        for entry in range(indptr[row], indptr[row + 1]):
            out[row] += float(data[entry]) * dense[indices[entry]]
    return out


# --- skip-gram with negative sampling -------------------------------------------------


@dataclass
class Terms:
    """Terms of the summed objective: ``weight * log(1 + exp(-score))`` for a word
    with a context (label 1), ``weight * log(1 + exp(score))`` with a noise word (0).
    """

    words: list = field(default_factory=list)
    contexts: list = field(default_factory=list)
    labels: list = field(default_factory=list)
    weights: list = field(default_factory=list)
    sides: list = field(default_factory=list)  # 0 left, 1 right
    n_pairs: int = 0

    def add(self, word, context, label, weight, side=0):
        self.words.append(word)
        self.contexts.append(context)
        self.labels.append(label)
        self.weights.append(weight)
        self.sides.append(side)
        self.n_pairs += label

    def arrays(self):
        return (
            np.array(self.words, dtype=int),
            np.array(self.contexts, dtype=int),
            np.array(self.labels, dtype=int),
            np.array(self.weights, dtype=float),
            np.array(self.sides, dtype=int),
        )


class LearnedMap:
    """How a learned map moves: along its gradient, up to a limit by its curvature."""

    def __init__(self, matrix, diagonal):
        self.matrix, self.diagonal = matrix, diagonal
        self.longest = np.full(len(matrix), len(matrix) ** -0.5)
        self.stretch()

    def stretch(self):
        """Bound |A y|^2 / |y|^2: exactly for a diagonal, else by the power method."""
        if self.diagonal:
            self.bound = np.abs(np.diag(self.matrix)).max() ** 2
            return
        ahead = self.matrix @ self.longest
        back = self.matrix.T @ (ahead / np.linalg.norm(ahead))
        self.longest = back / np.linalg.norm(back)
        rows = (self.matrix**2).sum(axis=1)
        self.bound = 1.25 * max(np.linalg.norm(back) ** 2, rows.max())

    def part(self, gradient):
        """Return what of a matrix's gradient belongs to the map."""
        return np.diag(np.diag(gradient)) if self.diagonal else gradient

    def move(self, steps, curvatures, rate):
        """Add the steps of all lanes, rate times the negative gradients."""
        self.matrix += sum(steps) * 0.1 / max(0.1, rate * sum(curvatures))
        self.stretch()


@dataclass
class SkipGram:
    """Parameters of one model: tables stacked, each row's bias in the last column."""

    table: np.ndarray  # float64 (n_rows, n_components + 1)
    map: np.ndarray  # float64 (n_components, n_components)
    offset: np.ndarray  # (n_words,)
    first_rows: tuple  # of left, right contexts, left, right noise words
    word_bias: float
    context_bias: float
    moves_contexts: bool = True
    learned: LearnedMap | None = None

    def context_rows(self, contexts, labels, sides=0):
        """Return the rows of contexts (label 1) or noise words (0) on a side."""
        first = np.array(self.first_rows)[np.where(labels == 1, 0, 2) + sides]
        return contexts + first

    def dots(self, rows, others, contexts):
        """Return s(w, c) = x_w . A y_c + biases + offset_c."""
        scores = (self.table[rows, :-1] @ self.map * self.table[others, :-1]).sum(1)
        learned = (
            self.word_bias * self.table[rows, -1]
            + self.context_bias * self.table[others, -1]
        )
        return scores + learned + np.asarray(self.offset, dtype=float)[contexts]

    def scores(self, words, contexts, labels):
        return self.dots(words, self.context_rows(contexts, labels), contexts)

    def pairs(self, terms):
        """Return the rows, scores and slopes of all terms, and their weights."""
        words, contexts, labels, weights, sides = terms.arrays()
        others = self.context_rows(contexts, labels, sides)
        scores = self.dots(words, others, contexts)
        slopes = weights * (0.5 * (1.0 + np.tanh(scores / 2.0)) - labels)
        return words, others, scores, slopes, weights, labels

    def objective(self, terms):
        """Return the sum of all terms: Mikolov et al. (2013), eq. 4, negated."""
        _, _, scores, _, weights, labels = self.pairs(terms)
        return (
            weights * np.logaddexp(0.0, np.where(labels == 1, -scores, scores))
        ).sum()

    def roles(self, terms):
        """Return the gradient by rows as words, and by rows as contexts."""
        rows, others, _, slopes, _, _ = self.pairs(terms)
        x, y = self.table[rows, :-1], self.table[others, :-1]
        of_words, of_contexts = np.zeros_like(self.table), np.zeros_like(self.table)
        np.add.at(of_words[:, :-1], rows, slopes[:, None] * (y @ self.map.T))
        np.add.at(of_contexts[:, :-1], others, slopes[:, None] * (x @ self.map))
        np.add.at(of_words[:, -1], rows, slopes * self.word_bias)
        np.add.at(of_contexts[:, -1], others, slopes * self.context_bias)
        return of_words, of_contexts

    def gradient(self, terms):
        """Return the gradient of `objective` with respect to the table."""
        # A row that is word and context at once gets the sum of both roles.
        return sum(self.roles(terms))

    def map_gradient(self, terms):
        """Return the gradient of `objective` with respect to the map."""
        rows, others, _, slopes, _, _ = self.pairs(terms)
        return (slopes[:, None] * self.table[rows, :-1]).T @ self.table[others, :-1]

    def map_step(self, terms):
        """Return what a step of rate 1 subtracts from the map, and the curvature.

        It is at most the sum over words of ``|G'x|^2 / |G|^2`` times their curvature.
        """
        gradient = self.learned.part(self.map_gradient(terms))
        words, curvatures = self.mapped(terms)
        along = ((words @ gradient) ** 2).sum(axis=1)
        return gradient, (along * curvatures).sum() / (gradient**2).sum()

    def mapped(self, terms):
        """Return the vectors that are mapped, term by term, and their curvatures."""
        rows, others, scores, slopes, weights, _ = self.pairs(terms)
        size = np.maximum(np.abs(scores), 1e-9)
        bends = weights * np.tanh(size / 2.0) / (2.0 * size)
        norms = self.stretch * (self.table[others, :-1] ** 2).sum(axis=1)
        curvatures = bends * (norms + self.word_bias) + np.abs(slopes)
        return self.table[rows, :-1], curvatures

    def steps(self, terms):
        """Return what a step of rate 1 subtracts."""
        of_words, of_contexts = self.roles(terms)
        of_contexts[:, :-1] *= self.moves_contexts
        return of_words + of_contexts

    @property
    def stretch(self):
        """Bound on the squared length of a mapped context vector of length 1."""
        # A map that is not learned is a diagonal.
        return self.learned.bound if self.learned else np.abs(self.map).max() ** 2

    def curvature(self, terms):
        """Return a bound on each row's curvature in `objective`.

        ``log(1 + exp(z))`` lies below a parabola of curvature
        ``(sigmoid(|z|) - 1/2) / |z|`` that touches it at z and -z: Jaakkola & Jordan
        (2000), eq. 9 to 11. The two rows of a pair are coupled by its slope.
        """
        rows, others, scores, slopes, weights, _ = self.pairs(terms)
        size = np.maximum(np.abs(scores), 1e-9)
        bends = weights * np.tanh(size / 2.0) / (2.0 * size)
        pulls = np.abs(slopes)
        of_contexts = self.stretch * (self.table[:, :-1] ** 2).sum(axis=1)
        of_words = ((self.table[:, :-1] @ self.map) ** 2).sum(axis=1)
        curvature = np.zeros(len(self.table))
        np.add.at(
            curvature, rows, bends * (of_contexts[others] + self.word_bias) + pulls
        )
        np.add.at(
            curvature, others, bends * (of_words[rows] + self.context_bias) + pulls
        )
        return curvature


def half_width(stream, thresholds):
    """Draw how far a window reaches; it exceeds d with ``thresholds[d] / 2**32``."""
    draw = stream.next() >> 32
    return sum(draw < int(threshold) for threshold in thresholds)


def window(tokens, position, left, right):
    """Return the words of a window within the document, and their sides.

    They are at most `left` words before the position, or `right` words after it.
    """
    words, document = unmark(tokens)
    near = range(max(0, position - left), min(len(words), position + right + 1))
    return [
        (words[i], int(i > position))
        for i in near
        if i != position and document[i] == document[position]
    ]


def add_pairs(terms, word, contexts, noise_words, sampler, directional=False):
    """Add one word's terms: each context against every noise word but itself.

    Together the noise words count as `negative` of them. With tables of left and of
    right contexts the first half of the noise words stands against left contexts.
    """
    half = len(noise_words) // 2
    for context, side in contexts:
        own_side = side if directional else 0
        terms.add(word, context, 1, 1.0, own_side)
        drawn = noise_words
        if directional:
            drawn = noise_words[half:] if side else noise_words[:half]
        around = [other for other, _ in contexts] if sampler.exclusive else [context]
        for noise in drawn:
            if noise not in around:
                terms.add(word, noise, 0, sampler.negative / len(drawn), own_side)


def draw_words(tokens, sampler, stream, first, last, group=1):
    """Return the contexts of the words at positions first .. last - 1, and noise words.

    One draw for the windows of every `group` words, then one per noise word of the
    span.
    """
    n_draws = -(-(last - first) // group)
    drawn = [half_width(stream, sampler.window_thresholds) for _ in range(n_draws)]
    halves = [drawn[i // group] for i in range(last - first)]
    noise_words = [
        draw_word(stream, sampler.noise_thresholds, sampler.noise_alias)
        for _ in range(sampler.n_noise)
    ]
    contexts = [
        window(tokens, position, min(half, sampler.left), min(half, sampler.right))
        for position, half in zip(range(first, last), halves, strict=True)
    ]
    return contexts, noise_words


def draw_span(tokens, sampler, stream, first, last, directional=False):
    """Return the skip-gram terms of the words at positions first .. last - 1."""
    words = unmark(tokens)[0][first:last]
    contexts, noise_words = draw_words(tokens, sampler, stream, first, last, 4)
    terms = Terms()
    for word, around in zip(words, contexts, strict=True):
        add_pairs(terms, word, around, noise_words, sampler, directional)
    return terms


def rounds_of(draw, tokens, model, sampler, states, span, rounds, rates, order=None):
    """Train the spans of some rounds; `model.table` is updated in place.

    Lane l has the tokens ``l * n // n_lanes .. (l + 1) * n // n_lanes - 1``. All
    lanes of a round read the parameters that the round before left.

    Parameters
    ----------
    draw : callable
        `draw_span` for skip-gram, `draw_predictions` for CBOW.
    order : sequence of int, optional
        The order in which lanes are computed. Updates are added in lane order.

    Returns
    -------
    loss, pairs : ndarray of shape (n_lanes,)
    states : list of int
    """
    n_lanes = len(states)
    streams = [Stream(state) for state in states]
    loss, pairs = np.zeros(n_lanes), np.zeros(n_lanes, dtype=int)
    for index in range(*rounds):
        updates, map_steps = {}, {}
        rate = rates[0] + index * rates[1]
        curvature = np.zeros(len(model.table))
        for lane in range(n_lanes) if order is None else order:
            first = lane * len(tokens) // n_lanes + index * span
            last = min(first + span, (lane + 1) * len(tokens) // n_lanes)
            if first >= last:
                continue
            terms = draw(tokens, sampler, streams[lane], first, last)
            updates[lane] = -rate * model.steps(terms)
            if model.learned:
                map_steps[lane] = model.map_step(terms)
            curvature += model.curvature(terms)
            loss[lane] += model.objective(terms)
            pairs[lane] += terms.n_pairs
        # No row moves further than 2 / curvature times its gradient.
        damping = 2.0 / np.maximum(2.0, rate * curvature)
        for lane in sorted(updates):
            model.table += damping[:, None] * updates[lane]
        if model.learned and map_steps:
            gradients, curvatures = zip(*map_steps.values(), strict=True)
            model.learned.move([-rate * g for g in gradients], curvatures, rate)
    return loss, pairs, [stream.state for stream in streams]


# --- continuous bag of words ----------------------------------------------------------


@dataclass
class Prediction:
    """One word with the words around it: what is predicted, and with what weight."""

    contexts: list
    outputs: np.ndarray  # the word, then noise words
    labels: np.ndarray
    weights: np.ndarray


@dataclass
class Predictions:
    """The predictions of a span."""

    all: list

    @property
    def n_pairs(self):
        return len(self.all)


@dataclass
class Bag(SkipGram):
    """CBOW: the word tables' rows are pooled, the context tables' rows predicted."""

    average: bool = True

    def share(self, prediction):
        """Return how much of each context's vector the hidden vector holds."""
        return 1.0 / len(prediction.contexts) if self.average else 1.0

    def hidden(self, prediction):
        """Return the pooled rows: vector, and bias in the last column."""
        return self.share(prediction) * self.table[prediction.contexts].sum(axis=0)

    def output_rows(self, prediction):
        return self.context_rows(prediction.outputs, prediction.labels)

    def prediction_scores(self, prediction):
        hidden = self.hidden(prediction)
        outputs = self.table[self.output_rows(prediction)]
        return (
            outputs[:, :-1] @ (hidden[:-1] @ self.map)
            + self.word_bias * hidden[-1]
            + self.context_bias * outputs[:, -1]
            + np.asarray(self.offset, dtype=float)[prediction.outputs]
        )

    def objective(self, predictions):
        """Mikolov et al. (2013), eq. 4, with the hidden vector for the word's."""
        total = 0.0
        for one in predictions.all:
            scores = self.prediction_scores(one)
            signed = np.where(one.labels == 1, -scores, scores)
            total += (one.weights * np.logaddexp(0.0, signed)).sum()
        return total

    def slopes(self, prediction):
        scores = self.prediction_scores(prediction)
        return prediction.weights * (
            0.5 * (1.0 + np.tanh(scores / 2.0)) - prediction.labels
        )

    def parts(self, prediction):
        """Return the gradient by the predicted rows, and by each pooled row."""
        hidden, rows = self.hidden(prediction), self.output_rows(prediction)
        slopes = self.slopes(prediction)
        outputs, pooled = np.zeros_like(self.table), np.zeros_like(self.table)
        np.add.at(outputs[:, :-1], rows, np.outer(slopes, hidden[:-1] @ self.map))
        np.add.at(outputs[:, -1], rows, slopes * self.context_bias)
        back = np.append(
            self.map @ (slopes @ self.table[rows, :-1]), self.word_bias * slopes.sum()
        )
        np.add.at(pooled, prediction.contexts, self.share(prediction) * back)
        return outputs, pooled

    def gradient(self, predictions):
        return sum(sum(self.parts(one)) for one in predictions.all)

    def map_gradient(self, predictions):
        return sum(
            np.outer(
                self.hidden(one)[:-1],
                self.slopes(one) @ self.table[self.output_rows(one), :-1],
            )
            for one in predictions.all
        )

    def mapped(self, predictions):
        norms = self.stretch * (self.table[:, :-1] ** 2).sum(axis=1)
        curvatures = []
        for one in predictions.all:
            scores, rows = self.prediction_scores(one), self.output_rows(one)
            size = np.maximum(np.abs(scores), 1e-9)
            bends = one.weights * np.tanh(size / 2.0) / (2.0 * size)
            pulls = np.abs(self.slopes(one))
            curvatures.append((bends * (norms[rows] + self.word_bias) + pulls).sum())
        hidden = [self.hidden(one)[:-1] for one in predictions.all]
        return np.array(hidden), np.array(curvatures)

    def steps(self, predictions):
        """As word2vec: every vector of a mean moves by what the mean should."""
        total = np.zeros_like(self.table)
        for one in predictions.all:
            outputs, pooled = self.parts(one)
            outputs[:, :-1] *= self.moves_contexts
            total += outputs + pooled / self.share(one)
        return total

    def curvature(self, predictions):
        curvature = np.zeros(len(self.table))
        norms = self.stretch * (self.table[:, :-1] ** 2).sum(axis=1)
        for one in predictions.all:
            scores, rows = self.prediction_scores(one), self.output_rows(one)
            size = np.maximum(np.abs(scores), 1e-9)
            bends = one.weights * np.tanh(size / 2.0) / (2.0 * size)
            pulls = one.weights * np.abs(
                0.5 * (1.0 + np.tanh(scores / 2.0)) - one.labels
            )
            norm = ((self.hidden(one)[:-1] @ self.map) ** 2).sum()
            np.add.at(curvature, rows, bends * (norm + self.context_bias) + pulls)
            of_hidden = (bends * (norms[rows] + self.word_bias) + pulls).sum()
            moved = len(one.contexts) * self.share(one)
            np.add.at(curvature, one.contexts, moved * of_hidden)
        return curvature


def draw_predictions(tokens, sampler, stream, first, last):
    """Return the CBOW predictions of the words at positions first .. last - 1."""
    words = unmark(tokens)[0][first:last]
    contexts, noise_words = draw_words(tokens, sampler, stream, first, last)
    predictions = []
    for word, around in zip(words, contexts, strict=True):
        around = [context for context, _ in around]
        none = {word, *around} if sampler.exclusive else {word}
        noise = [other for other in noise_words if other not in none]
        share = sampler.negative / len(noise_words)
        if around:
            outputs = np.array([word, *noise])
            weights = np.array([1.0] + [share] * len(noise))
            labels = np.array([1] + [0] * len(noise))
            predictions.append(Prediction(around, outputs, labels, weights))
    return Predictions(predictions)


# --- GloVe ----------------------------------------------------------------------------


@dataclass
class GloVe:
    """Parameters of one model: tables stacked, each row's bias in the last column."""

    table: np.ndarray  # float64 (n_rows, n_components + 1)
    signs: np.ndarray  # (n_components,)
    context_row: int
    x_max: float
    alpha: float

    def error(self, word, context, count):
        """Return s(w, c) - ln x."""
        x, y = self.table[word], self.table[self.context_row + context]
        return (x[:-1] * self.signs * y[:-1]).sum() + x[-1] + y[-1] - np.log(count)

    def weight(self, count):
        """Return f(x): Pennington, Socher & Manning (2014), eq. 9."""
        return 1.0 if count >= self.x_max else (count / self.x_max) ** self.alpha

    def objective(self, cells):
        """Return the sum over (word, context, count): eq. 8."""
        return sum(self.weight(x) * self.error(w, c, x) ** 2 for w, c, x in cells)

    def halves(self, word, context, count):
        """Return half the gradient of one cell's objective: of both rows' vectors."""
        x, y = self.table[word], self.table[self.context_row + context]
        slope = self.weight(count) * self.error(word, context, count)
        return (
            slope * np.append(self.signs * y[:-1], 1.0),
            slope * np.append(self.signs * x[:-1], 1.0),
        )

    def gradient(self, cells):
        """Return the gradient of `objective` with respect to the table."""
        gradient = np.zeros_like(self.table)
        for word, context, count in cells:
            of_word, of_context = self.halves(word, context, count)
            gradient[word] += 2.0 * of_word
            gradient[self.context_row + context] += 2.0 * of_context
        return gradient


def visiting_order(cells, edges, order):
    """Sort cells as an epoch visits them: by half, stage, task, row and column.

    The blocks stand in a circle, as `order` says; their number n is odd. Blocks at p
    and q meet in the stage s with 2 s = p + q (mod n), where they are at the same
    distance from s; the task of s itself comes last. In the first half of an epoch
    the rows are those of the block that is ahead of s, in the second the columns.
    """
    n_blocks = len(edges) - 1
    circle = np.argsort(order)

    def key(cell):
        blocks = np.searchsorted(edges, cell[:2], side="right") - 1
        p, q = (int(circle[block]) for block in blocks)
        stage = next(s for s in range(n_blocks) if (2 * s - p - q) % n_blocks == 0)
        ahead, behind = (p - stage) % n_blocks, (q - stage) % n_blocks
        distance = min(ahead, behind) or n_blocks
        return ahead > behind, stage, distance, cell[0], cell[1]

    return sorted(cells, key=key)


def glove_epoch(cells, model, squares, learning_rate):
    """AdaGrad (Duchi, Hazan & Singer 2011) along half the gradient, cell by cell.

    `model.table` and `squares` are updated in place. As in the program of Pennington
    et al. (2014), the squares are those of the learning rate times the gradient.
    Both steps of a cell are computed before either is taken, with the squares of both.
    """
    loss = 0.0
    for word, context, count in cells:
        loss += model.objective([(word, context, count)])
        rows = (word, model.context_row + context)
        gradients = model.halves(word, context, count)
        steps = [learning_rate * gradient for gradient in gradients]
        for row, step in zip(rows, steps, strict=True):
            squares[row] += step**2
        for row, step in zip(rows, steps, strict=True):
            model.table[row] -= step / np.sqrt(squares[row])
    return loss


# --- trees ----------------------------------------------------------------------------


def huffman(counts):
    """Return the children of each inner node: Huffman (1952), with a heap.

    Words win ties against inner nodes; among words the last one wins, among inner
    nodes the first one.
    """
    heap = [(count, 0, -word, word) for word, count in enumerate(counts)]
    heapq.heapify(heap)
    children = []
    while len(heap) > 1:
        left, right = heapq.heappop(heap), heapq.heappop(heap)
        node = len(counts) + len(children)
        heapq.heappush(heap, (left[0] + right[0], 1, node, node))
        children.append([left[-1], right[-1]])
    return children


def shortest_total_length(counts):
    """Return the smallest sum of counts times code lengths: the sum of all merges."""
    heap, total = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        total += both
        heapq.heappush(heap, both)
    return total


def leaves_by_side(children):
    """Return the words to the left and to the right of each inner node."""
    n_words = len(children) + 1
    below = [[word] for word in range(n_words)]
    sides = []
    for left, right in children:
        sides.append((below[left], below[right]))
        below.append(below[left] + below[right])
    return sides


def paths(children):
    """Return the (inner node, side) pairs from the root to each word."""
    found = [[] for _ in range(len(children) + 1)]
    for node, sides in reversed(list(enumerate(leaves_by_side(children)))):
        for side, words in enumerate(sides):
            for word in words:
                found[word].append((node, side))
    return found


def node_matrix(children):
    """Return H: mean of left leaves minus mean of right leaves, of each inner node."""
    matrix = np.zeros((len(children), len(children) + 1))
    for row, (left, right) in zip(matrix, leaves_by_side(children), strict=True):
        row[left] = 1.0 / len(left)
        row[right] = -1.0 / len(right)
    return matrix


# --- softmax --------------------------------------------------------------------------


@dataclass
class Softmax:
    """Skip-gram by maximum likelihood: Mikolov et al. (2013b), eq. 2 and 3.

    Outputs are contexts, or the inner nodes of a tree. Their vectors are a table of
    their own, or a fixed matrix times the word vectors.
    """

    words: np.ndarray  # float64 (n_words, d)
    outputs: np.ndarray | None  # float64 (n_outputs, d); None if they are shared
    biases: np.ndarray  # float64 (n_outputs,)
    signs: np.ndarray  # (d,)
    matrix: np.ndarray | None = None  # (n_outputs, n_words), of shared outputs
    children: list | None = None  # of a tree

    @property
    def vectors(self):
        """Vectors of the outputs, without the signs."""
        return self.outputs if self.matrix is None else self.matrix @ self.words

    def scores(self, rows):
        """Return the scores of some words with all outputs."""
        return (self.words[rows] * self.signs) @ self.vectors.T + self.biases

    def log_probabilities(self, rows):
        """Return ln P(c | w) of some words and all contexts."""
        scores = self.scores(rows)
        if self.children is None:
            return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        result = np.zeros((len(scores), len(self.children) + 1))
        for context, path in enumerate(paths(self.children)):
            for node, side in path:
                sign = 1.0 if side == 0 else -1.0
                result[:, context] -= np.logaddexp(0.0, -sign * scores[:, node])
        return result

    def loss(self, rows, counts, drawn=None):
        """Return minus the sum of counts times ln P; of drawn contexts with weights."""
        if drawn is None:
            return -(counts * self.log_probabilities(rows)).sum()
        scores = self.scores(rows)
        weights = np.where(counts > 0, 1.0, drawn)
        logs = scores - np.log((weights * np.exp(scores)).sum(axis=1, keepdims=True))
        return -(counts * logs).sum()

    def slopes(self, rows, counts, drawn=None):
        """Return the derivatives of `loss` with respect to the scores."""
        scores = self.scores(rows)
        if self.children is None:
            weights = 1.0 if drawn is None else np.where(counts > 0, 1.0, drawn)
            chances = weights * np.exp(scores)
            chances /= chances.sum(axis=1, keepdims=True)
            return counts.sum(axis=1, keepdims=True) * chances - counts
        slopes = np.zeros_like(scores)
        for node, (left, right) in enumerate(leaves_by_side(self.children)):
            at_left = counts[:, left].sum(axis=1)
            at_right = counts[:, right].sum(axis=1)
            chance = 1.0 / (1.0 + np.exp(-scores[:, node]))
            slopes[:, node] = (at_left + at_right) * chance - at_left
        return slopes

    def gradients(self, rows, counts, drawn=None):
        """Return the gradients of `loss`: of `words[rows]` alone, and of the outputs.

        The latter are those of all words if outputs are shared. Third, of the biases.
        """
        slopes = self.slopes(rows, counts, drawn)
        of_words = (slopes @ self.vectors) * self.signs
        of_outputs = slopes.T @ (self.words[rows] * self.signs)
        if self.matrix is not None:
            of_outputs = self.matrix.T @ of_outputs
        return of_words, of_outputs, slopes.sum(axis=0)


@dataclass
class SoftmaxSteps:
    """AdaGrad (Duchi, Hazan & Singer 2011) of a softmax, block by block."""

    model: Softmax
    l2: float
    learns_biases: bool

    def __post_init__(self):
        model = self.model
        self.word_squares = np.ones_like(model.words)
        shared = model.outputs is None
        self.output_squares = (
            self.word_squares if shared else np.ones_like(model.outputs)
        )
        self.bias_squares = np.ones_like(model.biases)

    def visit(self, rows, counts, rate, drawn=None):
        """Make the steps of a block of words; return its loss before them.

        First the outputs make a step, with their share of the penalty, then the words
        of the block. Both use the gradients of before.
        """
        model = self.model
        loss = model.loss(rows, counts, drawn)
        of_words, of_outputs, of_biases = model.gradients(rows, counts, drawn)
        table = model.words if model.outputs is None else model.outputs
        share = self.l2 * len(rows) / len(model.words)
        self._step(table, self.output_squares, of_outputs + share * table, rate)
        if self.learns_biases:
            self._step(model.biases, self.bias_squares, of_biases, rate)
        words, squares = model.words[rows], self.word_squares[rows]
        self._step(words, squares, of_words + self.l2 * words, rate)
        model.words[rows], self.word_squares[rows] = words, squares
        return loss

    @staticmethod
    def _step(table, squares, gradients, rate):
        squares += gradients**2
        table -= rate * gradients / np.sqrt(squares)


# --- positive PMI ---------------------------------------------------------------------


def ppmi(counts, shift=1.0, context_exponent=1.0):
    """Return the dense matrix of Levy, Goldberg & Dagan (2015), eq. 3 and 3.1."""
    joint = counts / counts.sum()
    words = joint.sum(axis=1)
    contexts = joint.sum(axis=0) ** context_exponent
    contexts /= contexts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(joint / np.outer(words, contexts))
    return np.where(joint > 0, np.maximum(pmi - np.log(shift), 0.0), 0.0)


def positive_entries(indptr, indices, logs, of_word, of_context):
    """Return the (column, value) of each row that stay positive after subtractions."""
    rows = [[] for _ in range(len(indptr) - 1)]
    for row, kept in enumerate(rows):
        for entry in range(indptr[row], indptr[row + 1]):
            column = int(indices[entry])
            value = float(logs[entry]) - of_word[row] - of_context[column]
            if value > 0.0:
                kept.append((column, value))
    return rows


def best_rank(matrix, rank):
    """Return the closest matrix of a rank (Eckart & Young 1936)."""
    left, values, right = np.linalg.svd(matrix)
    return (left[:, :rank] * values[:rank]) @ right[:rank]


def best_psd(matrix, rank):
    """Return the closest positive semi-definite matrix of at most a rank."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = np.argsort(-values)[:rank]
    return (vectors[:, kept] * np.maximum(values[kept], 0.0)) @ vectors[:, kept].T


# --- files of vectors -----------------------------------------------------------------


def read_text_rows(text, n_components, n_rows):
    """Return words, numbers and the rest from the first line that is not plain."""
    number = rb"[ \t]-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
    plain = re.compile(rb"([^ \t\n]+)((?:%b){%d})[ \t\r]*\n" % (number, n_components))
    words, rows = [], []
    while len(words) < n_rows and (match := plain.match(text)):
        words.append(match[1])
        rows.append([float(np.float32(float(field))) for field in match[2].split()])
        text = text[match.end() :]
    return words, rows, text
