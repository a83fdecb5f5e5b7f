"""The neighbour explorer of notebook 04: one pixel, its nearest by six distances, three skies."""

from functools import cache

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from helpers.distances import METRICS, nearest
from helpers.galaxies import GALAXIES
from helpers.widgets.explorer import Explorer, Scene, lines
from helpers.widgets.table import LOAD, label, next_pixel, on_sky, pixels

DISTANCES = ("forest", *METRICS)


@cache
def _by_metric(name: str) -> np.ndarray:
    return nearest(pixels()[0], name, n_neighbors=26)[1]


def _height() -> float:
    """Of the figure, in inch: a title, and a row for each galaxy."""
    return 0.364 + 1.612 * len(GALAXIES)


class NeighbourScene(Scene):
    """A column a distance, a row a galaxy; dots are the nearest of the ringed pixel."""

    def __init__(self, neighbours: np.ndarray):
        rows, height = len(GALAXIES), _height()
        figure, self.panels = plt.subplots(
            rows, 6, figsize=(9.2, height), layout="none", squeeze=False
        )
        plt.close(figure)
        figure.subplots_adjust(0.035, 0.01, 0.995, 1 - 0.312 / height, wspace=0.04, hspace=0.04)
        super().__init__(figure, {"all": (0, 1, 0, 1)})
        self.lists = {"forest": np.asarray(neighbours)}
        self.lists |= {name: _by_metric(name) for name in METRICS}
        self.images, self.dots, self.rings = [], [], []
        for row, galaxy in zip(self.panels, GALAXIES, strict=True):
            for axes, name in zip(row, DISTANCES, strict=True):
                self.images.append(axes.imshow(np.zeros(GALAXIES[galaxy].grid()[1]), cmap="Greys"))
                dots = {"ls": "", "color": "#E69F00", "mec": "k", "mew": 0.5, "ms": 5, "zorder": 8}
                ring = {"ls": "", "mfc": "none", "mec": "#D55E00", "mew": 2, "ms": 13, "zorder": 9}
                self.dots += axes.plot([], [], "o", **dots)
                self.rings += axes.plot([], [], "o", **ring)
                axes.set(xticks=[], yticks=[])
                if galaxy == next(iter(GALAXIES)):
                    axes.set_title(name)
            row[0].set_ylabel(galaxy)
        self.moving = self.dots + self.rings

    def update(self, pixel: int, n_neighbors: int = 25, colour: str = "log_ha") -> None:
        frame, place, galaxy_of = pixels()
        self.pixel, self.n_neighbors, self.colour = int(pixel), n_neighbors, colour
        values = frame[colour]
        low, high = (float(q) for q in values.quantile([0, 1]))
        self.nearest = {
            name: found[pixel, 1 : n_neighbors + 1] for name, found in self.lists.items()
        }
        x, y = np.asarray(place["x"]), np.asarray(place["y"])
        number = 0
        for galaxy in GALAXIES:
            image = on_sky(values, galaxy)
            for name in DISTANCES:
                self.images[number].set_data(image)
                self.images[number].set_clim(low - 0.4 * (high - low), high)
                rows = self.nearest[name]
                rows = rows[galaxy_of[rows] == galaxy]
                self.dots[number].set_data(x[rows], y[rows])
                here = [pixel] if galaxy_of[pixel] == galaxy else []
                self.rings[number].set_data(x[here], y[here])
                number += 1

    def looks(self) -> dict[str, object]:
        return {"all": self.colour}

    def words(self) -> str:
        frame, _, galaxy_of = pixels()
        forest = set(self.nearest["forest"])
        shared = [f"{name} {len(forest & set(self.nearest[name]))}" for name in METRICS]
        own = np.sum(galaxy_of[self.nearest["forest"]] == galaxy_of[self.pixel])
        return (
            f"{frame.index[self.pixel]}: of its {self.n_neighbors} nearest by the forest {own} are "
            f"in its own galaxy; the other distances share with the forest: {', '.join(shared)}."
        )

    def code(self) -> str:
        name = pixels()[0].index[self.pixel]
        return (
            lines("""
            import matplotlib.pyplot as plt
            import numpy as np
            import pandas as pd
            from astropy.table import vstack

            from helpers import plots
            from helpers.distances import METRICS, nearest
            from helpers.features import feature_table, learning_frame
            from helpers.forest import UnsupervisedForest
            from helpers.galaxies import GALAXIES

            plots.set_style()
            """)
            + LOAD
            + lines(f"""
            forest = UnsupervisedForest(random_state=0, n_jobs=2).fit(frame)
            lists = {{"forest": forest.kneighbors(26)[1]}}
            for name in METRICS:
                lists[name] = nearest(frame, name, n_neighbors=26)[1]
            pixel = frame.index.get_loc("{name}")
            value, x, y = frame["{self.colour}"], np.asarray(place["x"]), np.asarray(place["y"])
            low, high = value.min(), value.max()

            height = {_height():g}
            options = {{"figsize": (9.2, height), "layout": "none", "squeeze": False}}
            figure, panels = plt.subplots(len(GALAXIES), 6, **options)
            top = 1 - 0.312 / height
            figure.subplots_adjust(0.035, 0.01, 0.995, top, wspace=0.04, hspace=0.04)
            for row, galaxy in zip(panels, GALAXIES, strict=True):
                here = galaxy_of == galaxy
                image = np.full(GALAXIES[galaxy].grid()[1], np.nan)
                image[y[here], x[here]] = value[here]
                for axes, (name, found) in zip(row, lists.items(), strict=True):
                    axes.imshow(image, cmap="Greys", vmin=low - 0.4 * (high - low), vmax=high)
                    near = found[pixel, 1:{self.n_neighbors + 1}]
                    near = near[here[near]]
                    dots = {{"color": "#E69F00", "mec": "k", "mew": 0.5, "ms": 5, "zorder": 8}}
                    axes.plot(x[near], y[near], "o", **dots)
                    if here[pixel]:
                        ring = {{"mfc": "none", "mec": "#D55E00", "mew": 2, "ms": 13, "zorder": 9}}
                        axes.plot(x[pixel], y[pixel], "o", **ring)
                    title = name if galaxy == next(iter(GALAXIES)) else ""
                    axes.set(xticks=[], yticks=[], title=title)
                    axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(-0.5, image.shape[0] - 0.5))
                row[0].set_ylabel(galaxy)
            plots.show({self.words()!r})
            """)
        )


class NeighbourExplorer(Explorer):
    """Pick a pixel on the sky; its nearest under each distance, side by side.

    Parameters
    ----------
    neighbours : ndarray of int of shape (n_pixels, 26)
        Row numbers of each pixel's nearest by the forest, itself first, as
        ``forest.kneighbors(26)[1]`` of notebook 04.

    Raises
    ------
    ValueError
        If they are not those of the course's pixels.
    """

    def __init__(self, neighbours: np.ndarray):
        frame, _, galaxy_of = pixels()
        if np.shape(neighbours) != (len(frame), 26):
            raise ValueError(
                f"The neighbours have the shape {np.shape(neighbours)}; give forest.kneighbors(26)"
                f"[1] of the {len(frame)} pixels of the table, each its own first."
            )
        first = next(iter(GALAXIES))
        outside = galaxy_of == first
        self.pixel = int(np.argmax(np.where(outside, frame["log_ha"], -np.inf)))
        controls = {
            "galaxy": ipywidgets.Dropdown(
                options=list(GALAXIES), value=first, description="begin in",
                layout={"width": "190px"}, style={"description_width": "70px"},
            ),
            "colour": ipywidgets.Dropdown(
                options=[(label(c), c) for c in frame], value="log_ha", description="in grey",
                layout={"width": "260px"}, style={"description_width": "60px"},
            ),
            "n_neighbors": ipywidgets.IntSlider(
                25, 1, 25, description="neighbours", layout={"width": "300px"},
                style={"description_width": "80px"},
            ),
        }  # fmt: skip
        controls["galaxy"].observe(self._another_galaxy, "value")
        super().__init__(
            NeighbourScene(neighbours),
            controls,
            "Click a pixel in any panel; in the picture, arrow keys go to the next pixel on the "
            "sky. The ring is the pixel, the dots are its nearest.",
            keys=("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"),
        )

    def state(self) -> dict:
        return {
            "pixel": self.pixel,
            "n_neighbors": self.controls["n_neighbors"].value,
            "colour": self.controls["colour"].value,
        }

    def _another_galaxy(self, change) -> None:
        frame, _, galaxy_of = pixels()
        if galaxy_of[self.pixel] != change["new"]:
            here = galaxy_of == change["new"]
            self.pixel = int(np.argmax(np.where(here, frame["log_ha"], -np.inf)))

    def areas(self) -> dict:
        return {
            f"{galaxy}, {name}": (axes, "click")
            for row, galaxy in zip(self.scene.panels, GALAXIES, strict=True)
            for axes, name in zip(row, DISTANCES, strict=True)
        }

    def act(self, event: dict) -> None:
        _, place, galaxy_of = pixels()
        galaxy = str(galaxy_of[self.pixel])
        if event["kind"] == "click":
            galaxy = event["area"].split(",")[0]
        here = np.flatnonzero(galaxy_of == galaxy)
        sky = np.column_stack([place["x"][here], place["y"][here]])
        if event["kind"] == "click":
            self.pixel = int(here[np.linalg.norm(sky - event["at"], axis=1).argmin()])
        elif event["kind"] == "key":
            self.pixel = int(here[next_pixel(sky, here.searchsorted(self.pixel), event["key"])])
        else:
            return
        if self.controls["galaxy"].value != galaxy:
            self.controls["galaxy"].value = galaxy  # which draws
        else:
            self.refresh()
