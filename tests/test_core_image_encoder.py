from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tryon_core.config import ImageTower
from tryon_core.image_encoder import ENCODERS, ImageEncoder

CNN = ImageTower(encoder="cnn", height=32, width=24, stages=(4, 6), embedding_dim=8)
TOWERS = {
    "cnn": CNN,
    "mobilenet_v2": replace(CNN, encoder="mobilenet_v2"),
    "resnet18": replace(CNN, encoder="resnet18"),
    "vit_b_16": replace(CNN, encoder="vit_b_16", depth=1, hidden_dim=32, num_heads=2),
}


def built(tower: ImageTower) -> ImageEncoder:
    torch.manual_seed(0)
    return ImageEncoder(tower).eval()


def settled(tower: ImageTower, images: torch.Tensor) -> ImageEncoder:
    """An encoder whose normalisations know the images: with the initial ones a deep stack's signal dies out."""
    encoder = built(tower)
    for layer in encoder.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        encoder.train()(images)
    return encoder.eval()


def pixels(num: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (num, *shape), dtype=np.uint8))


def test_every_encoder_of_the_table_is_tested() -> None:
    assert TOWERS.keys() == ENCODERS.keys()


def test_the_convolution_is_the_sum_over_a_3_by_3_window() -> None:
    convolution = built(CNN).backbone[0]  # type: ignore[index]
    image = torch.rand(3, 6, 5)
    weight, padded = convolution.weight.detach().numpy(), np.pad(image.numpy(), ((0, 0), (1, 1), (1, 1)))
    by_hand = np.zeros((4, 6, 5))
    for out in range(4):
        for row in range(6):
            for column in range(5):
                for channel in range(3):
                    for i in range(3):
                        for j in range(3):
                            by_hand[out, row, column] += weight[out, channel, i, j] * padded[channel, row + i, column + j]
    np.testing.assert_allclose(convolution(image[None])[0].detach().numpy(), by_hand, atol=1e-5)


def test_a_stem_stride_takes_every_second_place_of_the_convolution() -> None:
    full, halved = built(CNN).backbone[0], built(replace(CNN, stem_stride=2)).backbone[0]  # type: ignore[index]
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(halved(image), full(image)[:, :, ::2, ::2])


def test_max_pooling_takes_the_largest_of_each_2_by_2_window() -> None:
    pooling = built(CNN).backbone[3]  # type: ignore[index]
    image = torch.rand(2, 6, 7).numpy()
    by_hand = np.array(
        [[[channel[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].max() for c in range(3)] for r in range(3)] for channel in image]
    )
    np.testing.assert_array_equal(pooling(torch.from_numpy(image)[None])[0].numpy(), by_hand)


def test_the_cnn_is_convolution_normalisation_relu_and_pooling_in_each_stage() -> None:
    kinds = [type(layer) for layer in built(CNN).backbone]  # type: ignore[union-attr]
    stage = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d]
    assert kinds == [*stage, *stage, nn.AdaptiveAvgPool2d, nn.Flatten]


def test_average_pooling_keeps_how_much_of_each_2_by_2_window_is_covered() -> None:
    backbone = built(replace(CNN, pooling="average")).backbone
    image = torch.rand(2, 6, 7)
    assert not any(isinstance(layer, nn.MaxPool2d) for layer in backbone)  # type: ignore[union-attr]
    by_hand = image[:, :6, :6].reshape(2, 3, 2, 3, 2).mean(dim=(2, 4))
    torch.testing.assert_close(backbone[3](image[None])[0], by_hand)  # type: ignore[index]


@pytest.mark.parametrize("places", [(1, 1), (8, 6), (4, 2)])
def test_the_grid_of_places_is_averaged_over_and_decides_what_the_embedding_sees(places: tuple[int, int]) -> None:
    encoder = built(replace(CNN, places=places))
    rows, columns = places
    assert encoder.project.in_features == 6 * rows * columns
    features = torch.rand(1, 6, 8, 6)  # what the two stages leave of 32 x 24
    by_hand = features.reshape(1, 6, rows, 8 // rows, columns, 6 // columns).mean(dim=(3, 5))
    torch.testing.assert_close(encoder.backbone[8](features), by_hand)  # type: ignore[index]


def test_an_image_of_the_mean_colour_is_a_zero_to_the_backbone() -> None:
    encoder = built(replace(CNN, channels=1, mean=(0.2,), std=(0.4,)))
    image = torch.full((1, 32, 24), 51, dtype=torch.uint8)
    torch.testing.assert_close(encoder(image)[0], encoder.project.bias, atol=1e-6, rtol=0)


def test_pixels_are_scaled_by_mean_and_spread_of_their_channel() -> None:
    encoder, image = built(CNN), pixels(2, 32, 24, 3)
    scaled = (image.numpy() / 255 - np.array(CNN.mean)) / np.array(CNN.std)
    channels_first = torch.from_numpy(scaled.transpose(0, 3, 1, 2).astype(np.float32))
    torch.testing.assert_close(encoder(image), encoder.project(encoder.backbone(channels_first)))


@pytest.mark.parametrize("tower", TOWERS.values(), ids=TOWERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_alone_is_encoded_as_among_others(tower: ImageTower, channels: int) -> None:
    masks = {"channels": 1, "mean": (0.2,), "std": (0.4,)} if channels == 1 else {}
    images = pixels(5, 64, 48) if channels == 1 else pixels(5, 64, 48, 3)
    encoder = settled(replace(tower, height=64, width=48, **masks), images)
    together = encoder(images)
    assert together.shape == (5, 8)
    assert together.std(dim=0).min() > 1e-2
    for row in range(5):
        torch.testing.assert_close(encoder(images[row : row + 1])[0], together[row], atol=1e-4, rtol=0)


def test_the_cnn_sees_where_things_are() -> None:
    encoder = built(CNN)
    upper = torch.zeros(1, 32, 24, 3, dtype=torch.uint8)
    upper[:, :8] = 255
    assert (encoder(upper) - encoder(upper.flip(1))).abs().max() > 1e-3
