"""The first cell of a notebook: what it looks at, and what becomes of cells on another sky."""

import json
import re
from pathlib import Path

import IPython
import pytest
from archive_server import QUICK, copy_survey
from IPython.core.interactiveshell import InteractiveShell

from helpers import archives, dataset, plots, survey
from helpers.build import build
from helpers.dataset import Claims, Needs, lacking
from helpers.download import Connection
from helpers.embedding import EmbeddingGrid
from helpers.exercises import check
from helpers.features import feature_table, learning_frame
from helpers.forest import UnsupervisedForest
from helpers.galaxies import EMBEDDED, GALAXIES, get_galaxy, one_of_them
from helpers.pictures import Pictures
from helpers.widgets.bars import Bars
from helpers.widgets.linked import LinkedExplorer
from helpers.widgets.maps import MapExplorer
from helpers.widgets.neighbours import NeighbourExplorer
from helpers.widgets.table import pixels
from helpers.widgets.umap import UmapExplorer

OTHER = {"the answer book", "the sealed universe", "several galaxies"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two galaxies as they are after fetching and building; of one, two maps were not observed."""
    folder = tmp_path_factory.mktemp("other sky")
    for key in ("ngc1087", "ngc1300"):
        copy_survey(survey.EMBEDDED, "ngc7496", key, folder)
    (lacking_one,) = (folder / "ngc1300").glob("*f1000w*")
    lacking_one.unlink()
    (folder / "ngc1300" / "ngc1300_12m+7m+tp_co21_strict_mom0.fits").unlink()
    for key in ("ngc1087", "ngc1300"):
        build(key, folder)
    return folder


@pytest.fixture(autouse=True)
def embedded_again():
    yield
    dataset.choose("embedded")


@pytest.fixture
def shell(monkeypatch) -> InteractiveShell:
    made = InteractiveShell()
    monkeypatch.setattr(IPython, "get_ipython", lambda: made)
    return made


# ------------------------------------------------------------------------------- the choice


def test_the_embedded_survey_is_as_ever(capsys):
    dataset.choose("embedded")
    assert capsys.readouterr().out.startswith("Data: the embedded survey, simulated: NGC 628")
    assert survey.is_embedded() and dataset.kind() == "simulated" and tuple(GALAXIES) == EMBEDDED
    assert dataset.those_there(["F770W", "nothing of the kind"]) == ["F770W", "nothing of the kind"]
    assert isinstance(dataset.grid(), EmbeddingGrid)
    assert one_of_them("NGC 7496").name == "NGC 7496"


def test_a_fetched_galaxy_takes_the_place_of_all(folder, capsys):
    dataset.choose("ngc1087", folder=folder)
    said = capsys.readouterr().out
    assert said.startswith("Data: NGC 1087, from") and "simulated" in said
    assert said.endswith("Not there, or not of every galaxy: HA6562_VEL, HA6562_SIGMA.\n")
    assert list(GALAXIES) == ["NGC 1087"] and one_of_them("NGC 7496").name == "NGC 1087"
    assert not survey.is_embedded() and dataset.kind() == "fetched"
    here = survey.native_map("NGC 1087", "F770W")
    assert here.wcs.wcs.crval[0] == pytest.approx(get_galaxy("NGC 1087").center.ra.deg)
    assert len(survey.common_maps("ngc1087")) == len(survey.COMMON_MAPS)
    with pytest.raises(FileNotFoundError, match="NGC 7496 is not in"):
        survey.native_map("NGC 7496", "F770W")
    assert survey.native_map("NGC 7496", "F770W", survey.EMBEDDED).shape


def test_what_was_remembered_of_the_survey_before_is_forgotten(folder):
    dataset.choose("embedded")
    assert set(pixels()[2]) == set(EMBEDDED)
    dataset.choose("ngc1087", folder=folder)
    assert set(pixels()[2]) == {"NGC 1087"} and set(dataset.grid().frame.index) == set(
        pixels()[0].index
    )
    dataset.choose("embedded")
    assert set(pixels()[2]) == set(EMBEDDED)


@pytest.mark.parametrize(
    ("names", "error", "says"),
    [
        ((), ValueError, 'Choose "embedded", or galaxies'),
        (("ngc9999",), ValueError, "no galaxy 'ngc9999'"),
        (("embedded", "ngc1087"), ValueError, "is not mixed with other data"),
        (("ngc1672",), FileNotFoundError, "python data/fetch.py build ngc1672"),
        ((7,), TypeError, "A galaxy or its name was expected"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_and_nothing_changes(folder, names, error, says):
    with pytest.raises(error, match=says):
        dataset.choose(*names, folder=folder)
    assert survey.is_embedded() and tuple(GALAXIES) == EMBEDDED


def test_a_damaged_galaxy_is_refused_and_nothing_changes(tmp_path):
    (tmp_path / "ngc1672_150pc.fits").write_bytes(b"SIMPLE  =                    T" + b" " * 999)
    with pytest.raises((OSError, ValueError), match="ngc1672_150pc"):
        dataset.choose("ngc1672", folder=tmp_path)
    assert survey.is_embedded() and tuple(GALAXIES) == EMBEDDED


def test_what_is_lacking_is_said_and_left_out_of_the_features(folder, capsys):
    dataset.choose("ngc1087", "ngc1300", folder=folder)
    assert "F1000W" in capsys.readouterr().out.splitlines()[-1]
    assert dataset.those_there(["F770W", "F1000W"]) == ["F770W"]
    with pytest.warns(UserWarning, match="no F1000W of every galaxy.*f1130w_1000w is left out"):
        frame = learning_frame(feature_table("ngc1300"))
    assert "log_f1130w_1000w" not in frame and frame.shape[1] == 13
    with pytest.raises(ValueError, match="f1130w_1000w is detected in no pixel"):
        learning_frame(feature_table("ngc1300"), ["f1130w_1000w"])


def test_the_checks_say_that_they_know_the_embedded_survey_alone(folder, capsys):
    dataset.choose("ngc1087", folder=folder)
    check("0.1", 3)
    assert "the checks know the embedded survey alone" in capsys.readouterr().out


def test_a_figure_says_of_which_galaxies_it_is(folder, capsys):
    dataset.choose("ngc1087", folder=folder)
    plots.plt.figure()
    plots.show("A spiral.")
    assert "NGC 1087. Of the simulated galaxies this figure shows: A spiral." in (
        capsys.readouterr().out
    )


# ------------------------------------------------------------------------------- the pictures


def test_pictures_are_laid_out_once_and_kept(folder, monkeypatch):
    dataset.choose("ngc1087", folder=folder)
    grid = dataset.grid()
    assert isinstance(grid, Pictures) and 0.0 in grid.min_dist and 25 in grid.n_neighbors
    first = grid.points(n_neighbors=10)
    assert first.shape == (len(pixels()[0]), 2) and first.std() > 0
    grid.check(pixels()[0])
    with pytest.raises(ValueError, match="another table"):
        grid.check(pixels()[0].iloc[:-1])
    with pytest.raises(ValueError, match="not known"):
        grid.points(distance="taxi")
    dataset.choose("ngc1087", folder=folder)  # as after a restart
    monkeypatch.setattr("helpers.layout.lay_out", lambda *_: pytest.fail("laid out again"))
    assert (dataset.grid().points(n_neighbors=10) == first).all()


def test_too_few_pixels_make_no_picture():
    with pytest.raises(ValueError, match="too few for a picture"):
        Pictures(pixels()[0].iloc[:20])


@pytest.mark.filterwarnings("ignore:There is no F1000W")
@pytest.mark.parametrize("galaxies", [("ngc1087",), ("ngc1087", "ngc1300")])
def test_the_explorers_show_as_many_galaxies_as_there_are(folder, galaxies):
    dataset.choose(*galaxies, folder=folder)
    frame = pixels()[0]
    near = UnsupervisedForest(20, random_state=0, n_jobs=2).fit(frame).kneighbors(26)[1]
    for explorer in (MapExplorer(), NeighbourExplorer(near), UmapExplorer(), LinkedExplorer()):
        assert explorer.scene.words() and explorer.picture.image
    skies = [name for name in explorer.areas() if name != "paper"]  # of the last, the linked one
    assert len(skies) == len(galaxies)


# ------------------------------------------------------------------------------- the cells


@pytest.mark.parametrize(
    ("cell", "missing"),
    [
        ("x = 1", []),
        ("# needs: F770W\nx = 1", []),
        ("\n# needs: F770W, the answer book\nx = 1", ["the answer book"]),
        ("# needs: OI6300, several galaxies", ["OI6300", "several galaxies"]),
        ("x = 1  # needs: OI6300", []),
    ],
)
def test_what_a_cell_needs_stands_in_its_first_line(cell, missing):
    assert lacking(cell, {"F770W"}) == missing
    lines = cell.splitlines(keepends=True)
    assert (Needs({"F770W"})(lines) == lines) == (not missing)


def test_on_another_sky_cells_are_left_out_and_statements_are_told(folder, shell, capsys):
    dataset.choose("ngc1087", folder=folder)
    dataset.choose("ngc1087", folder=folder)  # twice is as once
    capsys.readouterr()
    assert shell.run_cell("# needs: the answer book\nbroken = 1 / 0").success
    assert "Left out: this cell needs the answer book." in capsys.readouterr().out
    assert shell.run_cell("y = 3\nassert y > 4, 'so'\nassert nothing > 3\ny = 5").success
    said = capsys.readouterr().out
    assert said.splitlines() == ["Not so here: y > 4", "Cannot be asked here: nothing > 3"]
    assert shell.user_ns["y"] == 5
    cell = "def f(z):\n    assert z > 1\n    return [z for z in (1, 2)]\nassert f(2) == [1, 2]"
    assert shell.run_cell(cell).success and capsys.readouterr().out == ""
    assert sum(isinstance(t, Claims) for t in shell.ast_transformers) == 1
    dataset.choose("embedded")
    assert not any(isinstance(t, Claims) for t in shell.ast_transformers)
    assert not any(isinstance(t, Needs) for t in shell.input_transformers_cleanup)
    assert not shell.run_cell("assert y > 9").success
    capsys.readouterr()


def notebooks(project: Path) -> dict[str, list[str]]:
    found = {}
    for path in sorted((project / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found[path.stem] = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    return found


def test_every_notebook_has_one_cell_that_chooses_right_after_its_imports(project):
    found = notebooks(project)
    assert len(found) == 8
    for name, cells in found.items():
        (at,) = [k for k, cell in enumerate(cells) if "dataset.choose(" in cell]
        assert 'dataset.choose("embedded")' in cells[at], name
        assert 1 <= at <= 2 and all("import" in cell for cell in cells[:at]), name
        for cell in cells[:at]:
            assert "survey." not in cell and "feature_table(" not in cell, name


def test_what_cells_need_is_something_that_can_be_there(project):
    needs = [
        need.strip()
        for cells in notebooks(project).values()
        for cell in cells
        if cell.startswith("# needs:")
        for need in cell.partition("\n")[0].removeprefix("# needs:").split(",")
    ]
    assert len(needs) > 20 and {*needs} <= OTHER | {*survey.MAPS}


def test_text_that_holds_for_the_simulation_alone_says_so(project):
    seen = 0
    for path in sorted((project / "notebooks").glob("*.ipynb")):
        section = ""
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                section = text if "\n## " in f"\n{text}" else section + text
            elif re.match("# needs:.*(answer book|sealed)", text):
                seen += 1
                assert "he simulation alone" in section, (path.name, text[:80])
    assert seen > 20


# ------------------------------------------------------------------------------- the bars


def test_bars_say_how_much_has_come():
    bars = Bars(every=0)
    bars("a.fits", 0, 4_000_000)
    bars("a.fits", 1_000_000, 4_000_000)
    bars("b.fits", 2_500_000, None)
    for number in range(4):
        bars("F770W" if number < 3 else "table", number, 3)
    (bar, label), (_, other), (maps, of) = (row.children for row in bars.children)
    assert label.value == "a.fits: 1.0 of 4.0 MB" and bar.value == 0.25
    assert other.value == "b.fits: 2.5 MB" and maps.value == 1
    assert of.value == "maps, now table: 3 of 3"


def test_bars_do_not_flood_the_browser():
    bars, sent = Bars(every=60), []
    bars("a.fits", 0, 1_000_000)
    bars.children[0].children[0].observe(lambda change: sent.append(change["new"]), "value")
    for done in range(0, 1_000_001, 1000):
        bars("a.fits", done, 1_000_000)
    assert sent == [1.0]


def test_the_lines_of_the_documentation_fetch_and_build_with_bars(shelves, tmp_path):
    bars = Bars()
    plans = archives.plan(
        "ngc1087", folder=tmp_path, own=shelves.registry, connection=Connection(QUICK)
    )
    outcomes = archives.fetch(plans, tmp_path, progress=bars, connection=Connection(QUICK))
    fetched = [outcome for outcome in outcomes if outcome.state == "fetched"]
    assert len(fetched) == len(bars.children) == 18
    assert all(row.children[0].value == 1 for row in bars.children)
    build("ngc1087", tmp_path, progress=bars)
    assert bars.children[-1].children[1].value.startswith("maps, now table: ")
    dataset.choose("ngc1087", folder=tmp_path)
