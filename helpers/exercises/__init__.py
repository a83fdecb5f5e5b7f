"""The course's exercises: what a learner calls in a notebook, and one module for each notebook.

`check`, `hint` and `solution` answer a learner; `progress` remembers what was done. An exercise
(`exercise.Exercise`) holds all that belongs to it: the task and the stub that stand in the
notebook, three hints, the worked solution, its checker, and the mistakes that it knows. `answers`
reads what learners hand in, `cells` writes the tasks and stubs into the notebooks.
"""

from helpers.exercises.desk import check, hint, progress, solution

__all__ = ["check", "hint", "progress", "solution"]
