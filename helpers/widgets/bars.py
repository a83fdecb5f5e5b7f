"""Progress bars for a notebook: of files that come, and of maps that are brought to 150 pc."""

import threading
import time

import ipywidgets


class Bars(ipywidgets.VBox):
    """A bar for each file that comes, and one for all maps that are built.

    For ``progress=`` of `helpers.archives.fetch` and `helpers.build.build`. It shows itself when
    it is given to ``display``; what it says stands in words beside each bar.

    Parameters
    ----------
    every : float
        Seconds between two changes of a bar: files tell more often than a browser wants to know.

    Examples
    --------
    >>> display(bars := Bars())  # doctest: +SKIP
    >>> archives.fetch(archives.plan("ngc7496"), progress=bars)  # doctest: +SKIP
    """

    def __init__(self, every: float = 0.2):
        super().__init__()
        self.every = every
        self._rows: dict[str, ipywidgets.HBox] = {}
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()  # files come in threads

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Say how much of something is done, in bytes or in maps; None is an unknown total."""
        with self._lock:
            now, words = time.monotonic(), f"{name}: {_amount(done, total)}"
            if "." not in name:  # no file, but a map: they are built one after another
                name, words = "maps", f"maps, now {name}: {done} of {total}"
            if done != total and now < self._next.get(name, 0):
                return
            self._next[name] = now + self.every
            if name not in self._rows:
                bar = ipywidgets.FloatProgress(min=0, max=1, layout={"width": "200px"})
                self._rows[name] = ipywidgets.HBox([bar, ipywidgets.Label()])
                self.children = (*self.children, self._rows[name])
            bar, label = self._rows[name].children
            bar.value = done / total if total else 0
            label.value = words


def _amount(done: int, total: int | None) -> str:
    if total is None:
        return f"{done / 1e6:.1f} MB"
    return f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"
