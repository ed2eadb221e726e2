"""Facts of fitted embedders in scikit-learn's diagrams."""

import pickle
import re
from html import escape, unescape

import numpy as np
import pytest
from sklearn import config_context
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr

from skembed import PPMISVDEmbedder, PretrainedEmbedder, SGNSEmbedder, _diagram
from skembed.pooling import SIFPooling
from skembed.tying import Signed
from skembed.vectors import WordVectors
from tests.helpers import DOCUMENTS, EPOCHS, ESTIMATORS, TOKENISED, WORDS, cheap

pytestmark = pytest.mark.small


def facts(estimator):
    """The text below the names of all boxes of a diagram."""
    html = estimator_html_repr(estimator)
    found = re.findall(r'<div class="caption">(.*?)</div>', html, re.DOTALL)
    return [unescape(text) for text in found if text]


def timeless(text):
    return re.sub(r", fitted in \d\S* s$", "", text)


def is_drawn(html):
    """Whether all boxes are closed, and the shape of the parts is sound."""
    return html.count("<div") == html.count("</div>")


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_facts_of_a_fit(estimator):
    embedder = cheap(estimator)
    assert facts(embedder) == []
    (text,) = facts(embedder.fit(DOCUMENTS))
    n_words, n_components = embedder.word_vectors_.shape
    parts = text.split(", ")
    assert parts[:3] == [
        f"{n_words} words",
        f"{n_components} dimensions",
        f"{sum(map(len, TOKENISED))} tokens",
    ]
    assert parts[-2] == "share_context=False"
    before, seconds, unit = parts[-1].rsplit(" ", 2)
    assert (before, unit) == ("fitted in", "s")
    assert 0 < float(seconds) < 60
    if estimator in EPOCHS:
        name, loss = parts[4].rsplit(" ", 1)
        assert (parts[3], name) == ("1 epoch", "last loss")
        assert float(loss) == pytest.approx(embedder.loss_curve_[-1], rel=1e-3)
    assert len(parts) == (7 if estimator in EPOCHS else 5)
    assert is_drawn(estimator_html_repr(embedder))
    assert embedder._repr_mimebundle_()["text/html"].count(escape(text)) == 1
    with config_context(display="text"):
        assert "text/html" not in embedder._repr_mimebundle_()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_nothing_changes_before_a_fit(estimator, monkeypatch):
    """The diagram is the one that scikit-learn draws by itself."""

    def numberless(html):
        return re.sub(r"(sk-[a-z-]+-id)-\d+", r"\1", html)

    embedder = cheap(estimator, pooling=SIFPooling())
    ours = estimator_html_repr(embedder)
    monkeypatch.delattr("skembed._transformer.DocumentTransformer._sk_visual_block_")
    assert numberless(ours) == numberless(estimator_html_repr(embedder))


def test_facts_within_other_diagrams():
    embedder = cheap(SGNSEmbedder)
    columns = ColumnTransformer([("text", embedder, "text")])
    assert facts(make_pipeline(columns, LogisticRegression())) == []
    pipeline = make_pipeline(embedder, LogisticRegression())
    pipeline.fit(DOCUMENTS, [0, 1] * 10)
    (text,) = facts(pipeline)
    assert text.startswith("8 words, 3 dimensions, 120 tokens, 1 epoch, last loss ")
    assert is_drawn(estimator_html_repr(pipeline))


@pytest.mark.parametrize("pooling", ["sif", SIFPooling()])
def test_facts_with_parts_that_are_objects(pooling):
    """scikit-learn would draw them as boxes without a caption."""
    embedder = cheap(PPMISVDEmbedder, pooling=pooling, share_context=Signed())
    (text,) = facts(embedder.fit(DOCUMENTS))
    assert timeless(text).endswith("120 tokens, share_context=Signed()")
    assert "SIFPooling" in estimator_html_repr(embedder) or pooling == "sif"


def test_facts_of_counts():
    counts = np.array([[0, 2.5], [2.5, 0]])
    embedder = PPMISVDEmbedder(1, input="cooccurrence", share_context=True)
    (text,) = facts(embedder.fit(counts))
    assert timeless(text) == (
        "2 words, 1 dimension, 5 co-occurrences, share_context=True"
    )


def test_facts_of_given_vectors():
    table = WordVectors(WORDS, np.eye(8), source="a <b>table</b> & 'more'")
    embedder = PretrainedEmbedder(table, pooling="mean")
    assert facts(embedder) == []
    embedder.fit([*DOCUMENTS, "unknown " * 30])
    (text,) = facts(embedder)
    assert timeless(text) == (
        "8 words, 8 dimensions, 80% of the tokens have a vector, from a <b>table</b> & "
        "'more'"
    )
    html = estimator_html_repr(embedder)
    assert "<b>table" not in html
    assert is_drawn(html)
    embedder.set_params(vectors=WordVectors(WORDS, np.eye(8)))
    (text,) = facts(embedder.fit(DOCUMENTS))
    assert timeless(text) == "8 words, 8 dimensions, 100% of the tokens have a vector"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1 word"),
        (0, "0 words"),
        (1234567, "1,234,567 words"),
        (1.0, "1 word"),
        (2.5, "2.5 words"),
        (12345.678, "12,345.7 words"),
    ],
)
def test_numbers(value, text):
    assert _diagram.number(value, "word") == text


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_seconds_are_not_pickled(estimator):
    """Two equal fits have equal pickles."""
    first, second = (cheap(estimator).fit(DOCUMENTS) for _ in range(2))
    assert pickle.dumps(first) == pickle.dumps(second)
    again = pickle.loads(pickle.dumps(first))
    assert "fitted in" in facts(first)[0]
    assert "fitted in" not in facts(again)[0]
