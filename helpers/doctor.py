"""What is wrong with this machine or this copy of the course, in sentences to act on.

``python course.py doctor`` prints the report, also when nothing is installed yet, so that only
the standard library is imported here; notebook 00 prints it with `report`.
"""

import ast
import hashlib
import importlib.metadata
import operator
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from helpers.memory import free_memory

PROJECT = Path(__file__).resolve().parent.parent
GB = 1e9


class Finding(NamedTuple):
    """One thing that was looked at: ``level`` is "ok", "warn" or "problem"."""

    level: str
    sentence: str


def examine(project: str | Path = PROJECT) -> list[Finding]:
    """Look at everything the course needs from this machine.

    Parameters
    ----------
    project : str or Path
        The course's folder.

    Returns
    -------
    list of Finding
        One or more for each thing looked at, in the order a student would mend them.
    """
    project = Path(project).resolve()
    looks: list[Callable[[Path], list[Finding]]] = [
        look_at_python,
        look_at_memory,
        look_at_disk,
        look_at_cores,
        look_at_writing,
        look_at_data,
        look_at_versions,
        look_at_widgets,
    ]
    return [finding for look in looks for finding in look(project)]


def report(project: str | Path = PROJECT) -> bool:
    """Print what `examine` finds; return True when nothing is a problem."""
    findings = examine(project)
    for level, sentence in findings:
        print(f"{level:8} {sentence}")
    problems = sum(finding.level == "problem" for finding in findings)
    print(f"\n{problems} problem{'s' * (problems != 1)}." if problems else "\nReady.")
    return not problems


def look_at_python(project: Path) -> list[Finding]:
    """Look at the version of Python, and whether it is the course's own."""
    here = f"Python {platform.python_version()} ({sys.executable})"
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return [
            Finding(
                "problem",
                f"{here} runs this, but the course needs 3.11, 3.12 or 3.13: install 3.12 from "
                "python.org and start with 'python3.12 course.py lab'.",
            )
        ]
    if sys.maxsize < 2**32:
        return [Finding("problem", f"{here} is a 32-bit Python: install the 64-bit one.")]
    own = project / ".venv"
    if own.is_dir() and Path(sys.prefix).resolve() != own.resolve():
        return [
            Finding(
                "warn",
                f"{here} runs this, not the course's own in {own}: start with "
                "'python course.py lab', or choose that Python as the notebook's kernel.",
            )
        ]
    return [Finding("ok", f"{here}.")]


def look_at_memory(project: Path) -> list[Finding]:
    """Look at the memory that is free, for this process."""
    free = free_memory()
    if free is None:
        return [Finding("ok", "This system does not say how much memory is free; 2 GB are enough.")]
    said = f"{free / GB:.1f} GB of memory are free"
    todo = "close other programs, or shut down other notebooks' kernels (Running, in JupyterLab)"
    if free < 0.8 * GB:
        return [Finding("problem", f"{said}, and a notebook takes up to 1 GB: {todo}.")]
    if free < 1.3 * GB:
        return [Finding("warn", f"{said}, enough for one notebook at a time: {todo}.")]
    return [Finding("ok", f"{said}.")]


def look_at_disk(project: Path) -> list[Finding]:
    """Look at the room on the disk that holds the course."""
    free = shutil.disk_usage(project).free
    need = 0.3 if "numpy" in _installed() else 2  # before and after the installation
    said = f"{free / GB:.1f} GB of disk are free at {project}"
    if free < need * GB:
        return [Finding("problem", f"{said}, and the course needs {need} GB more: make room.")]
    return [Finding("ok", f"{said}.")]


def look_at_cores(project: Path) -> list[Finding]:
    """Look at the processor cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if cores < 2:
        return [Finding("warn", "One processor core: the notebooks take about twice their time.")]
    return [Finding("ok", f"{cores} processor cores.")]


def look_at_writing(project: Path) -> list[Finding]:
    """Look whether notebooks can be saved."""
    folder = project / "notebooks" if (project / "notebooks").is_dir() else project
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"probe")
    except OSError as error:
        return [
            Finding(
                "problem",
                f"Nothing can be saved in {folder} ({error.strerror}): copy the course into a "
                "folder of your own.",
            )
        ]
    return [Finding("ok", f"Notebooks can be saved in {folder}.")]


def look_at_data(project: Path) -> list[Finding]:
    """Look whether every shipped data file is whole."""
    problems, count = [], 0
    for name, words in (("embedded", "data"), ("embeddings", "data --grid")):
        folder = project / "data" / name
        mend = f"download or clone the course again, or run 'python course.py {words}'"
        try:
            lines = _text(folder / "SHA256SUMS").splitlines()
        except OSError:
            problems += [Finding("problem", f"{folder / 'SHA256SUMS'} is missing: {mend}.")]
            continue
        count += len(lines)
        damaged = _damaged(folder, lines)
        if damaged:
            problems += [Finding("problem", f"In {folder}, {_few(damaged)}: {mend}.")]
    return problems or [Finding("ok", f"All {count} shipped data files are whole.")]


def _damaged(folder: Path, lines: list[str]) -> list[str]:
    """Return what is wrong with the files that the lines of a SHA256SUMS name."""
    damaged = []
    for line in lines:
        expected, _, name = line.partition("  ")
        path = folder / name
        if not path.is_file():
            damaged.append(f"{name} is missing" if name else "SHA256SUMS is not as shipped")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            damaged.append(f"{name} is not as shipped")
    return damaged


def look_at_versions(project: Path) -> list[Finding]:
    """Look whether the installed packages are the ones that the course was tested with."""
    try:
        pins = _pins(project)
    except OSError as error:
        return [Finding("problem", f"{error.filename} is missing: download the course again.")]
    installed = _installed()
    missing = [name for name in pins if name not in installed]
    if len(missing) > len(pins) / 2:
        return [
            Finding("problem", "The packages are not installed here: run 'python course.py lab'.")
        ]
    findings = []
    mend = "delete the folder .venv and run 'python course.py lab'"
    if missing:
        findings += [Finding("problem", f"Not installed: {_few(missing)}; {mend}.")]
    others = [
        f"{name} {installed[name]} (tested with {version})"
        for name, version in pins.items()
        if name in installed and installed[name] != version
    ]
    if others:
        findings += [Finding("warn", f"Other versions than tested: {_few(others)}; {mend}.")]
    return findings or [Finding("ok", f"All {len(pins)} packages are the tested versions.")]


def look_at_widgets(project: Path) -> list[Finding]:
    """Look whether sliders and buttons can show."""
    installed = _installed()
    widgets, manager = installed.get("ipywidgets"), installed.get("jupyterlab-widgets")
    mend = "run 'python course.py lab' and reload the page"
    if "numpy" not in installed:
        return []  # nothing is installed yet, which is said above
    if widgets is None or manager is None:
        lacking = "ipywidgets" if widgets is None else "jupyterlab-widgets"
        return [Finding("problem", f"Sliders cannot show: {lacking} is not installed; {mend}.")]
    if not (widgets.startswith("8.1.") and manager.startswith("3.0.")):
        return [
            Finding(
                "problem",
                f"Sliders may not show: ipywidgets {widgets} and jupyterlab-widgets {manager} are "
                f"installed, but 8.1 and 3.0 belong together; {mend}.",
            )
        ]
    if widgets == "8.1.9":
        return [
            Finding(
                "warn",
                "ipywidgets 8.1.9 shows no sliders in VS Code: use JupyterLab, or install "
                "ipywidgets 8.1.8.",
            )
        ]
    extension = Path("share", "jupyter", "labextensions", "@jupyter-widgets", "jupyterlab-manager")
    if not (Path(sys.prefix) / extension / "package.json").is_file():
        return [
            Finding(
                "warn", f"Sliders may not show: {extension} is missing in {sys.prefix}; {mend}."
            )
        ]
    return [Finding("ok", f"Sliders can show (ipywidgets {widgets}).")]


def _pins(project: Path) -> dict[str, str]:
    """Return the versions promised to this Python: {name: version}.

    The lock is the promise of .venv (and of a machine where nothing is installed); elsewhere, on
    Binder or in a conda environment, it is environment.yml, which leaves the server alone.
    """
    lock = project / "requirements.lock"
    conda = project / "environment.yml"
    if (Path(sys.prefix) / "conda-meta").is_dir() and conda.is_file():
        lock = conda
    found = re.findall(
        r"^\s*(?:- +)?[\"']?([A-Za-z0-9._-]+)==([^\s;\"'\\]+)(?: *;([^\"\\\n]*))?",
        _text(lock),
        re.MULTILINE,
    )
    return {_name(name): version for name, version, marker in found if _holds(marker)}


def _holds(marker: str) -> bool:
    """Say whether an environment marker such as "python_full_version < '3.12'" holds here.

    The part of https://packaging.python.org/specifications/dependency-specifiers/ that a lock
    uses: comparisons joined by and, or and parentheses.
    """
    if not marker.strip():
        return True
    here = {
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
        "os_name": os.name,
        "platform_system": platform.system(),
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "implementation_name": sys.implementation.name,
    }
    compare = {
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
    }

    def holds(node: ast.expr) -> bool:
        if isinstance(node, ast.BoolOp):
            join = all if isinstance(node.op, ast.And) else any
            return join(holds(value) for value in node.values)
        variable, constant = node.left.id, node.comparators[0].value
        left, right = here[variable], constant
        if variable in ("python_full_version", "python_version"):
            left, right = _numbers(left), _numbers(right)
        return compare[type(node.ops[0])](left, right)

    return holds(ast.parse(marker.strip(), mode="eval").body)


def _numbers(version: str) -> tuple[int, int, int]:
    """Return "3.12" as (3, 12, 0), so that it equals 3.12.0."""
    numbers = [int(number) for number in re.findall(r"\d+", version)[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))


def _installed() -> dict[str, str]:
    """Return the installed packages: {name: version}."""
    versions = {}
    for found in importlib.metadata.distributions():
        if found.metadata["Name"]:  # None for one that an interrupted pip left behind
            versions.setdefault(_name(found.metadata["Name"]), found.version)  # first on the path
    return versions


def _name(name: str) -> str:
    """Return a package's name as every index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _few(things: list[str]) -> str:
    """Join the first few of a list."""
    more = f" and {len(things) - 4} more" if len(things) > 4 else ""
    return ", ".join(things[:4]) + more


def _text(path: str | Path) -> str:
    return Path(path).read_text(encoding="utf-8")


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):  # a path with umlauts on a terminal without them
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(0 if report() else 1)
