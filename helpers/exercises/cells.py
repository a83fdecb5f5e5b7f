"""Write the tasks and their stubs into the notebooks: ``python course.py exercises``.

Where an exercise stands in its notebook is marked by a tag that two of its cells carry, one of
Markdown and one of code: ``exercise-4.2``. What stands in them comes from the exercise's module,
and so do the tables of the teacher's pack, which are written as well (see `teaching`).
"""

import json
import sys
from pathlib import Path

from helpers.exercises import teaching
from helpers.exercises.exercise import MODULES, Exercise, exercises

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def cells_of(notebook: dict, exercise: Exercise) -> tuple[dict, dict]:
    """The two cells of an exercise, the task's and the stub's.

    Raises
    ------
    ValueError
        If the notebook has not just one of each.
    """
    tag = f"exercise-{exercise.number}"
    found = [cell for cell in notebook["cells"] if tag in cell["metadata"].get("tags", [])]
    if [cell["cell_type"] for cell in found] != ["markdown", "code"]:
        raise ValueError(
            f"Exercise {exercise.number} needs one Markdown cell and, below it, one code cell with "
            f"the tag {tag}; {len(found)} cells have it."
        )
    return tuple(found)


def fill(notebook: dict, listed: tuple[Exercise, ...], *, solved: bool = False) -> dict:
    """Put the tasks and stubs, or the solutions in the stubs' place, into a notebook's cells.

    Parameters
    ----------
    notebook : dict
        The content of a notebook file; it is changed.
    listed : tuple of Exercise
    solved : bool
        Put in the solutions.

    Returns
    -------
    dict
        The same notebook.

    Raises
    ------
    ValueError
        If an exercise has no cells, or cells carry the tag of an exercise that is not listed.
    """
    known = {f"exercise-{exercise.number}" for exercise in listed}
    for cell in notebook["cells"]:
        for tag in cell["metadata"].get("tags", []):
            if tag.startswith("exercise-") and tag not in known:
                raise ValueError(f"A cell has the tag {tag}, but there is no such exercise.")
    for exercise in listed:
        task, stub = cells_of(notebook, exercise)
        task["source"] = exercise.markdown().splitlines(keepends=True)
        code = exercise.code(exercise.solution if solved else None)
        stub["source"] = code.splitlines(keepends=True)
    return notebook


def main() -> int:
    """Write the cells of every notebook and the teacher's tables; say what is missing."""
    failed = 0
    for number in range(len(MODULES)):
        path = next(NOTEBOOKS.glob(f"{number:02}_*.ipynb"))
        notebook = json.loads(path.read_text(encoding="utf-8"))
        try:
            fill(notebook, exercises(number))
        except ValueError as error:
            print(f"{path.name}: {error}")
            failed += 1
            continue
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        if text.encode("utf-8") != path.read_bytes():
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{path.name}: written")
    try:
        if teaching.write():
            print(f"{teaching.PACK.name}: written")
    except ValueError as error:
        print(f"{teaching.PACK.name}: {error}")
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
