"""Properties of attention: fused equals eager, sequences stay apart (hypothesis)."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from gatonegro.nn.attention import attend, attend_eager
from gatonegro.packing import Layout

TOLERANCE = 1e-5

lengths = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=1, max_size=6)


@given(
    lengths,
    st.integers(1, 3),
    st.booleans(),
    st.none() | st.integers(0, 5),
    st.none() | st.floats(0.01, 3),
    st.booleans(),
    st.booleans(),
    st.integers(0, 1000),
)
def test_attend_is_attend_eager(pairs, heads, causal, window, scale, biased, alike, seed):
    """In self-attention, in cross-attention, and for the last few queries of a longer text, as with a cache."""
    pairs = [(q, q) for q, _ in pairs] if alike else [(min(q, k), k) if causal or window is not None else (q, k)
                                                      for q, k in pairs]  # fmt: skip
    layout = Layout(tuple(q for q, _ in pairs), tuple(k for _, k in pairs))
    made = torch.Generator().manual_seed(seed)
    q = torch.randn(sum(layout.query_lengths), heads, 4, generator=made)
    k, v = (torch.randn(sum(layout.key_lengths), heads, 4, generator=made) for _ in range(2))
    biases = {(a, b): torch.randn(heads, a, b, generator=made) for a, b in pairs}
    options = {
        "causal": causal,
        "window": window,
        "scale": scale,
        "bias": (lambda a, b: biases[a, b]) if biased else None,
    }
    fast, plain = attend(q, k, v, layout, **options), attend_eager(q, k, v, layout, **options)
    assert [trace.context.shape for trace in plain] == [(a, heads, 4) for a, _ in pairs]
    assert [trace.probs.shape for trace in plain] == [(heads, a, b) for a, b in pairs]
    torch.testing.assert_close(fast, torch.cat([trace.context for trace in plain]), atol=TOLERANCE, rtol=0)
    for trace, (a, b) in zip(plain, pairs, strict=True):
        torch.testing.assert_close(trace.probs.sum(-1), torch.ones(heads, a), atol=TOLERANCE, rtol=0)
        place = torch.arange(b - a, b)[:, None], torch.arange(b)
        hidden = place[1] > place[0] if causal else torch.zeros(a, b, dtype=torch.bool)
        if window is not None:
            hidden = hidden | ((place[1] - place[0]).abs() > window)
        assert not trace.probs[:, hidden].any() and (trace.probs[:, ~hidden] > 0).all()


@given(lengths, st.integers(0, 1000))
def test_attention_keeps_sequences_apart(pairs, seed):
    """Compared with the formula per sequence: softmax(q·kᵀ/√d)·v."""
    layout = Layout(tuple(q for q, _ in pairs), tuple(k for _, k in pairs))
    made = torch.Generator().manual_seed(seed)
    q, k, v = (
        torch.randn(sum(n), 2, 4, generator=made)
        for n in (layout.query_lengths, layout.key_lengths, layout.key_lengths)
    )
    by_hand = [
        torch.einsum("hqk,khd->qhd", (torch.einsum("qhd,khd->hqk", qs, ks) / 2).softmax(-1), vs)
        for qs, ks, vs in zip(
            q.split(layout.query_lengths), k.split(layout.key_lengths), v.split(layout.key_lengths), strict=True
        )
    ]
    torch.testing.assert_close(attend(q, k, v, layout), torch.cat(by_hand), atol=TOLERANCE, rtol=0)
