"""What all tests share: where the project and the real data are, and one steady frame."""

import os
import subprocess
from pathlib import Path

import hypothesis
import matplotlib
import pytest

ROOT = Path(__file__).resolve().parent.parent

matplotlib.use("Agg")  # figures are drawn, never shown

# The same examples on every machine, and no folder of them left behind in the checkout.
hypothesis.settings.register_profile("course", database=None, deadline=None, derandomize=True)
hypothesis.settings.load_profile("course")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all",
        action="store_true",
        help="rehearse Binder with every notebook, not only with the three heaviest",
    )


LONGEST = ("browser", "test_served_notebooks", "test_binder", "test_exercises", "test_notebooks")
"""The files, and a folder, that take minutes: they begin first, that none is left for the end."""


def group(nodeid: str) -> str:
    """The tests that share what they make: those of a file, or all that use the browser."""
    path = Path(nodeid.partition("::")[0])
    return path.parent.name if path.parent.name == "browser" else path.stem


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(group(item.nodeid), len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Where two tests run at a time, keep each group in one process."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return Groups(config, log)


def pytest_terminal_summary(terminalreporter) -> None:
    """Write what tests have recorded under the name ``told``."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                for name, words in report.user_properties:
                    if name == "told":
                        terminalreporter.write_line(words)


@pytest.fixture(scope="session")
def project() -> Path:
    """The folder of the project. Tests read it; they never write into it."""
    return ROOT


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of measured maps, which is not part of the repository: skips where it is not."""
    named = os.environ.get("PHANGS_REALDATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "realdata"
    if not folder.is_dir():
        if named:
            pytest.fail(f"PHANGS_REALDATA names {named}, which is not a folder.")
        pytest.skip("no real data here: set PHANGS_REALDATA to the folder that holds them")
    return folder


@pytest.fixture(scope="session")
def tracked(project: Path) -> list[Path]:
    """The files of the project, without what a run leaves behind.

    Git knows them; in an unpacked archive, which has no git, all files count except hidden
    folders, caches and what the data commands make.
    """
    command = ["git", "-C", str(project), "ls-files", "-z", "--cached", "--others"]
    try:
        listed = subprocess.run(
            [*command, "--exclude-standard"], check=True, capture_output=True, text=True
        ).stdout.split("\0")
        files = [project / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        files = [path for path in project.rglob("*") if not _left_behind(path, project)]
    return sorted(path for path in files if path.is_file())


def _left_behind(path: Path, project: Path) -> bool:
    parts = path.relative_to(project).parts
    hidden = any(part.startswith(".") for part in parts[:-1]) and parts[0] != ".ci"
    cached = any(part == "__pycache__" or part.endswith(".egg-info") for part in parts)
    return hidden or cached or parts[:2] in {("data", "simulated"), ("data", "phangs")}
