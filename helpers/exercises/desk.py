"""What a learner calls in a notebook: `check`, `hint`, `solution` and `progress`."""

import inspect

from IPython.display import display

from helpers import survey
from helpers.exercises.answers import in_words
from helpers.exercises.exercise import Exercise, Wrong, find
from helpers.exercises.progress import STATES, Progress

TRIES = 3
"""Wrong answers after which the solution may be seen."""

progress = Progress()


def grade(exercise: Exercise, *answers) -> tuple[bool, str]:
    """Whether answers are right, and what is to be said of them.

    Parameters
    ----------
    exercise : Exercise
    *answers
        Anything: whatever is wrong with them gets a sentence.
    """
    try:
        inspect.signature(exercise.checker).bind(*answers)
    except TypeError:
        came = "1 answer" if len(answers) == 1 else f"{len(answers)} answers"
        return False, f"This is the call: {exercise.call} (here with {came})."
    try:
        return True, exercise.checker(*answers)
    except Wrong as wrong:
        return False, str(wrong)
    except Exception as error:
        kind = ", ".join(in_words(answer) for answer in answers)
        return False, (
            f"This could not be read as an answer ({type(error).__name__}): {kind}. Compare it "
            "with what the task asks for: a number, a list, a name?"
        )


def check(number: str, *answers, prediction=None) -> None:
    """Check the answers to an exercise, say at once what is right or wrong, and remember it.

    Parameters
    ----------
    number : str
        As it stands in the heading of the task: ``"4.2"``.
    *answers
        As in the line that stands in the notebook.
    prediction : str, optional
        What you expected before you computed it, where the task asks for it.
    """
    if (exercise := _asked_for(number)) is None:
        return
    known = progress.entry(exercise.number)
    if not answers or any(_is_missing(answer) for answer in answers):
        print(f"{exercise.number}: nothing to check yet. Put your answer in place of the dots.")
        if known["state"] == "done":
            print(f"   (Done before; your answer was: {known['answer']})")
        return
    if not survey.is_embedded():
        print(
            f"{exercise.number}: the checks know the embedded survey alone. Choose it near the "
            "top, or let the solution tell you what to look for here."
        )
        return
    prediction = "" if prediction is None or prediction is ... else str(prediction)
    if exercise.predicts and not prediction.strip():
        print(
            f"{exercise.number}: first your prediction, please. Write into `prediction` what you "
            "expect, a word or a few, before you look: a wrong one is the best remembered."
        )
        return
    right, says = grade(exercise, *answers)

    def edit(entry: dict) -> dict:
        if not right and entry["state"] == "done":
            return entry
        entry |= {"tries": entry["tries"] + 1}
        state = max(entry["state"], "done" if right else "tried", key=STATES.index)
        told = ", ".join(in_words(answer) for answer in answers)
        guess = " ".join(prediction.split())[:300] if exercise.predicts else ""
        return entry | {"state": state, "answer": told, "prediction": guess}

    trouble = progress.change(exercise.number, edit)
    good = "noted" if exercise.is_open else "right"
    print(f"{exercise.number}: {good if right else 'not yet'}. {says}")
    if right and exercise.predicts:
        print(f'   (You had predicted: "{" ".join(prediction.split())}")')
    if not right and known["state"] == "done":
        print(f"   (It was {good} before, and stays done.)")
    elif not right:
        tries = progress.entry(exercise.number)["tries"]
        more = f' solution("{exercise.number}") shows a solution.' if tries >= TRIES else ""
        print(f'   (Try {tries}. hint("{exercise.number}") helps.{more})')
    if trouble:
        print(trouble)


def _asked_for(number: str) -> Exercise | None:
    """The exercise, or None when there is none of this number, which is then said."""
    try:
        return find(number)
    except KeyError as error:
        print(error.args[0])


def _is_missing(answer) -> bool:
    return answer is None or answer is ... or (isinstance(answer, str) and not answer.strip())


def hint(number: str) -> None:
    """Print the next of the three hints to an exercise; after the third, all of them again."""
    if (exercise := _asked_for(number)) is None:
        return
    given = progress.entry(exercise.number)["hints"]
    if given >= len(exercise.hints):
        print(f"{exercise.number}: these are all the hints.")
        for step, text in enumerate(exercise.hints, start=1):
            print(f"{step}. {text}")
        print(f'solution("{exercise.number}", now=True) shows the solution.')
        return
    trouble = progress.change(exercise.number, lambda entry: entry | {"hints": entry["hints"] + 1})
    print(f"{exercise.number}, hint {given + 1} of 3: {exercise.hints[given]}")
    if trouble:
        print(trouble)


def solution(number: str, now: bool = False) -> None:
    """Show the worked solution and the reason, after a right answer or three tries.

    Parameters
    ----------
    number : str
    now : bool
        Show it at once.
    """
    if (exercise := _asked_for(number)) is None:
        return
    known = progress.entry(exercise.number)
    if known["state"] != "done" and known["tries"] < TRIES and not now:
        left = TRIES - known["tries"]
        print(
            f"{exercise.number}: after a right answer, or {left} more "
            f"{'try' if left == 1 else 'tries'}, or with "
            f'solution("{exercise.number}", now=True).'
        )
        return

    def edit(entry: dict) -> dict:
        return entry | {"state": max(entry["state"], "shown", key=STATES.index)}

    trouble = progress.change(exercise.number, edit)
    text = f"**Solution {exercise.number}**\n\n```python\n{exercise.solution.strip()}\n```\n\n"
    text += exercise.reason.strip()
    display({"text/markdown": text, "text/plain": text}, raw=True)
    if trouble:
        print(trouble)
