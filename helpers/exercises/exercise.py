"""What an exercise is, and where to find one by its number."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass

MODULES = (
    "start_here",
    "inspect_maps",
    "common_resolution",
    "features",
    "rf_distance",
    "umap",
    "clustering",
    "interpretation",
)
"""The module with the exercises of each notebook, from 00 on."""


class Wrong(Exception):
    """An answer is not right. The message says what is the matter and what to look at next."""


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners are known to give.

    Attributes
    ----------
    code : str
        Lines that give the wrong answer to the names that the exercise checks. They run in the
        notebook, after the solution.
    says : str
        Words of the message that this mistake gets, and no other mistake of the exercise.
    """

    code: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """A task, and all that belongs to it.

    Attributes
    ----------
    number : str
        ``"4.2"`` is the second task of notebook 04, ``"4.A"`` its first question to think about.
    title : str
        A few words: "warm-up", "break the tool".
    minutes : int
        What a learner needs, reading included.
    task : str
        Markdown: what to do, in plain words.
    stub : str
        Code that a learner changes. It runs untouched; what is to be filled in is ``...``.
    answer : str
        What the stub hands to `check`: names that it defines, separated by commas.
    hints : tuple of str
        Three, from a nudge to nearly the answer.
    solution : str
        The stub, filled in.
    reason : str
        Markdown: why this is the answer.
    misconception : str
        For the teacher: what many believe before they do it, as they would say it.
    reply : str
        For the teacher: what to say, or to let them do, when it appears.
    checker : callable
        Takes the answers; returns the sentence that a right answer gets; raises `Wrong`.
    mistakes : tuple of Mistake
    predicts : bool
        Whether the stub has a ``prediction``, a sentence to be written first.
    is_open : bool
        Whether no answer is *the* right one: what fits the task is noted, not called right.
    """

    number: str
    title: str
    minutes: int
    task: str
    stub: str
    answer: str
    hints: tuple[str, str, str]
    solution: str
    reason: str
    misconception: str
    reply: str
    checker: Callable[..., str]
    mistakes: tuple[Mistake, ...] = ()
    predicts: bool = False
    is_open: bool = False

    @property
    def is_question(self) -> bool:
        """Whether it is a question to think about, "4.A", and no task, "4.1"."""
        return not self.number[-1].isdigit()

    @property
    def heading(self) -> str:
        """For instance ``Task 4.2 · break the tool, 7 minutes``."""
        kind = "Think" if self.is_question else "Task"
        unit = "minute" if self.minutes == 1 else "minutes"
        return f"{kind} {self.number} · {self.title}, {self.minutes} {unit}"

    @property
    def call(self) -> str:
        """The line of code that checks the answers."""
        prediction = ", prediction=prediction" if self.predicts else ""
        return f'check("{self.number}", {self.answer}{prediction})'

    def markdown(self) -> str:
        """The text of the notebook's cell with the task."""
        return f"### {self.heading}\n\n{self.task.strip()}"

    def code(self, body: str | None = None) -> str:
        """The code of the notebook's cell under the task, with other code in the stub's place."""
        return f"{(body or self.stub).strip()}\n\n{self.call}"


def question(
    *,
    number: str,
    title: str,
    minutes: int,
    task: str,
    choices: dict[str, tuple[str, str]],
    right: str,
    hints: tuple[str, str, str],
    misconception: str,
    reply: str,
) -> Exercise:
    """Make a question to think about, with answers to choose from.

    Parameters
    ----------
    number, title, minutes, hints, misconception, reply
        As in `Exercise`.
    task : str
        Markdown: the question. The choices are put under it.
    choices : dict of str to (str, str)
        By letter, the answer that can be chosen and what is said of it: why it is right, or what
        is wrong with it.
    right : str
        The letter of the right one.
    """
    listed = "\n".join(f"- **{letter}** {text}" for letter, (text, _) in choices.items())
    letters = ", ".join(f'"{letter}"' for letter in choices)

    def checker(answer) -> str:
        letter = answer.strip().strip("()\"'.").lower() if isinstance(answer, str) else answer
        if not isinstance(letter, str) or letter not in choices:
            raise Wrong(f"The answer is one letter in quotes, one of {letters}.")
        feedback = choices[letter][1]
        if letter != right:
            raise Wrong(feedback)
        return feedback

    return Exercise(
        number=number,
        title=title,
        minutes=minutes,
        task=f"{task.strip()}\n\n{listed}",
        stub=f"answer = ...  # one of {letters}",
        answer="answer",
        hints=hints,
        solution=f'answer = "{right}"',
        reason=choices[right][1],
        misconception=misconception,
        reply=reply,
        checker=checker,
        mistakes=tuple(
            Mistake(f'answer = "{letter}"', says)
            for letter, (_, says) in choices.items()
            if letter != right
        ),
    )


def exercises(notebook: int) -> tuple[Exercise, ...]:
    """The exercises of a notebook, by its number, in their order."""
    module = importlib.import_module(f"helpers.exercises.{MODULES[notebook]}")
    return module.EXERCISES


def find(number: str) -> Exercise:
    """The exercise of a number.

    Raises
    ------
    KeyError
        If there is none; the message lists those of the same notebook.
    """
    wanted = str(number).strip().upper()
    found = re.fullmatch(r"(\d)\.(\d+|[A-Z])", wanted)
    if found is None or int(found[1]) >= len(MODULES):
        raise KeyError(
            f"{number!r:.40} is not the number of an exercise. Give it in quotes as it stands in "
            'the heading, such as "4.2" or "4.A".'
        )
    here = {exercise.number: exercise for exercise in exercises(int(found[1]))}
    if wanted not in here:
        raise KeyError(
            f"There is no exercise {wanted}. Notebook 0{found[1]} has: {', '.join(here)}."
        )
    return here[wanted]
