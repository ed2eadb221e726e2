"""Pickles, copies and skops: what they hold, and what another version says."""

import ast
import copy
import io
import pickle
import re
import warnings
from pathlib import Path

import joblib
import pytest

import skembed
from skembed import GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder, _version
from skembed._tying import strategies
from skembed.pooling import POOLINGS
from tests.helpers import DOCUMENTS, ESTIMATORS, assert_same_fit, cheap, same

DOCS = Path(__file__).resolve().parents[2] / "docs"
small = pytest.mark.small


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("fitted", [True, False])
def test_pickle_of_another_version(estimator, fitted, monkeypatch):
    """One warning that names both versions; the estimator is there."""
    embedder = cheap(estimator)
    if fitted:
        embedder.fit(DOCUMENTS)
    with monkeypatch.context() as patch:
        patch.setattr(_version, "__version__", "0.0.7")
        content = pickle.dumps(embedder)
    with pytest.warns(UserWarning, match="skembed 0") as caught:
        loaded = pickle.loads(content)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert f"This {estimator.__name__} was pickled by skembed 0.0.7" in message
    assert f"loaded by {skembed.__version__}," in message
    assert loaded.get_params() == embedder.get_params()
    if fitted:
        assert same(loaded.transform(DOCUMENTS), embedder.transform(DOCUMENTS))
    # It has become one of this version.
    pickle.loads(pickle.dumps(loaded))
    assert not hasattr(loaded, "_skembed_version")


@small
def test_pickle_of_a_version_before_versions():
    embedder = cheap(SGNSEmbedder).fit(DOCUMENTS)
    state = embedder.__getstate__()
    del state["_skembed_version"]
    loaded = SGNSEmbedder()
    with pytest.warns(UserWarning, match="by skembed an unknown version and"):
        loaded.__setstate__(state)
    assert same(loaded.transform(DOCUMENTS), embedder.transform(DOCUMENTS))


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_copies_are_complete(estimator):
    """They hold all that `partial_fit` needs."""
    embedder = cheap(estimator, warm_start=True).fit(DOCUMENTS)
    deep, shallow = copy.deepcopy(embedder), copy.copy(embedder)
    assert_same_fit(deep, embedder)
    assert_same_fit(shallow, embedder)
    assert shallow.word_vectors_ is embedder.word_vectors_
    assert deep.word_vectors_ is not embedder.word_vectors_
    vectors = embedder.word_vectors_.copy()
    assert_same_fit(deep.partial_fit(DOCUMENTS), shallow.partial_fit(DOCUMENTS))
    assert same(embedder.word_vectors_, vectors)


@small
def test_copies_keep_what_is_shared():
    """Tied vectors are one array, in copies as well."""
    embedder = cheap(SGNSEmbedder, share_context=True).fit(DOCUMENTS)
    twin = copy.deepcopy([embedder, embedder])
    assert twin[0] is twin[1]
    assert twin[0].word_vectors_ is twin[0].context_vectors_


@small
@pytest.mark.parametrize("estimator", [GloVeEmbedder, PPMISVDEmbedder])
def test_pickles_are_of_the_size_of_vectors(estimator):
    """Counts and squares are larger than vectors, and few need them."""
    documents = [" ".join(f"w{i}" for i in range(300))] * 5
    plain = cheap(estimator, window=40).fit(documents)
    resumable = cheap(estimator, window=40, warm_start=True).fit(documents)
    sizes = [len(pickle.dumps(one)) for one in (plain, resumable)]
    assert sizes[1] > 3 * sizes[0]


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_joblib_and_a_fitted_pipeline(estimator, tmp_path):
    embedder = cheap(estimator).fit(DOCUMENTS)
    joblib.dump(embedder, tmp_path / "embedder.joblib")
    loaded = joblib.load(tmp_path / "embedder.joblib", mmap_mode="r")
    assert same(loaded.transform(DOCUMENTS), embedder.transform(DOCUMENTS))


@pytest.mark.long
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_skops_trusts_known_types_only(estimator):
    """Estimators, poolings and SciPy's matrices: nothing that could run code."""
    sio = pytest.importorskip("skops.io")
    allowed = re.compile(
        r"(skembed\.(_sgns|_cbow|_softmax|_glove|_ppmi_svd)\.\w+Embedder"
        r"|skembed\.pooling\._poolings\.\w+|scipy\.\w+\._?\w+\.\w+)"
    )
    for strategy in strategies.strategies(estimator._method):
        for name in POOLINGS:
            params = {"share_context": strategy.name, "pooling": name}
            embedder = cheap(estimator, warm_start=True, **params)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                embedder.fit(DOCUMENTS)
                if name == "sif":
                    embedder.partial_fit(DOCUMENTS)
            content = sio.dumps(embedder)
            types = sio.get_untrusted_types(data=content)
            assert all(allowed.fullmatch(one) for one in types), types
            loaded = sio.loads(content, trusted=types)
            assert same(loaded.transform(DOCUMENTS), embedder.transform(DOCUMENTS))


@pytest.mark.long
def test_docs_name_the_types_of_an_embedder():
    sio = pytest.importorskip("skops.io")
    text = (DOCS / "faults.md").read_text(encoding="utf-8")
    named = re.search(r"^types = (\[.*\])$", text, re.MULTILINE)
    embedder = SGNSEmbedder(4, min_count=1, subsample=0).fit(DOCUMENTS)
    types = sio.get_untrusted_types(data=sio.dumps(embedder))
    assert sorted(ast.literal_eval(named[1])) == sorted(types)


class Planted:
    """What runs code as it is unpickled."""

    ran = False

    def __reduce__(self):
        return setattr, (Planted, "ran", True)


@pytest.mark.long
def test_skops_refuses_what_is_planted():
    sio = pytest.importorskip("skops.io")
    from skops.io.exceptions import UntrustedTypesFoundException

    embedder = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    embedder.pooling_ = Planted()
    content = sio.dumps(embedder)
    known = [f"skembed._ppmi_svd.{type(embedder).__name__}"]
    with pytest.raises(UntrustedTypesFoundException):
        sio.load(io.BytesIO(content), trusted=known)
    assert not Planted.ran


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_nothing_is_executed_from_documents(estimator, tmp_path):
    """Words are words, whatever language they are written in."""
    bait = tmp_path / "bait"
    code = f"__import__('pathlib').Path({str(bait)!r}).touch()"
    lines = [code, "{0.__class__}", "%(x)s %n", "$(touch bait)", "\\x00 \\d+ (?P<a>b)"]
    documents = [[*lines, "a", "b"], [f"!!python/object/apply:{code}", *lines]] * 5
    embedder = cheap(estimator).fit(documents)
    assert set(lines) <= set(embedder.vocabulary_)
    assert embedder.transform(documents).any()
    assert not bait.exists()
