"""The README shows the course: figures that are there, small, and told in words."""

import re
import subprocess
import sys
from pathlib import Path

from PIL import Image


def shown(project: Path) -> dict[str, str]:
    """The figures of the README, and the words for each."""
    found = re.findall(
        r"!\[([^\]]*(?:\[[^\]]*\][^\]]*)*)\]\((\S+?)\)", (project / "README.md").read_text("utf-8")
    )
    return {path: words for words, path in found}


def test_it_shows_four_to_six_small_figures_and_tells_them_in_words(project: Path) -> None:
    figures = shown(project)
    assert 4 <= len(figures) <= 6
    assert sum((project / path).stat().st_size for path in figures) < 600_000
    assert all(len(words) > 60 for words in figures.values())


def test_one_command_makes_them(project: Path, tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "docs/figures.py", "--to", str(tmp_path)],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        Path(path).name for path in shown(project)
    }
    for path in shown(project):
        with Image.open(project / path) as old, Image.open(tmp_path / Path(path).name) as new:
            for a, b in zip(old.size, new.size, strict=True):
                assert abs(a - b) <= 0.1 * a, path  # another machine has other fonts


def test_the_figures_of_a_notebook_can_be_had_for_slides(project: Path, tmp_path: Path) -> None:
    command = [sys.executable, "docs/slides.py", "--to", str(tmp_path / "slides"), "00"]
    made = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    listed = (tmp_path / "slides" / "figures.md").read_text(encoding="utf-8")
    pictures = sorted((tmp_path / "slides").glob("00-*.png"))
    assert len(pictures) >= 4
    for picture in pictures:
        line = next(line for line in listed.splitlines() if f"[{picture.name}]" in line)
        assert len(line) > 100, "a figure without words"
        with Image.open(picture) as image:
            assert image.width > 1200


def test_slides_of_a_notebook_that_is_not_there(project: Path, tmp_path: Path) -> None:
    command = [sys.executable, "docs/slides.py", "--to", str(tmp_path / "slides"), "77"]
    made = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert made.returncode == 1 and "no notebook 77" in made.stdout
    assert not (tmp_path / "slides").exists()
