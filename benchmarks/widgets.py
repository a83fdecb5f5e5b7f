"""How quickly an explorer answers in a browser, beside a figure that is drawn inline anew.

    python benchmarks/widgets.py            # with the course's own Python, and Chromium

From a key press (or a slider's step) to changed pixels, in headless Chromium, the median of 12. The
peer is the same slider and the same figure with `ipywidgets.interact` and matplotlib's inline
backend. Also the memory of a kernel that has the explorer open.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
REPEATS = 12

EXPLORERS = {
    "map": ("from helpers.widgets.maps import MapExplorer", "MapExplorer()", "ArrowRight"),
    "UMAP": ("from helpers.widgets.umap import UmapExplorer", "UmapExplorer()", "ArrowRight"),
    "neighbours": (
        "from helpers.distances import nearest\n"
        "from helpers.widgets.neighbours import NeighbourExplorer\n"
        "from helpers.widgets.table import pixels",
        'NeighbourExplorer(nearest(pixels()[0], "manhattan", 26)[1])',
        "ArrowRight",
    ),
    "features": (
        "import pandas as pd\n"
        "from helpers.widgets.features import FeatureExplorer\n"
        "from helpers.widgets.table import pixels\n"
        "names = [name.removeprefix('log_') for name in pixels()[0]][1:]\n"
        "loss = pd.DataFrame({'shuffled': .1, 'dropped': .0, 'stands in': 'ha'}, index=names)",
        "FeatureExplorer(pixels()[0], loss)",
        "ArrowDown",
    ),
    "linked": (
        "from helpers.widgets.linked import LinkedExplorer", "LinkedExplorer()", "ArrowRight"
    ),
}  # fmt: skip

INLINE = """
import ipywidgets, matplotlib.pyplot as plt, numpy as np
from helpers.widgets.maps import MapScene, levels
steps = levels("NGC 7496", "F770W")
def draw(low):
    scene = MapScene()
    scene.update("NGC 7496", "F770W", "asinh", (steps[low], 50.0))
    plt.figure(scene.figure)
    plt.show()
ipywidgets.interact(draw, low=ipywidgets.IntSlider(30, 0, 60));
"""

PRESS = """
([key, handle]) => new Promise((done) => {
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
  const start = performance.now();
  target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
})
"""


def wait(page: Page, condition: str) -> None:
    page.wait_for_function(condition, timeout=90_000)


def measure(address: str, folder: Path, browser, imports: str, code: str, handle: str, key: str):
    """Milliseconds from key to pixels, and the kernel's memory in MB."""
    start = f"from helpers import plots\nplots.set_style()\n{imports}"
    cells = [nbformat.v4.new_code_cell(text) for text in (start, code)]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / "one.ipynb")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{address}/lab/tree/one.ipynb?token=x&reset")
    kernel = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel"
    wait(page, f"{kernel}?.status === 'idle'")
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.wait_for_selector(handle, timeout=90_000)
    page.wait_for_timeout(3000)
    page.locator(handle).first.focus()
    times = [page.evaluate(PRESS, [key, handle]) for _ in range(REPEATS + 2)][2:]
    memory = page.evaluate(
        """async () => {
          const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
          let text = '';
          const code = 'import psutil; print(psutil.Process().memory_info().rss / 1e6)';
          const future = kernel.requestExecute({ code });
          future.onIOPub = (m) => { if (m.content.text) text += m.content.text; };
          await future.done;
          return Number(text);
        }"""
    )
    page.close()
    return statistics.median(times), memory


def main() -> None:
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
                rows = {}
                for explorer, (imports, code, key) in EXPLORERS.items():
                    rows[explorer] = measure(
                        address, folder, browser, imports, code, ".course-frame", key
                    )
                rows["map, inline anew"] = measure(
                    address, folder, browser, "", INLINE, ".noUi-handle", "ArrowRight"
                )
                browser.close()
        finally:
            server.terminate()
            server.wait()
    peer = rows["map, inline anew"][0]
    print("| explorer | key to pixels (median of 12) | inline over it | kernel |")
    print("|---|---|---|---|")
    for row, (milliseconds, memory) in rows.items():
        print(f"| {row} | {milliseconds:.0f} ms | {peer / milliseconds:.1f} | {memory:.0f} MB |")


if __name__ == "__main__":
    main()
