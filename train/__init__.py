"""Fits, calibrates and scores the core's models, data-parallel on Ray; run as ``python -m train``."""
