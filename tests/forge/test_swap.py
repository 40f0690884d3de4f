"""Face swaps: each step against a known answer, and a whole clip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forge import faces as made_up
from toolkit import media
from toolkit.errors import Cancelled, ShapeError, UsageError
from toolkit.forge import expression, marks, swap
from toolkit.forge.swap import BLENDINGS, BREAKS, USUAL, SwapRecipe


@pytest.fixture(scope="module")
def performance(sample):
    return swap.read_performance(sample("cap12_edit"), start_s=10, end_s=11)


@pytest.fixture(scope="module")
def gallery(sample):
    return expression.read_clip(sample("franck"), per_second=0.1, name="franck")


@pytest.fixture(scope="module")
def made(performance, gallery, tmp_path_factory):
    folder = tmp_path_factory.mktemp("swap")
    return swap.swap(performance, gallery, folder / "synthetic_x.mp4")


# -- warp


@pytest.mark.usefixtures("face_models")
class TestWarp:
    def test_onto_itself_changes_nothing(self):
        rgb, mesh = made_up.picture(), made_up.mesh()
        warped = swap.warp(rgb, mesh, mesh, (300, 300))
        apart = np.abs(warped.rgb.astype(int) - rgb)[warped.shows]
        assert apart.max() <= 1
        assert warped.hidden == 0 or not warped.shows.all()
        assert warped.stretch == pytest.approx(1, abs=1e-6)

    def test_a_shift_moves_each_pixel(self):
        rgb, mesh = made_up.picture(), made_up.mesh()
        warped = swap.warp(rgb, mesh, mesh + np.array([20, -10, 0], np.float32), (300, 300))
        y, x = np.nonzero(warped.shows)
        assert np.abs(warped.rgb[y, x].astype(int) - rgb[y + 10, x - 20]).max() <= 1

    @pytest.mark.parametrize("yaw", [-35, 0, 25])
    def test_there_are_no_gaps_and_no_torn_triangles(self, yaw):
        white = np.full((300, 300, 3), 255, np.uint8)
        warped = swap.warp(white, made_up.mesh(), made_up.mesh(yaw=yaw, width=150), (300, 300))
        assert (warped.rgb[warped.outline] == 255).all()
        assert (warped.rgb[~warped.outline] == 0).all()
        import cv2

        count, _labels = cv2.connectedComponents((~warped.outline).astype(np.uint8))
        assert count == 2  # the face, and one background: no hole
        parts, _labels = cv2.connectedComponents(warped.outline.astype(np.uint8))
        assert parts == 2

    def test_what_is_turned_away_in_the_picture_is_not_shown(self):
        rgb = made_up.picture()
        straight = swap.warp(rgb, made_up.mesh(), made_up.mesh(), (300, 300))
        turned = swap.warp(rgb, made_up.mesh(yaw=60), made_up.mesh(), (300, 300))
        assert turned.hidden > straight.hidden + 20
        assert turned.shows.sum() < straight.shows.sum()
        assert (turned.outline == straight.outline).all()

    def test_a_triangle_seen_edge_on_makes_no_hole_in_the_mask(self):
        from toolkit.faces.mesh import canonical_face

        folded = made_up.mesh()
        triangles = canonical_face().triangles
        middle = np.abs(folded[triangles][:, :, :2].mean(axis=1) - (150, 150)).sum(axis=1).argmin()
        a, b, c = triangles[middle]
        folded[c, :2] = (folded[a, :2] + folded[b, :2]) / 2
        warped = swap.warp(made_up.picture(), folded, made_up.mesh(), (300, 300))
        assert warped.hidden > 0
        assert warped.shows[140:160, 140:160].all()

    def test_a_large_picture_is_smoothed_when_it_shrinks(self):
        stripes = np.zeros((600, 600, 3), np.uint8)
        stripes[:, ::2] = 255
        big = made_up.mesh(width=400, centre=(300, 300))
        warped = swap.warp(stripes, big, made_up.mesh(width=80), (300, 300))
        assert warped.rgb[warped.shows].std() < 40  # sampled alone it would be 127

    def test_a_mesh_out_of_the_picture_or_broken(self):
        rgb = made_up.picture()
        away = swap.warp(rgb, made_up.mesh(), made_up.mesh(centre=(900, 900)), (300, 300))
        assert not away.shows.any()
        broken = made_up.mesh()
        broken[5] = np.nan
        with pytest.raises(ShapeError):
            swap.warp(rgb, broken, made_up.mesh(), (300, 300))


@pytest.mark.usefixtures("face_models")
def test_the_inside_of_the_mouth_comes_from_the_clip_as_far_as_needed():
    closed, open_ = made_up.mesh(), made_up.mesh()
    middle = open_[13, 1]
    open_[14, 1], open_[13, 1] = middle + 15, middle - 5
    closed[14, 1] = closed[13, 1] = middle
    assert swap.mouth_from_target(closed, open_, "auto") == 1
    assert swap.mouth_from_target(open_, open_, "auto") == 0
    assert swap.mouth_from_target(open_, closed, "auto") == 0
    assert swap.mouth_from_target(open_, open_, "target") == 1
    assert swap.mouth_from_target(closed, open_, "gallery") == 0
    half = closed.copy()
    half[14, 1], half[13, 1] = middle + 10, middle - 4
    assert 0 < swap.mouth_from_target(half, open_, "auto") < 1


# -- colour, mask, blend


@pytest.mark.parametrize("method", ["mean", "local"])
def test_colours_are_brought_near(method):
    target = made_up.picture()
    source = np.clip(target.astype(int) * 0.6 + (40, 0, 20), 0, 255).astype(np.uint8)
    where = np.zeros((300, 300), bool)
    where[50:250, 60:240] = True
    coloured = swap.match_colour(source, target, where, method=method)
    assert coloured.after < 0.2 * coloured.before
    half = swap.match_colour(source, target, where, method=method, strength=0.5)
    assert coloured.after < half.after < coloured.before


def test_colours_left_alone_are_left_alone():
    rgb, other = made_up.picture(), made_up.picture(seed=1)
    where = np.ones((300, 300), bool)
    assert swap.match_colour(rgb, other, where, method="none").rgb is rgb
    assert swap.match_colour(rgb, other, where, strength=0).rgb is rgb
    assert swap.match_colour(rgb, other, ~where).rgb is rgb


@given(st.floats(0, 0.2), st.floats(0, 0.4))
@settings(deadline=None, max_examples=25)
def test_the_mask_stays_inside_and_grows_inwards(erode, feather):
    shows = np.zeros((120, 120), bool)
    shows[20:100, 30:90] = True
    mask = swap.make_mask(shows, 60, erode=erode, feather=feather)
    assert (mask[~shows] == 0).all()
    assert 0 <= mask.min() <= mask.max() <= 1
    row = mask[60, 30:60]
    assert (np.diff(row) >= 0).all()


@pytest.mark.parametrize("how", BLENDINGS)
def test_where_the_mask_is_nil_the_clip_is_untouched_to_the_bit(how):
    source, target = made_up.picture(seed=2), made_up.picture(seed=3)
    shows = np.zeros((300, 300), bool)
    shows[80:220, 90:200] = True
    mask = swap.make_mask(shows, 110, erode=0.03, feather=0.1)
    out = swap.blend(source, target, mask, how=how)
    np.testing.assert_array_equal(out[mask == 0], target[mask == 0])
    assert (out[mask > 0.9] != target[mask > 0.9]).any()
    assert (swap.blend(source, target, np.zeros_like(mask), how=how) == target).all()


def test_poisson_keeps_a_difference_of_brightness_out():
    target = made_up.picture()
    source = np.clip(target.astype(int) + 40, 0, 255).astype(np.uint8)
    shows = np.zeros((300, 300), bool)
    shows[80:220, 90:200] = True
    mask = swap.make_mask(shows, 110, erode=0.0, feather=0.02)
    inside = mask == 1
    errors = {
        how: np.abs(swap.blend(source, target, mask, how=how).astype(int) - target)[inside].mean()
        for how in ("feather", "poisson")
    }
    assert errors["poisson"] < 0.35 * errors["feather"]


# -- recipes


def test_each_break_changes_what_it_says():
    for name, changes in BREAKS.items():
        recipe = swap.broken(USUAL, name)
        assert (recipe == USUAL) == (not changes)
    with pytest.raises(UsageError, match="unknown step"):
        swap.broken(USUAL, "label")


@pytest.mark.parametrize(
    "wrong",
    [
        {"crf": 52},
        {"erode": -0.1},
        {"shift": (2.0, 0.0)},
        {"colour": "red"},
        {"blend": "glue"},
        {"mouth": "dog"},
        {"match": "second"},
        {"resolution": 5000},
    ],
)
def test_a_recipe_out_of_range_is_refused(wrong):
    with pytest.raises(UsageError):
        SwapRecipe(**wrong)


# -- one frame


def test_a_frame_goes_through_all_steps(performance, gallery):
    video = media.probe(performance.path)
    (frame,) = media.read(video, performance.indices[:1])
    swapped = swap.swap_frame(frame.rgb, performance.mesh[0], gallery.faces[3])
    names = [step.name for step in swapped.steps]
    assert names == ["face", "search", "warp", "colour", "mask", "blend", "back"]
    np.testing.assert_array_equal(swapped.rgb[swapped.mask == 0], frame.rgb[swapped.mask == 0])
    changed = (swapped.rgb != frame.rgb).any(axis=2)
    assert changed[swapped.mask > 0.9].mean() > 0.9
    colour = swapped.steps[3].numbers
    assert colour["after"] < 3 < colour["before"]
    for step in swapped.steps[-2:]:  # what is forged is marked, also where it is only shown
        assert marks.find_label(step.rgb).is_there
    coded = swap.compress(swapped.steps[-1].rgb, 35)
    assert coded.numbers["error"] > 1
    assert marks.find_label(coded.rgb).is_there


def test_faces_are_mixed_while_one_fades_into_the_next(performance, gallery):
    video = media.probe(performance.path)
    (frame,) = media.read(video, performance.indices[:1])
    a, b = gallery.faces[2], gallery.faces[9]
    recipe = SwapRecipe(colour="none", mouth="gallery")
    one, two, both = (
        swap.swap_frame(frame.rgb, performance.mesh[0], mix, recipe, show=False).rgb.astype(int)
        for mix in (a, b, [(a, 0.5), (b, 0.5)])
    )
    assert np.abs(both - (one + two) / 2).mean() < 1


def test_fewer_pixels_and_a_shift_show(performance, gallery):
    video = media.probe(performance.path)
    (frame,) = media.read(video, performance.indices[:1])
    results = {
        name: swap.swap_frame(
            frame.rgb, performance.mesh[0], gallery.faces[3], swap.broken(USUAL, name)
        )
        for name in BREAKS
    }
    usual = results["none"]
    assert results["low_resolution"].steps[1].numbers["kept_width_px"] == 32
    for name, result in results.items():
        if name not in ("none", "wrong_expression"):  # the expression is chosen elsewhere
            assert (result.rgb != usual.rgb).any(), name
    edges = {name: r.steps[5].numbers["edge"] for name, r in results.items()}
    assert edges["no_colour"] > edges["none"]


def test_a_gallery_without_pictures_is_refused(performance, gallery):
    blank = made_up.face(gallery.faces[0].coefficients)
    with pytest.raises(UsageError, match="no pictures"):
        swap.swap_frame(np.zeros((300, 400, 3), np.uint8), performance.mesh[0], blank)


# -- a clip


def test_trembling_is_smoothed_and_gaps_stay_gaps():
    mesh = np.ones((20, 478, 3), np.float32)
    mesh[7] = np.nan
    still = swap.smooth_mesh(mesh)
    assert np.isnan(still[7]).all()
    np.testing.assert_allclose(still[np.arange(20) != 7], 1, rtol=1e-6)
    noise = np.random.default_rng(0).normal(size=(60, 478, 3)).astype(np.float32)
    assert swap.smooth_mesh(noise).std() < 0.7 * noise.std()


def test_the_worst_match_is_worse(performance, gallery):
    _, best = swap.choose_faces(performance, gallery)
    _, worst = swap.choose_faces(performance, gallery, swap.broken(USUAL, "wrong_expression"))
    assert np.nanmean(worst) > 2 * np.nanmean(best)


def test_a_clip_is_made_and_its_truth_beside_it(made, performance, gallery):
    video = media.probe(made.path)
    assert len(video.pts) == made.frames == made.forged == len(performance.indices)
    facts = marks.read_sidecar(made.path)
    assert facts["clip"]["sha256"] == video.sha256
    assert facts["target"]["sha256"] == performance.sha256
    assert facts["faces"]["sha256"] == list(gallery.sources)
    assert facts["recipe"]["blend"] == "feather"
    assert facts["seed"] == 0
    assert facts["masks"] == made.masks.name
    assert sum(facts["forged"]) == made.forged
    original = media.probe(performance.path)
    pairs = zip(
        media.read(video, np.arange(made.frames)),
        media.read(original, performance.indices),
        strict=True,
    )
    for number, (forged, genuine) in enumerate(pairs):
        change = np.abs(forged.rgb.astype(int) - genuine.rgb).mean(axis=2)
        mask = marks.read_mask(made.path, number)
        assert change[mask > 0.9].mean() > 2 * change[mask == 0].mean()


def test_the_face_is_in_place_and_follows(made, performance):
    again = swap.read_performance(made.path)
    assert again.has_face.all()
    points = [468, 473, 1, 61, 291]
    apart = again.mesh[:, points, :2] - performance.mesh[:, points, :2]
    width = np.ptp(performance.mesh[:, :468, 0], axis=1).mean()
    assert np.linalg.norm(apart, axis=2).mean() < 0.03 * width


def test_refusals(performance, gallery, tmp_path, sample):
    with pytest.raises(UsageError, match="named as one"):
        swap.swap(performance, gallery, tmp_path / "nice.mp4")
    case = tmp_path / "case"
    (case / "work").mkdir(parents=True)
    (case / "log.jsonl").touch()
    (case / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="case folder"):
        swap.swap(performance, gallery, case / "work" / "synthetic_x.mp4")
    exhibit = case / "work" / "e1.mp4"
    exhibit.write_bytes(sample("cap12_edit").read_bytes())
    inside = swap.Performance(**{**vars(performance), "path": exhibit})
    with pytest.raises(UsageError, match="case folder"):
        swap.swap(inside, gallery, tmp_path / "synthetic_x.mp4")
    unknown = swap.Performance(**{**vars(performance), "sha256": "0" * 64})
    with pytest.raises(UsageError, match="agreed"):
        swap.swap(unknown, gallery, tmp_path / "synthetic_x.mp4")
    assert not list(tmp_path.glob("synthetic_*"))


def test_a_cancelled_clip_leaves_nothing(performance, gallery, tmp_path):
    def tick(stage, done, _total):
        if stage == "swap" and done > 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        swap.swap(performance, gallery, tmp_path / "synthetic_x.mp4", tick=tick)
    assert list(tmp_path.iterdir()) == []


def test_too_long_and_empty_stretches_are_refused(sample):
    with pytest.raises(UsageError, match="too long"):
        swap.read_performance(sample("franck"))
    with pytest.raises(UsageError, match="nothing of the clip"):
        swap.read_performance(sample("franck"), start_s=500)


def test_the_command(sample, tmp_path, capsys):
    out = tmp_path / "synthetic_c.mp4"
    arguments = [
        str(sample("cap12_edit")), "--faces", "franck", "--from", "10", "--to", "10.3",
        "--per-second", "0.05", "--out", str(out), "--break", "no_colour",
    ]  # fmt: skip
    assert swap.main(arguments) == 0
    assert "frames forged" in capsys.readouterr().out
    assert marks.read_sidecar(out)["recipe"]["colour"] == "none"
    assert swap.main([*arguments[:-4], "--out", str(tmp_path / "x.mp4")]) == 2
    assert "named as one" in capsys.readouterr().err
    assert swap.main(["nowhere.mp4", *arguments[1:]]) == 3
