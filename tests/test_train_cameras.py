"""A rig gives all its pictures a look of its own, and rigs differ."""

import numpy as np

from train.data.cameras import draw_rig, take_shot


def test_shots_of_a_rig_are_more_alike_than_shots_of_many() -> None:
    rng = np.random.default_rng(0)
    rigs = [draw_rig(rng) for _ in range(60)]
    shots = [[take_shot(rig, rng) for _ in range(30)] for rig in rigs]
    for name in ("distance", "camera_height", "pitch_rad", "roll_rad"):
        values = np.array([[getattr(shot, name) for shot in own] for own in shots])
        assert values.std(axis=1).mean() < 0.7 * values.std()


def test_a_high_camera_looks_down_and_a_low_one_up() -> None:
    rng = np.random.default_rng(1)
    shots = [take_shot(draw_rig(rng), rng) for _ in range(400)]
    heights, pitches = np.array([[shot.camera_height, shot.pitch_rad] for shot in shots]).T
    assert np.corrcoef(heights, pitches)[0, 1] > 0.7
    assert all(1.2 < shot.distance < 5.2 for shot in shots)
