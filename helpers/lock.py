"""Remakes the exact versions: both locks and Binder's pins, from the ranges in pyproject.toml.

``python -m helpers.lock`` keeps every version that still fits; ``--upgrade`` takes the newest
ones. It needs the network and uv, which stands in the ``test`` extra.

Three files come out of one resolution, so they cannot disagree:

- ``requirements.lock``: the project and the Jupyter server, for Linux, Windows and macOS and for
  every supported Python, with hashes;
- ``tests/requirements.lock``: the same versions, and what the tests need;
- ``environment.yml``: for Binder, which brings a Jupyter server of its own.
"""

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
BINDER_PYTHON = "3.12"
OLDEST_PYTHON = "3.11"

ENVIRONMENT = """\
# For Binder. Made by `python -m helpers.lock` from requirements.lock: do not edit it by hand.
# What Binder's own Jupyter server needs too is left as Binder brings it.
name: phangs-unsupervised
channels:
  - conda-forge
dependencies:
  - python={python}
  - pip
  - pip:
{pins}
      - -e .
"""


def remake(root: Path = ROOT, *, upgrade: bool = False) -> None:
    """Remake ``requirements.lock``, ``tests/requirements.lock`` and ``environment.yml``.

    Parameters
    ----------
    root
        The project's folder: its ``pyproject.toml`` is read, the three files are written.
    upgrade
        Take the newest versions that fit, instead of keeping those that still fit.

    Raises
    ------
    RuntimeError
        When uv finds no set of versions, is missing, or cannot reach the registry.
    """
    lock = root / "requirements.lock"
    newest = ["--upgrade"] if upgrade else []
    universal = ["--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes"]
    universal += ["--custom-compile-command", "python -m helpers.lock", "--quiet", *newest]
    _uv(root, "pyproject.toml", "--extra", "lab", *universal, "--output-file", lock.name)
    _uv(
        *(root, "pyproject.toml", "--extra", "lab", "--extra", "test"),
        *("--constraint", lock.name, *universal, "--output-file", "tests/requirements.lock"),
    )
    (root / "environment.yml").write_text(_environment(root), encoding="utf-8", newline="\n")


def _environment(root: Path) -> str:
    """Binder's pins: what the science needs and the Jupyter server does not."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = {canonicalize_name(Requirement(line).name): line for line in project["dependencies"]}
    server = _closure(root, [*project["optional-dependencies"]["lab"], direct["ipywidgets"]])
    science = _closure(root, project["dependencies"])
    pins = [f"{name}=={science[name]}" for name in science.keys() - server.keys()]
    shared = [direct[name] for name in direct.keys() & server.keys()]
    lines = "\n".join(f'      - "{line}"' for line in sorted(pins) + sorted(shared))
    return ENVIRONMENT.format(python=BINDER_PYTHON, pins=lines)


def _closure(root: Path, requirements: list[str]) -> dict[str, str]:
    """The locked version of each requirement, and of all that it needs, on Binder."""
    compiled = _uv(
        *(root, "-", "--constraint", "requirements.lock", "--quiet", "--no-header"),
        *("--no-annotate", "--python-version", BINDER_PYTHON, "--python-platform", "linux"),
        given="\n".join(requirements),
    )
    return dict(line.split(" ;")[0].strip().split("==") for line in compiled.splitlines())


def _uv(root: Path, *arguments: str, given: str = "") -> str:
    command = [sys.executable, "-m", "uv", "pip", "compile", *arguments]
    done = subprocess.run(command, cwd=root, input=given, text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(
            f"uv could not work out the versions (exit {done.returncode}):\n{done.stderr.strip()}\n"
            "Look at the ranges in pyproject.toml; with no network, or without uv "
            "(`python course.py test` installs it), the locks cannot be remade."
        )
    return done.stdout


def main(arguments: list[str] | None = None) -> int:
    """The command line: ``python -m helpers.lock [--upgrade]``."""
    parser = argparse.ArgumentParser(prog="python -m helpers.lock", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    try:
        remake(upgrade=parser.parse_args(arguments).upgrade)
    except RuntimeError as problem:
        print(problem, file=sys.stderr)
        return 1
    print("Remade requirements.lock, tests/requirements.lock and environment.yml.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
