"""What those can know of a fit who see bodies, sizes and cuts, but not what a brand and a garment untoldly do to sizes.

Between them and the oracle of `labels` lies what fit history can teach. Knows no picture and no word.
"""

from __future__ import annotations

import numpy as np

from .labels import BIAS_STEPS, OFFSET_STEPS, Array, Ints, Truth, fit_probabilities, steps_over

UNTOLD_STEPS = float(np.hypot(BIAS_STEPS, OFFSET_STEPS))
"""SD of a brand's bias and a garment's offset together, in steps."""
_NODES = 32
"""Of the quadrature over what is untold."""


def blind_oracle(truth: Truth, told: Array, shopper: Ints, garment: Ints, size: Ints) -> Array:
    """Return P(small, fit, large), float64[N, 3], given everything but the whim and what is untold of brands and garments.

    Args:
        told: float64[G], the part of `Truth.hidden` that a garment's cut tells.
        shopper: int64[N], as are the garment and the size.

    Raises:
        InputError: a garment has no such size.
    """
    return averaged(steps_over(truth, shopper, garment, size) - told[garment], truth.stretch[garment])


def averaged(latent: Array, stretch: Array | float = 0.0, spread: float = UNTOLD_STEPS) -> Array:
    """Return P(small), P(fit), P(large), float64[N, 3], averaged over offsets that are normal about 0 (Gauss-Hermite).

    Args:
        latent: float64[N], as `labels.fit_probabilities` takes it, at no offset.
        stretch: float64[N] or a number, likewise.
        spread: the offsets' SD, in steps.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    gives = np.repeat(np.broadcast_to(stretch, latent.shape), _NODES)
    each = fit_probabilities((latent[:, None] - spread * nodes).ravel(), gives).reshape(len(latent), _NODES, 3)
    return np.asarray(np.einsum("nkc,k->nc", each, weights / weights.sum()))
