"""The page Detectors: asks only what the files do not tell, shows what looks wrong, keeps cards."""

from __future__ import annotations

import pytest

from tests.detectors.test_routes import onnx_bytes
from toolkit import _i18n
from toolkit.detectors import added, hub, listing, registry
from toolkit.widgets.workbench import chooser
from toolkit.widgets.workbench.detectors import Detectors


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(listing.VARIABLE, str(tmp_path / "store"))


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_bytes(size=64))
    return path


def press(task):
    task.start()
    task.wait(200)  # it starts a process that loads torch, on a machine that may be crowded
    return task


@pytest.fixture
def page():
    changed = []
    page = Detectors(lambda: changed.append(registry.further()))
    page.changed = changed
    return page


def fill(page, net, name="mine"):
    page.add.name.value, page.add.source.value = name, f'"{net}"'
    assert press(page.add.look).state == "done"


@pytest.mark.slow
def test_from_a_file_to_a_detector_in_the_list_and_away_again(page, net):
    fill(page, net)
    form = page.add
    assert form.size not in form._questions.children  # the file tells it
    assert form.fake in form._questions.children
    assert "Which output means fake" in form._told.value
    form.fake.value, form.real.value = "1", "0"
    assert press(form.add).state == "error"  # nothing is guessed
    assert "How are pictures normalised" in str(form.add.error)
    form.normalise.value, form.crop.value = "half", "five_points"
    assert press(form.add).state == "done", form.add.error
    kept = added.read("mine")
    assert (kept.spec.crop, kept.answer.fake) == ("five_points", (1,))
    assert "One float32 logit per crop" in form._points.value
    assert page.changed == [("mine",)]
    assert page.kept.which.value == "mine"
    assert "threshold not measured" in page.kept._list.value
    _i18n.set_language("nl")
    page.retranslate()
    assert "drempel niet op echte fragmenten gemeten" in page.kept._list.value
    assert press(page.kept.measure).state == "error"  # no folder was given
    page.kept.remove.click()
    assert registry.further() == ()
    assert "mine" not in page.kept.which.options
    assert page.kept.remove.disabled  # what comes with the toolkit stays


def test_mistakes_are_told_and_nothing_is_kept(page, net, tmp_path):
    form = page.add
    assert press(form.look).state == "error"
    form.source.value = str(tmp_path / "none")
    assert press(form.look).state == "error"
    assert "no such file or folder" in str(form.look.error)
    fill(page, net, "bad name")
    form.fake.value, form.real.value = "1", "0"
    assert press(form.add).state == "error"
    form.name.value, form.fake.value = "mine", "x"
    assert press(form.add).state == "error"
    assert "no numbers" in str(form.add.error)
    form.fake.value, form.expected.value = "1", "2.0"
    assert press(form.add).state == "error"
    assert registry.further() == ()
    assert page.changed == []


def test_the_hub_shows_licence_and_size_before_a_second_click_fetches(page, net, monkeypatch):
    offered = hub.Offered("o/m", "c" * 40, "mit", (("model.safetensors", 3_000_000, ""),))
    fetched = []

    def draft_of(source, *, work, network, confirm):
        from toolkit.detectors import onnx_files
        from toolkit.errors import UsageError

        if not confirm(offered):
            raise UsageError("nothing was fetched", source, "It was not agreed to.")
        fetched.append(source)
        return onnx_files.read_file(net)

    monkeypatch.setattr(added, "draft_of", draft_of)
    page.add.source.value = "hub:o/m"
    assert press(page.add.look).state == "done"
    assert fetched == []
    for fact in ("mit", "3.0 MB", "c" * 40):
        assert fact in page.add._told.value
    assert page.add.look.button.description == "Fetch 3 MB"
    assert press(page.add.look).state == "done"
    assert fetched == ["hub:o/m"]
    assert page.add.draft is not None


def test_the_menu_of_the_workbench_offers_what_was_added(net, tmp_path):
    choose = chooser.Chooser(tmp_path, lambda: None, lambda: None)
    names = [value for _title, value in choose.detector.options]
    assert names == list(chooser.DETECTORS)
    choose.manage.value = True
    page = choose._page
    fill(page, net)
    page.add.fake.value, page.add.real.value = "1", "0"
    page.add.normalise.value, page.add.crop.value = "half", "box"
    assert press(page.add.add).state == "done", page.add.add.error
    assert ("mine (added: net)", "mine") in choose.detector.options
    choose.detector.value = "mine"
    choose.sample.value = ""
    choose.path.value = "x.mp4"
    assert choose.asked().detector == "mine"
    page.kept.remove.click()
    assert choose.detector.value == chooser.DETECTORS[0]
    choose.manage.value = False
    assert page.layout.display == "none"
