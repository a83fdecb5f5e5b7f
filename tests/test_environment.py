"""The exact versions agree with the ranges, with one another, and with every supported machine."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {
    "Linux": {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"},
    "Windows": {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows"},
    "macOS": {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin"},
}


def machine(python: str, platform: str) -> dict[str, str]:
    """The markers of a machine that need not be this one."""
    architecture = {"Linux": "x86_64", "Windows": "AMD64", "macOS": "arm64"}[platform]
    return {
        **default_environment(),
        **PLATFORMS[platform],
        "platform_machine": architecture,
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


class Lock:
    """A lock read by its own rules, apart from the program that wrote it."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text(encoding="utf-8")
        joined = self.text.replace("\\\n", " ")
        lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
        self.pins: list[tuple[str, str, Marker | None, int]] = []
        for line in lines:
            stated, *hashes = re.split(r"\s+--hash=", line)
            requirement = Requirement(stated)
            (pin,) = requirement.specifier
            assert pin.operator == "==", f"{path.name} does not pin {stated}"
            sound = [h for h in hashes if re.fullmatch(r"sha256:[0-9a-f]{64}", h.strip())]
            assert len(sound) == len(hashes), f"{path.name} has an odd hash at {stated}"
            name = canonicalize_name(requirement.name)
            self.pins.append((name, pin.version, requirement.marker, len(hashes)))

    def on(self, machine: dict[str, str]) -> dict[str, str]:
        """What is installed on one machine: exactly one version of each package."""
        chosen: dict[str, str] = {}
        for name, version, marker, _ in self.pins:
            if marker is None or marker.evaluate(machine):
                assert name not in chosen, f"{name} is pinned twice on one machine"
                chosen[name] = version
        return chosen


@pytest.fixture(scope="module")
def pyproject(project: Path) -> dict:
    return tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ranges(pyproject: dict) -> dict[str, list[Requirement]]:
    """The ranges of pyproject.toml, by the group they stand in."""
    extras = pyproject["project"]["optional-dependencies"]
    groups = {"science": pyproject["project"]["dependencies"], **extras}
    return {group: [Requirement(line) for line in lines] for group, lines in groups.items()}


@pytest.fixture(scope="module")
def lock(project: Path) -> Lock:
    return Lock(project / "requirements.lock")


@pytest.fixture(scope="module")
def full_lock(project: Path) -> Lock:
    return Lock(project / "tests" / "requirements.lock")


@pytest.fixture(scope="module")
def environment(project: Path) -> dict:
    return yaml.safe_load((project / "environment.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["requirements.lock", "tests/requirements.lock"])
def test_every_pin_has_hashes_and_no_address(project: Path, name: str) -> None:
    lock = Lock(project / name)
    assert len(lock.pins) > 100
    assert not [pin for pin, _, _, hashes in lock.pins if hashes == 0]
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:", lock.text)
    assert not re.search(r"^\s*-e\b|@ ", lock.text, re.MULTILINE), "a lock holds no local project"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_machine_gets_versions_that_fit_the_ranges(
    lock: Lock, full_lock: Lock, ranges: dict, python: str, platform: str
) -> None:
    here = machine(python, platform)
    learner, tester = lock.on(here), full_lock.on(here)
    for wanted in ranges["science"] + ranges["lab"]:
        assert wanted.specifier.contains(learner[canonicalize_name(wanted.name)]), wanted
    for wanted in ranges["test"]:
        assert wanted.specifier.contains(tester[canonicalize_name(wanted.name)]), wanted
    # What is tested is what learners get: the same versions, and more.
    assert {name: tester.get(name) for name in learner} == learner
    assert ("pywinpty" in learner) == (platform == "Windows")
    assert ("appnope" in learner) == (platform == "macOS")


def test_each_supported_python_stands_in_the_range(pyproject: dict) -> None:
    supported = SpecifierSet(pyproject["project"]["requires-python"])
    assert [p for p in ("3.10", *PYTHONS, "3.14") if supported.contains(f"{p}.0")] == list(PYTHONS)


def test_the_lock_builds_the_project_without_the_network(pyproject: dict, lock: Lock) -> None:
    for line in pyproject["build-system"]["requires"]:
        backend = Requirement(line)
        for platform in PLATFORMS:
            assert backend.specifier.contains(lock.on(machine("3.12", platform))[backend.name])


def test_binder_has_a_python_that_it_understands(project: Path, environment: dict) -> None:
    # Any other way to say it, or none, silently gives Python 3.10.
    assert environment["dependencies"][0] == "python=3.12"
    assert environment["channels"] == ["conda-forge"]
    hiding = [name for name in ("binder", ".binder") if (project / name).exists()]
    assert not hiding, f"{hiding} would hide the environment.yml at the root"


def test_binder_has_the_science_of_the_lock(
    environment: dict, ranges: dict, lock: Lock, full_lock: Lock
) -> None:
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert pip[-1] == "-e ."
    stated = {canonicalize_name(r.name): r for r in map(Requirement, pip[:-1])}
    locked = lock.on(machine("3.12", "Linux"))
    pinned = {name: str(r.specifier)[2:] for name, r in stated.items() if "==" in str(r.specifier)}
    assert pinned == {name: locked[name] for name in pinned}

    science = {canonicalize_name(r.name): r for r in ranges["science"]}
    assert science.keys() <= stated.keys()
    # Binder brings what its own server needs: a range leaves that alone.
    assert stated.keys() - pinned.keys() == {"ipywidgets", "psutil", "requests"}
    for name in stated.keys() - pinned.keys():
        assert stated[name].specifier == science[name].specifier


def test_no_jupyter_server_is_forced_on_binder(environment: dict, ranges: dict) -> None:
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    server = re.compile(r"jupyter|notebook|ipykernel|ipython|tornado|traitlets|pyzmq|nbconvert")
    assert not [line for line in pip if server.match(line)]
    assert not [r.name for r in ranges["science"] if server.match(r.name)]
