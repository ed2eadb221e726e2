"""The answer of the quick comparison in words."""

from skembed.study import _verdict
from tests.study.cases import ROWS, row


def test_verdict_does_not_claim_too_much():
    assert _verdict.verdict(ROWS) == [
        "SGNS: share_context=True, bias=exact came out best; about as good: "
        "share_context=False, bias=None.",
        "GloVe: share_context=False came out best, by more than one standard "
        "deviation.",
        "PPMI-SVD: share_context=signed only.",
        "Compared with SGNS share_context=True bias=exact, tf-idf is better (+0.100).",
        "With few labels, SGNS share_context=True bias=exact came out best of the "
        "embedders. Compared with it, tf-idf is better (+0.050).",
    ]
    union = row("tf-idf + PPMI-SVD", 0.95)
    others = _verdict.verdict([*ROWS, union])
    assert others[:3] == _verdict.verdict(ROWS)[:3]
    assert others[3:] == [
        "Compared with tf-idf + PPMI-SVD, tf-idf is worse (-0.050).",
        "With few labels, tf-idf + PPMI-SVD came out best of the embedders. Compared "
        "with it, tf-idf is worse (-0.025).",
    ]
    near = [row("SGNS", 0.8 - i / 1000, share_context=i) for i in range(3)]
    assert _verdict.verdict(near) == [
        "SGNS: share_context=0 came out best, but every other strategy is about as "
        "good."
    ]
    far = row("SGNS", 0.5, share_context="far")
    assert _verdict.verdict([*near, far])[0].endswith(
        "; about as good: all others except share_context=far."
    )
    references = [
        row("tf-idf", 0.805, is_reference=True),
        row("svd", 0.1, is_reference=True),
    ]
    assert _verdict.verdict([*near, *references])[-2] == (
        "Compared with SGNS share_context=0, tf-idf is about as good (+0.005) and svd "
        "is worse (-0.700)."
    )
