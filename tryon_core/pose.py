"""People in a photo, and one of them as landmarks and a mask; knows no garment and judges nothing.

The two networks are BlazePose's (Bazarevsky et al., 2020) as mediapipe 0.10.21 ships them (Apache-2.0), written once as
torch operations by `train.convert`: a detector, which also tells how each person is turned, and a network that sees one of
them upright, head to feet.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from .graph_network import GraphNetwork
from .photo import RGB, Mask

Floats = npt.NDArray[np.float64]

POSE_ASSETS = Path(__file__).parent / "assets" / "pose"
LANDMARKS = 33
"""Points told of a body; two more tell its circle."""
VIEW_PX = 256
"""Side of the square in which the second network sees a person."""
_DETECTOR_PX = 224
_STRIDES = ((8, 2), (16, 2), (32, 6))
"""Of the detector's grids, and how many boxes each place of one proposes."""
_MIN_SCORE = 0.5
_SAME_PERSON_IOU = 0.3
_ROOM = 1.25
"""How much larger the second network's view is than the circle around a body."""
_GROWTH = (0.75, 1.06)
_SHIFT = 0.12
"""Between which shares of its radius a body's circle may turn out to be, and how far off, without another look."""
_FARTHER_OFF = 1.5
_LEAST_RADIUS_PX = 1.0


@dataclass(frozen=True)
class Circle:
    """Around a whole body; in pixels of the photo."""

    hips: Floats
    """float64[2], its middle, between the hips."""
    reach: Floats
    """float64[2], a point on it, above the body's middle."""

    @property
    def radius_px(self) -> float:
        """From the hips to the head's top or the feet, whichever is farther."""
        return float(np.hypot(*(self.reach - self.hips)))

    @property
    def is_any(self) -> bool:
        """Whether it has a size and a place; a network whose picture is not of this world may tell of none."""
        return bool(_LEAST_RADIUS_PX <= self.radius_px < np.inf and np.isfinite(self.hips).all())


@dataclass(frozen=True)
class Detection:
    """A person, seen roughly; in pixels of the photo."""

    score: float
    box: Floats
    """float64[4], of the face: left, top, right, bottom."""
    circle: Circle


@dataclass(frozen=True)
class Pose:
    """A person, seen well."""

    presence: float
    """P(a person is there)."""
    points: Floats
    """float64[33, 2], landmarks in pixels of the photo, numbered as BlazePose does: 0 nose, 27 and 28 ankles."""
    present: Floats
    """float64[33], P(a landmark is inside the picture)."""
    circle: Circle
    """As it is seen now: better than what led here."""
    upright: RGB
    """uint8[256, 256, 3], the person as the network saw them, turned upright."""
    mask: Mask
    """uint8[256, 256] of that view, P(the person is there) in 255ths."""
    view: Floats
    """float64[3, 3], from pixels of the view to those of the photo."""

    def laid_out(self, mask: Mask, height: int, width: int) -> Mask:
        """Return a mask of the view as one of the photo, uint8[height, width], 255 where it is at least a half."""
        back = _coefficients(np.linalg.inv(self.view))
        placed = Image.fromarray(mask).transform((width, height), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)
        return np.where(np.asarray(placed) >= 128, 255, 0).astype(np.uint8)


class PoseModel:
    """Both networks; threads may share one.

    Args:
        folder: holds ``pose_detection`` and ``pose_landmark`` as `GraphNetwork` reads them.

    Raises:
        CheckpointError: a file is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._detector = GraphNetwork(folder / "pose_detection")
        self._landmarks = GraphNetwork(folder / "pose_landmark")
        self._anchors = _anchors()

    def detect(self, photo: RGB) -> list[Detection]:
        """Return the people in a photo, uint8[H, W, 3], surest first; nobody twice.

        Where there is nobody, it looks once more from farther off: the detector misses some who fill the picture.
        """
        found = self._detect(photo, max(photo.shape[:2]))
        return found or self._detect(photo, round(_FARTHER_OFF * max(photo.shape[:2])))

    def _detect(self, photo: RGB, side: int) -> list[Detection]:
        """Return the people in a photo laid in the middle of a black square of `side` pixels."""
        height, width = photo.shape[:2]
        corner = np.array([(side - width) // 2, (side - height) // 2])
        square = Image.new("RGB", (side, side))
        square.paste(Image.fromarray(photo), tuple(corner.tolist()))
        outputs = self._detector(_tensor(square.resize((_DETECTOR_PX, _DETECTOR_PX), Image.Resampling.BILINEAR)) * 2 - 1)
        scores = outputs["scores"][0, :, 0].clamp(-100, 100).sigmoid().double().numpy()
        places = outputs["boxes"][0].double().numpy().reshape(-1, 6, 2) / _DETECTOR_PX
        sure = np.flatnonzero(scores >= _MIN_SCORE)
        found = [_detection(float(scores[n]), places[n], self._anchors[n], side, corner) for n in sure]
        return _distinct(sorted(found, key=lambda detection: -detection.score))

    def pose(self, photo: RGB, person: Detection) -> Pose:
        """Return landmarks and mask of one person in a photo, uint8[H, W, 3]; a badly aimed look is followed by another."""
        seen = self._look(photo, person.circle)
        return self._look(photo, seen.circle) if seen.presence > 0 and _badly_aimed(seen) else seen

    def warm_up(self) -> None:
        """Run both networks once: the first run lays out memory and takes twice as long."""
        self._detector(torch.zeros(1, 3, _DETECTOR_PX, _DETECTOR_PX))
        self._landmarks(torch.zeros(1, 3, VIEW_PX, VIEW_PX))

    def _look(self, photo: RGB, circle: Circle) -> Pose:
        if not circle.is_any:
            return _nobody(circle)
        view = _view(circle)
        upright = _seen(photo, view)
        outputs = self._landmarks(_tensor(upright))
        values = outputs["landmarks"][0].double().numpy().reshape(-1, 5)
        points = values[:, :2] @ view[:2, :2].T + view[:2, 2]
        present = 1 / (1 + np.exp(-values[:LANDMARKS, 4]))
        mask = (outputs["mask"][0, 0].sigmoid() * 255).round().to(torch.uint8).numpy()
        circle = Circle(*points[LANDMARKS : LANDMARKS + 2])
        return Pose(float(outputs["presence"][0, 0]), points[:LANDMARKS], present, circle, np.asarray(upright), mask, view)


def pose_model() -> PoseModel:
    """Return the shipped networks, loaded when they are first needed, once per process.

    Raises:
        CheckpointError: the installation is damaged.
    """
    with _LOADING:
        return _shipped()


_LOADING = Lock()


@functools.cache
def _shipped() -> PoseModel:
    return PoseModel(POSE_ASSETS)


def _detection(score: float, places: Floats, anchor: Floats, side: int, corner: Floats) -> Detection:
    (x, y), (width, height) = places[0] + anchor, places[1]
    box = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2]) * side - np.tile(corner, 2)
    hips, reach = ((place + anchor) * side - corner for place in places[2:4])
    return Detection(score, box, Circle(hips, reach))


def _nobody(circle: Circle) -> Pose:
    """Return what is seen where there is nothing to look at: an empty mask, and no presence."""
    black = np.zeros((VIEW_PX, VIEW_PX, 3), np.uint8)
    return Pose(0.0, np.zeros((LANDMARKS, 2)), np.zeros(LANDMARKS), circle, black, black[..., 0], np.eye(3))


def _tensor(image: Image.Image) -> torch.Tensor:
    """Return an image as float32[1, 3, H, W] in [0, 1]."""
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)[None]


def _anchors() -> Floats:
    """Return the middles that the detector's boxes are told from, float64[2254, 2] in [0, 1]."""
    grids = []
    for stride, boxes in _STRIDES:
        num = _DETECTOR_PX // stride
        rows, columns = np.mgrid[0:num, 0:num]
        grids.append(np.repeat(np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5, boxes, axis=0) / num)
    return np.concatenate(grids)


def _distinct(detections: list[Detection]) -> list[Detection]:
    kept: list[Detection] = []
    for detection in detections:
        if all(_overlap(detection.box, other.box) < _SAME_PERSON_IOU for other in kept):
            kept.append(detection)
    return kept


def _overlap(one: Floats, other: Floats) -> float:
    """Return the intersection of two boxes over their union."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    return shared / (float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - shared)


def _badly_aimed(seen: Pose) -> bool:
    """Whether a body turns out to be of another size, or elsewhere, than the view was made for."""
    middle, radius = VIEW_PX / 2, np.hypot(*seen.view[:2, 0]) * VIEW_PX / 2 / _ROOM
    aimed = seen.view[:2, :2] @ np.array([middle, middle]) + seen.view[:2, 2]
    growth, shift = seen.circle.radius_px / radius, np.hypot(*(seen.circle.hips - aimed)) / radius
    return bool(not _GROWTH[0] <= growth <= _GROWTH[1] or shift > _SHIFT)


def _view(circle: Circle) -> Floats:
    """Return float64[3, 3] from the second network's pixels to the photo's: the body upright in the middle."""
    across = circle.reach - circle.hips
    angle = np.pi / 2 - np.arctan2(-across[1], across[0])
    scale = 2 * _ROOM * circle.radius_px / VIEW_PX
    cos, sin, half = scale * np.cos(angle), scale * np.sin(angle), VIEW_PX / 2
    x, y = circle.hips
    return np.array([[cos, -sin, x - half * (cos - sin)], [sin, cos, y - half * (sin + cos)], [0, 0, 1]])


def _seen(photo: RGB, view: Floats) -> Image.Image:
    """Return what a view shows of a photo, black beyond its border; far larger photos are averaged down first."""
    image, factor = Image.fromarray(photo), max(1, int(np.hypot(*view[:2, 0])))
    if factor > 1:
        image = image.reduce(factor)
    scaled = np.diag([1 / factor, 1 / factor, 1]) @ view
    return image.transform((VIEW_PX, VIEW_PX), Image.Transform.AFFINE, _coefficients(scaled), Image.Resampling.BILINEAR)


def _coefficients(matrix: npt.NDArray[np.floating[Any]]) -> tuple[float, ...]:
    return tuple(matrix[:2].ravel().tolist())
