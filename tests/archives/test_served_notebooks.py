"""Every notebook, from top to bottom, on a galaxy that is none of the course's three."""

import shutil

import nbformat
import pytest
from nbclient import NotebookClient
from test_build import KEY, run

CHOICE = 'dataset.choose("embedded")'


def run_on(path, folder) -> tuple[int, int]:
    """Run a notebook on NGC 1087; how many code cells it has, and how many were left out."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells:
        other = f"dataset.choose({KEY!r}, folder={str(folder)!r})"
        cell.source = cell.source.replace(CHOICE, other)
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
    ).execute()
    told = [
        "".join(out.text for out in cell.outputs if out.output_type == "stream") for cell in cells
    ]
    assert sum(text.startswith("Data: NGC 1087, from") for text in told) == 1
    return len(cells), sum("Left out: this cell needs" in text for text in told)


@pytest.fixture
def served(shelves, tmp_path, monkeypatch):
    """The folder of a galaxy that came from the servers and was built, by the two commands."""
    monkeypatch.setenv("PHANGS_COURSE_PROGRESS", str(tmp_path / "progress.json"))
    folder = tmp_path / "Ordner ü"
    for words in ((KEY,), ("build", KEY)):
        done = run(shelves if words == (KEY,) else None, *words, "--to", str(folder))
        assert done.returncode == 0, done
    return folder


def test_every_notebook_runs_on_a_served_galaxy(served, project):
    paths = sorted((project / "notebooks").glob("*.ipynb"))
    assert len(paths) == 8
    for path in paths:
        cells, left_out = run_on(path, served)
        assert left_out <= 0.3 * cells, path.name
        assert left_out or path.stem[:2] not in ("04", "07"), f"{path.name} knows the truth"


def test_notebooks_run_where_maps_are_lacking(served, project):
    home = served / KEY
    for pattern in ("*strict_mom0*", "*f1000w*"):
        (path,) = home.glob(pattern)
        path.unlink()
    shutil.rmtree(home / ".150pc")
    assert run(None, "build", KEY, "--to", str(served)).returncode == 0
    for path in sorted((project / "notebooks").glob("0[0137]*.ipynb")):
        run_on(path, served)
