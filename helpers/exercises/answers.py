"""Read what learners hand in: what it should be, or a sentence that says what it is instead.

Each function takes an answer and what it is called in the task, and raises `exercise.Wrong` with
a sentence if the answer is something else. None of them changes the answer.
"""

import re
import reprlib
from collections.abc import Iterable

import astropy.units as u
import numpy as np
import pandas as pd
from astropy.nddata import CCDData

from helpers.exercises.exercise import Wrong

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def in_words(answer) -> str:
    """What an answer is, in a few words, however large or strange it is."""
    if _has_shape(answer):
        kind = "an array" if isinstance(answer, np.ndarray) else f"a {type(answer).__name__}"
        other = isinstance(answer, np.ndarray) and answer.dtype.kind not in "biuf"
        return f"{kind} of shape {np.shape(answer)}{f' of {answer.dtype}' if other else ''}"
    if isinstance(answer, list | tuple) and any(_has_shape(part) for part in answer[:9]):
        parts = ", ".join(in_words(part) for part in answer[:3])
        more = ", ..." if len(answer) > 3 else ""
        kind = type(answer).__name__
        return f"{'a ' if kind in ('list', 'tuple') else ''}{kind} of {len(answer)} ({parts}{more})"
    if isinstance(answer, float | np.floating):
        return f"{float(answer):.6g}"
    if answer is ...:
        return "still the dots"
    if isinstance(answer, CCDData):
        return f"a map of shape {answer.shape}"
    words = " ".join(_SHORT.repr(answer).split())
    return re.sub(r"<(?:\w+\.)*(\w+) object at 0x\w+>", r"a \1", words)


def _has_shape(answer) -> bool:
    return isinstance(answer, np.ndarray | pd.DataFrame | pd.Series) and np.ndim(answer) > 0


def number(answer, name: str, unit: u.Unit | str | None = None) -> float:
    """A finite number. With a unit, a quantity is converted to it, and a bare number is in it."""
    wanted = f"a number of {u.Unit(unit):unicode}" if unit else "a number"
    if isinstance(answer, u.Quantity):
        try:
            answer = answer.to_value(unit or u.dimensionless_unscaled)
        except u.UnitConversionError:
            raise Wrong(f"{name} is {in_words(answer)}, but {wanted} is expected.") from None
    try:
        several = isinstance(answer, np.ndarray | list | tuple) and np.size(answer) != 1
    except ValueError:  # a ragged list
        several = True
    if several:
        raise Wrong(f"{name} is {in_words(answer)}: {wanted} is expected, one and not many.")
    try:
        if isinstance(answer, str | bytes | bool | np.bool_) or np.iscomplexobj(answer):
            raise TypeError
        if np.ma.is_masked(answer):
            answer = np.nan
        value = float(np.asarray(answer, dtype=float).reshape(()))
    except (TypeError, ValueError):
        raise Wrong(f"{name} is {in_words(answer)}, but {wanted} is expected.") from None
    if not np.isfinite(value):
        raise Wrong(
            f"{name} is {value}, no number that can be compared: is there a NaN in what it was "
            "computed from, or a division by zero? (np.nanmean and its like leave NaNs out.)"
        )
    return value


def close(value: float, expected: float, *, relative: float = 0.0, absolute: float = 0.0) -> bool:
    """Whether a number is within a band around the expected one."""
    return abs(value - expected) <= max(absolute, relative * abs(expected))


def array(
    answer, name: str, shape: tuple[int, ...], *, finite: bool = True, unit=None
) -> np.ndarray:
    """Numbers of this shape, as floats; with ``finite``, none of them NaN or infinite."""
    wanted = f"an array of real numbers of shape {shape}"
    if isinstance(answer, u.Quantity):
        try:
            answer = answer.to_value(unit or u.dimensionless_unscaled)
        except u.UnitConversionError:
            raise Wrong(f"{name} is in {answer.unit}, which cannot be compared.") from None
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
    if finite and not np.all(np.isfinite(values)):
        raise Wrong(
            f"{name} holds NaN or infinite values ({np.sum(~np.isfinite(values))} of them); all "
            "should be numbers."
        )
    return values


def share(answer, name: str) -> float:
    """A number between 0 and 1; a percentage is named as one."""
    value = number(answer, name)
    if 1 < value <= 100:
        raise Wrong(f"{name} is {value:g}: a share between 0 and 1 is asked for, not a percentage.")
    if not 0 <= value <= 1:
        raise Wrong(f"{name} is {value:g}, but a share lies between 0 and 1.")
    return value


def labels(answer, name: str, n_objects: int) -> np.ndarray:
    """One label for each object, as whole numbers; -1 stays -1, other names do not matter."""
    if isinstance(answer, dict) and answer:
        raise Wrong(
            f"{name} is a dictionary of {len(answer)}. Take what stands under one of its names, "
            f"{', '.join(map(repr, list(answer)[:3]))}: {n_objects} labels, one for each row."
        )
    if isinstance(answer, str | bytes | dict | set) or not np.iterable(answer):
        raise Wrong(
            f"{name} is {in_words(answer)}, but {n_objects} labels are expected, one for each row."
        )
    try:
        shape = np.shape(answer)
    except ValueError:  # a ragged list
        shape = ("ragged",)
    if shape != (n_objects,):
        raise Wrong(
            f"{name} has the shape {shape}, but ({n_objects},) is expected: one label for each row."
        )
    values = np.asarray(answer)
    try:
        missing = pd.isna(values)
        if np.any(missing):
            raise Wrong(
                f"{name} holds {missing.sum()} missing labels: an object that belongs to no group "
                "has the label -1."
            )
        out = values == -1
        codes = np.unique(values, return_inverse=True)[1].reshape(-1)
    except TypeError:
        raise Wrong(f"{name} holds things that cannot be labels: {in_words(answer)}.") from None
    return np.where(out, -1, codes)


def grouping(answer, name: str, n_objects: int) -> np.ndarray:
    """Labels as clustering methods give them: whole numbers from 0 on, and -1 for none."""
    found = labels(answer, name, n_objects)
    values = np.asarray(answer)
    values = values.astype(float) if values.dtype.kind in "biuf" else np.full(1, np.nan)
    if not np.all(np.isfinite(values)) or np.any(values != np.rint(values)):
        raise Wrong(f"{name} should be whole numbers, -1 for whatever is in no group.")
    if values.min() < -1:
        raise Wrong(
            f"{name} has the label {values.min():.0f}. Groups are numbered from 0 on, and -1 says "
            "that a row is in none."
        )
    return found


def words(answer, name: str, at_least: int = 5) -> str:
    """A text of some words."""
    if not isinstance(answer, str):
        raise Wrong(f"{name} is {in_words(answer)}, but words in quotes are expected.")
    found = len(answer.split())
    if found < at_least:
        raise Wrong(
            f"{name} has {found} {'word' if found == 1 else 'words'}. Write a sentence "
            f"({at_least} words or more): what can be said aloud has been understood."
        )
    return answer


def one_of(answer, name: str, allowed: Iterable[str]) -> str:
    """One of some names, however it is capitalised."""
    allowed = list(allowed)
    by_name = {option.casefold(): option for option in allowed}
    if not isinstance(answer, str) or answer.strip().casefold() not in by_name:
        raise Wrong(f"{name} is {in_words(answer)}, but one of {', '.join(allowed)} is expected.")
    return by_name[answer.strip().casefold()]
