"""The tree is what a stranger expects: licensed, citable, small, tidy, read in one direction."""

import ast
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml

MEGABYTE = 1_000_000

FLOW = (
    *(
        "memory",
        "galaxies",
        "scene",
        "onezone",
        "simulate",
        "fitsfile",
        "maps",
        "survey",
        "download",
        "fitsrange",
        "archives",
        "resolution",
    ),
    *(
        "features",
        "build",
        "forest",
        "distances",
        "layout",
        "embedding",
        "quality",
        "linkage",
        "clusters",
        "comparison",
        "stability",
        "null",
        "pictures",
        "blocks",
        "identity",
        "interpretation",
        "bpt",
        "relation",
        "truth",
        "dataset",
        "plots",
    ),
)
"""The modules in the order the data flow: each may import those before it."""

TOOLS = {"doctor", "lock", "measure", "remake"}
"""The modules behind the words of course.py: they may import the flow, and it never them."""


def imports(module: Path) -> set[str]:
    """The modules of helpers that a module imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("helpers.")}
        elif isinstance(node, ast.ImportFrom):
            source = ("helpers." if node.level else "") + (node.module or "")
            if source.rstrip(".") == "helpers":
                found |= {alias.name for alias in node.names}
            elif source.startswith("helpers."):
                found.add(source.split(".")[1])
    return found


@pytest.fixture(scope="module")
def imported(project: Path) -> dict[str, set[str]]:
    modules = sorted((project / "helpers").glob("[!_]*.py"))
    return {module.stem: imports(module) for module in modules}


def test_the_licence_is_bsd(project: Path) -> None:
    text = (project / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("BSD 3-Clause License")
    assert "The course's authors" in text


def test_the_course_and_its_sources_can_be_cited(project: Path) -> None:
    citation = yaml.safe_load((project / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "license", "version"} <= citation.keys()
    assert citation["license"] == "BSD-3-Clause"
    assert re.search(
        rf'^version = "{citation["version"]}"$', (project / "pyproject.toml").read_text(), re.M
    )
    cited = set()
    for reference in citation["references"]:
        assert {"type", "title", "authors", "year"} <= reference.keys(), reference
        assert 2017 <= reference["year"] <= date.today().year
        assert re.fullmatch(r"10\.\d{4,9}/\S+", reference.get("doi", "10.0000/none"))
        cited.add((reference["authors"][0]["family-names"], reference["year"]))
    method = {("Baron", 2017), ("Baron", 2023), ("Baron", 2024), ("Baron", 2025)}
    survey = {("Leroy", 2021), ("Emsellem", 2022), ("Lee", 2022), ("Lee", 2023)}
    assert cited == method | survey


def test_the_conventional_files_are_there(project: Path) -> None:
    wanted = ("README.md", "CONTRIBUTING.md", "course.py", "environment.yml", "requirements.lock")
    assert not [name for name in wanted if not (project / name).is_file()]
    assert os.access(project / ".ci" / "run", os.X_OK)


def test_every_file_is_small(tracked: list[Path], project: Path) -> None:
    large = {str(p.relative_to(project)): p.stat().st_size for p in tracked}
    assert not {name: size for name, size in large.items() if size > 5 * MEGABYTE}
    data = {name: size for name, size in large.items() if name.startswith("data/")}
    assert sum(data.values()) <= 12 * MEGABYTE
    maps = sum(size for name, size in data.items() if name.startswith("data/embedded/"))
    assert maps <= 7 * MEGABYTE


def test_no_lock_carries_an_index(tracked: list[Path]) -> None:
    addressed = {"uv.lock", "pylock.toml", "poetry.lock", "pdm.lock", "Pipfile.lock"}
    assert not [path for path in tracked if path.name in addressed]


def test_no_file_names_somebodys_machine(tracked: list[Path], project: Path) -> None:
    # A path from the root of a disk, and not a page's address or a part of a longer path.
    machine = re.compile(
        r"(?<![\w.:/\-}*])(?:/(?:work|root|home|Users|mnt|opt|tmp)/\w|[A-Z]:\\(?:Users|work)\b)"
    )
    text = {".py", ".md", ".toml", ".yml", ".yaml", ".cff", ".ipynb", ".lock", ".txt", ".cfg", ""}
    found = []
    for path in tracked:
        # What tests write to provoke an error is theirs.
        if path.suffix in text and path.relative_to(project).parts[0] != "tests":
            lines = path.read_text(encoding="utf-8").splitlines()
            found += [
                f"{path.name}:{n}: {line}"
                for n, line in enumerate(lines, 1)
                if machine.search(line)
            ]
    assert not found


def test_no_work_is_left_as_a_note(tracked: list[Path]) -> None:
    note = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    kinds = {".py", ".md", ".toml", ".yml", ".ipynb"}
    assert not [
        path.name
        for path in tracked
        if path.suffix in kinds and note.search(path.read_text("utf-8"))
    ]


def test_imports_follow_the_data(imported: dict[str, set[str]]) -> None:
    assert imported.keys() <= {*FLOW, *TOOLS}, "give each new module its place here"
    for position, module in enumerate(FLOW):
        later = imported.get(module, set()) - set(FLOW[:position])
        assert not later, f"helpers/{module}.py imports {sorted(later)}, which come after it"


def test_nothing_is_imported_in_a_circle(imported: dict[str, set[str]]) -> None:
    left = dict(imported)
    while free := [module for module in left if not imported[module] & left.keys()]:
        for module in free:
            del left[module]
    assert not left, f"these import one another: {sorted(left)}"


def test_the_simulation_knows_nothing_of_the_analysis(imported: dict[str, set[str]]) -> None:
    # Else the truth that the course recovers would prove nothing.
    known, new = set(), {"simulate"}
    while new:
        known |= new
        new = set().union(*(imported[module] for module in new)) - known
    assert known <= {"galaxies", "scene", "onezone", "simulate"}


def test_only_notebooks_and_widgets_use_the_plots(imported: dict[str, set[str]]) -> None:
    assert not [m for m, uses in imported.items() if "plots" in uses and m != "widgets"]


def test_the_exercises_use_the_science_and_are_used_by_notebooks_alone(
    project: Path, imported: dict[str, set[str]]
) -> None:
    assert not [module for module, uses in imported.items() if "exercises" in uses]
    tools = {"exercise", "answers", "progress", "desk", "cells", "teaching"}
    for module in sorted((project / "helpers" / "exercises").glob("[!_]*.py")):
        text = module.read_text(encoding="utf-8")
        among = set(re.findall(r"^ *from helpers\.exercises\.(\w+) import", text, re.MULTILINE))
        assert among <= tools - {module.stem}, module.name
        costs = {"measure"} if module.stem == "teaching" else set()  # it tells them
        assert imports(module) <= {*FLOW, "exercises"} - {"plots"} | costs, module.name


def test_helpers_are_importable_from_everywhere(project: Path, tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import helpers; print(helpers.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()).resolve() == project / "helpers" / "__init__.py"


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_code_and_notebooks_are_tidy(project: Path, command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache", "--quiet", "."],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("bash"), reason="the checks run from bash, which is not here")
class TestTheContinuousCheck:
    """`.ci/run` in a copy whose `course.py` says what we want to hear, and writes what we fear."""

    def run(self, project: Path, folder: Path, course: str) -> subprocess.CompletedProcess:
        (folder / ".ci").mkdir()
        shutil.copy(project / ".ci" / "run", folder / ".ci" / "run")
        (folder / "course.py").write_text(course)
        tools = folder / "tools"
        tools.mkdir()
        for tool in ("chromium", "apt-get"):
            (tools / tool).write_text("#!/bin/sh\nexit 0\n")
            (tools / tool).chmod(0o755)
        (tools / "python3").symlink_to(sys.executable)
        subprocess.run(["git", "init", "-q", folder], check=True)
        return subprocess.run(
            ["bash", str(folder / ".ci" / "run")],
            env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )

    def test_success_ends_with_the_closing_line(self, project: Path, tmp_path: Path) -> None:
        done = self.run(
            project, tmp_path, "print('= 3 passed, 1 skipped in 2.10s =')\nprint('bye')"
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "= 3 passed, 1 skipped in 2.10s ="

    @pytest.mark.parametrize(
        ("course", "complaint"),
        [
            ("print('= 1 failed, 3 passed in 2.10s ='); raise SystemExit(1)", "1 failed, 3 passed"),
            ("raise SystemExit(3)", "No test passed."),
            ("print('= no tests ran in 0.01s =')", "No test passed."),
            ("open('left', 'w'); print('= 3 passed in 2.10s =')", "changed the checkout"),
        ],
        ids=["failure", "crash", "nothing collected", "litter"],
    )
    def test_trouble_is_not_success(
        self, project: Path, tmp_path: Path, course: str, complaint: str
    ) -> None:
        done = self.run(project, tmp_path, course)
        assert done.returncode != 0
        assert complaint in done.stdout + done.stderr
