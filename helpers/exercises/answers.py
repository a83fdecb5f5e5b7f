"""Read what learners hand in: what it should be, or a sentence that says what it is instead.

Each function takes an answer and what it is called in the task, and raises `exercise.Wrong` with
a sentence if the answer is something else. None of them changes the answer.
"""

import reprlib
from collections.abc import Iterable

import numpy as np
import pandas as pd

from helpers.exercises.exercise import Wrong

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def in_words(answer) -> str:
    """What an answer is, in a few words, however large or strange it is."""
    if isinstance(answer, np.ndarray | pd.DataFrame | pd.Series) and np.ndim(answer):
        return f"{type(answer).__name__} of shape {np.shape(answer)}"
    return " ".join(_SHORT.repr(answer).split())


def array(answer, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Finite numbers of this shape, as floats."""
    wanted = f"an array of shape {shape}"
    if isinstance(answer, str | bytes | dict | set) or not np.iterable(answer):
        raise Wrong(f"{name} is {in_words(answer)}, but {wanted} is expected.")
    try:
        if np.iscomplexobj(answer):
            raise TypeError
        if np.ma.isMaskedArray(answer):
            answer = np.ma.filled(answer.astype(float), np.nan)
        found = np.shape(answer)
        values = np.asarray(answer, dtype=float) if found == shape else None
    except (TypeError, ValueError):
        raise Wrong(f"{name} is {in_words(answer)}, but {wanted} is expected.") from None
    if values is None:
        raise Wrong(f"{name} has the shape {found}, but {shape} is expected.")
    if not np.all(np.isfinite(values)):
        raise Wrong(
            f"{name} holds {np.sum(~np.isfinite(values))} values that are NaN or infinite; all "
            "should be numbers."
        )
    return values


def words(answer, name: str, at_least: int = 5) -> str:
    """A text of some words."""
    if not isinstance(answer, str):
        raise Wrong(f"{name} is {in_words(answer)}, but words in quotes are expected.")
    found = len(answer.split())
    if found < at_least:
        raise Wrong(
            f"{name} has {found} words. Write a sentence ({at_least} words or more): what can be "
            "said aloud has been understood."
        )
    return answer


def one_of(answer, name: str, allowed: Iterable[str]) -> str:
    """One of some names, however it is capitalised."""
    allowed = list(allowed)
    by_name = {option.casefold(): option for option in allowed}
    if not isinstance(answer, str) or answer.strip().casefold() not in by_name:
        raise Wrong(f"{name} is {in_words(answer)}, but one of {', '.join(allowed)} is expected.")
    return by_name[answer.strip().casefold()]
