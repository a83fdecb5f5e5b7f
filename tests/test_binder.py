"""A rehearsal of Binder: its base, our pins, and the heaviest notebooks in two gigabytes.

repo2docker's own lock says which server Binder brings. That server is installed with pip into a
fresh environment for Python 3.12, then what environment.yml pins, then the project. JupyterLab
starts there inside a memory cgroup, as one seat on Binder has it, and this file drives its
kernels as a browser would: through the server's REST and websocket interface.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
import requests
import websocket
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers import measure

SEAT = 2 * 1024**3
HEAVIEST = 3
PATIENCE = 600

BASE_ONLY = {"notebook", "jupyterhub", "jupyter-resource-usage", "jupyter-offlinenotebook", "pip"}
"""What Binder brings beside the packages that stand in our locks too."""

CONDA_NAMES = {
    "nbconvert-core": "nbconvert",
    "jupyterhub-base": "jupyterhub",
    "python-fastjsonschema": "fastjsonschema",
}


# ---------------------------------------------------------------------- the environment


@pytest.fixture(scope="module")
def python312() -> str:
    """A Python 3.12, wherever this machine has one."""
    candidates = [shutil.which("python3.12"), *Path.home().glob(".pyenv/versions/3.12*/bin/python")]
    for candidate in filter(None, map(str, candidates)):
        asked = [candidate, "-c", "import sys, venv, ensurepip; print(sys.version_info[:2])"]
        with contextlib.suppress(OSError):
            if subprocess.run(asked, capture_output=True, text=True).stdout.strip() == "(3, 12)":
                return candidate
    pytest.skip("no Python 3.12 is here, and Binder has no other")


@pytest.fixture(scope="module")
def base(project: Path) -> dict[str, str]:
    """The versions that Binder's image holds before it reads our files."""
    package = Path(importlib.util.find_spec("repo2docker").origin).parent
    conda = package / "buildpacks" / "conda" / "environment.py-3.12-linux-64.lock"
    found = {}
    for line in conda.read_text().splitlines():
        # .../name-version-build.conda#hash; a build with "py" in it is a Python package
        if match := re.search(r"/([^/]+)-([^-/]+)-([^-/]+)\.(?:conda|tar\.bz2)", line):
            name, version, build = match.groups()
            if "py" in build:
                found[canonicalize_name(CONDA_NAMES.get(name, name))] = version
    lock = (project / "tests" / "requirements.lock").read_text(encoding="utf-8")
    ours = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
    return {name: version for name, version in found.items() if name in ours | BASE_ONLY}


@pytest.fixture(scope="module")
def pins(project: Path) -> list[str]:
    environment = yaml.safe_load((project / "environment.yml").read_text(encoding="utf-8"))
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    return [line for line in pip if line != "-e ."]


@pytest.fixture(scope="module")
def seat(
    python312: str,
    base: dict[str, str],
    pins: list[str],
    project: Path,
    tracked: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder as a Binder seat has it: the course in ``home``, its environment in ``env``."""
    folder = tmp_path_factory.mktemp("binder")
    for path in tracked:
        target = folder / "home" / path.relative_to(project)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    subprocess.run([python312, "-m", "venv", folder / "env"], check=True)
    pip(folder, f"pip=={base['pip']}")
    pip(folder, *(f"{name}=={version}" for name, version in base.items()))
    pip(folder, *pins, "-e", str(folder / "home"))
    return folder


def pip(folder: Path, *wanted: str) -> None:
    """Install as Binder does; without the registry there is nothing to rehearse."""
    command = [folder / "env" / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile"]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", "--retries=2", *wanted],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        unreachable = r"NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError"
        if re.search(unreachable, done.stderr):
            pytest.skip("the Python package registry cannot be reached from here")
        pytest.fail(done.stderr[-4000:])


def installed(folder: Path) -> dict[str, str]:
    command = [folder / "env" / "bin" / "python", "-m", "pip", "list", "--format=json"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {canonicalize_name(item["name"]): item["version"] for item in json.loads(listed)}


# ------------------------------------------------------------------------- the memory limit


@dataclass
class Cgroup:
    """The memory that one seat may use, page cache included, as Binder counts it."""

    folder: Path
    limit: str
    peak: str

    def enter(self, command: list[str]) -> list[str]:
        """The command that runs another one, and all that it starts, under the limit."""
        script = 'echo $$ > "$0" && exec "$@"'
        return ["sh", "-c", script, str(self.folder / "cgroup.procs"), *command]

    def peak_bytes(self) -> int:
        return int((self.folder / self.peak).read_text())

    def anonymous_bytes(self) -> int:
        """What the processes hold now and no one can reclaim."""
        text = (self.folder / "memory.stat").read_text()
        return int(re.search(r"^(?:total_rss|anon) (\d+)$", text, re.MULTILINE)[1])

    def killed(self) -> int:
        """How many processes the kernel ended because the limit was reached."""
        events = self.folder / "memory.events"
        text = (events if events.exists() else self.folder / "memory.oom_control").read_text()
        return int(re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)[1])

    def close(self) -> None:
        for _ in range(50):  # a process that has just ended may still be counted
            with contextlib.suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(0.1)


def make_cgroup() -> Cgroup | None:
    """A new memory cgroup of either version, or None where this user may not make one."""
    name = f"course-{os.getpid()}"
    for root, limit, peak in [
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
        ("/sys/fs/cgroup", "memory.max", "memory.peak"),
    ]:
        group = Cgroup(Path(root) / name, limit, peak)
        with contextlib.suppress(OSError):
            group.folder.mkdir()
            if (group.folder / limit).exists() and (group.folder / peak).exists():
                (group.folder / limit).write_text(str(SEAT))
                return group
            group.folder.rmdir()
    return None


# ---------------------------------------------------------------------------- the server


@dataclass
class Server:
    """JupyterLab on a seat, and what it takes to run a notebook there without a browser."""

    address: str
    token: str
    home: Path
    cgroup: Cgroup | None

    def request(self, method: str, address: str, **body: object) -> requests.Response:
        headers = {"Authorization": f"token {self.token}"}
        url = f"http://{self.address}/{address}"
        answer = requests.request(method, url, headers=headers, json=body or None, timeout=60)
        answer.raise_for_status()
        return answer

    def run(self, notebook: Path) -> None:
        """Run every code cell in a new kernel, then shut the kernel down."""
        about = {"path": f"notebooks/{notebook.name}", "name": notebook.name, "type": "notebook"}
        session = self.request("POST", "api/sessions", **about, kernel={"name": "python3"}).json()
        url = f"ws://{self.address}/api/kernels/{session['kernel']['id']}/channels"
        header = [f"Authorization: token {self.token}"]
        wire = websocket.create_connection(url, header=header, timeout=PATIENCE)
        try:
            for cell in nbformat.read(notebook, as_version=4).cells:
                if cell.cell_type == "code" and cell.source.strip():
                    self._execute(wire, notebook, cell)
        finally:
            wire.close()
            self.request("DELETE", f"api/sessions/{session['id']}")

    def _execute(
        self, wire: websocket.WebSocket, notebook: Path, cell: nbformat.NotebookNode
    ) -> None:
        tags = set(cell.metadata.get("tags", []))
        if "skip-execution" in tags:
            return
        number = uuid.uuid4().hex
        header = {"msg_id": number, "msg_type": "execute_request", "version": "5.3"}
        content = {"code": cell.source, "silent": False, "store_history": True}
        content |= {"allow_stdin": False, "stop_on_error": True, "user_expressions": {}}
        wire.send(
            json.dumps(
                {
                    "header": header | {"session": number, "username": "learner", "date": ""},
                    "parent_header": {},
                    "metadata": {},
                    "channel": "shell",
                    "content": content,
                }
            )
        )
        reply, idle = None, False
        while reply is None or not idle:
            received = wire.recv()
            if not isinstance(received, str):
                continue  # buffers of widgets
            message = json.loads(received)
            if message["parent_header"].get("msg_id") != number:
                if message["content"].get("execution_state") in ("restarting", "dead"):
                    pytest.fail(f"{notebook.name}: the kernel died at\n{cell.source}")
                continue
            if message["msg_type"] == "execute_reply":
                reply = message["content"]
            idle |= message["content"].get("execution_state") == "idle"
        if reply["status"] != "ok" and "raises-exception" not in tags:
            trace = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(reply.get("traceback", [])))
            pytest.fail(f"{notebook.name}: {reply.get('ename')} at\n{cell.source}\n{trace[-3000:]}")


@pytest.fixture(scope="module")
def server(seat: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, cgroup = uuid.uuid4().hex, make_cgroup()
    command = [str(seat / "env" / "bin" / "jupyter"), "lab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", f"--IdentityProvider.token={token}"]
    # A seat has a home of its own: no settings, caches or packages of whoever runs the tests.
    environment = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
    environment |= {"HOME": str(seat / "user"), "PATH": f"{seat / 'env' / 'bin'}:/usr/bin:/bin"}
    (seat / "user").mkdir()
    with open(seat / "server.log", "w") as log:
        process = subprocess.Popen(
            cgroup.enter(command) if cgroup else command,
            cwd=seat / "home",
            env=environment,
            stdout=log,
            stderr=log,
        )
    running = Server(f"127.0.0.1:{port}", token, seat / "home", cgroup)
    try:
        for _ in range(240):
            with contextlib.suppress(requests.RequestException):
                running.request("GET", "api/status")
                break
            if process.poll() is not None:
                break
            time.sleep(0.25)
        else:
            process.kill()
        if process.poll() is not None:
            pytest.fail((seat / "server.log").read_text()[-4000:])
        yield running
    finally:
        process.terminate()
        process.wait(60)
        if cgroup:
            cgroup.close()


class Watch(threading.Thread):
    """Keeps the largest anonymous memory that a cgroup was seen to hold."""

    def __init__(self, cgroup: Cgroup) -> None:
        super().__init__(daemon=True)
        self.cgroup, self.most, self.over = cgroup, 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.1):
            self.most = max(self.most, self.cgroup.anonymous_bytes())


# ------------------------------------------------------------------------------- the tests


def test_the_base_is_that_of_repo2docker(base: dict[str, str]) -> None:
    assert BASE_ONLY | {"jupyterlab", "ipykernel", "ipywidgets", "traitlets"} <= base.keys()
    assert base["jupyterlab"].startswith("4.")


def test_our_pins_leave_binders_server_alone(
    seat: Path, base: dict[str, str], pins: list[str]
) -> None:
    have = installed(seat)
    assert {name: have[name] for name in base} == base
    wanted = {
        canonicalize_name(r.name): str(r.specifier)[2:]
        for r in map(Requirement, pins)
        if str(r.specifier).startswith("==")
    }
    assert {name: have[name] for name in wanted} == wanted
    check = [seat / "env" / "bin" / "python", "-m", "pip", "check"]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_heaviest_notebooks_fit_one_seat(
    server: Server, request: pytest.FixtureRequest, record_property
) -> None:
    notebooks = sorted((server.home / "notebooks").glob("*.ipynb"))
    assert notebooks
    if not request.config.getoption("--all"):
        heaviest = sorted(notebooks, key=lambda path: (measure.read(path) or (0, 0))[1])
        notebooks = heaviest[-HEAVIEST:]
    cgroup = server.cgroup
    watch = Watch(cgroup) if cgroup else None
    if watch:
        watch.start()
    lines = []
    for notebook in notebooks:
        begin = time.monotonic()
        try:
            server.run(notebook)
        finally:
            spent = time.monotonic() - begin
            killed = cgroup.killed() if cgroup else 0
            assert not killed, f"{notebook.name} needs more than a seat on Binder has"
        lines.append(f"{notebook.stem} {spent:.0f} s")
    if watch:
        watch.over.set()
        watch.join()
        lines.append(
            f"peak {cgroup.peak_bytes() / 1e6:.0f} MB with page cache, {watch.most / 1e6:.0f} MB "
            f"without, of {SEAT / 1e6:.0f} MB (server and kernel together)"
        )
    else:
        lines.append("without a memory limit: this user may make no memory cgroup here")
    record_property("told", "Binder rehearsal: " + "; ".join(lines))
