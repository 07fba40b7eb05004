from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tryon_core.config import TextTower
from tryon_core.text import text_arrays
from tryon_core.text_encoder import ENCODERS, NUM_VALUE_FEATURES, Gru, Lstm, TextEncoder, value_features

ROWS = 65_536
TEXTS = ["165 cm, 55 kg, usually M, loose blue dresses", "short", "", "身高一米六五 slim", "a b c d e f g h i j k l"]


def tower(encoder: str, depth: int = 2) -> TextTower:
    return TextTower(encoder=encoder, width=8, depth=depth, num_heads=2, embedding_dim=6)


def built(encoder: str) -> TextEncoder:
    torch.manual_seed(0)
    return TextEncoder(tower(encoder)).eval()


def encoded(encoder: TextEncoder, texts: list[str]) -> Tensor:
    arrays = text_arrays(texts, ROWS, 64)
    with torch.no_grad():
        return encoder(*(torch.from_numpy(a) for a in (arrays.ids, arrays.values, arrays.lengths)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(tokens: np.ndarray, rnn: nn.LSTM, suffix: str) -> np.ndarray:
    """The gate equations, one token after the other: i, f, g, o; c = f c + i g; h = o tanh(c)."""
    names = (f"weight_ih_l0{suffix}", f"weight_hh_l0{suffix}", f"bias_ih_l0{suffix}", f"bias_hh_l0{suffix}")
    w, u, b, d = (getattr(rnn, name).detach().numpy().astype(np.float64) for name in names)
    h, c, states = np.zeros(u.shape[1]), np.zeros(u.shape[1]), []
    for token in tokens:
        i, f, g, o = np.split(w @ token + b + u @ h + d, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def gru_by_hand(tokens: np.ndarray, rnn: nn.GRU, suffix: str) -> np.ndarray:
    """r, z, n; h = (1 - z) n + z h, the reset gate behind the product as in torch."""
    names = (f"weight_ih_l0{suffix}", f"weight_hh_l0{suffix}", f"bias_ih_l0{suffix}", f"bias_hh_l0{suffix}")
    w, u, b, d = (getattr(rnn, name).detach().numpy().astype(np.float64) for name in names)
    h, states = np.zeros(u.shape[1]), []
    for token in tokens:
        (xr, xz, xn), (hr, hz, hn) = np.split(w @ token + b, 3), np.split(u @ h + d, 3)
        z, n = sigmoid(xz + hz), np.tanh(xn + sigmoid(xr + hr) * hn)
        h = (1 - z) * n + z * h
        states.append(h)
    return np.array(states)


@pytest.mark.parametrize(("kind", "by_hand"), [(Lstm, lstm_by_hand), (Gru, gru_by_hand)])
def test_a_recurrent_layer_follows_its_gate_equations_in_both_directions_of_padded_texts(kind, by_hand) -> None:
    torch.manual_seed(0)
    layer = kind(tower("lstm", depth=1))
    tokens, lengths = torch.randn(4, 7, 8), torch.tensor([3, 7, 1, 5])
    inside = torch.arange(7) < lengths.unsqueeze(1)
    features = layer(tokens, inside, lengths).detach().numpy()
    assert features.shape == (4, 7, 16)
    for row, length in enumerate(lengths.tolist()):
        own = tokens[row, :length].numpy().astype(np.float64)
        forward, backward = by_hand(own, layer.rnn, ""), by_hand(own[::-1], layer.rnn, "_reverse")[::-1]
        np.testing.assert_allclose(features[row, :length], np.concatenate([forward, backward], axis=1), atol=1e-5)
        assert not features[row, length:].any()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_text_alone_is_encoded_as_among_longer_ones(encoder: str) -> None:
    model = built(encoder)
    together = encoded(model, TEXTS)
    assert together.shape == (5, 6)
    for row, text in enumerate(TEXTS):
        torch.testing.assert_close(encoded(model, [text])[0], together[row], atol=1e-5, rtol=0)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_stands_behind_a_texts_end_cannot_matter(encoder: str) -> None:
    model, arrays = built(encoder), text_arrays(TEXTS, ROWS, 64)
    ids, values = arrays.ids.copy(), arrays.values.copy()
    behind = np.arange(ids.shape[1]) >= arrays.lengths[:, None]
    ids[behind], values[behind] = 4711, 1e3
    with torch.no_grad():
        other = model(torch.from_numpy(ids), torch.from_numpy(values), torch.from_numpy(arrays.lengths))
    torch.testing.assert_close(other, encoded(model, TEXTS), atol=1e-6, rtol=0)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_order_of_words_matters(encoder: str) -> None:
    one, other = encoded(built(encoder), ["small not large dress", "large not small dress"])
    assert (one - other).abs().max() > 1e-4


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_number_moves_the_embedding_of_the_same_words(encoder: str) -> None:
    one, other = encoded(built(encoder), ["155 cm tall", "185 cm tall"])
    assert (one - other).abs().max() > 1e-4


def test_the_features_of_a_number_are_its_size_and_phases_and_none_without_one() -> None:
    features = value_features(torch.tensor([165.0, float("nan"), float("inf")]))
    periods = 2.0 ** np.arange(3, 11)
    phase = 2 * np.pi * 165 / periods
    expected = np.concatenate([[1, 1.65, 1.65**2], np.sin(phase), np.cos(phase)])
    assert len(expected) == NUM_VALUE_FEATURES
    np.testing.assert_allclose(features[0].numpy(), expected, atol=1e-4)
    assert not features[1].any()
    assert features[2].isfinite().all()


def test_neighbouring_numbers_have_nearer_features_than_distant_ones() -> None:
    at = value_features(torch.tensor([165.0, 166.0, 190.0, 120.0]))
    near, far, farther = (at[1:] - at[0]).norm(dim=1)
    assert near < far
    assert near < farther
