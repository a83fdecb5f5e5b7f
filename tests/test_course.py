"""`course.py` on real, tiny projects: real environments, real disks, real kills, no network."""

import base64
import hashlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
BASE = sys._base_executable  # the Python under .venv, as a student would start it

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's namespaces and mounts")
posix = pytest.mark.skipif(os.name != "posix", reason="needs the process groups of Unix")

FAKE_LAB = """
import json, os, sys
import helpers
print(json.dumps({"argv": sys.argv[1:], "helpers": helpers.__file__, "cwd": os.getcwd(),
                  "version": VERSION, "prefix": sys.prefix}))
"""
BACKEND = '''
"""Build an editable wheel: a .pth file that points at the project."""
import os, pathlib, time, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    here = pathlib.Path.cwd()
    with open(here / "builds", "a") as builds:
        builds.write("x")
    while (here / "slow").exists():
        time.sleep(0.05)
    name = "tiny-1-py3-none-any.whl"
    info = "tiny-1.dist-info/"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("tiny.pth", "import sys; sys.path.append(%a)" % str(here))
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr(info + "WHEEL", WHEEL)
        wheel.writestr(info + "RECORD", "")
    return name

WHEEL = "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
'''
PYPROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tiny"
version = "1"
"""


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> str:
    """Write a pure Python wheel and return its line of a lock."""
    info = f"{name}-{version}.dist-info/"
    files = dict(files)
    files[info + "METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files[info + "WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: tiny\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{path},sha256={digest.decode()},{len(text.encode())}\n"
    files[info + "RECORD"] = record + f"{info}RECORD,,\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for inside, text in files.items():
            wheel.writestr(inside, text)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


class Tiny:
    """A tiny course: course.py, one notebook, a lock of local wheels and its own build backend."""

    def __init__(self, root: Path, wheels: Path):
        self.root, self.wheels = root, wheels
        wheels.mkdir(parents=True)
        for folder in ("notebooks", "helpers", "tests"):
            (root / folder).mkdir(parents=True)
        shutil.copy(PROJECT / "course.py", root)
        (root / "notebooks" / "00_start_here.ipynb").write_text("{}")
        (root / "helpers" / "__init__.py").write_text("")
        (root / "helpers" / "doctor.py").write_text("import sys; print(sys.argv[1:], sys.prefix)")
        (root / "backend.py").write_text(BACKEND)
        (root / "pyproject.toml").write_text(PYPROJECT)
        self.lock("1.0")

    def lock(self, version: str, extra: str = "") -> None:
        """Write both locks with this version of the lab."""
        code = FAKE_LAB.replace("VERSION", repr(version))
        lab = write_wheel(self.wheels, "jupyterlab", version, {"jupyterlab/__main__.py": code})
        test = write_wheel(
            self.wheels, "pytest", "1.0", {"pytest/__main__.py": "import sys; print(sys.argv[1:])"}
        )
        (self.root / "requirements.lock").write_text(lab + extra)
        (self.root / "tests" / "requirements.lock").write_text(lab + extra + test)

    def environment(self, **changes: str) -> dict[str, str]:
        """Return an environment in which pip knows the local wheels and nothing else."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "COV"))}
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.wheels.as_uri()}
        return kept | pip | {"PIP_CONFIG_FILE": os.devnull, "PYTHONUTF8": "1"} | changes

    def start(self, *words: str, python: str = BASE, before: tuple[str, ...] = (), **changes: str):
        """Run course.py with these words to its end."""
        return subprocess.run(
            [*before, python, str(self.root / "course.py"), *words],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=self.environment(**changes),
            cwd=self.root.parent,
            timeout=100,
        )

    def opened(self, *words: str, **options) -> dict:
        """Run `course.py lab` and return what the (tiny) lab saw."""
        done = self.start("lab", *words, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def builds(self) -> int:
        """Say how many installations reached their last step."""
        file = self.root / "builds"
        return len(file.read_text()) if file.exists() else 0


@pytest.fixture
def tiny(tmp_path):
    """Return a tiny course that is not installed yet."""
    return Tiny(tmp_path / "course", tmp_path / "wheels")


def assert_one_sentence(done: subprocess.CompletedProcess, *words: str) -> None:
    """Assert that a start ended with status 1 and a sentence with these words, no traceback."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback (most recent" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith("."), last
    for word in words:
        assert word in last, last


def in_namespace(*options: str, setup: str = "true") -> tuple[str, ...]:
    """Return the start of a command that runs in its own namespaces after a shell `setup`."""
    words = ("unshare", "--map-root-user", *options)
    probe = ["sh", "-c", f"{setup} && true"]
    if shutil.which("unshare") is None:
        pytest.skip("unshare (util-linux) is not installed")
    tried = subprocess.run([*words, *probe], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"this machine allows no {' '.join(options)}: {tried.stderr.strip()}")
    return (*words, "sh", "-c", setup + ' && exec "$@"', "sh")


# ------------------------------------------------------------------------------- a good start


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return a tiny course that is installed once, in a folder with spaces and umlauts."""
    root = tmp_path_factory.mktemp("ein Ordner")
    tiny = Tiny(root / "ein Kürs mit Läufen (1)", root / "Räder & co")
    tiny.first = tiny.opened("--no-browser", "--port", str(free_port()))
    return tiny


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_folder_with_spaces_and_umlauts_simply_works(installed):
    seen = installed.first
    assert Path(seen["helpers"]).parent == installed.root / "helpers"
    assert Path(seen["prefix"]) == installed.root / ".venv"
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in seen["argv"]
    assert "--no-browser" in seen["argv"]
    assert f"--ServerApp.root_dir={installed.root}" in seen["argv"]


def test_a_second_start_installs_nothing(installed):
    log = installed.root / ".venv" / "course-install.log"
    before = installed.builds(), log.stat().st_mtime_ns
    installed.opened()
    assert (installed.builds(), log.stat().st_mtime_ns) == before


def test_foreign_settings_on_the_way_to_the_lab_do_no_harm(installed):
    (installed.wheels / "jupyterlab.py").write_text("raise SystemExit('the wrong jupyterlab')")
    settings = {"PYTHONPATH": str(installed.wheels), "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    assert installed.opened(**settings)["version"] == "1.0"


def test_the_tests_packages_come_on_top_and_stay(installed):
    before = installed.builds()
    done = installed.start("test", "-k", "two words", "--lf")
    assert done.returncode == 0, done.stderr
    assert "['-k', 'two words', '--lf']" in done.stdout
    assert installed.builds() == before + 1
    installed.opened()
    assert installed.start("test").returncode == 0
    assert installed.builds() == before + 1, "lab and test must not install in turns"


@linux
def test_a_read_only_folder_is_used_as_it_is(installed):
    before = in_namespace("--mount", setup=read_only(installed.root))
    assert installed.opened(before=before)["version"] == "1.0"


def test_a_changed_lock_is_installed(installed):
    installed.lock("2.0")
    assert installed.opened(PIP_USER="1")["version"] == "2.0"


@posix
def test_a_start_under_the_environment_that_must_be_made_anew_works(installed):
    """A student's shell has .venv activated, and its packages are gone."""
    shutil.rmtree(next(installed.root.glob(".venv/lib/*/site-packages")))
    python = str(installed.root / ".venv" / "bin" / "python")
    assert installed.opened(python=python)["version"] == "2.0"


def test_a_moved_folder_repairs_itself(installed):
    moved = installed.root.parent / "elsewhere"
    installed.root.rename(moved)
    installed.root = moved
    seen = installed.opened()
    assert Path(seen["helpers"]).parent == moved / "helpers"
    assert Path(seen["prefix"]) == moved / ".venv"


# -------------------------------------------------------------------------- interrupted starts


def test_two_starts_at_once_install_once(installed):
    installed.lock("3.0")
    before = installed.builds()
    both = [begin(installed), begin(installed)]
    for start in both:
        output = start.communicate(timeout=60)[0]
        assert start.returncode == 0, output
        assert '"version": "3.0"' in output
    assert installed.builds() == before + 1


@posix
def test_a_start_killed_while_pip_unpacks_is_repaired(installed):
    files = {f"padding/{i}.txt": f"{i}\n" for i in range(4000)}
    installed.lock("4.0", extra=write_wheel(installed.wheels, "padding", "1.0", files))

    def unpacked() -> int:
        return len(list(installed.root.glob(".venv/lib/*/site-packages/padding/*.txt")))

    killed = begin(installed)
    wait_for(lambda: unpacked() > 100)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert unpacked() < 4000, "killed too late to show anything"
    assert installed.opened()["version"] == "4.0"
    assert unpacked() == 4000


@posix
def test_a_start_waits_for_the_pip_that_a_killed_one_left_behind(installed):
    installed.lock("5.0")
    before = installed.builds()
    (installed.root / "slow").touch()
    killed = begin(installed)
    wait_for(lambda: installed.builds() > before)
    killed.kill()  # course.py alone: its pip lives on, and still writes into .venv
    killed.wait()
    second = begin(installed)
    assert "waiting for it" in second.stdout.readline()
    (installed.root / "slow").unlink()
    output = second.communicate(timeout=60)[0]
    assert second.returncode == 0, output
    assert '"version": "5.0"' in output
    killed.communicate()


@posix
def test_a_start_killed_while_the_environment_is_made_is_repaired(tiny):
    killed = begin(tiny)
    wait_for((tiny.root / ".venv" / "pyvenv.cfg").exists)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert tiny.opened()["version"] == "1.0"


def begin(tiny: Tiny) -> subprocess.Popen:
    """Start `course.py lab` in its own process group and return at once."""
    return subprocess.Popen(
        [BASE, str(tiny.root / "course.py"), "lab"],
        env=tiny.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(condition, seconds: float = 60) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


# ------------------------------------------------------------------------------ clear failures


@linux
def test_no_network_is_said_in_a_sentence_and_mended_by_the_next_start(installed):
    installed.lock("6.0")
    changes = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_RETRIES": "1"}
    changes["PIP_INDEX_URL"] = "https://packages.invalid/simple"
    done = installed.start("lab", before=in_namespace("--net"), **changes)
    assert_one_sentence(done, "could not be reached", "internet", "start again")
    assert installed.opened()["version"] == "6.0"


def test_a_package_with_another_hash_is_refused(installed):
    installed.lock("7.0")
    wheel = installed.wheels / "jupyterlab-7.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("jupyterlab/stranger.py", "")
    assert_one_sentence(installed.start("lab"), "hash", "start again")


@linux
@pytest.mark.parametrize("left", ["nothing", "too little for pip", "too little for a package"])
def test_a_full_disk_is_said_in_a_sentence(tiny, left):
    big = {"big/__init__.py": "#" * 60_000_000}
    tiny.lock("1.0", extra=write_wheel(tiny.wheels, "big", "1.0", big))
    small = tiny.root.parent / "small"
    small.mkdir()
    size = {"nothing": "1m", "too little for pip": "6m"}.get(left, "40m")
    setup = f"mount -t tmpfs -o size={size} none {small} && cp -r {tiny.root} {small}"
    if left == "nothing":
        setup += f" && (cat /dev/zero > {small}/filling 2>/dev/null || true)"
    before = in_namespace("--mount", setup=setup)
    tiny.root = small / "course"
    assert_one_sentence(tiny.start("lab", before=before), "disk", "2 GB", "start again")


@linux
def test_a_read_only_folder_is_said_in_a_sentence(tiny):
    done = tiny.start("lab", before=in_namespace("--mount", setup=read_only(tiny.root)))
    assert_one_sentence(done, "Read-only", str(tiny.root / ".venv"), "that you may write to")


def read_only(folder: Path) -> str:
    """Return a shell command that mounts a folder read-only (no mode bits stop root)."""
    name = shlex.quote(str(folder))
    return f"mount --bind {name} {name} && mount -o remount,bind,ro {name}"


@posix
@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_a_python_without_venv_says_what_to_install(tiny, tmp_path, module):
    python = python_without(module, tmp_path / "python")
    done = tiny.start("lab", python=str(python))
    assert_one_sentence(done, f"no '{module}' module", "-venv", "start again")


def python_without(module: str, prefix: Path) -> Path:
    """Return a real Python whose library lacks one module."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library = prefix / "lib" / name
    library.mkdir(parents=True)
    (prefix / "bin").mkdir()
    for entry in Path(os.__file__).parent.iterdir():
        if entry.name != module:
            (library / entry.name).symlink_to(entry)
    shutil.copy(os.path.realpath(BASE), prefix / "bin" / name)
    return prefix / "bin" / name


def test_a_python_of_another_age_is_refused(tiny):
    others = [*Path.home().glob(".pyenv/versions/*/bin/python")]
    others += [Path(found) for n in (*range(6, 11), 14) if (found := shutil.which(f"python3.{n}"))]
    asked = 0
    for python in others:
        ask = [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        version = subprocess.run(ask, capture_output=True, text=True).stdout.strip()
        if version in ("3.6", "3.7", "3.8", "3.9", "3.10", "3.14"):
            done = tiny.start("lab", python=str(python))
            assert_one_sentence(done, f"This is Python {version}", "3.11, 3.12 or 3.13")
            asked += 1
        elif version == "2.7":
            done = tiny.start("lab", python=str(python))
            assert "The course needs Python 3.11, 3.12 or 3.13." in done.stderr
    if not asked:
        pytest.skip("no other Python (3.6 to 3.10, 3.14) on this machine")


def test_a_busy_port_is_named(tiny):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = tiny.start("lab", "--port", str(port))
    assert_one_sentence(done, f"Port {port}", "in use", "--port")
    assert_one_sentence(tiny.start("lab", "--port", "99999"), "Port 99999")
    assert not (tiny.root / ".venv").exists()


def test_missing_files_and_words_are_named(tiny):
    (tiny.root / "requirements.lock").unlink()
    assert_one_sentence(tiny.start("lab"), "requirements.lock is missing", "again")
    (tiny.root / "notebooks" / "00_start_here.ipynb").unlink()
    assert_one_sentence(tiny.start("lab"), "00_start_here.ipynb is missing")
    assert_one_sentence(tiny.start("labs"), "'labs'", "lab, test, doctor")
    assert tiny.start("--help").returncode == 0


def test_the_doctor_comes_when_nothing_is_installed(tiny):
    done = tiny.start("doctor", "--all")
    assert done.returncode == 0
    assert "['--all']" in done.stdout
    assert not (tiny.root / ".venv").exists()


# ------------------------------------------------------------------------------- the real lab


def test_the_real_lab_opens_the_first_notebook(tmp_path):
    stamp = PROJECT / ".venv" / "course-stamp.json"
    locks = ("requirements.lock", "pyproject.toml")
    try:
        files = json.loads(stamp.read_text())["files"]
    except (OSError, KeyError):
        files = {}
    now = {name: hashlib.sha256((PROJECT / name).read_bytes()).hexdigest() for name in locks}
    if not now.items() <= files.items():
        pytest.skip("this environment was not made by course.py: run 'python course.py test'")

    port = free_port()
    private = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    private["JUPYTER_RUNTIME_DIR"] = str(tmp_path / "runtime")
    begun = time.monotonic()
    lab = subprocess.Popen(
        [BASE, str(PROJECT / "course.py"), "lab", "--no-browser", "--port", str(port)],
        env=os.environ | private | {"JUPYTER_TOKEN": "open-sesame"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
    )
    try:
        page = f"http://127.0.0.1:{port}/lab/tree/notebooks/00_start_here.ipynb"
        wait_for(lambda: answers(page + "?token=open-sesame") == 200)
        print(f"the lab answers after {time.monotonic() - begun:.1f} s")
        contents = f"http://127.0.0.1:{port}/api/contents/notebooks/00_start_here.ipynb"
        assert answers(contents + "?token=open-sesame") == 200
        assert answers(contents) == 403, "a stranger on this machine must not get in"
    finally:
        lab.terminate()
        output = lab.communicate(timeout=30)[0]
    assert "Traceback" not in output
    assert f":{port}/lab/tree/notebooks/00_start_here.ipynb" in output


def answers(address: str) -> int:
    """Return the status of a page, 0 when nobody answers."""
    try:
        with urllib.request.urlopen(address, timeout=10) as page:
            return page.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
