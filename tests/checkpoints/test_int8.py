"""The int8 form on disk: round trips, errors, scales."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from compare import load, same, state
from hypothesis import given, settings
from safetensors import safe_open

from gatonegro import hub
from gatonegro.checkpoints import (
    INT8_WEIGHTS_NAME,
    SCALE_SUFFIX,
    Int8Rows,
    as_float32,
    pack_int8,
    read,
    row_scales,
    unpack_int8,
    write,
)
from gatonegro.errors import CheckpointError


def test_int8_round_trip(tmp_path):
    packed = pack_int8(state())
    assert {name for name, tensor in packed.items() if tensor.dtype == torch.int8} == {
        "embeddings.weight",
        "dense.weight",
    }
    assert packed["dense.bias"].dtype == torch.float32
    for size in ("5GB", 1):  # a shard each, so a matrix and its scales are apart
        write(tmp_path / str(size), packed, max_shard_size=size)
        assert same(load(tmp_path / str(size), unpack=False), packed)
        assert same(load(tmp_path / str(size)), unpack_int8(packed))
        assert same(load(tmp_path / str(size), "np"), unpack_int8(packed))
        assert same(load(tmp_path / str(size), "np", unpack=False), packed)
    with safe_open(tmp_path / "5GB" / INT8_WEIGHTS_NAME, "pt") as file:
        assert file.metadata() == {"format": "pt", "gatonegro": "int8"}
    assert (tmp_path / "5GB" / INT8_WEIGHTS_NAME).stat().st_size < 11_000  # 8,576 numbers and 134 scales


def test_int8_names_that_collide():
    """A checkpoint may have tensors called like our scales."""
    odd = {
        "w": torch.randn(64, 64),
        "w" + SCALE_SUFFIX: torch.randn(64),
        "v" + SCALE_SUFFIX: torch.randn(64, 64),
        "b": torch.ones(3),
        "b" + SCALE_SUFFIX: torch.ones(3),
    }
    packed = pack_int8(odd)
    assert packed["w"].dtype == torch.float32 and packed["v" + SCALE_SUFFIX].dtype == torch.int8
    assert unpack_int8(packed).keys() == odd.keys()
    assert all(
        torch.equal(unpack_int8(packed)[name], odd[name]) for name in ("w", "w" + SCALE_SUFFIX, "b", "b" + SCALE_SUFFIX)
    )


def test_int8_rows_are_expanded_on_request(tmp_path):
    packed = pack_int8(state())
    write(tmp_path, packed)
    rows, whole = read(hub.locate(tmp_path), "np")["dense.weight"], unpack_int8(packed)["dense.weight"].numpy()
    assert isinstance(rows, Int8Rows) and rows.shape == whole.shape and rows.ndim == 2 and len(rows) == len(whole)
    assert rows.dtype == whole.dtype and rows.rows.dtype == np.int8
    assert np.array_equal(rows.expand(), whole) and np.array_equal(rows.T, whole.T)
    assert isinstance(rows[3:9], Int8Rows) and np.array_equal(as_float32(rows[3:9]), whole[3:9])


def test_int8_twice_is_a_mistake():
    with pytest.raises(CheckpointError, match="int8 already"):
        pack_int8(pack_int8(state()))


NUMBERS = st.floats(-(2.0**100), 2.0**100, width=32)

SPREADS = st.floats(-12, 9)  # a row's size, as a power of ten


@st.composite
def matrices(draw) -> torch.Tensor:
    """Matrices of 2 × 2048 and larger, with rows of very different magnitudes and a few numbers from hypothesis."""
    rows = draw(st.integers(2, 4))
    made = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    matrix = torch.randn(rows, 2048, generator=made)
    for row in range(rows):
        matrix[row] *= 10 ** draw(SPREADS) if draw(st.booleans()) else draw(st.sampled_from([0.0, 0.02, 1.0]))
        for number in draw(st.lists(NUMBERS, max_size=2)):
            matrix[row, draw(st.integers(0, 2047))] = number
    return matrix


@settings(max_examples=150, deadline=None)
@given(matrices())
def test_int8_error_and_idempotence(matrix):
    packed = pack_int8({"w": matrix})
    unpacked = unpack_int8(packed)
    assert list(unpacked) == ["w"] and unpacked["w"].shape == matrix.shape
    if packed["w"].dtype == torch.int8:
        scale = row_scales(packed, "w").float()
        assert packed["w"].abs().max() <= 127
        off = (unpacked["w"] - matrix).abs().amax(1)
        assert (off <= scale / 2 * (1 + 1e-5)).all()
        assert (unpacked["w"][matrix.abs().amax(1) == 0] == 0).all()
    else:
        assert torch.equal(unpacked["w"], matrix)
    assert same(pack_int8(unpacked), packed)


@pytest.mark.parametrize(
    "largest", [127 * 2.0**k * f for k in range(-26, 17) for f in (0.5001, 0.75, 0.999, 1, 1.0001)]
)
def test_int8_scales_over_all_of_fp16(largest):
    matrix = torch.linspace(-largest, largest, 4096).view(1, -1)
    packed = pack_int8({"w": matrix})
    if SCALE_SUFFIX in "".join(packed):
        scale = packed["w" + SCALE_SUFFIX].float()
        assert packed["w"].abs().max() >= 64  # never more than a bit is given away
        assert (unpack_int8(packed)["w"] - matrix).abs().max() <= scale / 2 * (1 + 1e-5)
    else:  # larger or smaller than fp16 can say
        assert largest / 127 > 65504 or largest / 127 <= 2**-25
    assert same(pack_int8(unpack_int8(packed)), packed)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_int8_from_other_floats(kind):
    matrix = torch.randn(64, 64).to(kind)
    assert same(pack_int8({"w": matrix}), pack_int8({"w": matrix.float()}))
