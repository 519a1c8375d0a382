"""The pictures of the terminal in the documents are those of today's code and records."""

import re
import runpy

import pytest
from helpers import ROOT

ASSETS = ROOT / "docs" / "assets"


@pytest.fixture(scope="module")
def screens():
    return runpy.run_path(str(ROOT / "docs" / "make_screens.py"))["screens"]()


@pytest.mark.parametrize("name", ["screen-run.svg", "screen-end.svg", "screen-help.svg"])
def test_a_picture_is_current(name, screens):
    assert screens[name] == (ASSETS / name).read_text(encoding="utf-8"), "run: python docs/make_screens.py"


def test_pictures_load_nothing_and_are_shown(screens):
    shown = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for name, text in screens.items():
        assert not re.findall(r"url\(.?https?:", text)
        assert f"(assets/{name})" in shown


def test_a_picture_has_the_numbers_of_the_record(screens):
    words = re.sub(r"<[^>]+>", " ", screens["screen-run.svg"]).replace("&#160;", " ")
    assert re.search(r"5 +4,000 +7,322\.5 +99\.6 +\+0\.3 +2 min 55 s", words)
