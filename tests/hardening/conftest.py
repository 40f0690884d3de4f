"""What is tried here are decoders as the product starts them."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _as_the_product(start_decoders):
    """Start each decoder as a program of its own."""
