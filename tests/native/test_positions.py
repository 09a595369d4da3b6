"""What tells a model the order of its tokens is PyTorch's, however far apart they are."""

import numpy as np
import pytest
import torch
from small import ROOT, config, generator_config

from gatonegro.native.positions import relative_bias, sinusoids
from gatonegro.native.weights import Weights
from gatonegro.nn.attention import RelativeBias
from gatonegro.nn.encoder import Embeddings
from gatonegro.packing import Layout


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    ("buckets", "farthest"),
    [(32, 128), (32, 20), (6, 128), (7, 50), (4, 3), (64, 1000), (10, 4096), (33, 127), (128, 129), (320, 1280)],
)
def test_t5s_distances(buckets, farthest, causal):
    """Distances beyond the longest have the number of the longest, up to texts of 3,000 tokens."""
    values = {"relative_attention_num_buckets": buckets, "relative_attention_max_distance": farthest}
    settings = generator_config("t5", **values)
    bias = RelativeBias(settings, causal)
    torch.nn.init.normal_(bias.scores.weight)
    w = Weights({"relative.scores.weight": bias.scores.weight.detach().numpy()})
    for longest in (0, 1, 2, farthest - 1, farthest, farthest + 1, 3000):
        table = relative_bias(w, settings, Layout((longest, 1), (longest, 1)), causal)
        reach = table.shape[1] // 2
        assert reach <= farthest and table.flags.c_contiguous
        distance = np.clip(np.arange(-longest, longest + 1), -reach, reach) + reach
        assert (table[:, distance] == bias.by_distance(longest).detach().numpy()).all()


def test_no_relative_positions():
    assert relative_bias(Weights({}), config(), Layout((3,), (3,))) is None


@pytest.mark.parametrize("width", [24, 32, 36])
def test_sinusoids(width):
    values = config(position_embedding="sinusoid", hidden_size=width, max_position_embeddings=3000)
    positions = Embeddings(values).positions
    table = positions.weight if hasattr(positions, "weight") else positions
    np.testing.assert_allclose(sinusoids(3000, width), table.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("name", ["encoder.py", "decoder.py"])
def test_the_forward_pass_is_short_enough_to_read(name):
    assert len((ROOT / "src" / "gatonegro" / "native" / name).read_text(encoding="utf-8").splitlines()) <= 150
