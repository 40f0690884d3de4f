"""The forge lab in a real JupyterLab: read, look, make, ask, in both languages."""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.lab import open_notebook, run_all, run_in_kernel
from toolkit import samples
from toolkit.errors import ToolkitError

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SOURCE = """\
from pathlib import Path
from toolkit.widgets.lessons.forge_lab import ForgeLab
lab = ForgeLab(runs=Path("forged"))
lab.choose(target="cap12_edit", faces="franck", start_s=10, seconds=2, pictures=50)
lab"""


@pytest.fixture(scope="module")
def page(context, lab):
    try:
        for name in ("cap12_edit", "franck"):
            samples.path(name)
    except ToolkitError as error:
        pytest.skip(str(error))
    cell = {"cell_type": "code", "id": "lab", "metadata": {}, "outputs": [], "source": SOURCE}
    notebook = {
        "cells": [{**cell, "execution_count": None}],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (lab.folder / "forge.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    page = open_notebook(context, lab, "forge.ipynb")
    page.set_viewport_size({"width": 1280, "height": 4400})  # Lab cuts what is out of view
    run_all(page)
    page.locator(".dz-forge.dz-forge-idle").wait_for(timeout=60_000)
    yield page
    page.close()


def click(page, part):
    page.locator(f".dz-forge .dz-{part}").click()
    page.locator(".dz-forge-done, .dz-forge-error").wait_for(timeout=120_000)
    assert page.locator(".dz-forge-error").count() == 0


def test_a_class_makes_a_clip_and_asks_the_detector(page, lab, output):
    click(page, "read")
    page.locator(".dz-matches img").nth(9).wait_for()
    assert page.locator(".dz-steps img").count() == 8
    assert page.locator(".dz-steps img").evaluate_all("all => all.every(i => i.naturalWidth > 0)")
    page.locator(".dz-break select").select_option(label="hard edge")
    page.locator(".dz-make").click()
    page.locator(".dz-made video").wait_for(timeout=120_000)
    page.locator(".dz-forge-done").wait_for()
    (clip,) = (lab.folder / "forged" / "forge").glob("*.mp4")
    assert clip.name.startswith("synthetic_")
    page.wait_for_function("() => document.querySelector('.dz-made video').readyState >= 2")
    page.locator(".dz-curve-button").click()
    page.locator(".dz-curve .main-svg").first.wait_for()
    click(page, "judge")
    page.locator(".dz-truth img").first.wait_for()
    page.locator(".dz-forge").screenshot(path=output / "forge_en.png")


def test_it_turns_dutch_at_once(page, output):
    page.locator(".dz-language button", has_text="Nederlands").click()
    page.locator(".dz-read", has_text="Gezichten lezen").wait_for()
    page.locator(".dz-steps figcaption", has_text="Vervorm").first.wait_for()
    page.locator(".dz-curve text", has_text="aantal beelden").first.wait_for()
    page.locator(".dz-forge").screenshot(path=output / "forge_nl.png")
    page.locator(".dz-language button", has_text="English").click()
    page.locator(".dz-read", has_text="Read the faces").wait_for()


def test_a_long_reading_is_cancelled_and_the_kernel_lives(page):
    page.locator(".dz-count select").select_option(label="1000")
    page.locator(".dz-forge .dz-read").click()
    page.wait_for_function(
        "() => /reading the pictures/.test(document.querySelector('.dz-status').textContent)"
    )
    page.locator(".dz-forge .dz-cancel").click()
    page.locator(".dz-forge-cancelled").wait_for()
    assert run_in_kernel(page, "print(lab.state, len(lab.gallery))").split() == ["cancelled", "50"]


def test_the_webcam_takes_pictures_once_somebody_agreed(page):
    page.locator(".dz-faces select").select_option(label="Pictures of my own")
    button = page.locator(".dz-webcam-button")
    assert button.is_disabled()
    page.locator(".dz-consent input").check()
    button.click()
    page.wait_for_function("() => document.querySelector('.dz-webcam video').videoWidth > 0")
    page.locator(".dz-forge", has_text=re.compile(r"\d pictures are here")).wait_for()
    page.locator(".dz-consent input").uncheck()  # this switches the camera off
    page.wait_for_function("() => !document.querySelector('.dz-webcam video').srcObject")
    assert button.is_disabled()
    kept = run_in_kernel(
        page, "print({d[:2] for _n, d in lab.choice._pictures}, lab.choice.upload.value)"
    )
    assert kept.strip() == r"{b'\xff\xd8'} ()"
    page.locator(".dz-consent input").check()
    page.locator(".dz-forge .dz-read").click()
    page.locator(".dz-forge-error").wait_for(timeout=60_000)  # it shows no face
    page.locator(".dz-forge", has_text="no picture with a face was found").wait_for()
