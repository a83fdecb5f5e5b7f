"""What a notebook costs: its time and peak memory, measured and written into its header.

The first cell of every notebook holds a line that starts with ``**Measured:**``. The command
``python course.py measure`` runs each notebook in a fresh kernel and writes this one line;
nothing else in the file changes, and no output is stored.
"""

import json
import re
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"

# What a notebook of this course may cost on two cores.
BUDGET_SECONDS = 60
BUDGET_MEDIAN_SECONDS = 20
BUDGET_MEGABYTES = 1000

MARKER = "**Measured:**"
_LINE = re.compile(r"^\*\*Measured:\*\* (\d+) s and (\d+) MB on \d+ cores?$", re.MULTILINE)
_IN_JSON = re.compile(r'\*\*Measured:\*\*[^"\\]*')


def read(notebook: str | Path) -> tuple[int, int] | None:
    """Read a notebook's time and peak memory from its header.

    Parameters
    ----------
    notebook : str or Path
        A notebook file.

    Returns
    -------
    (seconds, megabytes) : tuple of int, or None
        None when the header says ``**Measured:** not yet``.

    Raises
    ------
    ValueError
        When the first cell has no such line, or one that cannot be read.
    """
    notebook = Path(notebook)
    header = _header(json.loads(notebook.read_text(encoding="utf-8")))
    if f"{MARKER} not yet" in header.splitlines():
        return None
    found = _LINE.findall(header)
    if len(found) != 1:
        raise ValueError(
            f"The first cell of {notebook.name} holds {len(found)} lines like "
            f"'{MARKER} 12 s and 430 MB on 2 cores', but one is expected: write "
            f"'{MARKER} not yet' there and run 'python course.py measure {notebook.name}'."
        )
    return int(found[0][0]), int(found[0][1])


def check(notebook: str | Path) -> tuple[int, int]:
    """Return a notebook's (seconds, megabytes) when they are written and within budget.

    Raises
    ------
    ValueError
        When it is not measured, or takes more than `BUDGET_SECONDS` or `BUDGET_MEGABYTES`.
    """
    name = Path(notebook).name
    measured = read(notebook)
    if measured is None:
        raise ValueError(f"{name} is not measured: run 'python course.py measure {name}'.")
    seconds, megabytes = measured
    if seconds > BUDGET_SECONDS or megabytes > BUDGET_MEGABYTES:
        raise ValueError(
            f"{name} took {seconds} s and {megabytes} MB, but a notebook may take "
            f"{BUDGET_SECONDS} s and {BUDGET_MEGABYTES} MB: make it lighter and run "
            f"'python course.py measure {name}'."
        )
    return measured


def measure(notebook: str | Path) -> tuple[int, int]:
    """Run a notebook in a fresh kernel, as a reader would, and say what it cost.

    Parameters
    ----------
    notebook : str or Path
        A notebook file; it runs in its own folder and is not changed.

    Returns
    -------
    (seconds, megabytes) : tuple of int
        The whole wall time with the kernel's start, and the peak resident memory (1e6 bytes) of
        the kernel and the processes that it starts, both rounded up.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        When a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = Path(notebook)
    client = NotebookClient(
        nbformat.read(notebook, as_version=4),
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(notebook.parent)}},
        store_widget_state=False,
    )
    memory = _PeakMemory(client)
    client.on_cell_executed = lambda **_: memory.look()
    begin = time.monotonic()
    with memory:
        client.execute()
    seconds = time.monotonic() - begin
    return int(seconds) + 1, memory.peak // 1_000_000 + 1


class _PeakMemory(threading.Thread):
    """Watch the memory of a notebook client's kernel and its children while it runs.

    Every tenth of a second, and after each cell, the resident sizes are summed; on Linux the
    kernel's own high-water mark (VmHWM) also catches peaks that last less than that.
    """

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client = client
        self.peak = 0  # bytes
        self._done = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *failure):
        self._done.set()
        self.join()

    def run(self):
        while not self._done.wait(0.1):
            self.look()

    def look(self):
        pid = getattr(getattr(self.client.km, "provisioner", None), "pid", None)
        if pid:
            self.peak = max(self.peak, _resident(pid), _high_water(pid))


def _resident(pid: int) -> int:
    """Return the resident bytes of a process and all of its children, 0 when it has ended."""
    total = 0
    try:
        kernel = psutil.Process(pid)
        for process in [kernel, *kernel.children(recursive=True)]:
            try:
                total += process.memory_info().rss
            except psutil.Error:  # this child has just ended
                continue
    except psutil.Error:
        return 0
    return total


def _high_water(pid: int) -> int:
    """Return the largest resident size (bytes) that a process ever had; 0 outside Linux."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def write(notebook: str | Path, seconds: int, megabytes: int) -> None:
    """Write a measurement into a notebook's header, and change no other byte of the file."""
    notebook = Path(notebook)
    text = notebook.read_bytes().decode("utf-8")
    if MARKER not in _header(json.loads(text)):
        raise ValueError(
            f"The first cell of {notebook.name} is expected to be Markdown with a line "
            f"'{MARKER} not yet': write it there and start again."
        )
    cores = len(psutil.Process().cpu_affinity()) if sys.platform == "linux" else psutil.cpu_count()
    line = f"{MARKER} {seconds} s and {megabytes} MB on {cores} core{'s' * (cores > 1)}"
    notebook.write_bytes(_IN_JSON.sub(line, text, count=1).encode("utf-8"))


def _header(content: dict) -> str:
    """Return the text of a notebook's first cell, "" when it is not Markdown."""
    cells = content.get("cells", [])
    if not cells or cells[0].get("cell_type") != "markdown":
        return ""
    return "".join(cells[0]["source"])


def main(words: Iterable[str]) -> int:
    """Measure the named notebooks, or all of them, and write each one's line."""
    from nbclient.exceptions import CellExecutionError

    named = [NOTEBOOKS / Path(word).name for word in words]
    failed = 0
    for notebook in named or sorted(NOTEBOOKS.glob("*.ipynb")):
        if not notebook.is_file():
            print(f"There is no {notebook}: give the name of a notebook in {NOTEBOOKS}.")
            failed += 1
            continue
        try:
            seconds, megabytes = measure(notebook)
            write(notebook, seconds, megabytes)
            check(notebook)
        except CellExecutionError as error:
            failed += 1
            print(f"{notebook.name} stopped, and its header stays as it is: {error.evalue}")
        except ValueError as error:
            failed += 1
            print(error)
        else:
            print(f"{notebook.name}: {seconds} s, {megabytes} MB", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
