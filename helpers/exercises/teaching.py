"""Write what is known elsewhere into the teacher's pack: part of ``python course.py exercises``.

How long a notebook runs and how much memory it takes come from its header. And in
``docs/teaching.md`` a table stands between two comments, such as ``<!-- exercises 04 -->`` and
``<!-- end -->``: it says of each exercise of a notebook what many believe, and what to say.
"""

import re
from pathlib import Path

from helpers import measure
from helpers.exercises.exercise import MODULES, exercises

PACK = Path(__file__).resolve().parents[2] / "docs" / "teaching.md"

_PLACE = re.compile(r"(<!-- exercises (\d\d) -->\n).*?(<!-- end -->)", re.DOTALL)
_COST = re.compile(r"^(\| \[.+\]\(\.\./notebooks/(.+)\) \|) \d+ s \| \d+ MB \|", re.MULTILINE)
_CHOICE = re.compile(r'answer = "(\w)"')  # the solution of a question with answers to choose from


def table(notebook: int) -> str:
    """The exercises of a notebook, if it has any, as a Markdown table, and what is expected."""
    listed = exercises(notebook)
    if not listed:
        return "(This notebook has no checked exercises yet.)\n"
    lines = ["| exercise | what many believe | what to say |", "|---|---|---|"]
    for one in listed:
        cells = f"**{one.number}** {one.title}, {one.minutes} min", one.misconception, one.reply
        lines.append(f"| {' | '.join(_in_a_cell(text) for text in cells)} |")
    chosen = {one.number: _CHOICE.fullmatch(one.solution.strip()) for one in listed}
    letters = [f"{number} {found[1]}" for number, found in chosen.items() if found]
    expected = [", ".join(letters)] if letters else []
    if tasks := [number for number, found in chosen.items() if not found]:
        expected += [f'the worked solutions of the tasks: `solution("{tasks[0]}", now=True)`']
    return "\n".join([*lines, "", f"Expected: {'; '.join(expected)}.", ""])


def tables() -> dict[str, str]:
    """By notebook, ``"00"`` and on, the table of its exercises."""
    return {f"{number:02}": table(number) for number in range(len(MODULES))}


def fill(text: str) -> str:
    """The text of the pack with the tables of today in their places, and what notebooks cost.

    Raises
    ------
    ValueError
        If it has not one place for each notebook, in their order.
    """
    today = tables()
    found = [number for _, number, _ in _PLACE.findall(text)]
    if found != list(today):
        raise ValueError(
            f"There are places for the tables of {', '.join(found) or 'no notebook'}, but those of "
            f"{', '.join(today)} are expected, in this order. A place is a line "
            "<!-- exercises 04 --> and, below it, a line <!-- end -->."
        )
    text = _PLACE.sub(lambda place: f"{place[1]}\n{today[place[2]]}\n{place[3]}", text)
    return _COST.sub(_row, text)


def write() -> bool:
    """Fill the pack; return whether that changed it."""
    text = PACK.read_text(encoding="utf-8")
    filled = fill(text)
    if filled != text:
        PACK.write_text(filled, encoding="utf-8", newline="\n")
    return filled != text


def _row(found: re.Match) -> str:
    """The row of a notebook, with the seconds and the memory of its header."""
    measured = measure.read(measure.NOTEBOOKS / found[2])
    return f"{found[1]} {measured[0]} s | {measured[1]} MB |" if measured else found[0]


def _in_a_cell(text: str) -> str:
    """A text as a table's cell can hold it: in one line, without bare bars."""
    return " ".join(text.split()).replace("|", "\\|")
