"""The quick comparison's report: table, verdict, CSV, JSON, picture."""

import csv
import io
import json

import pytest

from skembed.study import _compare_report


def row(estimator, accuracy, sd=0.01, is_reference=False, **labels):
    return {
        "estimator": estimator,
        **labels,
        "is_reference": is_reference,
        "n_embedding_parameters": None if estimator == "tf-idf" else 1234567,
        "fit_seconds": 1.25,
        "accuracy": accuracy,
        "accuracy_sd": sd,
        "fold_accuracies": [accuracy - sd, accuracy + sd],
        "few_accuracy": accuracy / 2,
        "few_accuracy_sd": sd,
        "few_fold_accuracies": [accuracy / 2 - sd, accuracy / 2 + sd],
        "pipeline": None if is_reference else f"make_pipeline(Model(d={accuracy}))",
        "error": None,
    }


ROWS = [
    row("tf-idf", 0.9, is_reference=True),
    row("GloVe", 0.7, share_context=False),
    row("GloVe", 0.6, share_context=True),
    row("PPMI-SVD", 0.5, share_context="signed"),
    row("SGNS", 0.785, share_context=False, bias=None),
    row("SGNS", 0.8, sd=0.02, share_context=True, bias="exact"),
    row("SGNS", 0.7, share_context=True, bias=None),
]

ABOUT = {
    "data": "some.csv",
    "n_documents": 10,
    "n_classes": 2,
    "cv": 2,
    "n_components": 5,
    "seed": 7,
    "labels_per_class": 10,
}


def test_table_is_sorted_and_aligned():
    lines = _compare_report.as_table(ROWS, ABOUT).splitlines()
    assert lines[0].startswith("some.csv: 10 documents in 2 classes.")
    assert max(map(len, lines)) <= 88
    start = lines.index("") + 1
    header, *body = lines[start : start + 13]
    assert header.split()[:3] == ["estimator", "share_context", "bias"]
    assert [line.split()[0].strip("-") for line in body] == [
        *["", "SGNS", "SGNS", "SGNS"],
        *["", "GloVe", "GloVe"],
        *["", "PPMI-SVD", "", "tf-idf", ""],
    ]
    assert {len(line) for line in [header, *body]} == {len(header)}
    assert " ".join(body[1].split()) == (
        "SGNS True exact 1,234,567 1.2 0.400 ± 0.020 0.800 ± 0.020"
    )
    assert body[10].split()[1:5] == ["–", "–", "–", "1.2"]


def test_verdict_does_not_claim_too_much():
    assert _compare_report.verdict(ROWS) == [
        "SGNS: share_context=True, bias=exact came out best; about as good: "
        "share_context=False, bias=None.",
        "GloVe: share_context=False came out best, by more than one standard "
        "deviation.",
        "PPMI-SVD: share_context=signed only.",
        "Beside SGNS share_context=True bias=exact, tf-idf is better (+0.100).",
        "With few labels, SGNS share_context=True bias=exact came out best; beside it, "
        "tf-idf is better (+0.050).",
    ]
    union = row("tf-idf + PPMI-SVD", 0.95)
    others = _compare_report.verdict([*ROWS, union])
    assert others[:3] == _compare_report.verdict(ROWS)[:3]
    assert others[3:] == [
        "Beside tf-idf + PPMI-SVD, tf-idf is worse (-0.050).",
        "With few labels, tf-idf + PPMI-SVD came out best; beside it, tf-idf is worse "
        "(-0.025).",
    ]
    near = [row("SGNS", 0.8 - i / 1000, share_context=i) for i in range(3)]
    assert _compare_report.verdict(near) == [
        "SGNS: share_context=0 came out best, but every other strategy is about as "
        "good."
    ]
    far = row("SGNS", 0.5, share_context="far")
    assert _compare_report.verdict([*near, far])[0].endswith(
        "; about as good: all others except share_context=far."
    )
    references = [
        row("tf-idf", 0.805, is_reference=True),
        row("svd", 0.1, is_reference=True),
    ]
    assert _compare_report.verdict([*near, *references])[-2] == (
        "Beside SGNS share_context=0, tf-idf is about as good (+0.005) and svd is "
        "worse (-0.700)."
    )


def test_references_alone_need_no_verdict():
    assert _compare_report.verdict(ROWS[:1]) == []
    assert "About as good" not in _compare_report.as_table(ROWS[:1], ABOUT)


def test_csv_tells_none_from_absent():
    rows = list(csv.DictReader(io.StringIO(_compare_report.as_csv(ROWS, ABOUT))))
    assert len(rows) == len(ROWS)
    first, second, *_, last = rows
    assert (first["share_context"], first["bias"]) == ("True", "exact")
    assert (second["share_context"], second["bias"]) == ("False", "None")
    assert (last["share_context"], last["bias"]) == ("", "")
    assert last["n_embedding_parameters"] == ""
    folds = [float(value) for value in first["fold_accuracies"].split()]
    assert folds == pytest.approx([0.78, 0.82])


def test_json_holds_everything():
    answer = json.loads(_compare_report.as_json(ROWS, ABOUT))
    assert {k: answer[k] for k in ABOUT} == ABOUT
    assert sorted(map(str, answer["results"])) == sorted(map(str, ROWS))


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_plot_shows_any_name_as_it_is(suffix, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"picture{suffix}"
    _compare_report.draw(ROWS, {**ABOUT, "data": "$\\foo$ \u985e\u4f3c.csv"}, path)
    assert path.stat().st_size > 0


def test_markdown_has_the_same_cells():
    text = _compare_report.as_markdown(ROWS, ABOUT)
    header, rule, *rows = [x for x in text.splitlines() if x.startswith("|")]
    assert len(rows) == len(ROWS)
    assert set(rule) == {"|", "-"}
    assert {len(line) for line in [header, rule, *rows]} == {len(header)}
    cells = [cell.strip() for cell in rows[0].strip("|").split("|")]
    assert cells[:4] == ["SGNS", "True", "exact", "1,234,567"]
    assert _compare_report.verdict(ROWS)[0] in text
