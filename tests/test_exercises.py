"""Each exercise can be solved, knows the mistakes it names, and answers anything kindly."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import astropy.units as u
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

from helpers.exercises.cells import NOTEBOOKS, cells_of, fill
from helpers.exercises.desk import grade
from helpers.exercises.exercise import MODULES, Exercise, Mistake, exercises, find

AT_ONCE = 2
ALL = [exercise for notebook in range(len(MODULES)) for exercise in exercises(notebook)]
BOOKS = [next(NOTEBOOKS.glob(f"{number:02}_*.ipynb")) for number in range(len(MODULES))]

each_exercise = pytest.mark.parametrize("exercise", ALL, ids=lambda one: one.number)
each_notebook = pytest.mark.parametrize("number", range(len(MODULES)), ids=MODULES)


# ------------------------------------------------------------------------------------ their form


@each_notebook
def test_a_notebook_has_tasks_and_questions(number: int) -> None:
    listed = exercises(number)
    names = [one.number for one in listed]
    assert len(set(names)) == len(names)
    assert {name.split(".")[0] for name in names} == {str(number)}
    assert sum(not one.is_question for one in listed) >= 3
    assert sum(one.is_question for one in listed) >= 2
    assert any("break" in one.title for one in listed), "one exercise asks to break the tool"
    assert any("open" in one.title for one in listed), "one exercise is open-ended"
    assert any(one.predicts for one in listed), "one exercise asks for a prediction first"


def test_a_question_is_not_answered_by_the_look_of_its_choices() -> None:
    longest, letters = [], []
    for one in ALL:
        if one.is_question:
            choices = dict(re.findall(r"^- \*\*(\w)\*\* (.*)$", one.task, re.M))
            right = one.solution.removeprefix('answer = "')[0]
            longest.append(max(choices, key=lambda letter: len(choices[letter])) == right)
            letters.append(right)
    assert len(letters) >= 16 and sum(longest) <= len(longest) / 3
    assert max(letters.count(letter) for letter in letters) < len(letters) / 2


@each_notebook
def test_the_notebook_holds_what_the_module_says(number: int) -> None:
    text = BOOKS[number].read_text(encoding="utf-8")
    filled = fill(json.loads(text), exercises(number))
    assert json.dumps(filled, indent=1, ensure_ascii=False) + "\n" == text, (
        "run: python course.py exercises"
    )
    order = re.findall(r'"exercise-(\d\.\w+)"', text)
    assert order[::2] == [one.number for one in exercises(number)], "the module has another order"


@each_notebook
def test_the_time_for_the_exercises_is_in_the_header(number: int) -> None:
    header = nbformat.read(BOOKS[number], as_version=4).cells[0].source
    line = next(line for line in header.splitlines() if line.startswith("**Your time:**"))
    tasks = sum(one.minutes for one in exercises(number) if not one.is_question)
    thoughts = sum(one.minutes for one in exercises(number) if one.is_question)
    assert f"{tasks} of tasks, {thoughts} of thinking" in line, (tasks, thoughts)


@each_exercise
def test_an_exercise_is_complete(exercise: Exercise) -> None:
    assert find(exercise.number) is exercise
    assert len(exercise.hints) == 3 and all(hint.strip() for hint in exercise.hints)
    assert 1 <= exercise.minutes <= 30
    assert exercise.task.strip() and exercise.reason.strip()
    assert exercise.mistakes, "each exercise knows at least one typical mistake"
    says = [mistake.says for mistake in exercise.mistakes]
    assert len(set(says)) == len(says), "each mistake has a message of its own"
    assert exercise.predicts == ("prediction = " in exercise.stub)
    assert exercise.predicts == ("prediction = " in exercise.solution)
    for code in (exercise.code(), exercise.code(exercise.solution)):
        assert code.count("\n") < 30


# --------------------------------------------------------------------------------- being solved


def with_mistakes(number: int) -> nbformat.NotebookNode:
    """The notebook with the solutions in the stubs' place, and the mistakes below each."""
    book = fill(
        json.loads(BOOKS[number].read_text(encoding="utf-8")), exercises(number), solved=True
    )
    for exercise in exercises(number):
        _, stub = cells_of(book, exercise)
        place = book["cells"].index(stub) + 1
        for mistake in reversed(exercise.mistakes):
            book["cells"].insert(place, mistaken(exercise, mistake))
    return nbformat.reads(json.dumps(book), as_version=4)


def mistaken(exercise: Exercise, mistake: Mistake) -> dict:
    """A cell that hands in a mistake, and leaves the notebook's names as they are."""
    lines = (
        "_names = dict(globals())",
        f"exec({mistake.code!r}, _names)",
        f"_answers = eval({f'({exercise.answer},)'!r}, _names)",
        f'check("{exercise.number}", *_answers, prediction="a mistake")',
        "del _names, _answers",
    )
    metadata = {"mistake": mistake.says, "exercise": exercise.number}
    return nbformat.v4.new_code_cell("\n".join(lines), metadata=metadata)


def run(number: int, progress: Path) -> nbformat.NotebookNode:
    """Run it to the end; a cell that fails keeps its traceback."""
    book = with_mistakes(number)
    folder = {"metadata": {"path": str(NOTEBOOKS)}}
    client = NotebookClient(book, timeout=600, resources=folder, allow_errors=True)
    environment = os.environ | {"PHANGS_COURSE_PROGRESS": str(progress)}
    environment.pop("MPLBACKEND", None)
    return asyncio.run(client.async_execute(env=environment))  # closes its loop, in any thread


@pytest.fixture(scope="module")
def solved(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[dict[int, Future]]:
    """The solved notebooks that are asked for, each run once, two at a time."""
    wanted = {
        item.callspec.params["number"]
        for item in request.session.items
        if getattr(item, "originalname", "").startswith("test_solved")
    }
    folder = tmp_path_factory.mktemp("learner")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            number: pool.submit(run, number, folder / f"{number}.json") for number in sorted(wanted)
        }
        pool.shutdown(cancel_futures=True)


def printed(cell: nbformat.NotebookNode) -> str:
    streams = [out.text for out in cell.outputs if out.output_type == "stream"]
    errors = ["\n".join(out.traceback[-3:]) for out in cell.outputs if out.output_type == "error"]
    return "".join(streams + errors)


@each_notebook
def test_solved_with_its_own_solutions_every_check_passes(number: int, solved: dict) -> None:
    book = solved[number].result()
    failed = [
        printed(cell)
        for cell in book.cells
        if cell.cell_type == "code" and any(out.output_type == "error" for out in cell.outputs)
    ]
    assert not failed, "\n".join(failed)
    for exercise in exercises(number):
        _, stub = cells_of(book, exercise)
        good = "noted" if exercise.is_open else "right"
        assert f"{exercise.number}: {good}. " in printed(stub), printed(stub)


@each_notebook
def test_solved_or_not_each_mistake_gets_its_own_message(number: int, solved: dict) -> None:
    book = solved[number].result()
    cells = [cell for cell in book.cells if "mistake" in cell.metadata]
    assert len(cells) == sum(len(exercise.mistakes) for exercise in exercises(number))
    for cell in cells:
        name, says = cell.metadata["exercise"], cell.metadata["mistake"]
        assert f"{name}: not yet. " in printed(cell), (name, cell.source, printed(cell))
        assert says in printed(cell), (name, says, printed(cell))
        others = [other for other in cells if other.metadata["exercise"] == name]
        told = [says for other in others if says in printed(other)]
        assert len(told) == 1, f"{name}: {says!r} is said of {len(told)} mistakes"


# ----------------------------------------------------------------------------------------- junk


class Unspeakable:
    """An object that cannot be shown, compared or counted."""

    def __repr__(self):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None


JUNK = {
    "None": None,
    "a string": "?",
    "bytes": b"?",
    "NaN": float("nan"),
    "infinity": float("inf"),
    "a negative number": -12345.678,
    "a truth value": True,
    "a complex number": 1j,
    "temperature": 3 * u.K,
    "an empty list": [],
    "a ragged list": [[1, 2], [3]],
    "words in a list": ["a", "b"],
    "the wrong shape": np.zeros((3, 5)),
    "a huge array": np.zeros(30_000_000),
    "NaNs": np.full(1000, np.nan),
    "a masked array": np.ma.masked_all(1000),
    "objects": np.array([None, "x", 3], dtype=object),
    "a dictionary": {"a": 1},
    "a set": {1, 2},
    "a frame": pd.DataFrame({"a": [1.0, None]}),
    "a function": len,
    "a type": int,
    "unspeakable": Unspeakable(),
}


@each_exercise
def test_junk_gets_a_kind_sentence(exercise: Exercise) -> None:
    figure = plt.figure()
    try:
        for name, junk in {**JUNK, "a figure": figure, "axes": figure.add_subplot()}.items():
            answers = [junk] * len(exercise.answer.split(","))
            right, says = grade(exercise, *answers)
            assert not right, f"{name} was taken for an answer: {says}"
            assert "could not be read as an answer" not in says, f"{name} was not foreseen: {says}"
            assert 20 < len(says) < 700 and re.search(r"[.)?]$", says), f"{name}: {says}"
    finally:
        plt.close(figure)


@each_exercise
def test_too_many_answers_get_the_call_as_it_should_be(exercise: Exercise) -> None:
    right, says = grade(exercise, *["?"] * 7)
    assert not right and exercise.call in says
