"""The model of negative sampling before the first epoch."""

from typing import Any

import numpy as np

from skembed._solvers.initial import RandomStart
from skembed._solvers.job import Job
from skembed._tying.layout import Layout
from skembed._utils.memory import aligned_zeros


def start_model(
    layout: Layout, bias: Any, offset: np.ndarray, moves_contexts: bool, job: Job
) -> tuple[Any, RandomStart]:
    """Return the model in the kernels' form: small random word vectors.

    Context vectors in tables of their own start at 0, as in word2vec, unless they do
    not move: then word vectors would have nothing to learn from. Rows of earlier fits
    go on from where they were, and given vectors replace random ones.

    Parameters
    ----------
    layout : Layout
    bias : Bias
    offset : ndarray of shape (n_words,), float32
    moves_contexts : bool
    job : Job

    Returns
    -------
    model : Model
    start : RandomStart
        Has written the random vectors.
    """
    from skembed._kernels import spans

    params = layout.allocate()
    random = np.random.default_rng(job.seeds.spawn(1)[0])
    n_rows, d = layout.n_words if moves_contexts else len(params), layout.n_components
    start = RandomStart(random, n_rows, d, d)
    start.write(params)
    resume = job.resume
    resume.write_init(params, job.vocabulary.rows)
    if resume.continues:
        layout.refill(params, resume.learned, np.arange(resume.n_words))
    model = spans.Model(
        params=params,
        **start_map(layout),
        offset=offset,
        n_components=layout.n_components,
        rows=layout.rows,
        directional=layout.directional,
        word_bias=float(bias.learned and layout.shares_rows),
        context_bias=float(bias.learned),
        moves_contexts=moves_contexts,
        average=False,
    )
    return model, start


def start_map(layout: Layout) -> dict[str, Any]:
    """Return the map of word vectors before training, as fields of a `Model`.

    Parameters
    ----------
    layout : Layout

    Returns
    -------
    dict
        Of `mapped`, `scale`, `bound` and `map`.
    """
    from skembed._kernels import maps

    n_rows = len(layout.map)
    scale = aligned_zeros((layout.width,))
    scale[:] = layout.scale(fill=0.0) if n_rows < 2 else 1.0
    bound = np.full(1, np.abs(scale).max() ** 2, dtype=np.float32)
    fields = {"mapped": n_rows > 0, "scale": scale, "bound": bound, "map": None}
    if layout.learns_map or n_rows > 1:
        forward, n_padded = scale.reshape(1, -1), 0
        if n_rows > 1:
            n_padded = -(-n_rows // 4) * 4
            forward = aligned_zeros((n_padded, layout.width))
            forward[:n_rows, : layout.n_components] = layout.map
        backward = aligned_zeros((n_padded, layout.width))
        longest = aligned_zeros((2, layout.width))
        longest[0, : layout.n_components] = layout.n_components**-0.5
        fields["map"] = maps.Map(forward, backward, bound, longest, layout.learns_map)
        maps.update_map(fields["map"])
    return fields


def learned_map(model: Any, layout: Layout) -> np.ndarray | None:
    """Return a copy of the learned map, if there is one."""
    if not layout.learns_map:
        return None
    return model.map.forward[: len(layout.map), : layout.n_components].copy()
