"""The doctor sees what is wrong: in real folders, control groups, mounts and Pythons."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import doctor, memory

LOOK = "import sys; from helpers import doctor; doctor.report(sys.argv[1])"

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture
def project(tmp_path):
    """Return a course folder with three data files, a lock that holds here, and notebooks."""
    embedded = tmp_path / "data" / "embedded"
    (embedded / "ngc0628").mkdir(parents=True)
    (embedded / "a.fits").write_bytes(b"a")
    (embedded / "ngc0628" / "b.fits").write_bytes(b"b")
    sums = [f"{hashlib.sha256(b'a').hexdigest()}  a.fits\n"]
    sums += [f"{hashlib.sha256(b'b').hexdigest()}  ngc0628/b.fits\n"]
    (embedded / "SHA256SUMS").write_text("".join(sums))
    embeddings = tmp_path / "data" / "embeddings"
    embeddings.mkdir()
    (embeddings / "c.npz").write_bytes(b"c")
    (embeddings / "SHA256SUMS").write_text(f"{hashlib.sha256(b'c').hexdigest()}  c.npz\n")
    (tmp_path / "notebooks").mkdir()
    lock = "".join(f"{name}=={version} \\\n" for name, version in doctor._installed().items())
    (tmp_path / "requirements.lock").write_text(lock)
    return tmp_path


def levels(findings) -> set[str]:
    """Return the levels of some findings."""
    return {finding.level for finding in findings}


def only(findings) -> tuple[str, str]:
    """Return the one finding that there is."""
    (finding,) = findings
    assert finding.sentence.endswith(".")
    return finding


def test_a_sound_folder_is_ready(project, capsys):
    problems = [finding for finding in doctor.examine(project) if finding.level == "problem"]
    assert problems == []
    assert doctor.report(project)
    assert "Ready." in capsys.readouterr().out


# ---------------------------------------------------------------------------------------- data


def test_tampered_truncated_and_missing_data_are_named(project):
    assert only(doctor.look_at_data(project)) == ("ok", "All 3 shipped data files are whole.")
    (project / "data" / "embedded" / "a.fits").write_bytes(b"A")
    level, sentence = only(doctor.look_at_data(project))
    assert level == "problem"
    assert "a.fits is not as shipped" in sentence
    (project / "data" / "embedded" / "ngc0628" / "b.fits").unlink()
    assert "ngc0628/b.fits is missing" in only(doctor.look_at_data(project)).sentence
    (project / "data" / "embedded" / "SHA256SUMS").write_text("0123")
    assert "SHA256SUMS is not as shipped" in only(doctor.look_at_data(project)).sentence
    (project / "data" / "embedded" / "SHA256SUMS").unlink()
    assert "SHA256SUMS is missing" in only(doctor.look_at_data(project)).sentence
    (project / "data" / "embeddings" / "c.npz").write_bytes(b"C")
    maps, embeddings = doctor.look_at_data(project)
    assert "run 'python course.py data'." in maps.sentence
    assert "c.npz is not as shipped" in embeddings.sentence
    assert "run 'python course.py data --grid'." in embeddings.sentence


# ------------------------------------------------------------------------------------ packages


def test_another_version_a_missing_and_no_package_are_told_apart(project):
    lock = project / "requirements.lock"
    sound = lock.read_text()
    lock.write_text(sound.replace("numpy==", "numpy==1.0.", 1))
    level, sentence = only(doctor.look_at_versions(project))
    assert level == "warn"
    assert f"numpy {doctor._installed()['numpy']} (tested with 1.0." in sentence
    lock.write_text(sound + "no_such.package==3.0 \\\n")
    level, sentence = only(doctor.look_at_versions(project))
    assert level == "problem"
    assert "Not installed: no-such-package" in sentence
    lock.write_text("a==1\nb==2\n")
    assert "are not installed here" in only(doctor.look_at_versions(project)).sentence
    lock.unlink()
    assert "requirements.lock is missing" in only(doctor.look_at_versions(project)).sentence


def test_the_lines_of_the_real_lock_are_read_with_their_markers():
    pins = doctor._pins(doctor.PROJECT)
    text = (doctor.PROJECT / "requirements.lock").read_text()
    assert 80 < len(pins) <= text.count("==")
    assert ("appnope" in pins) == (sys.platform == "darwin")
    new = sys.version_info >= (3, 12)
    assert f"numpy=={pins['numpy']} ; python_full_version {'>=' if new else '<'} '3.12'" in text


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ("python_full_version >= '3.11'", True),
        ("python_full_version < '3.9.10'", False),
        ("python_version >= '3.11' and python_version < '3.14'", True),
        ("(sys_platform == 'amiga' and os_name == 'nt') or python_full_version != '2.7'", True),
        ("implementation_name == 'other' or sys_platform == 'amiga'", False),
    ],
)
def test_markers_hold_as_packaging_says(marker, holds):
    packaging = pytest.importorskip("packaging.markers")
    assert doctor._holds(marker) is holds
    assert not marker or packaging.Marker(marker).evaluate() is holds


def test_conda_and_binder_are_held_to_environment_yml(project, tmp_path, monkeypatch):
    (tmp_path / "conda" / "conda-meta").mkdir(parents=True)
    (project / "environment.yml").write_text(
        'dependencies:\n  - python=3.12\n  - pip:\n      - "numpy==1.0"\n      - "pip>=2"\n'
        "      - scipy==1.1 ; python_full_version < '3'\n      - -e .\n"
    )
    assert "numpy" in doctor._pins(project)
    assert len(doctor._pins(project)) > 10
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "conda"))
    assert doctor._pins(project) == {"numpy": "1.0"}


# ------------------------------------------------------------------------------------- widgets


@pytest.mark.parametrize(
    ("ipywidgets", "manager", "level", "words"),
    [
        ("8.1.9", "3.0.17", "warn", "VS Code"),
        ("7.7.0", "1.1.0", "problem", "8.1 and 3.0 belong together"),
        ("8.1.8", "1.1.0", "problem", "jupyterlab-widgets 1.1.0"),
    ],
)
def test_widgets_that_cannot_show_are_seen(
    tmp_path, monkeypatch, project, ipywidgets, manager, level, words
):
    for name, version in [("ipywidgets", ipywidgets), ("jupyterlab_widgets", manager)]:
        folder = tmp_path / "site" / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = only(doctor.look_at_widgets(project))
    assert found.level == level
    assert words in found.sentence


def test_widgets_of_the_lock_can_show(project):
    assert only(doctor.look_at_widgets(project)).level == "ok"


# ------------------------------------------------------------------------------------- machine


@linux
def test_one_core_is_a_warning(project):
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(project)],
        capture_output=True,
        text=True,
        cwd=doctor.PROJECT,
        preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
    )
    assert "warn     One processor core" in done.stdout


@linux
def test_a_full_disk_and_a_read_only_folder_are_problems(project):
    assert "ok" in levels(doctor.look_at_disk(project))
    small = project / "small"
    small.mkdir()
    shutil.copy(project / "requirements.lock", small)
    seen = look_in_namespace(
        small,
        f"mount -t tmpfs -o size=9m none {small} && cp {project}/requirements.lock {small} && "
        f"mount -o remount,ro {small}",
    )
    assert "problem  0.0 GB of disk are free" in seen
    assert f"problem  Nothing can be saved in {small} (Read-only file system)" in seen


def look_in_namespace(project: Path, setup: str) -> str:
    """Return the doctor's report on a folder after mounts that only this process sees."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare (util-linux) is not installed")
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    tried = subprocess.run([*words, setup], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"this machine allows no mounts: {tried.stderr.strip()}")
    command = [sys.executable, "-c", LOOK, str(project)]
    done = subprocess.run(
        [*words, f'{setup} && exec "$@"', "sh", *command],
        capture_output=True,
        text=True,
        cwd=doctor.PROJECT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@linux
def test_a_container_that_leaves_little_memory_is_a_problem(project):
    with memory_cgroup(500_000_000) as group:
        code = f"open({str(group / 'cgroup.procs')!r}, 'w').write('0'); {LOOK}"
        done = subprocess.run(
            [sys.executable, "-c", code, str(project)],
            capture_output=True,
            text=True,
            cwd=doctor.PROJECT,
        )
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if "memory are free" in line)
    assert line.startswith(("problem  0.4 GB", "problem  0.5 GB"))
    assert "close other programs" in line


@contextlib.contextmanager
def memory_cgroup(limit: int):
    """Make a real control group with this much memory, or skip."""
    first, second = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    base, file = (first, "memory.limit_in_bytes") if first.is_dir() else (second, "memory.max")
    group = base / f"doctor-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"this machine allows no control group in {base}: {error.strerror}")
    try:
        try:
            (group / file).write_text(str(limit))
        except OSError as error:
            pytest.skip(f"this machine allows no memory limit in {group}: {error.strerror}")
        yield group
    finally:
        group.rmdir()


def test_the_tightest_group_counts_and_droppable_pages_are_free(tmp_path):
    """Version 2's files, laid out as the kernel lays them out."""
    inner = tmp_path / "user.slice" / "inner"
    inner.mkdir(parents=True)
    for folder, limit, used in [(inner, "max", 300), (inner.parent, "2000", 1500)]:
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text("anon 900\ninactive_file 100\nactive_file 500\n")
    membership = tmp_path / "cgroup"
    membership.write_text("0::/user.slice/inner\n")
    assert memory.cgroup_room(tmp_path, membership) == 600
    (inner.parent / "memory.max").write_text("max\n")
    assert memory.cgroup_room(tmp_path, membership) is None
    assert memory.cgroup_room(tmp_path, tmp_path / "not linux") is None


# -------------------------------------------------------------------------------------- Python


def test_another_python_than_the_courses_own_is_a_warning(project):
    (project / ".venv").mkdir()
    level, sentence = only(doctor.look_at_python(project))
    assert level == "warn"
    assert str(project / ".venv") in sentence


def test_the_doctor_needs_no_package_and_knows_too_old_a_python():
    options = {"cwd": doctor.PROJECT, "capture_output": True, "text": True}
    bare = [sys._base_executable, "-S", "-s", "-B", "-m", "helpers.doctor"]
    done = subprocess.run(bare, **options)
    assert "The packages are not installed here" in done.stdout
    assert "Traceback" not in done.stderr
    found = [Path(sys._base_executable).parent / "python3.10"]
    found += [Path("/usr/bin/python3.10"), *Path.home().glob(".pyenv/versions/3.10.*/bin/python")]
    old = [python for python in found if python.exists()]
    if not old:
        pytest.skip("no Python 3.10 on this machine")
    done = subprocess.run([str(old[0]), "-s", "-B", "-m", "helpers.doctor"], **options)
    assert "problem  Python 3.10" in done.stdout
