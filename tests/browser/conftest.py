"""A real JupyterLab, started by course.py, in a real Chromium: what a reader would see.

The notebooks are opened where they are, and nothing is saved: autosave is off. Where there is no
Chromium, these tests skip and say so. Screenshots go to the folder that COURSE_SCREENSHOTS names.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, TimeoutError, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "course"

PATIENCE = 120_000
"""Milliseconds for anything that a page does: on a busy machine it may take long."""


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory) -> Path:
    """Where pictures of pages go, outside the project."""
    named = os.environ.get("COURSE_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def lab_home(tmp_path_factory) -> Path:
    """Where the JupyterLab of the tests keeps its settings and its log."""
    return tmp_path_factory.mktemp("jupyter")


@pytest.fixture(scope="session")
def lab(project: Path, lab_home: Path) -> Iterator[str]:
    """The address of a JupyterLab of this course, which keeps nothing."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium, or leave these tests out")
    home = lab_home
    settings = home / "settings" / "@jupyterlab" / "docmanager-extension"
    settings.mkdir(parents=True)
    (settings / "plugin.jupyterlab-settings").write_text(json.dumps({"autosave": False}))
    (home / "jupyter_server_config.json").write_text(
        json.dumps(
            {
                "LabApp": {"expose_app_in_browser": True},
                "IdentityProvider": {"token": TOKEN},
                "FileContentsManager": {"checkpoints_kwargs": {"checkpoint_dir": str(home)}},
            }
        )
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "PHANGS_COURSE_PROGRESS": str(home / "progress.json"),
    }
    environment.pop("MPLBACKEND", None)
    command = [sys.executable, "course.py", "lab", "--no-browser", "--port", str(port)]
    log = (home / "lab.log").open("w")
    server = subprocess.Popen(
        command, cwd=project, env=environment, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, (home / "lab.log").read_text()
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(30)
        log.close()


@pytest.fixture(scope="session")
def browser(lab: str) -> Iterator[Browser]:
    """Chromium, without WebGL: nothing of the course may need it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-3d-apis"]
        )
        yield browser
        browser.close()


DIED = """[...document.querySelectorAll('.jp-Dialog')].some(
  (dialog) => dialog.innerText.includes('appears to have died'))"""
"""Whether JupyterLab says on the page that it starts the kernel anew, its process being gone."""

SETTLE = """async ([picture, patience]) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const later = (ms) => new Promise((done) => setTimeout(done, ms));
  for (let quiet = 0; quiet < 2; ) {
    const before = picture.dataset.drawn;
    const asked = kernel.requestExecute({ code: '', silent: true }).done.catch(() => {});
    await Promise.race([asked, later(patience)]);
    await later(50);
    quiet = picture.dataset.drawn === before ? quiet + 1 : 0;
  }
}"""
"""Wait until the kernel has nothing more to draw: one act may lead to more than one picture."""

KERNELS_THAT_DIED: list[str] = []
"""What the server said each time; one is put up with, as its cause was never found."""


@pytest.fixture(autouse=True)
def deaths_are_told(record_property) -> Iterator[None]:
    """Tell at the end of the run of a kernel that died in a test."""
    before = len(KERNELS_THAT_DIED)
    yield
    for words in KERNELS_THAT_DIED[before:]:
        record_property("told", f"A KERNEL DIED, and its notebook was run again. {words}")


class Notebook:
    """A notebook in a page of its own, and all that the page complained about or asked for.

    Attributes
    ----------
    complaints : list of str
        Errors on the page's console.
    outside : list of str
        Requests to other addresses than this machine's.
    log : Path
        What the server says, with the last words of a kernel that died.
    """

    def __init__(self, browser: Browser, lab: str, log: Path, name: str):
        self.address = f"{lab}/lab/tree/notebooks/{name}.ipynb?token={TOKEN}&reset"
        self.lab, self.log = lab, log
        self.complaints, self.outside = [], []
        self.page: Page = browser.new_page(viewport={"width": 1280, "height": 900})
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)

    def _console(self, message) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _request(self, request) -> None:
        if not request.url.startswith((self.lab, "data:", "blob:", self.lab.replace("http", "ws"))):
            self.outside.append(request.url)

    def open(self) -> None:
        """Open it, and wait for its kernel."""
        self.page.goto(self.address)
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        self.page.wait_for_function(
            """() => {
              const context = window.jupyterapp?.shell?.currentWidget?.sessionContext;
              return context?.isReady && context.session?.kernel?.status === 'idle';
            }""",
            timeout=PATIENCE,
        )

    def run_all(self) -> None:
        """Run it from top to bottom, and wait for the end."""
        self.start_all()
        self.wait_for_the_end()

    def start_all(self) -> None:
        self.page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )

    def wait_for_the_end(self) -> None:
        self.page.wait_for_function(
            """() => {
              const widget = window.jupyterapp.shell.currentWidget;
              const cells = [...widget.content.model.cells].filter(c => c.type === 'code');
              return cells.every(c => c.executionCount || !c.sharedModel.getSource().trim())
                && widget.sessionContext.session.kernel.status === 'idle';
            }""",
            timeout=5 * PATIENCE,
            polling=300,
        )

    def errors(self) -> list[str]:
        """The errors among the outputs of its cells."""
        return self.page.evaluate(
            """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
              .filter(c => c.type === 'code')
              .flatMap(c => Array.from({length: c.outputs.length}, (_, k) => c.outputs.get(k)))
              .filter(o => o.type === 'error').map(o => JSON.stringify(o.toJSON()))"""
        )

    def run(self, code: str) -> None:
        """Run code in its kernel, outside the notebook."""
        self.page.evaluate(
            """async (code) => {
              const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              await kernel.requestExecute({ code }).done;
            }""",
            code,
        )

    def picture_of(self, code: str) -> np.ndarray:
        """Run code in its kernel; the pixels of the last picture that it shows."""
        encoded = self.page.evaluate(
            """async (code) => {
              const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              let found = null, failed = null;
              const future = kernel.requestExecute({ code });
              future.onIOPub = (message) => {
                const type = message.header.msg_type;
                if (type === 'display_data') found = message.content.data['image/png'] ?? found;
                if (type === 'error') failed = message.content.evalue;
              };
              await future.done;
              return failed ? 'failed: ' + failed : found;
            }""",
            code,
        )
        assert encoded and not encoded.startswith("failed"), encoded
        return pixels(base64.b64decode(encoded))

    def revive(self) -> None:
        """Run the notebook again after its kernel has died, which may happen once in all tests."""
        KERNELS_THAT_DIED.append(f"The server's last words:\n{self.log.read_text()[-6000:]}")
        assert len(KERNELS_THAT_DIED) == 1, KERNELS_THAT_DIED
        self.page.locator(".jp-Dialog button.jp-mod-accept").click()
        self.wait_for_kernel()
        self.run_all()

    def explorer(self, number: int = 0) -> "ExplorerOnPage":
        """The explorer of that number, scrolled into sight."""
        found = ExplorerOnPage(self, number)
        found.picture.wait_for()
        found.in_sight()
        return found

    def explorer_anew(self) -> "ExplorerOnPage":
        """The first explorer as it is at first, whatever was done: its cell is run again."""
        old = self.explorer().picture.element_handle()
        self.page.evaluate(
            """async (picture) => {
              const notebook = window.jupyterapp.shell.currentWidget.content;
              notebook.activeCellIndex =
                notebook.widgets.findIndex((cell) => cell.node.contains(picture));
              await window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            old,
        )
        self.page.wait_for_function("(picture) => !picture.isConnected", arg=old)
        self.wait_for_kernel()
        return self.explorer()


class ExplorerOnPage:
    """An explorer in a page: its controls, its picture, and when it has been drawn."""

    def __init__(self, notebook: Notebook, number: int):
        self.notebook, self.page = notebook, notebook.page
        self.picture = self.page.locator(".course-picture[data-drawn]").nth(number)
        self.frame = self.picture.locator(".course-frame")
        # the box of widgets around it: controls, help, picture
        self.box = self.page.locator(".widget-vbox:has(.course-picture)").nth(number)

    @property
    def drawn(self) -> int:
        return int(self.picture.get_attribute("data-drawn"))

    @property
    def words(self) -> str:
        return self.picture.locator(".course-words").inner_text()

    @property
    def code(self) -> str:
        return self.picture.locator("pre").text_content()

    def pixels(self) -> np.ndarray:
        """The picture as it was sent."""
        address = self.picture.locator("img").evaluate(
            """async (image) => {
              const reader = new FileReader();
              reader.readAsDataURL(await (await fetch(image.src)).blob());
              return new Promise((done) => { reader.onload = () => done(reader.result); });
            }"""
        )
        return pixels(base64.b64decode(address.partition(",")[2]))

    def in_sight(self, part: Locator | None = None) -> dict:
        """Scroll to the picture, and wait until it stays: cells above it may still be drawn.

        Parameters
        ----------
        part : Locator, optional
            Something else than the picture.

        Returns
        -------
        dict
            Its place on the page: x, y, width and height.
        """
        part, before = self.frame if part is None else part, None
        for _ in range(50):
            part.scroll_into_view_if_needed()
            box = part.bounding_box()
            if box == before:
                return box
            before = box
            self.page.wait_for_timeout(150)
        raise AssertionError("the picture does not stay where it is")

    def _place(self, x: float, y: float) -> tuple[float, float]:
        box = self.in_sight()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def click(self, x: float, y: float) -> None:
        """Click the picture, at fractions of it from its upper left corner."""
        self.page.mouse.click(*self._place(x, y))

    def lasso(self, x: float, y: float, radius: float) -> None:
        """Draw a circle, in one pull."""
        box, mouse = self.in_sight(), self.page.mouse
        angles = np.linspace(0, 2 * np.pi, 25)
        across = box["x"] + (x + radius * np.cos(angles)) * box["width"]
        down = box["y"] + (y + radius * np.sin(angles)) * box["height"]
        mouse.move(across[0], down[0])
        mouse.down()
        for place in zip(across, down, strict=True):
            mouse.move(*place)
        mouse.up()

    def after(self, act) -> None:
        """Do something, and wait until the picture has been drawn anew and nothing is left to draw.

        If the kernel died meanwhile, the notebook is run once more, and so it is done again.
        """
        if not self._drawn_after(act):
            self.notebook.revive()
            assert self._drawn_after(act), f"the kernel died twice: {KERNELS_THAT_DIED[-1]}"

    def _drawn_after(self, act) -> bool:
        """Whether a picture came; False if there is word of a dead kernel instead of it."""
        before = self.drawn
        act()
        try:
            self.page.wait_for_function(
                f"([picture, before]) => Number(picture.dataset.drawn) > before || {DIED}",
                arg=[self.picture.element_handle(), before],
                timeout=PATIENCE,  # whether, not how fast: that is measured in benchmarks
            )
        except TimeoutError as fault:
            seen = self.page.evaluate(
                """() => JSON.stringify({
                  pictures: [...document.querySelectorAll('.course-picture')].map((p) =>
                    [p.dataset.drawn, p.isConnected, p.getClientRects().length]),
                  kernel: window.jupyterapp.shell.currentWidget.sessionContext.kernelDisplayStatus,
                  focus: document.activeElement?.className,
                  dialogs: [...document.querySelectorAll('.jp-Dialog')].map((d) => d.innerText),
                })"""
            )
            raise AssertionError(
                f"no picture after number {before}; on the page: {seen}; "
                f"the server's last words:\n{self.notebook.log.read_text()[-6000:]}"
            ) from fault
        self.page.evaluate(SETTLE, [self.picture.element_handle(), PATIENCE])
        return not self.page.evaluate(f"() => {DIED}")


def pixels(image: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(image)).convert("RGB"))


@pytest.fixture(scope="session")
def opened() -> Iterator[dict[str, Notebook]]:
    """The notebooks that were opened and run, by name."""
    known: dict[str, Notebook] = {}
    yield known
    for notebook in known.values():
        notebook.page.close()


@pytest.fixture(scope="session")
def open_notebook(browser: Browser, lab: str, lab_home: Path, opened: dict):
    """Open a notebook and run it from top to bottom; each once."""

    def open_and_run(name: str) -> Notebook:
        if name not in opened:
            opened[name] = Notebook(browser, lab, lab_home / "lab.log", name)
            opened[name].open()
            opened[name].run_all()
        return opened[name]

    return open_and_run


@pytest.fixture
def fresh_notebook(browser: Browser, lab: str, lab_home: Path, opened: dict) -> Iterator:
    """Open a page for a notebook, which the test opens and runs itself.

    Two pages of one notebook share its kernel, so the page that others looked at is closed.
    """
    pages: list[Notebook] = []

    def make(name: str) -> Notebook:
        if name in opened:
            opened.pop(name).page.close()
        pages.append(Notebook(browser, lab, lab_home / "lab.log", name))
        return pages[-1]

    yield make
    for notebook in pages:
        notebook.page.close()
