"""Counts from Parquet files, against sums of fractions in a dict."""

import decimal
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from skembed import GloVeEmbedder, PPMISVDEmbedder, cooccurrence, read_cooccurrence
from skembed._counts import triples

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

WORDS = ["ab", "Ab", "ä", "a\u0308", "日本", "🙂", " ", "", "x" * 300, "a\n", "0"]


def expected(rows):
    """Return the exact sums of rows (word, context, count), and the order of words."""
    sums, of_word = defaultdict(Fraction), defaultdict(Fraction)
    for word, context, value in rows:
        if value:
            sums[word, context] += Fraction(value)
            of_word[word] += Fraction(value)
            of_word[context] += 0
    return sums, sorted(of_word, key=lambda word: (-of_word[word], word))


def assert_equals(result, rows, tolerance=0.0):
    counts, vocabulary = result
    sums, words = expected(rows)
    assert list(vocabulary.items()) == [(word, row) for row, word in enumerate(words)]
    assert counts.shape == (len(words), len(words))
    assert counts.dtype == np.float64
    assert type(counts) is sparse.csr_array
    dense = np.array([[float(sums.get((w, c), 0)) for c in words] for w in words])
    np.testing.assert_allclose(counts.toarray(), dense, rtol=tolerance, atol=0)
    # Not only said to be canonical.
    checked = sparse.csr_array((counts.data, counts.indices, counts.indptr))
    assert checked.has_canonical_format
    assert counts.data.all()


def draw(rng, words, n_rows, values):
    """Return rows with repeated pairs, and words that are only words or contexts."""
    first, last = words[:-2], words[2:]
    return [
        (first[rng.integers(len(first))], last[rng.integers(len(last))], value)
        for value in values(n_rows)
    ]


def table_of(rows, types=("string", "string", "int64"), names=None):
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    arrays = []
    for column, kind in zip(columns, types, strict=True):
        array = pa.array(column)
        if isinstance(kind, pa.DictionaryType):
            array = array.cast(kind.value_type).dictionary_encode()
        arrays.append(array.cast(kind))
    return pa.table(arrays, names=list(names or ("word", "context", "count")))


def dictionary(value, index="int32"):
    return pa.dictionary(getattr(pa, index)(), getattr(pa, value)())


@pytest.mark.parametrize("seed", range(10))
def test_part_files_with_repeated_pairs(seed, tmp_path, monkeypatch):
    # Such that rows come in several batches, and are added to the result in pieces.
    monkeypatch.setattr(triples, "_BATCH", 7)
    monkeypatch.setattr(triples, "_FEWEST", 20)
    rng = np.random.default_rng(seed)
    rows, results = [], []
    parts = [
        draw(rng, WORDS, n, lambda n: rng.integers(0, 2**40, n).tolist())
        for n in rng.integers(0, 60, 5)
    ]
    for part in parts:
        rows += part
    for order in (parts, parts[::-1]):
        folder = tmp_path / str(len(results))
        folder.mkdir()
        for i, part in enumerate(order):
            shuffled = [part[at] for at in rng.permutation(len(part))]
            path = folder / f"part-{i:05}-c000.snappy.parquet"
            pq.write_table(table_of(shuffled), path, row_group_size=10)
        results.append(read_cooccurrence(folder))
        assert_equals(results[-1], rows)
    (first, _), (second, _) = results
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


TYPES = [
    ("large_string", "string", "int8"),
    (dictionary("string"), dictionary("large_string"), "uint16"),
    (dictionary("string", "int8"), "string", "int32"),
    ("string", "string", "float"),
    ("string", "string", "double"),
    ("string", "string", "uint64"),
    ("string", "string", pa.decimal128(24, 3)),
]


@pytest.mark.parametrize("types", TYPES, ids=str)
def test_types(types, tmp_path):
    rng = np.random.default_rng(0)
    rows = draw(rng, WORDS, 100, lambda n: rng.integers(0, 100, n).tolist())
    path = tmp_path / "counts.parquet"
    pq.write_table(table_of(rows, types), path, row_group_size=30)
    assert_equals(read_cooccurrence(path), rows)
    assert_equals(read_cooccurrence(str(path)), rows)


@pytest.mark.parametrize("kind", ["int8", "uint16", "int64", dictionary("int32")])
def test_ids(kind, tmp_path):
    rng = np.random.default_rng(0)
    values = [7, 0, 100, 3, -2, 55] if "u" not in str(kind) else [7, 0, 100, 3, 2, 55]
    rows = draw(rng, values, 50, lambda n: rng.integers(0, 5, n).tolist())
    pq.write_table(table_of(rows, (kind, "int32", "int64")), tmp_path / "x.parquet")
    counts, vocabulary = read_cooccurrence(tmp_path)
    assert_equals((counts, vocabulary), rows)
    assert {type(word) for word in vocabulary} == {int}
    few, vocabulary = read_cooccurrence(tmp_path, vocabulary=[3, 100, 8])
    assert vocabulary == {3: 0, 100: 1, 8: 2}
    sums, _ = expected(rows)
    assert few[0, 1] == sums.get((3, 100), 0)
    assert few[1, 0] == sums.get((100, 3), 0)


def test_fractions_and_large_numbers(tmp_path):
    rng = np.random.default_rng(0)
    for values in (
        lambda n: rng.random(n).tolist(),
        lambda n: (10.0 ** rng.integers(-300, 300, n)).tolist(),
        lambda n: [decimal.Decimal(int(i)) / 8 for i in rng.integers(0, 99, n)],
    ):
        rows = draw(rng, WORDS, 500, values)
        kind = pa.array([rows[0][2]]).type if isinstance(rows[0][2], float) else None
        kind = kind or pa.decimal128(20, 4)
        path = tmp_path / "counts.parquet"
        pq.write_table(table_of(rows, ("string", "string", kind)), path)
        assert_equals(read_cooccurrence(path), rows, tolerance=1e-12)


def test_whole_numbers_are_exact_up_to_2_to_53(tmp_path):
    half = 2**52
    rows = [
        ("a", "b", half - 1),
        ("a", "b", half - 2),
        ("b", "a", 2**53),
        ("a", "b", 3),
    ]
    for kind in ("int64", "uint64", "double"):
        pq.write_table(table_of(rows, ("string", "string", kind)), tmp_path / "x")
        counts, vocabulary = read_cooccurrence(tmp_path)
        assert vocabulary == {"a": 0, "b": 1}
        assert counts.toarray().tolist() == [[0, 2**53], [2**53, 0]]


def test_folders_of_spark_and_dask(tmp_path):
    """Marks, check sums and unfinished parts are not counts; subfolders are."""
    rng = np.random.default_rng(0)
    folder = tmp_path / ".hidden" / "_counts"
    names = [
        "part-0.parquet",
        "year=2020/part-0.parquet",
        "year=2021/month=3/x.gz.parquet",
    ]
    hidden = [
        "_temporary/0/part-1.parquet",
        ".staging/x.parquet",
        "year=2020/_old.parquet",
    ]
    rows = []
    for name in (*names, *hidden):
        part = draw(rng, WORDS, 30, lambda n: rng.integers(1, 9, n).tolist())
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table_of(part), folder / name)
        rows += part if name in names else []
    (folder / "_SUCCESS").touch()
    (folder / ".part-0.parquet.crc").write_bytes(b"crc")
    pq.write_metadata(table_of([]).schema, folder / "_metadata")
    # A part without rows, whose columns have no type.
    nothing = pa.table({name: pa.nulls(0) for name in ("word", "context", "count")})
    pq.write_table(nothing, folder / "part-1.parquet")
    assert_equals(read_cooccurrence(folder), rows)
    files = [folder / name for name in names]
    assert_equals(read_cooccurrence(files), rows)
    assert_equals(
        read_cooccurrence([files[0], str(folder / "year=2020"), files[2]]), rows
    )


def test_files_with_different_types(tmp_path):
    """Columns in another order, other types: each file is read as it is."""
    parts = [
        table_of([("b", "a", 1), ("a", "a", 2)]),
        table_of([("a", "b", 0.5)], (dictionary("string"), "large_string", "double")),
        table_of([("c", "b", 2**33)]).select(["count", "context", "word"]),
        table_of([("c", "b", 0.25)], ("string", "string", "float")).append_column(
            "extra", [[None]]
        ),
    ]
    for i, part in enumerate(parts):
        pq.write_table(part, tmp_path / f"{i}.parquet")
    rows = [("b", "a", 1), ("a", "a", 2), ("a", "b", 0.5), ("c", "b", 2**33 + 0.25)]
    assert_equals(read_cooccurrence(tmp_path), rows)


def test_files_of_pandas_and_polars(tmp_path):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    rng = np.random.default_rng(0)
    rows = draw(rng, WORDS, 60, lambda n: rng.integers(1, 9, n).tolist())
    columns = dict(zip(("w", "c", "n"), zip(*rows, strict=True), strict=True))
    of_pandas = pd.DataFrame(columns)
    as_categories = of_pandas.astype({"w": "category", "c": "category"})
    of_polars = pl.DataFrame(columns)
    frames = [
        of_pandas.to_parquet,
        as_categories.to_parquet,
        # Categories that no row has.
        as_categories[as_categories.n > 2].to_parquet,
        of_pandas.set_index("w").to_parquet,
        of_polars.write_parquet,
        of_polars.with_columns(pl.col("w").cast(pl.Categorical)).write_parquet,
    ]
    for i, write in enumerate(frames):
        path = tmp_path / f"{i}.parquet"
        write(path)
        found = read_cooccurrence(path, columns=("w", "c", "n"))
        assert_equals(found, [row for row in rows if i != 2 or row[2] > 2])


def test_given_vocabulary(tmp_path):
    rows = [("a", "b", 1), ("b", "c", 2), ("c", "a", 4), ("d", "a", 8), ("c", "a", 16)]
    pq.write_table(table_of(rows), tmp_path / "x.parquet")
    expected = [[0, 0, 20], [0, 0, 0], [0, 0, 0]]
    for vocabulary in (["c", "new", "a"], {"a": 2, "c": 0, "new": 1}):
        counts, found = read_cooccurrence(tmp_path, vocabulary=vocabulary)
        assert list(found.items()) == [("c", 0), ("new", 1), ("a", 2)]
        assert counts.toarray().tolist() == expected


def test_fits_equal_those_on_counts_of_documents(tmp_path):
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(40)])
    documents = [
        words[(40 * rng.random(30) ** 2).astype(int)].tolist() for _ in range(99)
    ]
    counts, vocabulary = cooccurrence(documents, window_weighting="flat")
    names = np.array(list(vocabulary))
    coo = counts.tocoo()
    # Two jobs, each with a part of every count.
    part = np.floor(coo.data / 3)
    for i, data in enumerate((part, coo.data - part)):
        shuffle = rng.permutation(data.size)
        columns = names[coo.row], names[coo.col], data
        arrays = [pa.array(column[shuffle]) for column in columns]
        table = pa.table(arrays, names=["word", "context", "count"])
        pq.write_table(table, tmp_path / f"{i}.parquet")
    read, order = read_cooccurrence(tmp_path)
    sums = counts.sum(axis=1)
    by_sum = sorted(vocabulary, key=lambda word: (-sums[vocabulary[word]], word))
    assert list(order) == by_sum
    found, same = read_cooccurrence(tmp_path, vocabulary=vocabulary)
    assert same == vocabulary
    assert (found != counts).nnz == 0
    for kind in (PPMISVDEmbedder, GloVeEmbedder):
        model = kind(5, input="cooccurrence", vocabulary=vocabulary, random_state=0)
        expected = model.fit(counts).word_vectors_.copy()
        np.testing.assert_array_equal(model.fit(found).word_vectors_, expected)
    # In the order of sums, rows are permuted, and so are the word counts.
    model.set_params(vocabulary=order).fit(read)
    np.testing.assert_array_equal(model.word_counts_, np.sort(sums)[::-1])


STRINGS = ("string", "string")
WRONG = [
    ([("a", None, 1)], (*STRINGS, "int64"), "'context' of .* missing value in row 0"),
    ([(None, "a", 1)], (dictionary("string"), "string", "int64"), "'word' of .*row 0"),
    ([("a", "a", None)], (*STRINGS, "int64"), "'count' of .*missing value in row 0"),
    (
        [("a", "a", 1), ("b", "a", -2)],
        (*STRINGS, "int8"),
        "'count' .* is -2.0 in row 1",
    ),
    ([("a", "a", 1.0), ("b", "a", np.nan)], (*STRINGS, "double"), "nan in row 1"),
    ([("a", "a", np.inf)], (*STRINGS, "float"), "inf in row 0"),
    ([("a", "b", 0)], (*STRINGS, "int64"), "no row with a count above 0"),
    ([], (*STRINGS, "int64"), "no row with a count above 0"),
    (
        [("a", "b", 1.7e308)] * 2,
        (*STRINGS, "double"),
        "'count' is too large for float64",
    ),
]


@pytest.mark.parametrize(("rows", "types", "message"), WRONG)
def test_wrong_values(rows, types, message, tmp_path):
    pq.write_table(table_of(rows, types), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=message):
        read_cooccurrence(tmp_path)


def test_rows_of_errors_are_those_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(triples, "_BATCH", 3)
    rows = [("a", "b", 1)] * 10
    pq.write_table(table_of(rows), tmp_path / "0.parquet", row_group_size=4)
    rows[8] = ("a", "b", -1)
    pq.write_table(table_of(rows), tmp_path / "1.parquet", row_group_size=4)
    with pytest.raises(ValueError, match=r"1\.parquet is -1\.0 in row 8"):
        read_cooccurrence(tmp_path)


@pytest.mark.parametrize(
    ("types", "message"),
    [
        (("double", "int64", "int64"), "'word' of .* is of type double"),
        (
            ("int64", "string", "int64"),
            "'context' of .* string, but other words are int",
        ),
        (("int64", "int64", "string"), "'count' of .* is of type string"),
        (("int64", "int64", "bool"), "'count' of .* is of type bool"),
        (("int64", "binary", "int64"), "'context' of .* is of type "),
    ],
)
def test_wrong_types(types, message, tmp_path):
    columns = [pa.array([1]) for _ in types]
    for i, kind in enumerate(types):
        text = columns[i].cast("string") if kind == "binary" else columns[i]
        columns[i] = text.cast(kind)
    table = pa.table(columns, names=["word", "context", "count"])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(TypeError, match=message):
        read_cooccurrence(tmp_path)


def test_words_of_a_subclass_of_str(tmp_path):
    pq.write_table(table_of([("a", "b", 3), ("c", "a", 1)]), tmp_path / "x.parquet")
    counts, rows = read_cooccurrence(tmp_path, vocabulary=np.array(["b", "a"]))
    assert rows == {"b": 0, "a": 1}
    np.testing.assert_array_equal(counts.toarray(), [[0, 0], [3, 0]])


@pytest.mark.parametrize("kind", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_strings_that_are_written_as_differences(kind, tmp_path):
    """As by Spark with pages of the second version."""
    rows = [(word, context, 1) for word in WORDS for context in WORDS[::-1]]
    table = table_of(rows)
    options = {"use_dictionary": False, "data_page_version": "2.0"}
    encodings = {"word": kind, "context": "PLAIN"}
    for i in range(2):  # not all columns and parts have to be written in one way
        path = tmp_path / f"{i}.parquet"
        pq.write_table(table, path, 50, column_encoding=encodings, **options)
        encodings = None
    assert_equals(read_cooccurrence(tmp_path), rows * 2)


def test_nested_columns(tmp_path):
    columns = [pa.array([["a"]]), pa.array(["b"]), pa.array([1])]
    table = pa.table(columns, names=["word", "context", "count"])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(TypeError, match=r"'word' of .*x\.parquet is of type list"):
        read_cooccurrence(tmp_path)


def test_damaged_content_names_its_file(tmp_path):
    pq.write_table(table_of([("a", "b", 1)]), tmp_path / "0.parquet")
    path = tmp_path / "1.parquet"
    pq.write_table(table_of([("a", "b", 1), ("b", "a", 2)]), path, compression="none")
    content = bytearray(path.read_bytes())
    content[20:60] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises((OSError, ValueError), match=r"1\.parquet cannot be read: "):
        read_cooccurrence(tmp_path)


def test_text_that_is_not_utf_8(tmp_path):
    latin = pa.array([b"na\xefve"]).view(pa.string())
    table = pa.table([latin, ["b"], [1]], names=["word", "context", "count"])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"'word' of .*x\.parquet .* not UTF-8"):
        read_cooccurrence(tmp_path)


def test_vocabulary_of_another_type(tmp_path):
    pq.write_table(table_of([("1", "2", 3)]), tmp_path / "x.parquet")
    with pytest.raises(TypeError, match="but the words of vocabulary are int"):
        read_cooccurrence(tmp_path, vocabulary=[1, 2])
    with pytest.raises(
        ValueError, match="a count of the 1 words of vocabulary above 0"
    ):
        read_cooccurrence(tmp_path, vocabulary=["1"])


def test_missing_columns_and_files(tmp_path):
    pq.write_table(table_of([("a", "b", 1)]), tmp_path / "0.parquet")
    renamed = table_of([("a", "b", 1)], names=("word", "context", "n"))
    pq.write_table(renamed, tmp_path / "1.parquet")
    message = r"1\.parquet has no column .*'count'; .* are \['word', 'context', 'n'\]"
    with pytest.raises(ValueError, match=message):
        read_cooccurrence(tmp_path)
    twice = table_of([("a", "b", 1)], names=("word", "word", "count"))
    pq.write_table(twice, tmp_path / "twice")
    with pytest.raises(ValueError, match="has several columns of the name 'word'"):
        read_cooccurrence(tmp_path / "twice")
    with pytest.raises(FileNotFoundError, match=r"no file or folder .*nowhere"):
        read_cooccurrence(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"\*\.parquet.* are not expanded"):
        read_cooccurrence(tmp_path / "*.parquet")
    with pytest.raises(ValueError, match=r"path is \[\]"):
        read_cooccurrence([])
    (tmp_path / "word=a").mkdir()
    rest = table_of([("a", "b", 1)]).drop_columns("word")
    pq.write_table(rest, tmp_path / "word=a" / "x.parquet")
    with pytest.raises(ValueError, match=r"no column .* names of folders are not"):
        read_cooccurrence(tmp_path / "word=a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "_SUCCESS").touch()
    with pytest.raises(FileNotFoundError, match="empty holds no files"):
        read_cooccurrence(tmp_path / "empty")
    for name in ("a.csv", "z.csv"):  # before and after a good file
        folder = tmp_path / f"with_{name}"
        folder.mkdir()
        pq.write_table(table_of([("a", "b", 1)]), folder / "m.parquet")
        (folder / name).write_text("word,context,count\n")
        with pytest.raises(ValueError, match=rf"{name} is not a Parquet file"):
            read_cooccurrence(folder)


@pytest.mark.parametrize("columns", [("a", "b"), ("a", "b", "a"), ("a", "b", 3)])
def test_wrong_columns(columns):
    with pytest.raises(ValueError, match="columns must be the names of three columns"):
        read_cooccurrence("x", columns=columns)


def test_pyarrow_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.dataset", None)
    with pytest.raises(ImportError, match="read_cooccurrence needs pyarrow"):
        read_cooccurrence("x")
