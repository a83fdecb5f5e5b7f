"""What a learner has done, in one small file of their own.

The file is plain JSON in the learner's home folder, outside the course, so that an update of the
course does not touch it. The variable ``PHANGS_COURSE_PROGRESS`` names another place. Nothing
leaves the machine.
"""

import errno
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.exercises.exercise import MODULES, exercises

NAME = "phangs-course-progress.json"
VERSION = 1
STATES = ("", "tried", "shown", "done")
"""From least to most: at most hints were given; an answer was checked; the solution was seen; an
answer was right."""

_IN_WORDS = {"shown": "solution seen", "tried": "tried"}
_WHAT = "Your progress in the course on unsupervised learning with the PHANGS galaxies."
_NEW = {"state": "", "tries": 0, "hints": 0, "answer": "", "prediction": ""}


class Trouble(Exception):
    """A progress file cannot be read or written. The message is for the learner."""


class Progress:
    """The learner's progress: call it to see it, `save` it before you go, `load` it elsewhere.

    Parameters
    ----------
    path : Path or None
        The file; by default the one of this learner.
    """

    def __init__(self, path: Path | None = None):
        self._path = path
        self._here: dict[str, dict] = {}  # what this kernel knows, also if no file can be written

    @property
    def path(self) -> Path:
        """The file, whether or not it is there yet."""
        named = self._path or os.environ.get("PHANGS_COURSE_PROGRESS")
        return Path(named).expanduser() if named else Path.home() / NAME

    def entry(self, number: str) -> dict:
        """What is known of an exercise; of one that was never tried, the same with zeros.

        Returns
        -------
        dict
            ``state`` (one of `STATES`), ``tries``, ``hints`` that were
            given, and the last ``answer`` and ``prediction`` in words.
        """
        return self.entries().get(number, _NEW)

    def entries(self) -> dict[str, dict]:
        """What is known of each exercise that was tried; a file that cannot be read is empty."""
        try:
            kept = _sound(_read(self.path)["exercises"])
        except Trouble:
            kept = {}
        return merged(kept, self._here)

    def change(self, number: str, edit: Callable[[dict], dict]) -> str:
        """Change what is known of one exercise, and keep it.

        Parameters
        ----------
        number : str
        edit : callable
            Takes a copy of the entry and returns the new one.

        Returns
        -------
        str
            "" or, if it could not be kept on disk, a sentence that says why and what to do. This
            kernel knows it nevertheless.
        """

        before = dict(self._here)

        def put(entries: dict) -> dict:
            known = merged(_sound(entries), self._here).get(number, _NEW)
            self._here[number] = edit(dict(known))
            old = entries.get(number)
            return entries | {number: (old if isinstance(old, dict) else {}) | self._here[number]}

        try:
            return self._update(put)
        except Trouble as trouble:
            self._here = before  # the change may have been made before the writing failed
            put(self.entries())
            return str(trouble)

    def _update(self, put: Callable[[dict], dict]) -> str:
        """Read, change and write the file while no other kernel can."""
        path = self.path
        try:
            path = path.resolve()
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_name(f".{path.name}.lock"), timeout=10):
                said = ""
                try:
                    content = _read(path)
                except _Damaged as damage:
                    aside = _aside(path)
                    said = f"{damage} It is kept as {aside.name}, and a new one was begun."
                    content = _read(path)
                _write(path, content | {"exercises": put(content["exercises"])})
                return said
        except Timeout:
            raise Trouble(
                f"Another notebook is writing {path}: this was not kept there. Run the cell again."
            ) from None
        except OSError as error:
            raise Trouble(_why(error, path)) from None

    def __call__(self) -> None:
        """Print what is done in each notebook, and where it is kept."""
        known = self.entries()
        total = 0
        for notebook in range(len(MODULES)):
            in_state = {state: [] for state in STATES}
            for exercise in exercises(notebook):
                in_state[known.get(exercise.number, _NEW)["state"]].append(exercise.number)
            done = in_state["done"]
            total += len(done)
            line = f"notebook {notebook:02}: {len(done)} of {sum(map(len, in_state.values()))} done"
            line += f" ({', '.join(done)})" if done else ""
            for state, words in _IN_WORDS.items():
                if in_state[state]:
                    line += f"; {words}: {', '.join(in_state[state])}"
            print(line)
        print(f"{total} done in all. ", end="")
        try:
            _read(self.path)
            print(f"{'Kept' if self.path.exists() else 'Will be kept'} in {self.path}")
        except Trouble as trouble:
            print(trouble)

    def save(self, folder: str | Path = ".") -> None:
        """Write a copy of the progress to take away, into the present folder or another.

        On Binder do this before you leave, and download the file: right-click it in the file
        browser, Download. On any machine `load` brings it back.
        """
        target = Path(folder).expanduser() / NAME
        try:
            if target.resolve() == self.path.resolve():
                print(f"Your progress is in {target} already: copy or download that file.")
                return
            kept = _sound(_read(target)["exercises"])
            _write(target, _fresh() | {"exercises": merged(kept, self.entries())})
        except (Trouble, OSError) as error:
            said = _why(error, target) if isinstance(error, OSError) else f"{error}"
            print(f"Nothing was saved. {said}")
            return
        print(
            f"Saved {len(self.entries())} exercises in {target.resolve()}. To take the file along, "
            "right-click it in the file browser on the left and choose Download; "
            f'elsewhere, progress.load("{NAME}") brings it back.'
        )

    def load(self, file: str | Path) -> None:
        """Add what another progress file knows; what is done in either is done."""
        file = Path(file).expanduser()
        try:
            if not file.is_file():
                raise Trouble(
                    f"There is no file {file} (looked for in {Path.cwd()}). Put it there by "
                    "dragging it into the file browser, or give its whole path."
                )
            brought = _sound(_read(file)["exercises"])
        except (Trouble, OSError) as error:
            print(f"Not loaded: {_why(error, file) if isinstance(error, OSError) else error}")
            return
        self._here = merged(self._here, brought)
        try:
            said = self._update(lambda entries: entries | merged(_sound(entries), self._here))
        except Trouble as trouble:
            said = f"Until this kernel ends, that is: {trouble}"
        print(f"Loaded {len(brought)} exercises from {file}. {said}".strip())


def merged(one: dict[str, dict], other: dict[str, dict]) -> dict[str, dict]:
    """What two records know together: of each exercise the further state, and no try forgotten."""
    together = dict(one)
    for number, entry in other.items():
        known = together.get(number, entry)
        further = max(known, entry, key=lambda e: (STATES.index(e["state"]), e["tries"]))
        together[number] = further | {
            key: max(known[key], entry[key]) for key in ("tries", "hints")
        }
    return together


class _Damaged(Trouble):
    pass


def _fresh() -> dict:
    return {"what": _WHAT, "version": VERSION, "exercises": {}}


def _read(path: Path) -> dict:
    """The content of a progress file; that of an empty one if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _fresh()
    except ValueError:
        raise _Damaged(f"The progress file {path} is damaged.") from None
    except OSError as error:
        raise Trouble(_why(error, path)) from None
    if not isinstance(content, dict) or not isinstance(content.get("exercises"), dict):
        raise _Damaged(f"The file {path} is no progress file, or damaged.")
    version = content.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise Trouble(
            f"The progress file {path} was written by a newer version of the course: nothing in it "
            "was changed. Update the course."
        )
    return _fresh() | content


def _sound(entries: dict) -> dict[str, dict]:
    """The entries that can be understood, with what they lack filled in."""
    sound = {}
    for number, entry in entries.items():
        if isinstance(entry, dict):
            full = _NEW | {key: entry[key] for key in _NEW if key in entry}
            if full["state"] in STATES and all(type(full[key]) is type(_NEW[key]) for key in _NEW):
                sound[number] = full
    return sound


def _write(path: Path, content: dict) -> None:
    """Write a file whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _aside(path: Path) -> Path:
    """Rename a damaged file to a name that is free."""
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    return path.rename(aside)


def _why(error: OSError, path: Path) -> str:
    full = error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", -1))
    if full:
        return (
            f"The disk is full, so this was not kept in {path} (what was there before still is): "
            "make room and run the cell again."
        )
    return (
        f"{path} cannot be read or written ({error.strerror or error}), so this was not kept "
        "there: set the variable PHANGS_COURSE_PROGRESS to a file in a folder that you may "
        "write to, and restart the kernel."
    )
