"""Donors: faces of the shipped samples, and the track that has nothing but them."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.detectors.base import InputSpec
from toolkit.errors import Cancelled
from toolkit.explain.donors import clips_in, read_donors
from toolkit.media import probe

SPEC = InputSpec(size=112, margin=0.125)


def test_samples_give_faces_and_small_ones_are_left_out(sample, genuine_piece):
    large, small = genuine_piece, sample("carphone_pristine")
    donors = read_donors([large, small], SPEC, frames=3)
    assert donors.rgb.shape == (3, 112, 112, 3)
    assert (donors.face_width >= 64).all()
    assert read_donors([small], SPEC, frames=2) is None
    assert read_donors([large], SPEC, without=probe(large).sha256) is None


def test_what_is_no_clip_gives_none(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    (tmp_path / "text.txt").write_text("nothing")
    assert clips_in(tmp_path) == (broken,)
    assert clips_in(tmp_path / "absent") == ()
    assert read_donors([broken], SPEC) is None
    assert read_donors([], SPEC) is None


def test_reading_can_be_cancelled(sample):
    def tick(stage, done, total):
        assert stage == "donors"
        raise Cancelled

    with pytest.raises(Cancelled):
        read_donors([sample("cap13_edit2")], SPEC, tick=tick)


def test_a_track_without_a_clean_frame_takes_a_donor_from_the_samples(planted_piece, genuine_piece):
    """All frames of the track are the strongest planted one; the donor comes from another clip."""
    from toolkit.analysis.pipeline import examine
    from toolkit.detectors import registry
    from toolkit.explain.baselines import References
    from toolkit.explain.perturbation import take
    from toolkit.types import Sampling

    detector = registry.load("seamnet", device="cpu")
    found = examine(planted_piece, detector=detector, sampling=Sampling(frames=16), explain=False)
    strongest = int(np.argmax(found.report.tracks[0].evidence.logits))
    forged = take(found.crops["A"], [strongest] * 2)
    # above the threshold by construction of this test: the weights may change
    logits = np.full(2, detector.card.threshold + 1.0)
    references = References(detector, forged, logits)
    assert references.make("clean_frame", 0) is None
    assert references.make("donor", 0) is None
    references.add_donors(read_donors([genuine_piece], detector.spec, frames=8))
    made = references.best("donor", 0)
    assert made.kind == "donor"
    assert made.validity_tests[0].passed  # judged genuine, in place of a frame that is not
    assert references.test(made, plant=False).validity_tests[1].passed is not None
