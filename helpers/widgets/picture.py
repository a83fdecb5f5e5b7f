"""A picture that matplotlib draws in the kernel and a browser shows: pointer and keys come back."""

import asyncio
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from IPython import get_ipython
from matplotlib.axes import Axes
from PIL import Image

_HERE = Path(__file__).parent


class Picture(anywidget.AnyWidget):
    """A figure in the browser, with words and the figure's code below it.

    Parameters
    ----------
    on_event : callable
        Gets what the reader does on the picture, a dictionary: ``kind`` is "click", "drag",
        "lasso" or "key"; ``area`` names the axes; ``at`` (or each point of ``path``) is in the
        axes' data; ``more`` says whether shift was held; ``first`` that a drag begins.
    """

    _esm = _HERE / "picture.js"
    _css = _HERE / "picture.css"
    image = traitlets.Bytes().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    code = traitlets.Unicode().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    help = traitlets.Unicode("The picture").tag(sync=True)
    areas = traitlets.List().tag(sync=True)
    pressable = traitlets.List().tag(sync=True)
    twin = traitlets.Unicode().tag(sync=True)
    drawn = traitlets.Int().tag(sync=True)

    def __init__(self, on_event: Callable[[dict], None] | None = None, **traits):
        super().__init__(**traits)
        self._axes: dict[str, Axes] = {}
        self._on_event = on_event
        self.on_msg(lambda _, content, __: between_cells(self._receive, content))

    def show(self, pixels: np.ndarray, words: str, code: str) -> None:
        """Show pixels, and words and code under them, all in one message."""
        image = encode(pixels)
        with self.hold_sync():
            self.image, self.words, self.code = image, words, code
            self.alt = words
            self.drawn += 1

    def listen(self, areas: dict[str, tuple[Axes, str]]) -> None:
        """Let axes answer to the pointer.

        Parameters
        ----------
        areas : dict of str to (Axes, str)
            By name, axes and their gesture: "click", "drag" or "lasso" (and click).
        """
        self._axes = {name: axes for name, (axes, _) in areas.items()}
        found = []
        for name, (axes, gesture) in areas.items():
            axes.apply_aspect()
            box = axes.get_position()
            corners = [box.x0, 1 - box.y1, box.x1, 1 - box.y0]
            found.append({"name": name, "box": corners, "gesture": gesture})
        if found != self.areas:
            self.areas = found

    def _receive(self, content: dict) -> None:
        if self._on_event is None:
            return
        event = dict(content)
        axes = self._axes.get(event.get("area"))
        if axes is not None:
            for name in {"at", "path"} & set(event):
                event[name] = _to_data(axes, event[name])
        before = self.drawn
        self._on_event(event)
        if self.drawn == before:
            self.drawn += 1  # the browser waits for an answer


def between_cells(act: Callable, *given):
    """Call a function on the thread that runs the cells, when none is running; wait until then.

    Two threads that draw with matplotlib at once end the process: the kernel dies. The second one
    is that of a live embedding which is done, or, in ipykernel 7.0 to 7.3, that of the widgets'
    messages (https://github.com/jupyterlab/jupyterlab/issues/19719).

    Returns
    -------
    object
        What the function returns; what it raises is raised here.
    """
    loop = getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)
    if loop is None or threading.current_thread() is threading.main_thread():
        return act(*given)

    async def in_turn():
        return act(*given)

    return asyncio.run_coroutine_threadsafe(in_turn(), loop.asyncio_loop).result()


def _to_data(axes: Axes, points):
    """From fractions of the picture, counted from its top left, to the axes' data."""
    single = not isinstance(points[0], list | tuple)
    width, height = axes.figure.bbox.size
    pixels = [(x * width, (1 - y) * height) for x, y in ([points] if single else points)]
    data = axes.transData.inverted().transform(pixels)
    return tuple(data[0]) if single else data


def encode(pixels: np.ndarray, form: str = "webp") -> bytes:
    """Pack pixels of red, green, blue and opacity, without loss and quickly, as WebP or PNG."""
    quick = {"webp": {"lossless": True, "quality": 0, "method": 0}, "png": {"compress_level": 1}}
    buffer = BytesIO()
    Image.fromarray(pixels).convert("RGB").save(buffer, form, **quick[form])
    return buffer.getvalue()
