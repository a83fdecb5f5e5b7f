"""How quickly an explorer answers in a browser, beside a figure that is drawn inline anew.

    python benchmarks/widgets.py            # with the course's own Python, and Chromium
    python benchmarks/widgets.py --write    # and write docs/explorers.md

From a key press (or a slider's step, or a lasso's end) to changed pixels, in headless Chromium, the
median of 12. The peer is the same slider and the same figure with `ipywidgets.interact` and
matplotlib's inline backend. Also the memory of a kernel that has the explorer open.
"""

import argparse
import math
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import date
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

HEAD = """\
# How quickly the explorers answer

{made} From a key press, or from the end of a lasso on the embedding, to changed pixels in \
JupyterLab. The peer draws the same figure anew with `ipywidgets.interact` and matplotlib's inline \
backend. The last column is the memory of a kernel with the explorer open, its imports and its \
data included.

{table}

The UMAP explorer's key is a step of its slider of `n_neighbors`, and nothing is remembered from \
an earlier step; the other keys are arrows on the picture.
"""

ROOT = Path(__file__).resolve().parent.parent
REPEATS = 12

FRAME, SLIDER = ".course-frame", ".noUi-handle"

EXPLORERS = {
    "map": ("from helpers.widgets.maps import MapExplorer", "MapExplorer()", FRAME),
    "UMAP": ("from helpers.widgets.umap import UmapExplorer", "UmapExplorer()", SLIDER),
    "neighbours": (
        "from helpers.distances import nearest\n"
        "from helpers.widgets.neighbours import NeighbourExplorer\n"
        "from helpers.widgets.table import pixels",
        'NeighbourExplorer(nearest(pixels()[0], "manhattan", 26)[1])',
        FRAME,
    ),
    "features": (
        "import pandas as pd\n"
        "from helpers.widgets.features import FeatureExplorer\n"
        "from helpers.widgets.table import pixels\n"
        "names = [name.removeprefix('log_') for name in pixels()[0]][1:]\n"
        "loss = pd.DataFrame({'shuffled': .1, 'dropped': .0, 'stands in': 'ha'}, index=names)",
        "FeatureExplorer(pixels()[0], loss)",
        FRAME,
    ),
    "linked": ("from helpers.widgets.linked import LinkedExplorer", "LinkedExplorer()", FRAME),
}
"""Of each explorer the imports, the code, and what the arrow keys are pressed on."""

FORGET = """
import helpers.widgets.umap as module
module._on_paper.cache_clear()
module._on_paper(**module.ADOPTED)
"""
"""Run before each key: no answer may be ready because it was given before."""

INLINE = {
    "map": """
import ipywidgets, matplotlib.pyplot as plt, numpy as np
from helpers.widgets.maps import MapScene, levels
steps = levels("NGC 7496", "F770W")
def draw(low):
    scene = MapScene()
    scene.update("NGC 7496", "F770W", "asinh", (steps[low], 50.0))
    plt.figure(scene.figure)
    plt.show()
ipywidgets.interact(draw, low=ipywidgets.IntSlider(30, 0, 60));
""",
    "UMAP": """
import ipywidgets, matplotlib.pyplot as plt
from helpers.widgets.umap import UmapScene
def draw(n_neighbors):
    scene = UmapScene()
    scene.update(n_neighbors=n_neighbors)
    plt.figure(scene.figure)
    plt.show()
ipywidgets.interact(draw, n_neighbors=ipywidgets.SelectionSlider(options=[10, 25, 50], value=25));
""",
}

TO_PIXELS = """
([act, handle, given]) => new Promise((done) => {
  const target = document.querySelector(handle);
  const place = document.querySelector('.course-frame') ?? document.querySelector('.widget-output');
  const seen = new MutationObserver(() => {
    const image = place.querySelector('img');
    if (!image) return;
    image.decode().then(() => requestAnimationFrame(() => {
      seen.disconnect();
      done(performance.now() - start);
    }));
  });
  seen.observe(place, { subtree: true, childList: true, attributes: true,
                          attributeFilter: ['src'] });
  const point = (type, [x, y]) => {
    const box = target.querySelector('img').getBoundingClientRect();
    const options = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
    target.setPointerCapture = () => {};
    target.dispatchEvent(new PointerEvent(type, { button: 0, bubbles: true, ...options }));
  };
  if (act === 'lasso') {
    point('pointerdown', given[0]);
    given.forEach((at) => point('pointermove', at));
  }
  const start = performance.now();
  if (act === 'lasso') point('pointerup', given[0]);
  else target.dispatchEvent(new KeyboardEvent('keydown', { key: given, bubbles: true }));
})
"""


def circle(number: int) -> list[list[float]]:
    """A lasso on the embedding of the linked explorer, each a little elsewhere."""
    x, y, radius = 0.2 + 0.015 * (number % 12), 0.25, 0.09
    angles = [2 * math.pi * k / 60 for k in range(61)]
    return [[x + radius * math.cos(a), y + radius * math.sin(a)] for a in angles]


def wait(page: Page, condition: str) -> None:
    page.wait_for_function(condition, timeout=90_000)


def execute(page: Page, code: str) -> str:
    """Run code in the page's kernel; what it printed."""
    return page.evaluate(
        """async (code) => {
          const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
          let text = '';
          const future = kernel.requestExecute({ code });
          future.onIOPub = (m) => { if (m.content.text) text += m.content.text; };
          await future.done;
          return text;
        }""",
        code,
    )


def measure(address: str, folder: Path, browser, imports: str, code: str, handle: str):
    """Milliseconds from key, and from lasso, to pixels, and the kernel's memory in MB."""
    start = f"from helpers import plots\nplots.set_style()\n{imports}"
    cells = [nbformat.v4.new_code_cell(text) for text in (start, code)]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    file = f"{len(list(folder.iterdir()))}.ipynb"  # each a kernel of its own
    nbformat.write(book, folder / file)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{address}/lab/tree/{file}?token=x&reset")
    kernel = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel"
    wait(page, f"{kernel}?.status === 'idle'")
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.wait_for_selector(handle, timeout=90_000)
    page.wait_for_timeout(3000)
    page.locator(handle).first.focus()
    acts = {"key": lambda number: ("ArrowRight", "ArrowLeft")[number % 2]}
    if "LinkedExplorer" in code:
        acts["lasso"] = circle
    times = {}
    for act, given in acts.items():
        taken = []
        for number in range(REPEATS + 2):
            execute(page, FORGET)
            taken.append(page.evaluate(TO_PIXELS, [act, handle, given(number)]))
        times[act] = statistics.median(taken[2:])
    memory = float(execute(page, "import psutil; print(psutil.Process().memory_info().rss / 1e6)"))
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.close()
    return times, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="write docs/explorers.md")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or sys.exit("no Chromium here: apt-get install chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += [f"--ServerApp.root_dir={folder}", f"--ServerApp.port={port}"]
        command += ["--LabApp.expose_app_in_browser=True", "--IdentityProvider.token=x"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        server = subprocess.Popen(command, cwd=folder, env=environment, **quiet)
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"{address}/api?token=x", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.2)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox"]
                )
                rows, version = {}, f"Chromium {browser.version}"
                for name, given in EXPLORERS.items():
                    rows[name] = measure(address, folder, browser, *given)
                for name, code in INLINE.items():
                    anew = measure(address, folder, browser, "", code, SLIDER)
                    rows[f"{name}, inline anew"] = anew
                browser.close()
        finally:
            server.terminate()
            server.wait()
    table = [
        "| explorer | to pixels (median of 12) | inline anew takes | kernel |",
        "|---|---|---|---|",
    ]
    for name, (times, memory) in rows.items():
        for act, taken in times.items():
            peer = rows.get(f"{name}, inline anew", [{}])[0].get(act)
            ratio = f"{peer / taken:.1f} times as long" if peer else ""
            of = f"{name}, lasso" if act == "lasso" else name
            table.append(f"| {of} | {taken:.0f} ms | {ratio} | {memory:.0f} MB |")
    print("\n".join(table))
    if arguments.write:
        made = (
            f"Made by `python benchmarks/widgets.py --write` on {date.today()}, Python "
            f"{platform.python_version()} on {platform.system()} {platform.machine()}, "
            f"{os.cpu_count()} cores, {version} without a screen."
        )
        text = HEAD.format(made=made, table="\n".join(table))
        (ROOT / "docs" / "explorers.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
