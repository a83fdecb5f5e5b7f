"""What all explorers share: controls above a picture, words and code below, and a static twin."""

import base64
import html
import textwrap
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import ipywidgets
import numpy as np
from IPython.display import display
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from helpers.widgets.picture import Picture, between_cells, encode


class Scene(ABC):
    """A figure that is drawn once and then changed in place, quicker than drawing it anew.

    However it came to its state, it must look as if it had been drawn so at once; and the code
    of a state must draw the same picture.

    Attributes
    ----------
    figure : Figure
    parts : dict of str to (left, right, bottom, top)
        Parts of the figure, in fractions of it, that can be drawn without the others: all of an
        axes, with its labels, is in one of them.
    moving : list of Artist
        What is drawn above all else, each time: a line that is pulled, the mark of a selection.
        Their ``zorder`` must be above all others of their axes.
    """

    figure: Figure
    parts: dict[str, tuple[float, float, float, float]]
    moving: list[Artist]

    def __init__(self, figure: Figure, parts: dict):
        self.figure, self.parts, self.moving = figure, parts, []
        self._canvas = FigureCanvasAgg(figure)
        self._drawn: dict[str, object] = {}
        self._background = None

    @abstractmethod
    def update(self, **state) -> None:
        """Change the figure to a state."""

    @abstractmethod
    def looks(self) -> dict[str, object]:
        """For each part a value that differs whenever the part, without what moves, does."""

    @abstractmethod
    def words(self) -> str:
        """A line computed from the data that are shown."""

    @abstractmethod
    def code(self) -> str:
        """Lines that draw the present picture when they are pasted into a cell."""

    def pixels(self) -> np.ndarray:
        """The picture; only what looks different is drawn anew.

        Returns
        -------
        (height, width, 4) array of uint8
        """
        looks, renderer = self.looks(), self._canvas.get_renderer()
        pixels = np.asarray(self._canvas.buffer_rgba())
        height, width = pixels.shape[:2]
        if self._background is not None:
            pixels[:] = self._background
        for name, (left, right, bottom, top) in self.parts.items():
            if name in self._drawn and self._drawn[name] == looks[name]:
                continue
            rows = slice(round((1 - top) * height), round((1 - bottom) * height))
            columns = slice(round(left * width), round(right * width))
            pixels[rows, columns] = 255
            for axes in self.figure.axes:
                box = axes.get_position(original=True)
                x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
                if left <= x < right and bottom <= y < top:
                    self._draw_without_moving(axes, renderer)
        self._background, self._drawn = pixels.copy(), looks
        for artist in self.moving:
            artist.draw(renderer)
        return pixels

    def _draw_without_moving(self, axes: Axes, renderer) -> None:
        here = [artist for artist in self.moving if artist.axes is axes]
        for artist in here:
            artist.set_visible(False)
        axes.draw(renderer)
        for artist in here:
            artist.set_visible(True)


class Explorer(ipywidgets.VBox):
    """A scene with controls.

    Parameters
    ----------
    scene : Scene
    controls : dict of str to widget
        By the name of what they set in the scene's state; each has a ``value``.
    help : str
        What keys and pointer do, for a screen reader and for the line above the picture.
    keys : list of str
        Keys that the picture answers to, as the browser names them.
    """

    def __init__(self, scene: Scene, controls: dict, help: str, keys: tuple[str, ...] = ()):
        self.scene, self.controls = scene, controls
        self.picture = Picture(self.act, help=help, pressable=list(keys), twin=uuid.uuid4().hex)
        row = ipywidgets.HBox(list(controls.values()))
        row.layout.flex_flow = "row wrap"
        super().__init__(
            [row, ipywidgets.HTML(f"<small>{html.escape(help)}</small>"), self.picture]
        )
        for control in controls.values():
            control.observe(lambda change: self.refresh(), "value")
        self._quiet = False
        self.refresh()

    def state(self) -> dict:
        """What the controls say."""
        return {name: control.value for name, control in self.controls.items()}

    def areas(self) -> dict:
        """The axes that answer to the pointer, for `Picture.listen`."""
        return {}

    def act(self, event: dict) -> None:
        """Answer to pointer and keys on the picture; see `Picture`."""

    def set(self, **values) -> None:
        """Set several controls, and draw once."""
        with self.quietly():
            for name, value in values.items():
                self.controls[name].value = value
        self.refresh()

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Change controls: nothing is drawn meanwhile, and each is sent to the browser as a whole.

        Other options of a menu or slider first choose none or the first of them. If that is sent,
        the browser answers to it.
        """
        before, self._quiet = self._quiet, True
        try:
            with ExitStack() as held:
                for control in self.controls.values():
                    held.enter_context(control.hold_sync())
                yield
        finally:
            self._quiet = before

    def refresh(self) -> None:
        """Draw what the controls say; what is wrong is said under the old picture."""
        if not self._quiet:
            between_cells(self._draw)

    def _draw(self) -> None:
        try:
            self.scene.update(**self.state())
        except ValueError as error:
            self.picture.words = str(error)
            self.picture.drawn += 1
            return
        self.picture.show(self.scene.pixels(), self.scene.words(), self.scene.code())
        self.picture.listen(self.areas())

    def twin(self) -> np.ndarray:
        """The pixels of the picture for paper: where no kernel answers."""
        return self.scene.pixels()

    def _ipython_display_(self) -> None:
        """Show the widget, and its static twin for pages without a kernel."""
        encoded = base64.b64encode(encode(self.twin(), "png")).decode("ascii")
        words = html.escape(self.scene.words(), quote=True)
        page = (
            f'<div data-course-twin="{self.picture.twin}"><img alt="{words}" '
            f'src="data:image/png;base64,{encoded}"><p>{words}</p></div>'
        )
        display({"text/html": page, "image/png": encoded, "text/plain": words}, raw=True)
        display(self._repr_mimebundle_(), raw=True)


def lines(text: str) -> str:
    """Dedented code without empty lines at its ends."""
    return textwrap.dedent(text).strip() + "\n"
