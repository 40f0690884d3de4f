"""Each lens sees the trace it is made for, where it is, and nothing where nothing was changed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.lessons.faces import face
from toolkit.errors import UsageError
from toolkit.lessons.traces import TRACES, look

pytestmark = pytest.mark.usefixtures("face_models")


@pytest.mark.parametrize("trace", TRACES)
def test_nothing_changed_reads_the_same(trace):
    seen = look(face(), trace, regions=("mouth",), strength=0)
    assert (seen.genuine == seen.forged).all()
    assert seen.before == seen.after
    assert (seen.lens_genuine == seen.lens_forged).all()


@pytest.mark.parametrize(
    ("trace", "grows"),
    [
        ("seam", True),
        ("resampling", False),
        ("noise", False),
        ("colour", True),
        ("frequency", False),
    ],
)
def test_a_lens_reads_its_trace(trace, grows):
    readings = [look(face(), trace, regions=("nose",), strength=s).after for s in (0.0, 1.5, 3.0)]
    first, middle, last = readings
    if grows:
        assert first < middle < last
    else:
        assert max(middle, last) < 0.85 * first


@pytest.mark.parametrize("trace", TRACES)
def test_what_lies_outside_the_mask_is_untouched(trace):
    seen = look(face(), trace, regions=("left_eye", "mouth"), strength=2.0)
    assert (seen.genuine[seen.mask == 0] == seen.forged[seen.mask == 0]).all()
    assert (seen.genuine[seen.mask > 0.9] != seen.forged[seen.mask > 0.9]).any()


def test_a_spectrum_loses_its_fine_end():
    spectrum = look(face(), "frequency", regions=("mouth",), strength=3.0).spectrum
    third = len(spectrum.cycles) // 3
    lost = spectrum.genuine - spectrum.forged
    assert lost[-third:].mean() > lost[:third].mean() + 3
    assert np.isfinite(lost).all()


def test_options_out_of_range_are_refused():
    with pytest.raises(UsageError, match="trace"):
        look(face(), "smell", regions=("mouth",), strength=1)
    with pytest.raises(UsageError, match="strength"):
        look(face(), "seam", regions=("mouth",), strength=9)
