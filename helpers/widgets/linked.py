"""The linked explorer of notebooks 06 and 07: a lasso ties picture, three skies and features."""

import html
import os
from functools import lru_cache
from itertools import count
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.path import Path as Outline

from helpers import dataset
from helpers.clusters import cluster
from helpers.galaxies import GALAXIES
from helpers.plots import NO_GROUP, PALETTE, draw_groups
from helpers.widgets.explorer import Explorer, Scene, lines
from helpers.widgets.table import LOAD, label, on_sky, pixels

SETTINGS = {
    "kmeans": ("n_clusters", (2, 3, 4, 5, 6, 7, 8), 6),
    "gaussian_mixture": ("n_components", (2, 3, 4, 5, 6, 7, 8), 6),
    "agglomerative": ("n_clusters", (2, 3, 4, 5, 6, 7, 8), 6),
    "spectral": ("n_clusters", (3, 4, 5, 6, 7, 8), 8),
    "dbscan": ("eps", (0.2, 0.25, 0.3, 0.35, 0.4, 0.5), 0.3),
    "hdbscan": ("min_cluster_size", (40, 60, 100, 150, 200, 300), 100),
}
"""For each method the parameter that can be turned, its values, and the first one."""

FILE = "phangs-course-selections"


@lru_cache(60)
def _groups(method: str, value: float) -> np.ndarray:
    points = dataset.grid().points()
    return cluster(points, method, ids=pixels()[0].index, **{SETTINGS[method][0]: value})


def _sky_box(number: int) -> tuple[float, float, float, float]:
    """Where a galaxy's sky stands in the figure."""
    width = 0.99 / len(GALAXIES)
    return 0.01 + width * number, 0.01, width - 0.01, 0.37


class LinkedScene(Scene):
    """Groups as colours and markers, on paper and on the sky, and what sets a selection apart."""

    def __init__(self):
        figure = plt.figure(figsize=(9.2, 7.2), layout="none")
        plt.close(figure)
        self.paper = figure.add_axes((0.01, 0.43, 0.56, 0.53))
        self.features = figure.add_axes((0.775, 0.5, 0.215, 0.45))
        n = len(GALAXIES)
        self.skies = [figure.add_axes(_sky_box(k)) for k in range(n)]
        parts = {"paper": (0, 0.58, 0.415, 1), "features": (0.58, 1, 0.415, 1)}
        parts |= {f"sky {k}": (k / n, (k + 1) / n, 0, 0.415) for k in range(n)}
        super().__init__(figure, parts)
        self.points = dataset.grid().points()
        frame, _, _ = pixels()
        self.scaled = ((frame - frame.mean()) / frame.std()).values
        colours = ListedColormap([NO_GROUP, *PALETTE])
        self.images, self.covers = [], []
        for axes, galaxy in zip(self.skies, GALAXIES, strict=True):
            shape = GALAXIES[galaxy].grid()[1]
            options = {"vmin": -1.5, "vmax": 7.5, "interpolation": "none"}
            self.images.append(axes.imshow(np.zeros(shape), cmap=colours, **options))
            veil = {"cmap": "binary", "vmin": 0, "vmax": 1, "alpha": 0.85, "zorder": 9}
            self.covers.append(axes.imshow(np.full(shape, np.nan), interpolation="none", **veil))
            axes.set(xticks=[], yticks=[], title=galaxy, facecolor="white")
        frame, rows = pixels()[0], np.arange(len(pixels()[0].columns))
        self.features.axvline(0, color="0.6", lw=1)
        self.bars = self.features.hlines(rows, 0, 0, color="k", lw=4, zorder=9)
        (self.middles,) = self.features.plot(0 * rows, rows, "o", color="#D55E00", ms=7, zorder=10)
        self.features.set_yticks(rows, [label(name) for name in frame], size=9)
        self.features.set(xlim=(-2.5, 2.5), ylim=(len(rows) - 0.5, -0.5))
        self.features.set_xlabel("standard deviations")
        self._labels: np.ndarray | None = None

    def update(
        self,
        method: str = "spectral",
        value: float = 8,
        selected: np.ndarray | None = None,
        how: str = "np.zeros(len(frame), bool)",
    ) -> None:
        frame, _, _ = pixels()
        labels = _groups(method, value)
        if labels.max() >= len(PALETTE):
            raise ValueError(
                f"{method} with {SETTINGS[method][0]} {value:g} makes {labels.max() + 1} groups; "
                f"only {len(PALETTE)} can be told apart. Choose another value."
            )
        self.method, self.value, self.how = method, value, how
        self.selected = np.zeros(len(frame), bool) if selected is None else selected
        if self._labels is not labels:
            self._labels = labels
            self.paper.clear()
            draw_groups(*self.points.T, labels, self.paper, legend=False)
            self.paper.set(xticks=[], yticks=[], title=self._title())
            self.paper.set_aspect("equal")
            (self.veil,) = self.paper.plot([], [], ".", color="0.9", ms=5, zorder=9)
            self.moving = [self.veil, *self.covers, self.bars, self.middles]
            for image, galaxy in zip(self.images, GALAXIES, strict=True):
                image.set_data(on_sky(labels, galaxy))
        others = ~self.selected & self.selected.any()
        self.veil.set_data(*self.points[others].T)
        for cover, galaxy in zip(self.covers, GALAXIES, strict=True):
            cover.set_data(on_sky(np.where(others, 0.0, np.nan), galaxy))
        self._bars()

    def _title(self) -> str:
        return f"{self.method}, {SETTINGS[self.method][0]} {self.value:g}"

    def _bars(self) -> None:
        chosen = self.scaled[self.selected] if self.selected.any() else self.scaled
        low, middle, high = np.quantile(chosen, [0.25, 0.5, 0.75], axis=0)
        rows = np.arange(len(middle))
        self.bars.set_segments(np.array([[low, rows], [high, rows]]).transpose(2, 0, 1))
        self.middles.set_data(middle, rows)
        self.features.set_title("selection" if self.selected.any() else "all pixels")

    def looks(self) -> dict[str, object]:
        groups = dict.fromkeys(self.parts, (self.method, self.value))
        return groups | {"features": self.features.get_title()}

    def words(self) -> str:
        frame, _, galaxy_of = pixels()
        labels, chosen = self._labels, self.selected
        text = (
            f"{labels.max() + 1} groups, {np.mean(labels < 0):.1%} of the pixels in none; "
            f"{chosen.sum()} selected"
        )
        if chosen.any():
            where = [f"{g} {np.mean(galaxy_of[chosen] == g):.0%}" for g in GALAXIES]
            middle = np.median(self.scaled[chosen], axis=0)
            first = np.argsort(-np.abs(middle))[:2]
            what = [
                f"{'high' if middle[k] > 0 else 'low'} {label(frame.columns[k])}" for k in first
            ]
            text += f" ({chosen.mean():.1%}): {', '.join(where)}; {', '.join(what)}"
        return text + "."

    def code(self) -> str:
        parameter = SETTINGS[self.method][0]
        return (
            lines("""
            import matplotlib.pyplot as plt
            import numpy as np
            import pandas as pd
            from astropy.table import vstack
            from matplotlib.colors import ListedColormap
            from matplotlib.path import Path

            from helpers import dataset, plots
            from helpers.clusters import cluster
            from helpers.features import FEATURES, feature_table, learning_frame
            from helpers.galaxies import GALAXIES

            plots.set_style()
            """)
            + LOAD
            + lines(f"""
            points = dataset.grid().points()
            x, y = np.asarray(place["x"]), np.asarray(place["y"])
            labels = cluster(points, "{self.method}", {parameter}={self.value!r}, ids=frame.index)
            selected = {self.how}

            figure = plt.figure(figsize=(9.2, 7.2), layout="none")
            paper = figure.add_axes((0.01, 0.43, 0.56, 0.53))
            plots.draw_groups(*points.T, labels, paper, legend=False)
            paper.set(xticks=[], yticks=[], title="{self._title()}")
            paper.set_aspect("equal")
            others = ~selected & selected.any()
            paper.plot(*points[others].T, ".", color="0.9", ms=5, zorder=9)

            features = figure.add_axes((0.775, 0.5, 0.215, 0.45))
            scaled = (frame - frame.mean()) / frame.std()
            chosen = scaled[selected] if selected.any() else scaled
            low, middle, high = np.quantile(chosen, [0.25, 0.5, 0.75], axis=0)
            rows = np.arange(len(frame.columns))
            features.axvline(0, color="0.6", lw=1)
            features.hlines(rows, low, high, color="k", lw=4, zorder=9)
            features.plot(middle, rows, "o", color="#D55E00", ms=7, zorder=10)
            names = [
                "log " * (name != name.removeprefix("log_"))
                + FEATURES[name.removeprefix("log_")].label
                for name in frame
            ]
            features.set_yticks(rows, names, size=9)
            features.set(xlim=(-2.5, 2.5), ylim=(len(rows) - 0.5, -0.5))
            features.set_xlabel("standard deviations")
            features.set_title("selection" if selected.any() else "all pixels")

            colours = ListedColormap([plots.NO_GROUP, *plots.PALETTE])
            width = 0.99 / len(GALAXIES)
            for k, galaxy in enumerate(GALAXIES):
                here = galaxy_of == galaxy
                sky = figure.add_axes((0.01 + width * k, 0.01, width - 0.01, 0.37))
                image, cover = np.full((2, *GALAXIES[galaxy].grid()[1]), np.nan)
                image[y[here], x[here]] = labels[here]
                cover[y[here & others], x[here & others]] = 0
                sky.imshow(image, cmap=colours, vmin=-1.5, vmax=7.5, interpolation="none")
                veil = {{"cmap": "binary", "vmin": 0, "vmax": 1, "alpha": 0.85, "zorder": 9}}
                sky.imshow(cover, interpolation="none", **veil)
                sky.set(xticks=[], yticks=[], title=galaxy, facecolor="white")
            plots.show({self.words()!r})
            """)
        )


class LinkedExplorer(Explorer):
    """Draw a lasso on the picture or on a sky; name what you found, keep it, and take it away.

    Attributes
    ----------
    kept : dict of str to (n_pixels,) array of bool
        The selections that were given a name.
    """

    def __init__(self):
        wide = {"style": {"description_width": "80px"}}
        controls = {
            "method": ipywidgets.Dropdown(
                options=list(SETTINGS), value="spectral", description="method",
                layout={"width": "240px"}, style={"description_width": "60px"},
            ),
            "value": ipywidgets.SelectionSlider(
                options=SETTINGS["spectral"][1], value=8, description="n_clusters",
                layout={"width": "320px"}, style={"description_width": "110px"},
            ),
        }  # fmt: skip
        self.selected = np.zeros(len(pixels()[0]), bool)
        self.how = "np.zeros(len(frame), bool)"
        self._group = -1
        self.kept: dict[str, np.ndarray] = {}
        self.name = ipywidgets.Text(description="name", layout={"width": "240px"}, **wide)
        self.keep_it = ipywidgets.Button(
            description="Keep the selection", icon="check", layout={"width": "180px"}
        )
        self.clear_it = ipywidgets.Button(description="Select nothing", icon="eraser")
        self.export_it = ipywidgets.Button(description="Write a table", icon="save")
        self.said = ipywidgets.HTML()
        controls["method"].observe(self._another_method, "value")
        for control in controls.values():
            control.observe(self._other_groups, "value")
        super().__init__(
            LinkedScene(),
            controls,
            "Draw a lasso on the picture or on a sky; a click selects a group. With shift it is "
            "added. In the picture, left and right arrow keys go from group to group.",
            keys=("ArrowLeft", "ArrowRight", "Escape"),
        )
        self.children = (
            *self.children[:2],
            ipywidgets.HBox(
                [self.name, self.keep_it, self.clear_it, self.export_it],
                layout={"flex_flow": "row wrap"},
            ),
            self.said,
            self.children[2],
        )
        self.keep_it.on_click(lambda _: self._say(self.keep, self.name.value))
        self.clear_it.on_click(lambda _: self.select(np.zeros_like(self.selected), self._nothing))
        self.export_it.on_click(lambda _: self._say(self.export))

    _nothing = "np.zeros(len(frame), bool)"

    def _another_method(self, change) -> None:
        parameter, values, first = SETTINGS[change["new"]]
        slider = self.controls["value"]
        with self.quietly():
            slider.options, slider.value, slider.description = values, first, parameter

    def _other_groups(self, change) -> None:
        if "labels" in self.how:  # groups of before: they are no more
            self.selected, self.how = np.zeros_like(self.selected), self._nothing

    def state(self) -> dict:
        return super().state() | {"selected": self.selected, "how": self.how}

    def areas(self) -> dict:
        skies = zip(GALAXIES, self.scene.skies, strict=True)
        return {"paper": (self.scene.paper, "lasso")} | {g: (a, "lasso") for g, a in skies}

    def select(self, selected: np.ndarray, how: str) -> None:
        """Select pixels; `how` is the expression that makes the same array in the code panel."""
        self.selected, self.how = selected, how
        self.refresh()

    def act(self, event: dict) -> None:
        _, place, galaxy_of = pixels()
        labels = _groups(self.controls["method"].value, self.controls["value"].value)
        if event["kind"] == "key":
            if event["key"] == "Escape":
                self.select(np.zeros_like(self.selected), self._nothing)
                return
            names = np.unique(labels[labels >= 0])
            self._group = (self._group + (1 if event["key"] == "ArrowRight" else -1)) % len(names)
            group = int(names[self._group])
            self.select(labels == group, f"labels == {group}")
            return
        if event["kind"] not in ("click", "lasso"):
            return
        on_paper = event["area"] == "paper"
        at = self.scene.points if on_paper else np.column_stack([place["x"], place["y"]])
        inside = np.ones(len(at), bool) if on_paper else galaxy_of == event["area"]
        if event["kind"] == "lasso":
            path = np.asarray(event["path"])
            path = np.round(path[:: max(1, len(path) // 60)], 2)
            found = Outline(path).contains_points(at) & inside
            place_code = "points" if on_paper else "np.column_stack([x, y])"
            how = f"Path({path.tolist()}).contains_points({place_code})"
            how += "" if on_paper else f' & (galaxy_of == "{event["area"]}")'
        else:
            apart = np.where(inside, np.linalg.norm(at - event["at"], axis=1), np.inf)
            group = int(labels[apart.argmin()])
            found, how = labels == group, f"labels == {group}"
        if event.get("more") and self.selected.any():
            found, how = found | self.selected, f"({self.how}) | ({how})"
        self.select(found, how)

    def keep(self, name: str) -> str:
        """Keep the selection under a name.

        Raises
        ------
        ValueError
            If there is no name, another selection has it, or nothing is selected.
        """
        name = str(name).strip()
        if not name:
            raise ValueError("Give the selection a name first, in the field on the left.")
        if name in ("pixel_id", "galaxy", "x", "y", "group"):
            raise ValueError(f"The table has a column {name} already: take another name.")
        if not self.selected.any():
            raise ValueError("Nothing is selected: draw a lasso, or click a group.")
        if not np.array_equal(self.kept.get(name, self.selected), self.selected):
            raise ValueError(f"Another selection is called {name}: take another name.")
        self.kept[name] = self.selected.copy()
        return f"Kept: {', '.join(f'{n} ({np.sum(s)})' for n, s in self.kept.items())}."

    def table(self) -> pd.DataFrame:
        """A row for each pixel: where it is, its group, and for each kept name whether it is in."""
        frame, place, galaxy_of = pixels()
        labels = _groups(self.controls["method"].value, self.controls["value"].value)
        columns = {
            "galaxy": galaxy_of, "x": np.asarray(place["x"]), "y": np.asarray(place["y"]),
            "group": labels,
        }  # fmt: skip
        return pd.DataFrame(columns | self.kept, index=frame.index)

    def export(self, folder: str | Path = ".") -> str:
        """Write the table as CSV, whole or not at all, beside those that were written before.

        Raises
        ------
        ValueError
            If nothing was kept.
        OSError
            If the file cannot be written.
        """
        if not self.kept:
            raise ValueError("Nothing is kept yet: select, name and keep something first.")
        names = (f"{FILE}{'' if k == 1 else f'-{k}'}.csv" for k in count(1))
        path = next(Path(folder) / name for name in names if not (Path(folder) / name).exists())
        unfinished = path.with_name(path.name + ".part")
        try:
            self.table().to_csv(unfinished)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        return f"Written: {path.name}, a row for each of the {len(self.selected)} pixels."

    def _say(self, act, *given) -> None:
        try:
            said = act(*given)
        except (ValueError, OSError) as error:
            said = str(error)
        self.said.value = html.escape(said)
