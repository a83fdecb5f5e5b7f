"""The UMAP explorer of notebook 05: the shipped pictures, or one made live, and the sky beside."""

import threading
from functools import lru_cache

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree

from helpers import dataset, survey
from helpers.distances import METRICS, nearest
from helpers.embedding import EmbeddingGrid, align, embed
from helpers.galaxies import GALAXIES, one_of_them
from helpers.widgets.explorer import Explorer, Scene, lines
from helpers.widgets.table import LOAD, label, next_pixel, on_sky, pixels

ADOPTED = {"distance": "forest", "n_neighbors": 25, "min_dist": 0.0, "random_state": 0}


@lru_cache(1)
def _grid() -> EmbeddingGrid:
    return dataset.grid()


@lru_cache(200)
def _on_paper(distance: str, n_neighbors: int, min_dist: float, random_state: int) -> np.ndarray:
    """The 15 nearest of each pixel in a shipped picture."""
    return _near(_grid().points(n_neighbors, min_dist, random_state, distance))


def _near(points: np.ndarray) -> np.ndarray:
    return cKDTree(points).query(points, 16, workers=-1)[1][:, 1:]


def _shared(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean((one[:, :, None] == other[:, None, :]).any(axis=2)))


class UmapScene(Scene):
    """A picture on the left, coloured by a feature; one galaxy in the same colours beside it."""

    def __init__(self):
        figure, (self.left, self.right) = plt.subplots(
            1, 2, figsize=(9.2, 4.4), layout="none", width_ratios=(1.2, 1)
        )
        plt.close(figure)
        figure.subplots_adjust(left=0.02, right=0.87, bottom=0.04, top=0.9, wspace=0.08)
        super().__init__(figure, {"picture": (0, 0.485, 0, 1), "sky": (0.485, 1, 0, 1)})
        frame, _, _ = pixels()
        self.drawn = self.left.scatter(*np.zeros((2, len(frame))), c=frame.iloc[:, 0], s=3, lw=0)
        self.right.set_facecolor("0.85")
        self.image = self.right.imshow([[0.0]])
        for axes in (self.left, self.right):
            axes.set(xticks=[], yticks=[])
        self.left.set_aspect("equal")
        self.bar = figure.colorbar(
            self.image, cax=figure.add_axes((0.885, 0.1, 0.015, 0.74)), extend="both"
        )
        style = {"mfc": "none", "mec": "#D55E00", "mew": 2.5, "ms": 13, "zorder": 9, "ls": ""}
        self.moving = [axes.plot([], [], "o", **style)[0] for axes in (self.left, self.right)]
        self.live: np.ndarray | None = None
        self.live_setting: dict = {}

    def update(
        self,
        distance: str = "forest",
        n_neighbors: int = 25,
        min_dist: float = 0.0,
        random_state: int = 0,
        colour: str = "log_sii_ha",
        galaxy: str | None = None,
        pixel: int | None = None,
        live: bool = False,
    ) -> None:
        frame, place, galaxy_of = pixels()
        galaxy = one_of_them("NGC 1365").name if galaxy is None else galaxy
        setting = {
            "distance": distance, "n_neighbors": n_neighbors, "min_dist": min_dist,
            "random_state": random_state,
        }  # fmt: skip
        if live and self.live is not None and setting == self.live_setting:
            self.points, self.on_paper = self.live, _near(self.live)
        else:
            live = False
            self.points = _grid().points(n_neighbors, min_dist, random_state, distance)
            self.on_paper = _on_paper(distance, n_neighbors, min_dist, random_state)
        self.with_adopted = _shared(self.on_paper, _on_paper(**ADOPTED))
        self.of_galaxy = np.mean(galaxy_of[self.on_paper] == galaxy_of[:, None])
        self.setting, self.colour, self.galaxy, self.pixel = setting, colour, galaxy, pixel
        self.is_live = live
        values = frame[colour]
        self.low, self.high = (float(q) for q in values.quantile([0.02, 0.98]))
        self.drawn.set_offsets(self.points)
        self.drawn.set_array(values)
        self.drawn.set_clim(self.low, self.high)
        margin = 0.05 * np.ptp(self.points, axis=0)
        (x0, y0), (x1, y1) = self.points.min(axis=0) - margin, self.points.max(axis=0) + margin
        self.left.set(xlim=(x0, x1), ylim=(y0, y1))
        self.left.set_title(self._title())
        image = on_sky(values, galaxy)
        rows, columns = image.shape
        self.image.set_data(image)
        self.image.set_extent((-0.5, columns - 0.5, -0.5, rows - 0.5))
        self.image.set_clim(self.low, self.high)
        self.right.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5), title=galaxy)
        self.bar.set_label(label(colour))
        here = pixel is not None and galaxy_of[pixel] == galaxy
        self.moving[0].set_data(
            *([[c] for c in self.points[pixel]] if pixel is not None else [[], []])
        )
        self.moving[1].set_data(*([[place["x"][pixel]], [place["y"][pixel]]] if here else [[], []]))

    def _title(self) -> str:
        s = self.setting
        return (
            f"{s['distance']}, {s['n_neighbors']} neighbours, min_dist {s['min_dist']:g}, "
            f"seed {s['random_state']}"
        )

    def looks(self) -> dict[str, object]:
        picture = (*self.setting.values(), self.is_live and id(self.live), self.colour)
        return {"picture": picture, "sky": (self.galaxy, self.colour)}

    def words(self) -> str:
        frame, _, _ = pixels()
        wide, high = np.ptp(self.points, axis=0)
        text = (
            f"{self._origin()}; {wide:.0f} by {high:.0f} wide; of a "
            f"pixel's 15 nearest on paper {self.with_adopted:.0%} are the same as in the adopted "
            f"picture, and {self.of_galaxy:.0%} are of its galaxy"
        )
        if self.pixel is not None:
            value = frame[self.colour].iloc[self.pixel]
            text += f". Marked: {frame.index[self.pixel]}, {label(self.colour)} {value:.2f}"
        return text + "."

    def _origin(self) -> str:
        if self.is_live:
            return "Made live"
        return "Shipped" if survey.is_embedded() else "Laid out"

    def code(self) -> str:
        s = self.setting
        if self.is_live:
            neighbours = (
                "UnsupervisedForest(random_state=0, n_jobs=2).fit(frame).kneighbors("
                if s["distance"] == "forest"
                else f'nearest(frame, "{s["distance"]}", '
            )
            points = (
                f"neighbours = {neighbours}{s['n_neighbors']})\n"
                f"points = embed(neighbours, {s['n_neighbors']}, min_dist={s['min_dist']!r}, "
                f"random_state={s['random_state']})\n"
                "points = align(points, dataset.grid().points())\n"
            )
        else:
            points = (
                f"points = dataset.grid().points({s['n_neighbors']}, {s['min_dist']!r}, "
                f'random_state={s["random_state"]}, distance="{s["distance"]}")\n'
            )
        mark = ""
        if self.pixel is not None:
            name = pixels()[0].index[self.pixel]
            ring = '"o", mfc="none", mec="#D55E00", mew=2.5, ms=13, zorder=9'
            mark = (
                f'row = frame.index.get_loc("{name}")\n'
                f"left.plot(*points[row], {ring})\n"
                "if here[row]:\n"
                f'    right.plot(place["x"][row], place["y"][row], {ring})\n'
            )
        imports = lines("""
            import matplotlib.pyplot as plt
            import numpy as np
            import pandas as pd
            from astropy.table import vstack

            from helpers import dataset, plots
            from helpers.distances import nearest
            from helpers.embedding import align, embed
            from helpers.features import feature_table, learning_frame
            from helpers.forest import UnsupervisedForest
            from helpers.galaxies import GALAXIES

            plots.set_style()
        """)
        if not self.is_live:
            unused = ("helpers.distances", "helpers.embedding", "helpers.forest")
            imports = "".join(
                line for line in imports.splitlines(True) if not any(u in line for u in unused)
            )
        return (
            imports
            + LOAD
            + points
            + lines(f"""
            value = frame["{self.colour}"]
            low, high = value.quantile([0.02, 0.98])
            here = galaxy_of == "{self.galaxy}"
            image = np.full(GALAXIES["{self.galaxy}"].grid()[1], np.nan)
            image[place["y"][here], place["x"][here]] = value[here]

            figure, (left, right) = plt.subplots(
                1, 2, figsize=(9.2, 4.4), layout="none", width_ratios=(1.2, 1)
            )
            figure.subplots_adjust(left=0.02, right=0.87, bottom=0.04, top=0.9, wspace=0.08)
            left.scatter(*points.T, c=value, s=3, lw=0, vmin=low, vmax=high)
            margin = 0.05 * np.ptp(points, axis=0)
            (x0, y0), (x1, y1) = points.min(axis=0) - margin, points.max(axis=0) + margin
            left.set(xlim=(x0, x1), ylim=(y0, y1), title={self._title()!r})
            left.set_aspect("equal")
            right.set_facecolor("0.85")
            shown = right.imshow(image, vmin=low, vmax=high)
            right.set_title("{self.galaxy}")
            for axes in (left, right):
                axes.set(xticks=[], yticks=[])
            bar = figure.add_axes((0.885, 0.1, 0.015, 0.74))
            figure.colorbar(shown, cax=bar, extend="both", label="{label(self.colour)}")
            """)
            + mark
            + f"plots.show({self.words()!r})\n"
        )


class UmapExplorer(Explorer):
    """Every shipped picture at once; or, with the button, one that is made here and now."""

    def __init__(self):
        frame, _, _ = pixels()
        grid = _grid()
        wide = {"layout": {"width": "280px"}, "style": {"description_width": "90px"}}
        controls = {
            "distance": ipywidgets.Dropdown(
                options=[d for d in grid.distances if d in ("forest", *METRICS)],
                description="distance", layout={"width": "220px"},
                style={"description_width": "70px"},
            ),
            "n_neighbors": ipywidgets.SelectionSlider(
                options=grid.n_neighbors, value=25, description="n_neighbors", **wide
            ),
            "min_dist": ipywidgets.SelectionSlider(
                options=grid.min_dist, value=0.0, description="min_dist", **wide
            ),
            "random_state": ipywidgets.SelectionSlider(
                options=grid.seeds, value=0, description="seed", **wide
            ),
            "colour": ipywidgets.Dropdown(
                options=[(label(c), c) for c in frame], value="log_sii_ha", description="colour",
                layout={"width": "260px"}, style={"description_width": "60px"},
            ),
            "galaxy": ipywidgets.Dropdown(
                options=list(GALAXIES), value=one_of_them("NGC 1365").name, description="sky",
                layout={"width": "170px"}, style={"description_width": "40px"},
            ),
        }  # fmt: skip
        self.pixel, self.is_live = None, False
        self.go = ipywidgets.Button(description="Compute live", icon="play")
        self.stop = ipywidgets.Button(description="Stop", icon="stop", disabled=True)
        self.progress = ipywidgets.IntProgress(0, 0, 300, description="steps")
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        super().__init__(
            UmapScene(),
            controls,
            "Click a point, or a pixel of the sky, to mark it in both. In the picture, arrow keys "
            "move the mark to the next pixel on the sky. Distances other than the forest's are "
            "shipped at 25 neighbours and min_dist 0 alone; all others can be computed live.",
            keys=("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"),
        )
        self.children = (
            *self.children[:2],
            ipywidgets.HBox([self.go, self.stop, self.progress]),
            self.children[2],
        )
        self.go.on_click(lambda _: self.compute())
        self.stop.on_click(lambda _: self._stop.set())

    def state(self) -> dict:
        return super().state() | {"pixel": self.pixel, "live": self.is_live}

    def areas(self) -> dict:
        return {"picture": (self.scene.left, "click"), "sky": (self.scene.right, "click")}

    def act(self, event: dict) -> None:
        _, place, galaxy_of = pixels()
        galaxy = self.controls["galaxy"].value
        here = np.flatnonzero(galaxy_of == galaxy)
        sky = np.column_stack([place["x"][here], place["y"][here]])
        if event["kind"] == "click" and event["area"] == "picture":
            apart = np.linalg.norm(self.scene.points - event["at"], axis=1)
            self.pixel = int(apart.argmin())
        elif event["kind"] == "click":
            self.pixel = int(here[np.linalg.norm(sky - event["at"], axis=1).argmin()])
        elif event["kind"] == "key":
            inside = self.pixel is not None and galaxy_of[self.pixel] == galaxy
            at = here.searchsorted(self.pixel) if inside else len(here) // 2
            self.pixel = int(here[next_pixel(sky, at, event["key"])])
        else:
            return
        if galaxy_of[self.pixel] != galaxy:
            self.controls["galaxy"].value = str(galaxy_of[self.pixel])  # which draws
        else:
            self.refresh()

    def compute(self) -> None:
        """Make the picture of the present setting here, in a thread of its own."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stop.clear()
        self.go.disabled, self.stop.disabled = True, False
        setting = {name: self.controls[name].value for name in ADOPTED}
        self._thread = threading.Thread(target=self._run, args=(setting,), daemon=True)
        self._thread.start()

    def _run(self, setting: dict) -> None:
        def step(done: int, total: int) -> None:
            if self._stop.is_set():
                raise InterruptedError
            if done % 5 == 0 or done == total:
                self.progress.max, self.progress.value = total, done

        try:
            frame, _, _ = pixels()
            n_neighbors = setting["n_neighbors"]
            if setting["distance"] == "forest":
                from helpers.forest import UnsupervisedForest

                neighbours = UnsupervisedForest(random_state=0, n_jobs=2).fit(frame)
                neighbours = neighbours.kneighbors(n_neighbors)
            else:
                neighbours = nearest(frame, setting["distance"], n_neighbors)
            points = embed(
                neighbours, n_neighbors, setting["min_dist"],
                random_state=setting["random_state"], progress=step,
            )  # fmt: skip
            self.scene.live = align(points, _grid().points())
            self.scene.live_setting = setting
            self.is_live = True
            self.refresh()
        except InterruptedError:
            self.progress.value = 0
        finally:
            self.go.disabled, self.stop.disabled = False, True
