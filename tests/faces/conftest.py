from __future__ import annotations

import cv2
import numpy as np
import pytest

from toolkit import samples
from toolkit.errors import ToolkitError


@pytest.fixture(scope="session")
def portrait(face_models):
    """Return the astronaut portrait, (512, 512, 3) RGB."""
    try:
        path = samples.path("astronaut")
    except ToolkitError as error:
        pytest.skip(str(error))
    bgr = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
