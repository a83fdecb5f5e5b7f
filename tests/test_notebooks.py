"""Every notebook runs from top to bottom, anywhere, and is committed in the agreed form."""

import copy
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from statistics import median_low

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbstripout import strip_output

from helpers import measure

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))
AT_ONCE = 2
KEPT = {"keep_output", "nbval-check-output"}

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def read(notebook: Path) -> nbformat.NotebookNode:
    return nbformat.read(notebook, as_version=nbformat.NO_CONVERT)


def cells(notebook: Path, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(notebook).cells if cell.cell_type == kind]


def tags(cell: nbformat.NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def nbval(notebooks: Path, settings: Path, helpers: Path) -> subprocess.CompletedProcess:
    """Run a notebook, or each in a folder, in its own kernel; compare the outputs that ask for it.

    ``settings`` is a folder for what Jupyter, IPython and pytest want to write; ``helpers`` is
    the folder from which the notebook imports them.
    """
    (settings / "pytest.ini").write_text("[pytest]\n")
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    environment |= {
        "PYTHONPATH": str(helpers),
        "PYTHONUTF8": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # others would cost more than a short notebook
        "IPYTHONDIR": str(settings / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(settings / "runtime"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [
        "-p",
        "nbval.plugin",
        "-c",
        str(settings / "pytest.ini"),
        "--nbval-lax",
        "--nbval-current-env",
    ]
    command += ["--nbval-cell-timeout=600", str(notebooks)]
    return subprocess.run(
        command,
        cwd=settings,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )


# ------------------------------------------------------------------------------------ running


def fingerprints(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


@pytest.fixture(scope="module")
def elsewhere(
    tmp_path_factory: pytest.TempPathFactory, project: Path, tracked: list[Path]
) -> tuple[Path, dict[str, str]]:
    """A copy of the course at an awkward address, its data read-only, and what was in it."""
    folder = tmp_path_factory.mktemp("course") / "Übung am Mittwoch"
    for path in tracked:
        target = folder / path.relative_to(project)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        if path.relative_to(project).parts[0] == "data":
            target.chmod(0o444)
    return folder, fingerprints(folder)


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, elsewhere: tuple[Path, dict], tmp_path_factory
) -> Iterator[dict[Path, Future]]:
    """The runs of all the notebooks asked for, each once, two at a time."""
    folder, _ = elsewhere
    wanted = [
        item.callspec.params["notebook"]
        for item in request.session.items
        if getattr(item, "originalname", "") == "test_it_runs_from_top_to_bottom"
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            notebook: pool.submit(
                nbval,
                folder / "notebooks" / notebook.name,
                tmp_path_factory.mktemp("jupyter"),
                folder,
            )
            for notebook in wanted
        }
        pool.shutdown(cancel_futures=True)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{n:02d}" for n in range(len(NOTEBOOKS))]


@each_notebook
def test_it_runs_from_top_to_bottom(notebook: Path, runs: dict[Path, Future]) -> None:
    run = runs[notebook].result()
    assert run.returncode == 0, f"{run.stdout[-6000:]}\n{run.stderr[-2000:]}"


def test_running_leaves_nothing_behind(
    runs: dict[Path, Future], elsewhere: tuple[Path, dict[str, str]]
) -> None:
    for run in runs.values():
        run.result()
    folder, before = elsewhere
    assert fingerprints(folder) == before


def test_a_false_kept_output_is_noticed(tmp_path: Path, project: Path) -> None:
    for name, kept in {"true": "4\n", "false": "5\n"}.items():
        cell = new_code_cell("print(2 + 2)", metadata={"tags": sorted(KEPT)}, execution_count=1)
        cell.outputs = [new_output("stream", name="stdout", text=kept)]
        book = new_notebook(cells=[new_markdown_cell("# Tiny"), cell])
        assert stripped(book) == book
        nbformat.write(book, tmp_path / f"{name}.ipynb")
    run = nbval(tmp_path, tmp_path, project)
    assert run.returncode == 1, run.stderr
    assert re.search(r"^FAILED .*false\.ipynb::Cell 0", run.stdout, re.MULTILINE)
    assert "Cell outputs differ" in run.stdout
    assert "1 failed, 1 passed" in run.stdout


# -------------------------------------------------------------------------- the committed form


def stripped(book: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """What ``nbstripout --keep-count --keep-id`` makes of a notebook."""
    clutter = ["collapsed", "ExecuteTime", "execution", "heading_collapsed", "hidden", "scrolled"]
    return strip_output(
        copy.deepcopy(book),
        keep_output=False,
        keep_count=True,
        keep_id=True,
        extra_keys=["metadata.widgets", *(f"cell.metadata.{key}" for key in clutter)],
    )


@each_notebook
def test_outputs_are_kept_only_where_they_are_checked(notebook: Path) -> None:
    book = read(notebook)
    advice = f"run: nbstripout --keep-count --keep-id notebooks/{notebook.name}"
    assert stripped(book) == book, advice
    for cell in cells(notebook, "code"):
        assert tags(cell) & KEPT in (set(), KEPT), f"one of {KEPT} is missing at: {cell.source}"
        if tags(cell) >= KEPT:
            # Without its count, nbval takes a kept output for that of a cell never run.
            assert cell.outputs and cell.execution_count, f"run the notebook: {cell.source}"


@each_notebook
def test_it_opens_with_its_header(notebook: Path) -> None:
    first = read(notebook).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    measure.check(notebook)


def test_half_of_the_notebooks_are_quick() -> None:
    """The median one, of an even number the quicker of the two in the middle."""
    seconds = [measure.check(notebook)[0] for notebook in NOTEBOOKS]
    assert median_low(seconds) <= measure.BUDGET_MEDIAN_SECONDS, sorted(seconds)


@each_notebook
def test_cells_are_short_and_know_their_names(notebook: Path) -> None:
    book = read(notebook)
    nbformat.validate(book)
    names = [cell.get("id") for cell in book.cells]
    assert all(names) and len(set(names)) == len(names)
    assert book.metadata.kernelspec.name == "python3"  # the name that every machine knows
    long = [cell.source for cell in cells(notebook, "code") if cell.source.count("\n") >= 30]
    assert not long, "more than 30 lines: one idea a cell"


@each_notebook
def test_code_says_where_things_come_from(notebook: Path) -> None:
    juggling = re.compile(r"import \*|%pylab|sys\.path|os\.chdir|^\s*%cd\b|!pip|%pip", re.MULTILINE)
    assert not [cell.source for cell in cells(notebook, "code") if juggling.search(cell.source)]


def headings(notebook: Path) -> set[str]:
    text = "\n".join(cell.source for cell in cells(notebook, "markdown"))
    return {line.replace(" ", "-") for line in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)}


@each_notebook
def test_links_lead_somewhere(notebook: Path) -> None:
    text = "\n".join(cell.source for cell in cells(notebook, "markdown"))
    assert not re.search(r"!\[\s*\]\(", text), "a picture needs words for those who cannot see it"
    led_to = set()
    for link in re.findall(r"\]\(<?([^)>\s]+)", text):
        if re.match(r"https?:|mailto:|attachment:", link):
            continue
        name, _, fragment = link.partition("#")
        target = notebook.parent / name if name else notebook
        assert target.exists(), f"{link} leads nowhere"
        if fragment and target.suffix == ".ipynb":
            assert fragment in headings(target), f"{link}: no such heading"
        led_to.add(target.resolve())
    here = NOTEBOOKS.index(notebook)
    neighbours = set(NOTEBOOKS[max(here - 1, 0) : here + 2]) - {notebook}
    assert neighbours <= led_to, "the header links the previous notebook and the next"
