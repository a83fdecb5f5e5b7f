"""The feature explorer of notebook 03: any two features, all correlations, and who stands in."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from helpers.widgets.explorer import Explorer, Scene, lines
from helpers.widgets.table import LOAD, label

NOTHING = "nothing"


class FeatureScene(Scene):
    """The correlation matrix, two features coloured by a third, and what each loss costs.

    Parameters
    ----------
    frame : DataFrame
        The features, a row a pixel.
    dropped : DataFrame
        By feature (names without ``log_``) ``shuffled`` and ``dropped``, losses of R², and
        ``stands in``, as in section 12 of notebook 03.
    """

    def __init__(self, frame: pd.DataFrame, dropped: pd.DataFrame):
        figure = plt.figure(figsize=(9.2, 6.4), layout="none")
        plt.close(figure)
        self.matrix = figure.add_axes((0.14, 0.19, 0.45, 0.78))
        self.pair = figure.add_axes((0.685, 0.58, 0.22, 0.39))
        self.shade = figure.add_axes((0.915, 0.58, 0.012, 0.39))
        self.losses = figure.add_axes((0.76, 0.09, 0.225, 0.37))
        parts = {"matrix": (0, 0.605, 0, 1), "pair": (0.605, 1, 0.485, 1)}
        super().__init__(figure, parts | {"losses": (0.605, 1, 0, 0.485)})
        self.frame, self.table = frame, dropped
        self.r = frame.corr()
        names = [name.removeprefix("log_") for name in frame]
        options = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1, "origin": "upper", "aspect": "auto"}
        self.cells = self.matrix.imshow(self.r, **options)
        for (row, column), value in np.ndenumerate(self.r.values):
            ink = "w" if abs(value) > 0.7 else "k"
            style = {"ha": "center", "va": "center", "size": 6.5, "color": ink}
            self.matrix.text(column, row, f"{value:.2f}".replace("0.", "."), **style)
        self.matrix.set_xticks(range(len(names)), names, rotation=90, size=9)
        self.matrix.set_yticks(range(len(names)), names, size=9)
        ring = {"mfc": "none", "mec": "k", "mew": 2.5, "ms": 17, "zorder": 9, "ls": ""}
        self.moving = self.matrix.plot([], [], "s", **ring)
        self.points = self.pair.scatter(*np.zeros((2, len(frame))), c=frame.iloc[:, 0], s=3, lw=0)
        self.bar = figure.colorbar(self.points, cax=self.shade)
        for axes in (self.pair, self.shade):
            axes.tick_params(labelsize=9)
        self._labelled = False

    def update(self, x: str, y: str, colour: str, drop: str = NOTHING) -> None:
        before = self.looks() if self._labelled else {}
        self.x, self.y, self.colour, self.drop = x, y, colour, drop
        columns, looks = list(self.frame), self.looks()
        self.moving[0].set_data([columns.index(x)], [columns.index(y)])
        if before.get("matrix") != looks["matrix"]:
            shown = self.r.copy()
            if drop != NOTHING:
                shown.loc[drop, :] = shown.loc[:, drop] = np.nan
            self.cells.set_data(shown)
            self._losses()
        if before.get("pair") != looks["pair"]:
            self._pair()
        self._labelled = True

    def _pair(self) -> None:
        x, y, values = (self.frame[name] for name in (self.x, self.y, self.colour))
        self.points.set_offsets(np.column_stack([x, y]))
        self.points.set_array(values)
        self.points.set_clim(*values.quantile([0.02, 0.98]))
        self.pair.set(xlim=_with_margin(x), ylim=_with_margin(y))
        self.pair.set_xlabel(label(self.x), size=10)
        self.pair.set_ylabel(label(self.y), size=10)
        self.bar.set_label(label(self.colour), size=10)

    def _losses(self) -> None:
        axes, table = self.losses, self.table
        axes.clear()
        rows = np.arange(len(table))
        axes.axvline(0, color="0.6", lw=1)
        axes.barh(rows, table["shuffled"], color="0.75", label="shuffled")
        axes.plot(table["dropped"], rows, "o", color="#0072B2", ms=5, label="dropped")
        if self.drop != NOTHING:
            name = self.drop.removeprefix("log_")
            for what, hatch in ((name, "//"), (table.loc[name, "stands in"], "..")):
                row = table.index.get_loc(what)
                axes.barh(row, table["shuffled"].iloc[row], color="#E69F00", hatch=hatch)
        axes.set_yticks(rows, table.index, size=8)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("loss of R² for log CO flux", size=10)
        axes.tick_params(axis="x", labelsize=9)
        axes.legend(fontsize=8, loc="center right", frameon=True)

    def looks(self) -> dict[str, object]:
        pair = (self.x, self.y, self.colour)
        return {"matrix": self.drop, "pair": pair, "losses": self.drop}

    def words(self) -> str:
        r = self.r.loc[self.x, self.y]
        text = f"r = {r:+.2f} between {label(self.x)} and {label(self.y)}, N = {len(self.frame)}"
        if self.drop != NOTHING:
            row = self.table.loc[self.drop.removeprefix("log_")]
            text += (
                f". Without {self.drop.removeprefix('log_')} R² falls by {row['dropped']:.3f} "
                f"(by {row['shuffled']:.3f} if it is only shuffled): {row['stands in']} stands in"
            )
        return text + "."

    def code(self) -> str:
        table = {
            column: [
                value if isinstance(value, str) else round(float(value), 4) for value in values
            ]
            for column, values in self.table[["shuffled", "dropped", "stands in"]].items()
        }
        drop = self.drop.removeprefix("log_")
        missing = stripes = ""
        if self.drop != NOTHING:
            missing = f'shown.loc["{self.drop}", :] = shown.loc[:, "{self.drop}"] = np.nan\n'
            stripes = lines(f"""
            for what, hatch in (("{drop}", "//"), (table.loc["{drop}", "stands in"], "..")):
                row = table.index.get_loc(what)
                losses.barh(row, table["shuffled"].iloc[row], color="#E69F00", hatch=hatch)
            """)
        return (
            lines("""
            import matplotlib.pyplot as plt
            import numpy as np
            import pandas as pd
            from astropy.table import vstack

            from helpers import plots
            from helpers.features import feature_table, learning_frame
            from helpers.galaxies import GALAXIES

            plots.set_style()
            """)
            + LOAD
            + lines(f"""
            table = pd.DataFrame(  # of section 12: losses of R² for log CO flux
                {table},
                index={list(self.table.index)},
            )
            figure = plt.figure(figsize=(9.2, 6.4), layout="none")
            matrix = figure.add_axes((0.14, 0.19, 0.45, 0.78))
            r = frame.corr()
            shown = r.copy()
            """)
            + missing
            + lines(f"""
            options = {{"cmap": "RdBu_r", "vmin": -1, "vmax": 1, "origin": "upper"}}
            matrix.imshow(shown, aspect="auto", **options)
            for (row, column), value in np.ndenumerate(r.values):
                style = {{"ha": "center", "va": "center", "size": 6.5}}
                style["color"] = "w" if abs(value) > 0.7 else "k"
                matrix.text(column, row, f"{{value:.2f}}".replace("0.", "."), **style)
            names = [name.removeprefix("log_") for name in frame]
            matrix.set_xticks(range(len(names)), names, rotation=90, size=9)
            matrix.set_yticks(range(len(names)), names, size=9)
            ring = {{"mfc": "none", "mec": "k", "mew": 2.5, "ms": 17, "zorder": 9}}
            x, y, colour = "{self.x}", "{self.y}", "{self.colour}"
            matrix.plot(frame.columns.get_loc(x), frame.columns.get_loc(y), "s", **ring)

            pair = figure.add_axes((0.685, 0.58, 0.22, 0.39))
            low, high = frame[colour].quantile([0.02, 0.98])
            style = {{"s": 3, "lw": 0, "vmin": low, "vmax": high}}
            drawn = pair.scatter(frame[x], frame[y], c=frame[colour], **style)
            pair.set_xlabel("{label(self.x)}", size=10)
            pair.set_ylabel("{label(self.y)}", size=10)
            pair.tick_params(labelsize=9)
            bar = figure.colorbar(drawn, cax=figure.add_axes((0.915, 0.58, 0.012, 0.39)))
            bar.set_label("{label(self.colour)}", size=10)
            bar.ax.tick_params(labelsize=9)

            losses = figure.add_axes((0.76, 0.09, 0.225, 0.37))
            rows = np.arange(len(table))
            losses.axvline(0, color="0.6", lw=1)
            losses.barh(rows, table["shuffled"], color="0.75", label="shuffled")
            losses.plot(table["dropped"], rows, "o", color="#0072B2", ms=5, label="dropped")
            """)
            + stripes
            + lines(f"""
            losses.set_yticks(rows, table.index, size=8)
            losses.set_ylim(len(rows) - 0.5, -0.5)
            losses.set_xlabel("loss of R² for log CO flux", size=10)
            losses.tick_params(axis="x", labelsize=9)
            losses.legend(fontsize=8, loc="center right", frameon=True)
            plots.show({self.words()!r})
            """)
        )


def _with_margin(values: pd.Series) -> tuple[float, float]:
    """The limits that matplotlib itself chooses for points: 5 % more on both sides."""
    low, high = values.min(), values.max()
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


class FeatureExplorer(Explorer):
    """Click a correlation to see the pixels behind it; drop a feature to see who stands in.

    Parameters
    ----------
    frame, dropped : DataFrame
        As for `FeatureScene`.

    Raises
    ------
    ValueError
        If the table of losses is none, or is of other features.
    """

    def __init__(self, frame: pd.DataFrame, dropped: pd.DataFrame):
        names = [name.removeprefix("log_") for name in frame]
        lacking = {"shuffled", "dropped", "stands in"} - set(getattr(dropped, "columns", ()))
        if lacking or not set(dropped.index) <= set(names):
            raise ValueError(
                "The second table should hold the losses of section 12, a row a feature, with the "
                "columns shuffled, dropped and stands in."
            )
        rounded = dropped[["shuffled", "dropped"]].astype(float).round(4)
        dropped = rounded.assign(**{"stands in": dropped["stands in"]})
        wide = {"layout": {"width": "230px"}, "style": {"description_width": "55px"}}
        choices = [(label(name), name) for name in frame]
        full = {name.removeprefix("log_"): name for name in frame}
        controls = {
            "x": ipywidgets.Dropdown(
                options=choices, value="log_sii_ha", description="across", **wide
            ),
            "y": ipywidgets.Dropdown(
                options=choices, value="log_pah113_77", description="up", **wide
            ),
            "colour": ipywidgets.Dropdown(
                options=choices, value="log_ha", description="colour", **wide
            ),
            "drop": ipywidgets.Dropdown(
                options=[(NOTHING, NOTHING), *((name, full[name]) for name in dropped.index)],
                value=NOTHING, description="drop", **wide
            ),
        }  # fmt: skip
        super().__init__(
            FeatureScene(frame, dropped),
            controls,
            "Click a cell of the matrix, or move in it with the arrow keys: its two features are "
            "drawn beside it. Drop a feature to see what that costs, and who stands in.",
            keys=("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"),
        )

    def areas(self) -> dict:
        return {"matrix": (self.scene.matrix, "click")}

    def act(self, event: dict) -> None:
        columns = list(self.scene.frame)
        at = np.array([columns.index(self.controls[axis].value) for axis in ("x", "y")])
        if event["kind"] == "click":
            at = np.round(event["at"]).astype(int)
        elif event["kind"] == "key":
            step = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, -1), "Down": (0, 1)}
            at = at + step[event["key"].removeprefix("Arrow")]
        else:
            return
        column, row = np.clip(at, 0, len(columns) - 1)
        self.set(x=columns[column], y=columns[row])
