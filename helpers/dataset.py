"""Which survey a notebook looks at: the embedded one, or galaxies fetched from the archives.

On the embedded survey nothing changes. On another one a notebook stays the same, read with two
additions (IPython's input and syntax transformers, https://ipython.readthedocs.io):

- a cell that begins with ``# needs: ...`` is left out, and says so, where that is not there: the
  simulation's answer book (truth), several galaxies, a map that was not observed;
- what a cell states with ``assert`` about the embedded survey is a question to another sky: where
  it does not hold, a line says so, and the notebook goes on.
"""

import ast
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import IPython
from astropy.table import vstack

from helpers import survey
from helpers.embedding import read_grid
from helpers.features import feature_table, learning_frame
from helpers.galaxies import EMBEDDED, GALAXIES, SAMPLE, Galaxy, get_galaxy

MARK = "# needs:"
SEVERAL = "several galaxies"
"""What a cell may need, and fetched data may have, besides maps. ``the answer book`` and ``the
sealed universe`` belong to the embedded survey alone."""

_there: set[str] = set()  # what every chosen galaxy has, where they are not the embedded ones


def choose(*names: str, folder: str | Path = survey.FETCHED) -> None:
    """Choose what the notebook looks at, and say what that means for it.

    Parameters
    ----------
    *names : str
        ``"embedded"``, or galaxies of `helpers.galaxies.SAMPLE` that were fetched and built
        (``python data/fetch.py``).
    folder : path
        Where the fetched galaxies are.

    Raises
    ------
    ValueError
        If a galaxy is unknown, or the embedded survey was to be mixed with fetched galaxies.
    FileNotFoundError
        If a galaxy was not built; the message says how it is.
    OSError
        If what was built cannot be read. Whatever is raised, the choice of before stands.
    """
    if not names:
        raise ValueError('Choose "embedded", or galaxies that you fetched: choose("ngc1087").')
    if "embedded" in names and len(names) > 1:
        raise ValueError(
            f"The embedded survey is simulated and is not mixed with other data: choose "
            f'"embedded" alone, or without it {", ".join(n for n in names if n != "embedded")}.'
        )
    if names == ("embedded",):
        _change([SAMPLE[name] for name in EMBEDDED], survey.EMBEDDED, set())
        _transform(None)
        print(f"Data: the embedded survey, simulated: {', '.join(GALAXIES)}.")
        return
    galaxies, folder = [get_galaxy(name) for name in names], Path(folder)
    for galaxy in galaxies:
        if not (folder / f"{galaxy.key}_150pc.fits").is_file():
            raise FileNotFoundError(
                f"{galaxy.name} is not built in {folder}. In a terminal, in the course's folder: "
                f"python data/fetch.py {galaxy.key}, then python data/fetch.py build {galaxy.key}."
            )
    found = [
        {*survey.available(galaxy, folder), *survey.common_maps(galaxy, folder)}
        for galaxy in galaxies
    ]
    _change(galaxies, folder, set.intersection(*found) | ({SEVERAL} if len(found) > 1 else set()))
    _transform(_there)
    absent = [name for name in survey.MAPS if name not in _there and "150pc" not in name]
    print(
        f"Data: {', '.join(GALAXIES)}, from {folder}.\n"
        "The text between the cells, its numbers and the tasks' checks speak of the embedded, "
        "simulated survey. Where a cell states what does not hold here, a line 'Not so here' "
        "follows it; what needs the simulation's answer book is left out."
    )
    if absent:
        print(f"Not there, or not of every galaxy: {', '.join(absent)}.")


def kind() -> str:
    """What the pixels are, for a title: "simulated", or "fetched"."""
    return "simulated" if survey.is_embedded() else "fetched"


def those_there(names: Iterable[str]) -> list[str]:
    """The maps among these that every chosen galaxy has."""
    return [name for name in names if survey.is_embedded() or name in _there]


def grid():
    """The UMAP pictures of the pixels: the shipped ones, or those of the chosen galaxies.

    Returns
    -------
    helpers.embedding.EmbeddingGrid or helpers.pictures.Pictures
        Both offer ``points``, ``check``, ``distances``, ``n_neighbors``, ``min_dist``, ``seeds``.
        The second are laid out when they are asked for, and kept beside the galaxies' files.
    """
    return read_grid() if survey.is_embedded() else _pictures()


@cache
def _pictures():
    from helpers.pictures import Pictures  # what makes pictures takes seconds to import

    frame = learning_frame(vstack([feature_table(galaxy) for galaxy in GALAXIES]))
    return Pictures(frame, survey.home() / ".pictures")


def _change(galaxies: Iterable[Galaxy], folder: Path, there: set[str]) -> None:
    global _there
    _there = there
    GALAXIES.clear()
    GALAXIES.update({galaxy.name: galaxy for galaxy in galaxies})
    survey.use(folder)
    for name, module in list(sys.modules.items()):
        if name.startswith("helpers."):  # what they remember is of the survey of before
            for part in list(vars(module).values()):
                getattr(part, "cache_clear", lambda: None)()


# ------------------------------------------------------------------------------ the cells


def lacking(cell: str, there: set[str]) -> list[str]:
    """What a cell says that it needs and is not there."""
    first = cell.lstrip().partition("\n")[0]
    if not first.startswith(MARK):
        return []
    return [need for part in first[len(MARK) :].split(",") if (need := part.strip()) not in there]


class Needs:
    """An input transformer: cells that lack something print so, and do nothing else."""

    def __init__(self, there: set[str]):
        self.there = there

    def __call__(self, lines: list[str]) -> list[str]:
        missing = lacking("".join(lines), self.there)
        if not missing:
            return lines
        return [f"print({'Left out: this cell needs ' + ' and '.join(missing) + '.'!r})\n"]


class Claims(ast.NodeTransformer):
    """A syntax transformer: a statement that does not hold is told, and nothing stops."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        stated = ast.unparse(node.test)
        claim = ast.If(ast.UnaryOp(ast.Not(), node.test), [_tell("Not so here", stated)], [])
        told = [_tell("Cannot be asked here", stated)]  # it needs what was left out
        fault = ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, told)
        return ast.copy_location(ast.Try([claim], [fault], [], []), node)


def _tell(what: str, stated: str) -> ast.Expr:
    words = ast.Constant(f"{what}: {stated}")
    return ast.Expr(ast.Call(ast.Name("print", ast.Load()), [words], []))


def _transform(there: set[str] | None) -> None:
    """Read the cells that follow so; None is as usual."""
    shell = IPython.get_ipython()
    if shell is None:  # a script
        return
    for transformers in (shell.input_transformers_cleanup, shell.ast_transformers):
        transformers[:] = [one for one in transformers if not isinstance(one, Needs | Claims)]
    if there is not None:
        shell.input_transformers_cleanup.append(Needs(there))
        shell.ast_transformers.append(Claims())
