"""The player in a real JupyterLab and as a page by itself, on clips that tell their frame."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.lab import open_notebook, run_all, run_in_kernel
from tests.player.made_up import centre, made
from toolkit import _i18n, figures, player
from toolkit.player import Scene
from toolkit.report import playable

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CELLS = "() => jupyterapp.shell.currentWidget.content.widgets.length"
FIGURES = "figure.dz-player[data-ready='1']"
FRAMES = 100  # of the clip with a variable rate, see notebooks/dev/components.ipynb
FIRST, SECOND, SIDES, MOMENTS = range(4)  # the widgets of that notebook, in order

# The frame that is in the pixels of a video.
BARS = """
  const bars = (picture, video = picture) => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    pen.drawImage(picture, 0, 0);
    let n = 0;
    for (let bit = 0; bit < 10; bit += 1)
      if (pen.getImageData(bit * 20 + 10, canvas.height - 10, 1, 1).data[0] > 127) n |= 1 << bit;
    return n;
  };
  const becomes = (figure, n) => new Promise((resolve, reject) => {
    const check = () => {
      if (Number(figure.dataset.frame) !== n) return;
      watch.disconnect(); clearTimeout(late); resolve();
    };
    const watch = new MutationObserver(check);
    const late = setTimeout(() => reject(new Error(`frame ${n} never came`)), 20000);
    watch.observe(figure, { attributes: true });
    check();
  });
"""

# Seek to each frame; return [wanted, in the pixels] where they differ.
SEEK_ALL = (
    """async ([index, frames]) => {"""
    + BARS
    + """
  const figure = document.querySelectorAll('figure.dz-player')[index];
  const [video, scrub] = [figure.querySelector('video'), figure.querySelector('.dzp-scrub')];
  const wrong = [];
  for (const n of frames) {
    scrub.value = n;
    scrub.dispatchEvent(new Event('input'));
    await becomes(figure, n);
    if (bars(video) !== n) wrong.push([n, bars(video)]);
  }
  return wrong;
}"""
)

# Play to the end; return [overlay, in the pixels] of every frame that was presented. A frame that
# was already replaced while this script was busy (its time tells) shows nothing about the overlay.
PLAY = (
    """async (index) => {"""
    + BARS
    + """
  const figure = document.querySelectorAll('figure.dz-player')[index];
  const video = figure.querySelector('video');
  figure.querySelector('.dzp-first').click();
  await becomes(figure, 0);
  const seen = [];
  const look = (_now, meta) => {
    const frame = new VideoFrame(video);
    if (Math.abs(frame.timestamp / 1e6 - meta.mediaTime) < 1e-3)
      seen.push([Number(figure.dataset.frame), bars(frame, video)]);
    frame.close();
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  const ended = new Promise((resolve) => video.addEventListener('ended', resolve, { once: true }));
  figure.querySelector('.dzp-play').click();
  await ended;
  return seen;
}"""
)

# Timers of the player that are running: [delay in ms of each].
WATCH_TIMERS = """
  const [set, clear, running] = [window.setTimeout, window.clearTimeout, new Map()];
  window.setTimeout = (run, ms, ...rest) => {
    const id = set(() => { running.delete(id); run(...rest); }, ms);
    running.set(id, ms);
    return id;
  };
  window.clearTimeout = (id) => { running.delete(id); clear(id); };
  window.timers = () => [...running.values()];
"""

SIDE_BY_SIDE = (
    """async ([index, frames]) => {"""
    + BARS
    + """
  const figure = document.querySelectorAll('figure.dz-player')[index];
  const [left, right] = figure.querySelectorAll('video');
  const scrub = figure.querySelector('.dzp-scrub');
  const out = [];
  for (const n of frames) {
    scrub.value = n;
    scrub.dispatchEvent(new Event('input'));
    await becomes(figure, n);
    const before = performance.now();
    let steady = -1;
    while (performance.now() - before < 8000) {  // the right picture follows the left one
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 60)));
      const now = right.seeking ? -2 : bars(right);
      if (now === steady) break;
      steady = now;
    }
    out.push([bars(left), bars(right)]);
  }
  return out;
}"""
)


@pytest.fixture(scope="module")
def problems():
    return []


@pytest.fixture(scope="module")
def lab_page(context, lab, problems):
    page = open_notebook(context, lab, "components.ipynb")
    page.set_viewport_size({"width": 1280, "height": 5200})
    page.on("pageerror", lambda error: problems.append(str(error)))
    run_all(page)
    page.wait_for_function(f'document.querySelectorAll("{FIGURES}").length === 4')
    yield page
    page.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return made(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def played(context, clip, tmp_path_factory):
    """Open the self-contained page from disk, without a network, and note what goes wrong."""
    file = tmp_path_factory.mktemp("page") / "page.html"
    playable.write(clip.report, file, display=clip.copy, crops=clip.crops, language="en")
    alone = context.browser.new_context(
        viewport={"width": 1280, "height": 1000}, offline=True, accept_downloads=True
    )
    page = alone.new_page()
    page.wrong, page.asked = [], []
    page.on("console", lambda message: page.wrong.append(message.text))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(file.as_uri())
    page.locator(FIGURES).wait_for()
    yield page
    alone.close()


def figure(page, index):
    return page.locator("figure.dz-player").nth(index)


def go(page, index, frame):
    """Scrub to a frame as a user does, to the end of the gesture."""
    scrub = figure(page, index).locator(".dzp-scrub")
    scrub.fill(str(frame))
    scrub.dispatch_event("change")
    at(page, index, frame)


def at(page, index, frame):
    page.locator("figure.dz-player").nth(index).and_(
        page.locator(f"[data-frame='{frame}']")
    ).wait_for()


def serious(page, where):
    found = Axe().run(page, context=where)
    return [
        f"{v['id']}: {[n['target'] for n in v['nodes']][:3]}"
        for v in found.response["violations"]
        if v["impact"] in {"serious", "critical"}
    ]


def kernel_says(page, code, expected):
    """Wait until the kernel prints what is expected: nothing in the page tells of the message."""
    said = ""
    for _ in range(100):
        said = run_in_kernel(page, code).strip()
        if said == expected:
            return
        page.wait_for_timeout(50)
    assert said == expected


def test_two_hundred_seeks_show_the_frame_that_the_overlay_is_for(lab_page):
    order = random.Random(0)
    frames = [order.randrange(FRAMES) for _ in range(198)] + [0, FRAMES - 1]
    assert lab_page.evaluate(SEEK_ALL, [FIRST, frames]) == []


def test_overlay_and_picture_agree_during_playback(lab_page):
    seen = lab_page.evaluate(PLAY, FIRST)
    assert len(seen) > 20
    assert [pair for pair in seen if pair[0] != pair[1]] == []


def test_right_picture_follows_by_time_not_by_number(lab_page):
    frames = [0, 10, 31, 12, 40]
    shown = lab_page.evaluate(SIDE_BY_SIDE, [SIDES, frames])
    gaps = [40, 40, 80, 40, 120]  # of the left clip; the right one has 40 ms throughout
    times = [sum(gaps[i % 5] for i in range(n)) for n in frames]
    assert shown == [[n, min(t // 40, 59)] for n, t in zip(frames, times, strict=True)]


def test_two_moments_stay_apart(lab_page):
    ((left, right),) = lab_page.evaluate(SIDE_BY_SIDE, [MOMENTS, [20]])
    assert (left, right) == (20, 52)  # 1.28 s and 3.28 s


def test_keyboard_alone(lab_page):
    go(lab_page, FIRST, 20)
    one = figure(lab_page, FIRST)
    one.locator(".dzp-scrub").focus()
    for key, frame in (
        ("ArrowRight", 21),
        ("ArrowLeft", 20),
        (".", 21),
        (",", 20),
        ("Shift+ArrowRight", 21),
        ("End", FRAMES - 1),
        ("Home", 0),
    ):
        lab_page.keyboard.press(key)
        at(lab_page, FIRST, frame)
    lab_page.keyboard.press("ArrowDown")
    assert one.get_attribute("data-region") == "mouth"
    spoken = one.locator(".dzp-scrub").get_attribute("aria-valuetext")
    assert spoken.startswith("frame 0 of 99, 0:00.00, Person A: score −1.")
    assert "below the line" in spoken
    lab_page.keyboard.press("?")
    assert one.locator(".dzp-help").is_visible()
    lab_page.keyboard.press("Escape")
    assert one.locator(".dzp-help").is_hidden()
    lab_page.keyboard.press("Space")
    lab_page.wait_for_function(
        "() => Number(document.querySelector('figure.dz-player').dataset.frame) > 3"
    )
    lab_page.keyboard.press("Space")
    lab_page.wait_for_function(
        "() => document.querySelector('figure.dz-player').dataset.playing === '0'"
    )
    lab_page.keyboard.press("Escape")
    assert lab_page.evaluate("!document.activeElement.closest('.dz-player')")


def test_no_key_reaches_the_notebook(lab_page):
    go(lab_page, FIRST, 20)
    before = lab_page.evaluate(CELLS)
    one = figure(lab_page, FIRST)
    picture = one.locator(".dzp-overlay").bounding_box()
    lab_page.mouse.click(picture["x"] + 8, picture["y"] + 8)  # no face here: it plays
    lab_page.mouse.click(picture["x"] + 8, picture["y"] + 8)
    one.locator(".dzp-more").click()
    for focused in (None, ".dzp-scrub", ".dzp-map", ".dzp-next", ".dzp-opacity", "summary"):
        if focused:
            one.locator(focused).first.focus()
        for key in ("a", "b", "x", "d", "d", "m", "y", "z", "c", "v"):
            lab_page.keyboard.press(key)
        assert lab_page.evaluate("!!document.activeElement.closest('.dz-player')"), focused
    assert lab_page.evaluate(CELLS) == before
    assert lab_page.locator(".jp-MarkdownCell .jp-InputArea-editor:visible").count() == 0


def test_a_click_on_the_face_chooses_the_region_and_tells_the_kernel(lab_page):
    run_in_kernel(lab_page, "asked = []\nstop = player.on_region(asked.append)")
    go(lab_page, FIRST, 33)
    one = figure(lab_page, FIRST)
    canvas = one.locator(".dzp-overlay")
    box = canvas.bounding_box()
    x, y = centre(33, FRAMES)
    scale = box["width"] / 640
    lab_page.mouse.move(box["x"] + x * scale, box["y"] + (y + 40) * scale)
    assert one.locator(".dzp-picture .dzp-tip").inner_text() == "mouth"
    lab_page.mouse.click(box["x"] + x * scale, box["y"] + (y + 40) * scale)
    assert one.get_attribute("data-region") == "mouth"
    assert one.locator("[data-region=mouth]").get_attribute("aria-pressed") == "true"
    kernel_says(
        lab_page,
        "print(asked[-1].region, asked[-1].person, asked[-1].position, asked[-1].frame,"
        " player.region, player.position)",
        "mouth A 11 33 mouth 11",
    )
    run_in_kernel(lab_page, "stop()")


def test_lane_matrix_and_bars_lead_to_the_same_choice(lab_page, output):
    one = figure(lab_page, FIRST)
    lanes = one.locator(".dzp-lanes").bounding_box()
    lab_page.mouse.click(lanes["x"] + 0.5 * lanes["width"], lanes["y"] + 110)  # the lane of B
    assert one.get_attribute("data-person") == "B"
    half = one.get_attribute("data-frame")
    matrix = one.locator(".dzp-matrix")
    assert matrix.count() == 0 or matrix.is_hidden()  # B has no shares
    one.locator("[data-person=A]").first.click()
    box = one.locator(".dzp-matrix").bounding_box()
    lab_page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 8)  # what adds most is first
    assert one.get_attribute("data-region") == "mouth"
    assert one.get_attribute("data-frame") == half
    one.locator(".dzp-bars [data-region=chin_jaw]").click()
    assert one.get_attribute("data-region") == "chin_jaw"
    kernel_says(lab_page, "print(player.person, player.region)", "A chin_jaw")
    one.screenshot(path=output / "player_lab.png")


def test_two_views_agree_and_only_the_touched_one_writes(lab_page):
    run_in_kernel(lab_page, "moves = []\nplayer.observe(lambda c: moves.append(c['new']), 'frame')")
    go(lab_page, FIRST, 10)
    at(lab_page, SECOND, 10)
    go(lab_page, SECOND, 60)
    at(lab_page, FIRST, 60)
    run_in_kernel(lab_page, "player.frame = 5; player.region = 'nose'; player.person = 'B'")
    for index in (FIRST, SECOND):
        at(lab_page, index, 5)
        assert figure(lab_page, index).get_attribute("data-region") == "nose"
        assert figure(lab_page, index).get_attribute("data-person") == "B"
    kernel_says(lab_page, "print(moves)", "[10, 60, 5]")
    run_in_kernel(lab_page, "player.person = 'A'")


def test_language_switch_replaces_words_only(lab_page, output):
    go(lab_page, FIRST, 42)
    one = figure(lab_page, FIRST)
    one.locator("video").evaluate("video => { video.dataset.mark = 'same'; }")
    change = "from toolkit import _i18n\n_i18n.set_language('{}')\nplayer.retranslate()"
    run_in_kernel(lab_page, change.format("nl"))
    lab_page.locator("figure.dz-player[lang=nl]").first.wait_for()
    assert "Dit beeld, 0:02,6: boven de lijn" in one.locator(".dzp-evidence").inner_text()
    assert "score +2," in one.locator(".dzp-evidence").get_attribute("title")
    names = one.locator(".dzp-bars .dzp-name").all_inner_texts()
    assert names[:2] == ["begin: gewoon gezicht", "mond"]
    assert one.locator("video").get_attribute("data-mark") == "same"
    assert one.get_attribute("data-frame") == "42"
    one.screenshot(path=output / "player_lab_nl.png")
    run_in_kernel(lab_page, change.format("en"))
    lab_page.locator("figure.dz-player[lang=en]").nth(SECOND).wait_for()


def test_player_in_lab_is_accessible_light_and_dark(lab_page, output):
    assert serious(lab_page, "figure.dz-player") == []
    theme = "name => {{ jupyterapp.commands.execute('apputils:change-theme', {{theme: name}}) }}"
    lab_page.evaluate(theme.format(), "JupyterLab Dark")
    lab_page.locator("figure.dz-player[data-theme=dark]").nth(MOMENTS).wait_for()
    assert serious(lab_page, "figure.dz-player") == []
    figure(lab_page, FIRST).screenshot(path=output / "player_lab_dark.png")
    figure(lab_page, SIDES).screenshot(path=output / "player_compare_dark.png")
    lab_page.evaluate(theme.format(), "JupyterLab Light")
    lab_page.locator("figure.dz-player[data-theme=light]").nth(MOMENTS).wait_for()
    figure(lab_page, SIDES).screenshot(path=output / "player_compare.png")


def test_charts_took_their_colours_from_the_style(lab_page):
    fills = lab_page.locator(".dzp-lanes > rect, .dzp-matrix > rect").evaluate_all(
        "all => all.map((rect) => rect.getAttribute('fill'))"
    )
    assert len(fills) > 6
    assert all(fills)


def test_nothing_went_wrong_in_lab(lab_page, problems):
    assert problems == []
    assert lab_page.locator("figure.dz-player[data-error]").count() == 0


def test_page_plays_from_disk_without_a_network(played):
    assert played.evaluate(SEEK_ALL, [0, [0, 57, 3, 99, 41, 42]]) == []
    seen = played.evaluate(PLAY, 0)
    assert len(seen) > 20
    assert [pair for pair in seen if pair[0] != pair[1]] == []
    assert played.wrong == []
    assert [u for u in played.asked if not u.startswith(("file:", "data:", "blob:"))] == []


def test_a_constant_rate_is_as_exact(context, tmp_path):
    steady = made(tmp_path, frames=60, is_variable=False, seed=1)
    file = tmp_path / "page.html"
    playable.write(steady.report, file, display=steady.copy, crops=steady.crops, language="en")
    page = context.new_page()
    page.add_init_script(WATCH_TIMERS)
    page.goto(file.as_uri())
    page.locator(FIGURES).wait_for()
    order = random.Random(1)
    assert page.evaluate(SEEK_ALL, [0, [order.randrange(60) for _ in range(200)]]) == []
    # each seek waits for its own frame: what is left of those before would draw too early
    assert page.evaluate("timers().filter((ms) => ms === 400).length") <= 1
    seen = page.evaluate(PLAY, 0)
    page.close()
    assert len(seen) > 20
    assert [pair for pair in seen if pair[0] != pair[1]] == []


def test_page_is_accessible_and_fits(played, output):
    assert serious(played, "body") == []
    go(played, 0, 42)
    played.locator(".dzp-bars [data-region=mouth]").click()
    played.screenshot(path=output / "player_page.png", full_page=True)
    played.emulate_media(color_scheme="dark")
    played.locator("figure[data-theme=dark]").wait_for()
    assert serious(played, "body") == []
    played.screenshot(path=output / "player_page_dark.png", full_page=True)
    played.emulate_media(color_scheme="light")
    played.set_viewport_size({"width": 400, "height": 900})
    assert played.evaluate("document.documentElement.scrollWidth <= innerWidth")
    played.screenshot(path=output / "player_page_narrow.png", full_page=True)
    played.set_viewport_size({"width": 1280, "height": 1000})


@pytest.mark.parametrize("kind", ["png", "svg", "csv"])
@pytest.mark.parametrize("chart", ["lanes", "matrix", "bars"])
def test_every_chart_can_be_kept(played, chart, kind):
    with played.expect_download() as download:
        played.locator(f".dzp-get [data-chart={chart}][data-as={kind}]").click()
    content = download.value.path().read_bytes()
    start = {"png": b"\x89PNG", "svg": b"<svg", "csv": "\ufeff".encode()}[kind]
    assert content.startswith(start)
    if kind == "csv":
        assert len(content.decode().splitlines()) > 10
    if kind == "svg":
        assert b"var(" not in content  # colours must not need the page


def test_tables_twin_the_charts(played):
    played.locator(".dzp-tables summary").nth(1).click()
    rows = played.locator(".dzp-tables table").last
    assert "0:02.60" not in rows.inner_text()
    assert rows.locator("tbody tr").count() > 30


def test_nobody_was_found_and_the_video_plays(context, clip, tmp_path):
    report = replace(clip.report, tracks=(), decisive=None)
    file = tmp_path / "page.html"
    playable.write(report, file, display=clip.copy, language="en")
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(file.as_uri())
    page.locator(FIGURES).wait_for()
    assert page.evaluate(SEEK_ALL, [0, [0, 57]]) == []
    assert page.locator("[data-chart=matrix]:visible, .dzp-row:visible").count() == 0
    page.locator(".dzp-scrub").focus()
    for key in ("p", "ArrowDown", "Shift+ArrowRight", "h", "r"):
        page.keyboard.press(key)
    page.close()
    assert wrong == []


def test_numbers_and_frames_agree_with_python(context):
    """The same number, time and frame from the module and from Python, in both languages."""
    page, order = context.new_page(), np.random.default_rng(0)
    page.evaluate(
        player.source().replace("export default { render };", "")
        + "; globalThis.parts = { number, clock, frameAt, seekTime };"
    )
    values = [0.0, -0.004, 59.96, 3599.999, 3725.0, *order.uniform(-20, 8000, 200).tolist()]
    for language, decimal in (("en", "."), ("nl", ",")):
        _i18n.set_language(language)
        said = page.evaluate(
            """([values, decimal]) => values.map((v) => [
              parts.number(v, 2, decimal), parts.number(v, 1, decimal, { signed: true }),
              parts.clock(Math.abs(v), 2, decimal), parts.clock(Math.abs(v), 1, decimal)])""",
            [values, decimal],
        )
        for value, (plain, signed, fine, coarse) in zip(values, said, strict=True):
            assert fine == figures.clock(abs(value), 2)
            assert coarse == figures.clock(abs(value), 1)
            # a tie may round either way: Python to even, JavaScript by the binary value
            assert plain == figures.number(value, 2)
            assert signed == figures.number(value, 1, signed=True)
    pts = np.cumsum(order.uniform(0.002, 0.4, 300))
    pts -= pts[0]
    aimed = page.evaluate(
        "(pts) => pts.map((_, n) => parts.frameAt(pts, parts.seekTime(pts, n)))", pts.tolist()
    )
    assert aimed == list(range(300))
    times = order.uniform(0, pts[-1], 300)
    found = page.evaluate("([pts, ts]) => ts.map((t) => parts.frameAt(pts, t))",
                          [pts.tolist(), times.tolist()])  # fmt: skip
    assert found == (np.searchsorted(pts, times + 1e-3, side="right") - 1).tolist()
    page.close()


def test_a_video_that_cannot_play_leaves_charts_and_numbers(context, clip, tmp_path, output):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video" * 100)
    scene = Scene.of(clip.report, type(clip.copy).from_dict(broken, clip.copy.to_dict()))
    file = tmp_path / "page.html"
    _i18n.set_language("en")
    file.write_text(playable.page(scene), encoding="utf-8")
    page = context.new_page()
    page.goto(file.as_uri())
    page.locator("figure.dz-player[data-error]").wait_for()
    assert "cannot play" in page.locator("[role=alert]").inner_text()
    page.locator(".dzp-scrub").fill("42")
    page.locator("figure[data-frame='42']").wait_for()
    assert "above the line" in page.locator(".dzp-evidence").inner_text()
    page.screenshot(path=output / "player_cannot_play.png")
    page.close()
