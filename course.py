"""The door to the course. One word does one thing:

    python course.py lab       install what is missing and open the notebooks
                               (--no-browser, --port N)
    python course.py test      run every test, two at a time (a quarter of an hour); further
                               words go to pytest instead: test tests/test_maps.py
    python course.py doctor    say what is wrong with this machine or folder
    python course.py data      make the embedded survey anew
    python course.py measure   write each notebook's time and memory into its header
    python course.py exercises write the exercises into the notebooks, and the teacher's tables
    python course.py lock      choose the packages' versions anew

Everything is installed into the folder .venv beside this file and nowhere else. Delete that
folder to start from nothing. pip's own settings (mirror, proxy, certificate) hold as always.
"""

import argparse
import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

PYTHONS: tuple = ((3, 11), (3, 13))  # <- The course needs Python 3.11, 3.12 or 3.13.

PROJECT = Path(__file__).resolve().parent
NOTEBOOK = PROJECT / "notebooks" / "00_start_here.ipynb"
LAB_LOCK = "requirements.lock"
TEST_LOCK = "tests/requirements.lock"  # everything in the lab's lock, and what the tests need

# tests/conftest.py says which tests stay together, and in which order
TWO_AT_A_TIME = ["--numprocesses=2", "--dist=loadscope", "--no-loadscope-reorder", "--durations=15"]

VENV = PROJECT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "course-stamp.json"  # written last: what is installed, or that it is unfinished
GUARD = VENV / "course-guard"  # locked while a start installs
LOG = VENV / "course-install.log"


class Failure(Exception):
    """One sentence for the reader: what was found, what was expected, what to do next."""


# ------------------------------------------------------------------------------ the environment


def install(lock: str) -> None:
    """Bring .venv to the state that `lock` describes; return at once when it is there."""
    names = [LAB_LOCK, "pyproject.toml"] + [TEST_LOCK] * (lock == TEST_LOCK)
    for name in names:
        if not (PROJECT / name).is_file():
            raise Failure(
                f"{name} is missing in {PROJECT}: course.py works only inside the whole course "
                "folder; download or clone the course again."
            )
    files = {name: hashlib.sha256((PROJECT / name).read_bytes()).hexdigest() for name in names}
    if is_installed(files):
        return
    VENV.mkdir(exist_ok=True)
    with open(GUARD, "a") as guard:
        wait_for_turn(guard)
        if is_installed(files):  # another start did it meanwhile
            return
        stamp = read_stamp()
        STAMP.write_text('{"unfinished": true}')
        LOG.write_text("")
        if not (stamp is None or stamp.get("project") == str(PROJECT)) or not python_of_venv():
            make_environment(guard)
        print(f"Installing the packages of {lock} (a few minutes the first time) ...", flush=True)
        pip = [str(PYTHON), "-P", "-m", "pip", "install", "--no-input", "--no-user"]
        pip += ["--disable-pip-version-check"]
        run_step([*pip, "--require-hashes", "-r", lock], guard)
        run_step([*pip, "--no-deps", "--no-build-isolation", "-e", "."], guard)
        stamp = {"project": str(PROJECT), "python": python_of_venv(), "files": files}
        STAMP.write_text(json.dumps(stamp, indent=1))


def read_stamp():
    """Return what the stamp says, {} when it is torn, None when there is none."""
    try:
        return dict(json.loads(STAMP.read_text()))
    except FileNotFoundError:
        return None  # an environment made by hand
    except ValueError:
        return {}


def is_installed(files: dict) -> bool:
    """Say whether the stamp holds these hashes, for this folder and a Python that starts."""
    stamp = read_stamp() or {}
    same_files = files.items() <= stamp.get("files", {}).items()
    same_place = stamp.get("project") == str(PROJECT)
    return same_files and same_place and stamp.get("python") == (python_of_venv() or "none")


def python_of_venv() -> str:
    """Return the version of .venv's Python, or "" when it fails to start or is another 3.x."""
    ask = "import pip, platform; print(platform.python_version())"
    try:
        answer = subprocess.run(
            [str(PYTHON), "-P", "-c", ask],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return ""
    version = answer.stdout.decode().strip()
    ours = platform.python_version_tuple()[:2]
    return version if version.split(".")[:2] == list(ours) else ""


def make_environment(guard) -> None:
    """Empty .venv and make it anew with the Python that runs this file."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise Failure(
                f"This Python ({sys.executable}) has no '{module}' module, which makes the "
                "course's environment: on Debian or Ubuntu run 'sudo apt install "
                f"python3.{sys.version_info[1]}-venv', elsewhere install Python from python.org; "
                "then start again."
            )
    print(f"Making an environment for Python {platform.python_version()} in {VENV}", flush=True)
    for entry in VENV.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(str(entry))
        elif entry not in (STAMP, GUARD, LOG):
            entry.unlink()
    base = getattr(sys, "_base_executable", None) or sys.executable
    run_step([base, "-P", "-m", "venv", str(VENV)], guard)


def wait_for_turn(guard) -> None:
    """Lock the guard file; wait while another start, or a pip it left behind, holds it."""
    said = False
    while True:
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(guard.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                return  # a file system without locks
        if not said:
            print("Another start of the course is installing; waiting for it ...", flush=True)
            said = True
        time.sleep(0.5)


def run_step(command: list, guard) -> None:
    """Run a step of the installation; its output goes to the log, its failure to a sentence."""
    lines = []
    live = sys.stdout.isatty()
    step = subprocess.Popen(
        command,
        cwd=str(PROJECT),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # When this process is killed, the step still holds the guard until it has ended.
        pass_fds=() if os.name == "nt" else (guard.fileno(),),
    )
    with step, open(LOG, "a", encoding="utf-8") as log:
        try:
            for raw in step.stdout:
                lines.append(raw.decode("utf-8", "replace").rstrip())
                if live:
                    print("\r" + lines[-1].strip()[:78].ljust(78), end="", flush=True)
                with contextlib.suppress(OSError):  # a full disk is reported below
                    print(lines[-1], file=log, flush=True)
        except BaseException:
            step.terminate()
            raise
    if live:
        print("\r".ljust(79) + "\r", end="", flush=True)
    if step.returncode:
        print("\n".join(lines[-8:]), file=sys.stderr)
        raise Failure(reason("\n".join(lines)))


def reason(output: str) -> str:
    """Put the failure of a step into one sentence."""

    def said(*words: str) -> bool:
        return any(word.lower() in output.lower() for word in words)

    full = shutil.disk_usage(str(VENV)).free < 10_000_000
    if full or said("No space left", "not enough space", "quota exceeded"):
        return (
            "The installation ran out of disk space: it needs about 2 GB free in "
            f"{PROJECT} and in the folder for temporary files; make room, then start again."
        )
    if said("DO NOT MATCH THE HASHES"):
        return (
            "A downloaded package is not the one that requirements.lock names (its hash "
            "differs), so nothing of it was installed: start again, and if it happens twice, "
            "tell the course's authors and name the mirror or proxy you use."
        )
    if said("Retrying (", "Could not fetch URL", "Failed to establish", "name resolution"):
        return (
            "The package index could not be reached: connect to the internet (or set pip's "
            "proxy or mirror), then start again; what is already downloaded is kept."
        )
    if said("No matching distribution"):
        return (
            f"A package has no version for Python {platform.python_version()} on "
            f"{platform.system()} {platform.machine()}, named above: use 64-bit Python 3.12 on "
            "Linux, Windows or a Mac with Apple silicon, or run the course on Binder."
        )
    return (
        f"The installation stopped for the reason above (all of it is in {LOG}): start again, "
        "and if it happens twice, delete the folder .venv and run 'python course.py doctor'."
    )


def environment() -> dict:
    """Return this process's environment with .venv first, without foreign Python folders."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")
    }
    variables["PATH"] = str(PYTHON.parent) + os.pathsep + variables.get("PATH", "")
    variables["VIRTUAL_ENV"] = str(VENV)
    return variables


# ----------------------------------------------------------------------------------- the words


def become(*command: str) -> int:
    """Hand over to a command of .venv's Python, so that Ctrl-C and signals are its own."""
    arguments = [str(PYTHON), *command]
    os.chdir(str(PROJECT))
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(arguments[0], arguments, environment())
    with subprocess.Popen(arguments, env=environment()) as child:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                return child.wait()


def lab(words: list) -> int:
    """Open JupyterLab on the first notebook."""
    parser = argparse.ArgumentParser(prog="course.py lab", description=lab.__doc__)
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--port", type=int, help="by default the first free one from 8888 on")
    options = parser.parse_args(words)
    if not NOTEBOOK.is_file():
        raise Failure(f"{NOTEBOOK} is missing: download or clone the course again.")
    command = ["-m", "jupyterlab", f"--ServerApp.root_dir={PROJECT}"]
    # As an address, so that --no-browser prints it too.
    command += ["--LabApp.default_url=/lab/tree/" + NOTEBOOK.relative_to(PROJECT).as_posix()]
    command += ["--allow-root"]  # as root in a container; it listens to this machine alone
    if options.no_browser:
        command += ["--no-browser"]
    if options.port is not None:
        check_port(options.port)
        command += [f"--ServerApp.port={options.port}", "--ServerApp.port_retries=0"]
    install(LAB_LOCK)
    ask_nothing()
    return become(*command)


def ask_nothing() -> None:
    """Tell JupyterLab not to ask about news, nor to look for updates: the course needs no network.

    https://jupyterlab.readthedocs.io/en/stable/user/directories.html#overrides-json
    """
    settings = VENV / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    with contextlib.suppress(OSError):  # on a read-only disk it asks
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps({"@jupyterlab/apputils-extension:notification": quiet}))


def check_port(port: int) -> None:
    """Refuse a port that JupyterLab could not listen on."""
    try:
        with socket.socket() as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port if port > 0 else -1))
    except (OSError, OverflowError) as error:
        taken = getattr(error, "errno", None) in (errno.EADDRINUSE, 10048)
        why = "in use by another program" if taken else "not one that you may use"
        raise Failure(
            f"Port {port} is {why}: give another, such as --port 8890, or leave --port out "
            "and the first free one is taken."
        ) from None


def test(words: list) -> int:
    """Run the tests, two at a time; further words go to pytest instead."""
    install(TEST_LOCK)
    return become("-m", "pytest", *(words or TWO_AT_A_TIME))


def doctor(words: list) -> int:
    """Examine the machine, with whatever Python there is."""
    if python_of_venv():
        return become("-m", "helpers.doctor", *words)
    return subprocess.call([sys.executable, "-m", "helpers.doctor", *words], cwd=str(PROJECT))


def module(name: str, lock: str):
    """Make a word that installs `lock` and runs a module of the course."""

    def word(words: list) -> int:
        install(lock)
        return become("-m", name, *words)

    return word


WORDS = {
    "lab": lab,
    "test": test,
    "doctor": doctor,
    "data": module("helpers.remake", LAB_LOCK),
    "measure": module("helpers.measure", LAB_LOCK),
    "exercises": module("helpers.exercises.cells", LAB_LOCK),
    "lock": module("helpers.lock", TEST_LOCK),
}


def main(words: list) -> int:
    """Do what the first word says; end every failure in one sentence."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a path with umlauts on a terminal without them
            stream.reconfigure(errors="backslashreplace")
    try:
        if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
            raise Failure(
                f"This is Python {platform.python_version()} ({sys.executable}), but the course "
                "needs Python 3.11, 3.12 or 3.13: install 3.12 from python.org and start this "
                "file with it, for instance 'python3.12 course.py lab'."
            )
        if not words or words[0] in ("-h", "--help", "help"):
            print(__doc__)
            return 0 if words else 1
        if words[0] not in WORDS:
            raise Failure(f"'{words[0]}' is not a word of course.py: try {', '.join(WORDS)}.")
        return WORDS[words[0]](words[1:])
    except Failure as failure:
        print(f"\n{failure}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped. The next start mends what is unfinished.", file=sys.stderr)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", -1))
        advice = (
            "the disk is full: make room (the course needs about 2 GB), then start again"
            if full
            else "copy the course into a folder that you may write to and close programs that "
            "use it, then start again"
        )
        print(f"\n{error.filename or VENV}: {error.strerror or error}; {advice}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
