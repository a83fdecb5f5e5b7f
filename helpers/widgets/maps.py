"""The map explorer of notebook 01: a map, its scale, and the histogram that the scale cuts."""

from functools import lru_cache

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import AsinhNorm, LogNorm, Normalize, PowerNorm

from helpers import survey
from helpers.galaxies import GALAXIES, one_of_them
from helpers.widgets.explorer import Explorer, Scene, lines

SCALES = ("linear", "log", "asinh", "power")


@lru_cache(4)
def _load(galaxy: str, name: str):
    sky_map = survey.native_map(galaxy, name)
    image = np.array(sky_map.data, dtype=float)
    if sky_map.mask is not None:
        image[sky_map.mask] = np.nan
    error = None if sky_map.uncertainty is None else np.asarray(sky_map.uncertainty.array)
    return image, error, f"{sky_map.unit:unicode}"


@lru_cache(4)
def levels(galaxy: str, name: str) -> tuple[float, ...]:
    """Limits to choose from, rounded, closer together where more pixels are."""
    image, error, _ = _load(galaxy, name)
    low, high = np.nanmin(image), np.nanmax(image)
    width = np.nanmedian(error) if error is not None else np.nanstd(image)
    steps = width * np.sinh(np.linspace(np.arcsinh(low / width), np.arcsinh(high / width), 161))
    rounded = sorted({float(f"{step:.2g}") for step in steps} | {0.0})
    return tuple(rounded)


class MapScene(Scene):
    """A map on the left, the histogram of its pixels on the right, with the limits in both."""

    def __init__(self):
        figure, (self.left, self.right) = plt.subplots(
            1, 2, figsize=(9.2, 4.2), layout="none", width_ratios=(1.15, 1)
        )
        plt.close(figure)
        figure.subplots_adjust(left=0.07, right=0.98, bottom=0.14, wspace=0.6)
        super().__init__(figure, {"map": (0, 0.5467, 0, 1), "histogram": (0.5467, 1, 0, 1)})
        self.left.set_facecolor("0.7")
        self.left.set(xlabel="column", ylabel="row")
        self.shown = self.left.imshow([[0.0]])
        self.bar = self.figure.colorbar(self.shown, ax=self.left)
        self._counted = None
        self._state = {}

    def update(
        self,
        galaxy: str = "NGC 7496",
        name: str = "F770W",
        scale: str = "asinh",
        limits: tuple[float, float] = (0.0, 50.0),
        cut: float = 0,
        bins: int = 100,
        log_counts: bool = True,
        log_values: bool = False,
    ) -> None:
        image, error, unit = _load(galaxy, name)
        if cut > 0 and error is None:
            raise ValueError(f"{name} of {galaxy} comes without errors: there is no S/N to cut by.")
        if cut > 0:
            with np.errstate(divide="ignore", invalid="ignore"):
                image = np.where(image / error >= cut, image, np.nan)
            if not np.isfinite(image).any():
                raise ValueError(f"No pixel of {name} has a S/N of {cut:g}: lower the cut.")
        self._state = {
            "galaxy": galaxy, "name": name, "scale": scale, "limits": limits, "cut": cut,
            "bins": bins, "log_counts": log_counts, "log_values": log_values, "unit": unit,
        }  # fmt: skip
        self.image = image
        low, high = self.low, self.high = _usable(image, scale, limits)
        self.shown.set_data(image)
        rows, columns = image.shape
        self.shown.set_extent((-0.5, columns - 0.5, -0.5, rows - 0.5))
        self.left.set(
            xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5), title=f"{galaxy}, {name}"
        )
        self.shown.set_norm(_norm(scale, low, high))
        self.bar.set_label(f"{name} [{unit}]")
        self._histogram(name, unit, bins, log_counts, log_values)

    def _histogram(self, name, unit, bins, log_counts, log_values) -> None:
        right = self.right
        key = (self._state["galaxy"], name, self._state["cut"], bins, log_counts, log_values)
        if key != self._counted:
            right.clear()
            values = self.image[np.isfinite(self.image)]
            edges = _edges(values, bins, log_values)
            right.hist(values, edges, histtype="stepfilled", color="0.6")
            right.set(xlabel=f"{name} [{unit}]", ylabel="pixels", xlim=edges[[0, -1]])
            if log_values:
                right.set_xscale("log")
            if log_counts:
                right.set_yscale("log")
            style = {"color": "#D55E00", "lw": 3, "zorder": 9}
            self.moving = [right.axvline(0, ls=dash, **style) for dash in ("-", "--")]
            self._counted = key
        for line, limit in zip(self.moving, (self.low, self.high), strict=True):
            line.set_xdata([limit, limit])

    def looks(self) -> dict[str, object]:
        s = self._state
        shown = (s["galaxy"], s["name"], s["cut"], s["scale"], self.low, self.high)
        return {"map": shown, "histogram": self._counted}

    def words(self) -> str:
        finite = self.image[np.isfinite(self.image)]
        below, above = np.mean(finite < self.low), np.mean(finite > self.high)
        parts = [
            f"{finite.size} of {self.image.size} pixels are shown",
            f"{below:.1%} lie below the lower limit and {above:.1%} above the upper one",
            f"{np.mean(finite < 0):.1%} are negative",
        ]
        if self._state["scale"] == "log":
            parts[-1] += ", which have no logarithm"
        return "; ".join(parts) + "."

    def code(self) -> str:
        s, limits = self._state, (self.low, self.high)
        norm = {
            "linear": f"Normalize({self.low!r}, {self.high!r})",
            "log": f"LogNorm({self.low!r}, {self.high!r})",
            "asinh": f"AsinhNorm({_linear_width(*limits)!r}, {limits[0]!r}, {limits[1]!r})",
            "power": f"PowerNorm(0.5, {self.low!r}, {self.high!r})",
        }[s["scale"]]
        cut = (
            "with np.errstate(divide='ignore', invalid='ignore'):\n"
            f"    image[~(image / sky_map.uncertainty.array >= {s['cut']!r})] = np.nan\n"
            if s["cut"] > 0
            else ""
        )
        space = "geomspace" if s["log_values"] else "linspace"
        first = "values[values > 0].min()" if s["log_values"] else "values.min()"
        scales = "".join(
            f'right.set_{axis}scale("log")\n'
            for axis, wanted in (("x", s["log_values"]), ("y", s["log_counts"]))
            if wanted
        )
        return (
            lines(f"""
            import matplotlib.pyplot as plt
            import numpy as np
            from matplotlib.colors import AsinhNorm, LogNorm, Normalize, PowerNorm

            from helpers import plots, survey

            plots.set_style()
            sky_map = survey.native_map("{s["galaxy"]}", "{s["name"]}")
            image = np.array(sky_map.data, dtype=float)
            if sky_map.mask is not None:
                image[sky_map.mask] = np.nan
            """)
            + cut
            + lines(f"""
            figure, (left, right) = plt.subplots(
                1, 2, figsize=(9.2, 4.2), layout="none", width_ratios=(1.15, 1)
            )
            figure.subplots_adjust(left=0.07, right=0.98, bottom=0.14, wspace=0.6)
            left.set_facecolor("0.7")
            shown = left.imshow(image, norm={norm})
            left.set(xlabel="column", ylabel="row", title="{s["galaxy"]}, {s["name"]}")
            figure.colorbar(shown, ax=left, label="{s["name"]} [{s["unit"]}]")

            values = image[np.isfinite(image)]
            edges = np.{space}({first}, values.max(), {s["bins"] + 1})
            right.hist(values, edges, histtype="stepfilled", color="0.6")
            right.set(xlabel="{s["name"]} [{s["unit"]}]", ylabel="pixels", xlim=edges[[0, -1]])
            """)
            + scales
            + lines(f"""
            right.axvline({self.low!r}, color="#D55E00", lw=3, zorder=9)
            right.axvline({self.high!r}, color="#D55E00", lw=3, ls="--", zorder=9)
            plots.show({self.words()!r})
            """)
        )


def _usable(image: np.ndarray, scale: str, limits) -> tuple[float, float]:
    """The limits, mended where the scale cannot take them."""
    low, high = sorted(map(float, limits))
    if scale == "log" and low <= 0:
        positive = image[image > 0]
        low = float(f"{positive.min():.2g}") if positive.size else 1e-3
    if not high > low:
        high = low + (abs(low) or 1.0)
    return low, high


def _linear_width(low: float, high: float) -> float:
    """Where the asinh scale turns from linear to logarithmic: a hundredth of its larger limit."""
    return float(f"{max(abs(low), abs(high)) / 100:.2g}")


def _norm(scale: str, low: float, high: float) -> Normalize:
    if scale == "log":
        return LogNorm(low, high)
    if scale == "asinh":
        return AsinhNorm(_linear_width(low, high), low, high)
    if scale == "power":
        return PowerNorm(0.5, low, high)
    return Normalize(low, high)


def _edges(values: np.ndarray, bins: int, log_values: bool) -> np.ndarray:
    if log_values and np.any(values > 0):
        return np.geomspace(values[values > 0].min(), values.max(), bins + 1)
    return np.linspace(values.min(), values.max(), bins + 1)


class MapExplorer(Explorer):
    """A map and its histogram; the limits can be pulled on the histogram itself.

    Parameters
    ----------
    galaxy, name : str
        What to begin with, as in `survey.native_map`.
    """

    def __init__(self, galaxy: str | None = None, name: str = "F770W"):
        galaxy = one_of_them("NGC 7496").name if galaxy is None else galaxy
        choose = {"layout": {"width": "190px"}, "style": {"description_width": "60px"}}
        steps = levels(galaxy, name)
        controls = {
            "galaxy": ipywidgets.Dropdown(
                options=list(GALAXIES), value=galaxy, description="galaxy", **choose
            ),
            "name": ipywidgets.Dropdown(
                options=_images(galaxy), value=name, description="map", **choose
            ),
            "scale": ipywidgets.Dropdown(
                options=SCALES, value="asinh", description="scale", **choose
            ),
            "limits": ipywidgets.SelectionRangeSlider(
                options=[(f"{step:g}", step) for step in steps],
                index=_usual(galaxy, name),
                description="limits",
                layout={"width": "420px"},
                style={"description_width": "60px"},
            ),
            "cut": ipywidgets.FloatSlider(
                0, min=0, max=10, step=0.5, description="S/N at least", readout_format=".1f",
                layout={"width": "300px"}, style={"description_width": "90px"},
            ),
            "bins": ipywidgets.IntSlider(
                100, min=10, max=300, step=10, description="bins", layout={"width": "260px"},
                style={"description_width": "40px"},
            ),
            "log_counts": ipywidgets.Checkbox(True, description="log counts", indent=False),
            "log_values": ipywidgets.Checkbox(False, description="log values", indent=False),
        }  # fmt: skip
        for name in ("log_counts", "log_values"):
            controls[name].layout.width = "110px"
        for name in ("galaxy", "name"):
            controls[name].observe(self._another_map, "value")
        self._pulled = 0
        super().__init__(
            MapScene(),
            controls,
            "Pull a limit on the histogram, or use the slider: tab to it, arrow keys, shift+tab "
            "back. In the picture, left and right move the lower limit, with shift the upper one.",
            keys=("ArrowLeft", "ArrowRight"),
        )

    def _another_map(self, change) -> None:
        if self._quiet:
            return
        galaxy, name = self.controls["galaxy"].value, self.controls["name"].value
        with self.quietly():
            names = _images(galaxy)
            self.controls["name"].options = names
            self.controls["name"].value = name = name if name in names else names[0]
            limits = self.controls["limits"]
            limits.options = [(f"{step:g}", step) for step in levels(galaxy, name)]
            limits.index = _usual(galaxy, name)

    def areas(self) -> dict:
        return {"histogram": (self.scene.right, "drag")}

    def act(self, event: dict) -> None:
        slider = self.controls["limits"]
        steps = [step for _, step in slider.options]
        index = list(slider.index)
        if event["kind"] == "key":
            which = int(event["more"])
            index[which] += 1 if event["key"] == "ArrowRight" else -1
        else:
            nearest = int(np.argmin(np.abs(np.array(steps) - event["at"][0])))
            if event.get("first"):
                pixel = self.scene.right.transData.transform
                apart = [
                    abs(pixel((steps[i], 1))[0] - pixel((event["at"][0], 1))[0]) for i in index
                ]
                self._pulled = int(np.argmin(apart))
            index[self._pulled] = nearest
        index = np.clip(index, 0, len(steps) - 1)
        if index[0] < index[1]:
            slider.index = tuple(int(i) for i in index)


def _images(galaxy: str) -> list[str]:
    """The maps of a galaxy that are shipped at their telescope's own resolution."""
    return list(survey.available(galaxy))


def _usual(galaxy: str, name: str) -> tuple[int, int]:
    """The limits to begin with: the faintest percent is cut off, and the brightest half percent."""
    image = _load(galaxy, name)[0]
    steps = np.array(levels(galaxy, name))
    low, high = np.searchsorted(steps, np.nanpercentile(image, [1, 99.5]))
    return int(low), int(min(max(high, low + 1), len(steps) - 1))
