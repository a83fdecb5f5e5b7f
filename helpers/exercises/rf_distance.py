"""The exercises of notebook 04, A distance learned by a forest."""

from functools import cache

import numpy as np
import pandas as pd
from astropy.table import vstack
from sklearn.ensemble import RandomForestClassifier

from helpers.distances import METRICS, nearest
from helpers.exercises.answers import array, number, one_of, share, words
from helpers.exercises.exercise import Exercise, Mistake, Wrong, question
from helpers.features import feature_table, learning_frame
from helpers.forest import UnsupervisedForest
from helpers.galaxies import GALAXIES
from helpers.quality import neighbour_overlap


@cache
def _pixels():
    """The features, and where the pixels are."""
    table = vstack([feature_table(galaxy) for galaxy in GALAXIES])
    frame = learning_frame(table)
    return frame, table[pd.Index(table["pixel_id"]).isin(frame.index)]


@cache
def _in_the_forest() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all pixels the weirdness, the five nearest, and the distance of the 25th."""
    forest = UnsupervisedForest(random_state=0, n_jobs=2).fit(_pixels()[0])
    apart, near = forest.kneighbors(26)
    return forest.weirdness(), near[:, 1:6], apart[:, 25]


@cache
def _beside() -> np.ndarray:
    """How many of the eight neighbours on the sky are in the table, for each pixel."""
    places = [tuple(row) for row in _pixels()[1]["galaxy", "x", "y"]]
    known, steps = set(places), [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    return np.array([sum((g, x + i, y + j) in known for i, j in steps) for g, x, y in places])


@cache
def _leaves() -> tuple[np.ndarray, np.ndarray]:
    """The leaves of the notebook's 300 pixels in its first forest, and whether they say real."""
    frame, place = _pixels()
    galaxy_of = np.asarray(place["galaxy"])
    rng = np.random.default_rng(0)
    rows = [rng.choice(np.flatnonzero(galaxy_of == g), 100, replace=False) for g in GALAXIES]
    X = frame.values[np.sort(rows).ravel()]
    rng = np.random.RandomState(0)
    synthetic = np.column_stack([rng.choice(column, len(column)) for column in X.T])
    forest = RandomForestClassifier(200, random_state=rng.randint(2**31 - 1))
    forest.fit(np.vstack([X, synthetic]), np.repeat([1, 0], len(X)))
    return forest.apply(X), np.column_stack([tree.predict(X) == 1 for tree in forest.estimators_])


def _check_all_rule(distance_all_rule) -> str:
    leaves, real = _leaves()
    n = len(leaves)
    found = array(distance_all_rule, "`distance_all_rule`", (n, n))
    shared = np.mean(leaves[:, None] == leaves, axis=2)
    if np.abs(found - found.T).max() > 1e-6:
        i, j = np.unravel_index(np.abs(found - found.T).argmax(), (n, n))
        raise Wrong(
            f"From pixel {i} to pixel {j} it is {found[i, j]:.3f}, and back {found[j, i]:.3f}: a "
            "distance is the same both ways. Fill both halves of the matrix by the same rule."
        )
    if np.allclose(np.diag(found), 1) and abs(found.mean() - shared.mean()) < 0.02:
        raise Wrong(
            "On its diagonal, where each pixel meets itself, this is 1: a similarity. The distance "
            "is 1 minus it."
        )
    if found.max() <= 100 and np.allclose(found, 100 * (1 - shared), atol=0.2):
        raise Wrong("These are percentages: a distance here lies between 0 and 1.")
    if found.max() > 1.5 and found.max() <= leaves.shape[1] and np.allclose(found, np.rint(found)):
        raise Wrong(
            f"Its largest value is {found.max():.0f}, a number of trees. Divide by how many trees "
            f"there are{'' if np.allclose(np.diag(found), 0) else ', and take that from 1'}."
        )
    if found.max() > 1.5:
        raise Wrong(
            f"Its largest value is {found.max():.4g}, and a distance here lies between 0 and 1. "
            "Are trees counted in which the two numbers are *equal*? How far apart the numbers of "
            "two leaves are means nothing."
        )
    distance = 1 - shared
    both = np.einsum("it,jt,ijt->ij", real, real, leaves[:, None] == leaves, dtype=float)
    good = np.maximum(real @ real.T.astype(float), 1)
    paper = 1 - both / good
    if np.abs(found - distance).max() > 0.0051:  # the values come in steps of 0.005
        apart = ~np.eye(n, dtype=bool)
        for near, says in (
            (
                paper,
                "This is the distance of the lesson: in it only trees count that predict real for "
                "both. Here every tree counts, whatever it predicts.",
            ),
            (
                1 - both / leaves.shape[1],
                "You divide by all trees, but still count a leaf only if it says real. Here a "
                "common leaf counts whatever it predicts.",
            ),
            (distance, "Only the diagonal is wrong: a pixel is at distance 0 from itself."),
        ):
            if np.abs(found - near)[apart].max() < 2e-3:
                raise Wrong(says)
        i, j = np.unravel_index(np.abs(found - distance).argmax(), (n, n))
        raise Wrong(
            f"Between pixels {i} and {j} it says {found[i, j]:.3f}; they share a leaf in "
            f"{round(shared[i, j] * leaves.shape[1])} of the {leaves.shape[1]} trees. For each "
            "pair: in which share of all columns of `leaves` are the two numbers equal?"
        )
    alike = np.corrcoef(distance.ravel(), paper.ravel())[0, 1]
    return (
        f"Pixels 0 and 1 are {distance[0, 1]:.3f} apart. The two rules go together by "
        f"{alike:.3f} (correlation), since leaves with two real pixels in them nearly always say "
        "real. They part among near pairs, the more the oftener one of the two is taken for a "
        "fake: the lesson's rule looks at fewer trees there, and only at good ones."
    )


def _kept(value, name: str) -> float:
    """A share of neighbours; a number of neighbours is named as one."""
    if 1 < number(value, name) <= 25:
        raise Wrong(
            f"{name} is {number(value, name):g}: a number of neighbours? `overlap` gives the "
            "share, from 0 to 1."
        )
    return share(value, name)


def _check_violent(violent, harmless, forest_keeps, standardised_keeps, surprise) -> str:
    some = _pixels()[0].iloc[::4]
    if not isinstance(violent, pd.DataFrame) or list(violent) != list(some):
        raise Wrong(
            "`violent` should be the table `some` with one column changed, under its old name and "
            "in its old place: some.assign(log_pah113_77=...)."
        )
    if list(violent.index) != list(some.index):
        if len(violent) != len(some):
            raise Wrong(
                f"`violent` has {len(violent)} rows; it should be made of `some`, which has "
                f"{len(some)}."
            )
        raise Wrong(
            "`violent` has the pixels of `some` in another order: nothing but one column changes."
            if set(violent.index) == set(some.index)
            else "The rows of `violent` are other pixels than those of `some`, or have lost their "
            "names: nothing but one column changes."
        )
    column, all_of_it = some["log_pah113_77"], _pixels()[0]["log_pah113_77"]
    z = ((column - column.mean()) / column.std()).values
    changed = array(violent["log_pah113_77"], "the changed column of `violent`", (len(some),))
    others = [name for name in some if name != "log_pah113_77"]
    moved = [name for name in others if not np.array_equal(violent[name], some[name])]
    if moved or np.array_equal(changed, column):
        several = " and ".join(moved) if len(moved) < 3 else f"{len(moved)} other columns"
        verb = "were" if len(moved) > 1 else "was"
        raise Wrong(
            f"In `violent`, {several if moved else 'nothing'} {verb} changed. It is "
            "`log_pah113_77` that should be, and no other column."
        )
    if np.allclose(changed, np.exp(3 * ((column - all_of_it.mean()) / all_of_it.std())), rtol=1e-6):
        raise Wrong(
            "`z` was made with mean and standard deviation of `frame`, all the pixels. Take those "
            "of the column in `some`."
        )
    if np.allclose(changed, np.exp(-3 * z), rtol=0.01):
        raise Wrong("That is exp(-3 z): it turns the order of the pixels round. Mind the sign.")
    right_order = np.allclose(changed, np.exp(3 * z), rtol=0.01)
    if not right_order and np.allclose(np.sort(changed), np.sort(np.exp(3 * z)), rtol=0.01):
        raise Wrong(
            "The changed column of `violent` has the right values, but on the wrong pixels: was "
            "it reversed or sorted on the way?"
        )
    if not right_order:
        raise Wrong(
            f"The changed column of `violent` goes from {changed.min():.3g} to "
            f"{changed.max():.3g}, exp(3 z) from {np.exp(3 * z.min()):.3g} to "
            f"{np.exp(3 * z.max()):.3g}: is it np.exp, with the 3 in its brackets, and z "
            "standardised?"
        )
    linear = 10 ** some["log_ha"].values
    if not isinstance(harmless, pd.DataFrame) or harmless.shape != some.shape:
        raise Wrong(
            "`harmless` should be the table `some` with `log_ha` changed: some.assign(log_ha=...)."
        )
    if not np.allclose(array(harmless["log_ha"], "its `log_ha`", (len(some),)), linear, 1e-3, 0):
        raise Wrong(
            "In `harmless` the column `log_ha` should be 10 to the power of that in `some` (they "
            "are logs to base 10), under its old name."
        )
    forest, standard = (
        _kept(value, name)
        for value, name in (
            (forest_keeps, "`forest_keeps`"), (standardised_keeps, "`standardised_keeps`"),
        )
    )  # fmt: skip
    surprise = one_of(surprise, "`surprise`", ("forest", *METRICS))
    if forest < 0.1 and standard < 0.3:
        raise Wrong(
            f"{forest:.3f} and {standard:.3f}: these are the shares that change. Asked for are the "
            "shares that stay, 1 minus them."
        )
    if forest < 0.9 and standard > 0.95:
        raise Wrong(
            f"The forest keeps {forest:.2f}, standardised {standard:.2f}? They look exchanged: "
            "which of the two does not care for exp, as it keeps the order?"
        )
    if 0.5 < forest < 0.75:
        raise Wrong(
            f"The forest keeps {forest:.2f}? That is as few as with another seed, or as with the "
            "harmless table. `find(violent)` grows its forest with the same seed as `before`; "
            'compare `before["forest"]` with the "forest" of that.'
        )
    if forest > 0.9995:
        raise Wrong(
            "The forest keeps all of them? In theory. Without the log of [OIII]/Hβ, above, it was "
            'not exactly 1, either. Compute it: overlap(before["forest"], after["forest"]).'
        )
    if forest < 0.98:
        raise Wrong(
            f"The forest keeps {forest:.2f}? exp(3 z) leaves the order of the pixels as it is, so "
            "it should keep nearly all. Are both lists those of the forest, `before` and `after`?"
        )
    right, manhattan = (
        neighbour_overlap(nearest(some, name, 26), nearest(violent, name, 26), 25)
        for name in ("standardised", "manhattan")
    )
    if abs(standard - manhattan) < 1e-4 or abs(standard - right) > 0.006:  # 0.84 was rounded
        whose = "Manhattan's" if abs(standard - manhattan) < 1e-4 else "another number"
        raise Wrong(
            f"Standardised keeps {standard:.3f}? That is {whose}: "
            'overlap(before["standardised"], after["standardised"]), after = find(violent).'
        )
    if surprise != "forest":
        raise Wrong(
            f"That {surprise} changes is what it always does when numbers change. Which distance "
            "should not have cared for 10 ** log, as it keeps the order, and did? (Which one "
            "printed a warning?)"
        )
    return (
        "The violent change leaves the forest nearly all of its neighbours, and standardised "
        f"{right:.1%}. And the harmless one makes the forest blind for Hα: in erg/s/cm²/arcsec² it "
        "is 1e-16, its differences are below what scikit-learn's trees can tell apart, so the "
        "column is a constant to them. Hardly more neighbours stay than with another seed, so the "
        'neighbours would not have told you. `harmless["log_ha"].std()` next to 1e-7 would have, '
        "and the helper's warning does."
    )


def _goes_with(column: np.ndarray, pairs: dict) -> bool:
    """Whether a column is one of the ratios but for scale and zero."""
    return any(abs(np.corrcoef(column, ratio)[0, 1]) > 1 - 1e-9 for ratio in pairs.values())


def _check_ratios(six_ratios, three_ratios) -> str:
    log_flux = np.random.default_rng(0).normal(size=(2218, 4))
    six, three = (
        array(table, name, (len(log_flux), columns))
        for table, name, columns in (
            (six_ratios, "`six_ratios`", 6), (three_ratios, "`three_ratios`", 3),
        )
    )  # fmt: skip
    pairs = {(i, j): log_flux[:, i] - log_flux[:, j] for i in range(4) for j in range(4) if i != j}
    known = {}
    for name, table in (("six_ratios", six), ("three_ratios", three)):
        known[name] = [
            next(
                (pair for pair, ratio in pairs.items() if np.allclose(column, ratio, 0, 0.06)), None
            )
            for column in table.T
        ]
        natural = [np.log(10) * ratio for ratio in pairs.values()]
        if all(any(np.allclose(column, ratio) for ratio in natural) for column in table.T):
            raise Wrong(
                f"`{name}` holds natural logarithms. `log_flux` is to base 10, and so are the "
                "differences of its columns, without any other step."
            )
        if not all(known[name]) and all(_goes_with(column, pairs) for column in table.T):
            raise Wrong(
                f"`{name}` holds the right ratios on another scale. The differences of the columns "
                "of `log_flux` are all that is needed: no other log, and nothing standardised."
            )
        if name == "six_ratios" and np.linalg.matrix_rank(table) == 3 and not any(known[name]):
            raise Wrong(
                f"`{name}` is made of other fluxes than those of this task. Run the line with "
                "`rng = np.random.default_rng(0)` again, then the one of `log_flux`, then yours."
            )
        if any(pair is None for pair in known[name]):
            raise Wrong(
                f"`{name}` has a column that is no log of a ratio of two of the four fluxes. They "
                "are logs already (to base 10), and the log of a ratio is a *difference* of logs."
            )
    if len({frozenset(pair) for pair in known["six_ratios"]}) < 6:
        raise Wrong(
            "`six_ratios` has the same two fluxes in more than one column. Four fluxes make six "
            "pairs: 0-1, 0-2, 0-3, 1-2, 1-3 and 2-3."
        )
    under = [set(pair) for pair in known["three_ratios"]]
    if len({frozenset(pair) for pair in under}) < 3:
        raise Wrong("`three_ratios` has the same two fluxes in more than one column.")
    if not set.intersection(*under) or len(set.union(*under)) < 4:
        raise Wrong(
            "The three ratios do not share a denominator: take one flux, and divide each of the "
            "other three by it."
        )
    below = {pair[1] for pair in known["three_ratios"]}
    note = "" if len(below) == 1 else " (Some are upside down; to a tree the sign is all the same.)"
    return (
        "The forest tells the six ratios from shuffled ones in about 95 of 100 cases, the three in "
        "about 60, the fluxes themselves in about 50. All from four fluxes that know nothing of "
        "each other: three of the six ratios are sums of the others, arithmetic that no shuffled "
        f"row obeys. None of it is worth a paper.{note}"
    )


_KINDS = ("physics", "noise", "rim", "few of its kind")


def _check_pixel(my_pixel, reason, judgement) -> str:
    frame, place = _pixels()
    if not isinstance(my_pixel, str) or my_pixel not in frame.index:
        raise Wrong(
            "`my_pixel` is not the name of a pixel of the table: take it from the list, such as "
            "`frame.index[weirdest[2]]`."
        )
    reason = one_of(reason, "`reason`", _KINDS)
    words(judgement, "`judgement`", at_least=10)
    row = frame.index.get_loc(my_pixel)
    weirdness = _in_the_forest()[0]
    rank = int(np.sum(weirdness > weirdness[row])) + 1
    if rank > 30:  # a few places more than twenty: machines differ in the last digits
        raise Wrong(
            f"{my_pixel} is number {rank:,} of {len(frame):,} in weirdness. Take one of the twenty "
            "weirdest: `frame.index[weirdest[:20]]` lists them."
        )
    width = frame["log_co_width"]
    if abs(width.iloc[row] - width.mean()) > 3 * width.std():
        raise Wrong(
            f"The lesson has spoken of {my_pixel} and its CO width (the cell with "
            '"3. one value?"). Take one of which nobody has told you anything.'
        )
    scaled = (frame.iloc[row] - frame.mean()) / frame.std()
    first = scaled.abs().idxmax()
    name = first.removeprefix("log_")
    error = float(place[f"{name}_error"][row])
    if first != name:
        error /= float(place[name][row]) * np.log(10)
    error /= frame[first].std()
    beside = _beside()
    at = np.column_stack([place["x"], place["y"]])
    galaxy_of, (_, likes, apart) = np.asarray(place["galaxy"]), _in_the_forest()
    likes, nearer = likes[row], np.mean(apart < apart[row])
    near = (galaxy_of[likes] == galaxy_of[row]) & (
        np.linalg.norm(at[likes] - at[row], axis=1) < 1.5 / 0.15
    )
    fits = {
        "noise": error > abs(scaled[first]) / 3,
        "rim": beside[row] < 6,
        "few of its kind": nearer > 0.9,
        "physics": near.sum() > 2,
    }[reason]
    return (
        f"Compare. What stands out most is {name}, {scaled[first]:+.1f} standard deviations from "
        f"the mean, with an error of {error:.2f} (noise would have an error as large as that). Of "
        f"its 8 neighbours on the sky {beside[row]} are in the table; {np.mean(beside < 6):.0%} of "
        f"all pixels have fewer than 6. Its 25th nearest is at {apart[row]:.2f}, farther than that "
        f"of {nearer:.1%} of all pixels (the farther, the fewer of its kind). Of its five nearest "
        f"{near.sum()} lie within 1.5 kpc of it, where the same light may fall on them (physics). "
        f'So "{reason}" '
        f"{'can be said' if fits else 'is not what these numbers say: what made you think so?'}"
        f"{'; what would decide?' if fits else ''}"
    )


EXERCISES = (
    Exercise(
        number="4.1",
        title="warm-up: another rule",
        minutes=4,
        task="""
Shi & Horvath (2006) had a simpler rule: the share of *all* trees in which both pixels are in the
same leaf, **whatever it predicts**; the distance is 1 minus that. From `leaves` alone (300 pixels,
200 trees), compute it between pixels 0 and 1, then between all 300: an array of 300 x 300 in
`distance_all_rule`. (Use names of your own: `leaves`, `real`, `together`, `similarity` and
`distance` are needed again. `hint("4.1")` helps; notebook 00 says how.) Is it much like `distance`?
`np.corrcoef` of the two, ravelled, says it.
""",
        stub="""
distance_all_rule = ...  # an array of shape (300, 300)
""",
        answer="distance_all_rule",
        hints=(
            "For two pixels: `np.mean(leaves[0] == leaves[1])` is the share of trees. What is "
            "the distance?",
            "For all pairs, loop over the trees as `count` does: two of its lines become simpler.",
            "same = np.zeros((300, 300)); for leaf in leaves.T: same += leaf[:, None] == leaf; "
            "then 1 - same / 200.",
        ),
        solution="""
same = np.zeros((300, 300))
for leaf in leaves.T:
    same += leaf[:, None] == leaf
distance_all_rule = 1 - same / 200
both_rules = np.corrcoef(distance_all_rule.ravel(), distance.ravel())
print(f"pixels 0 and 1: {distance_all_rule[0, 1]:.3f}; correlation {both_rules[0, 1]:.3f}")
""",
        reason="""
`leaf[:, None] == leaf` asks of every pair at once whether it shares a leaf of this tree. Summed
over the trees and divided by their number it is a similarity.
""",
        misconception="Two definitions of a distance give two different worlds.",
        reply="Let them correlate the two matrices before they argue: nearly 1. The seed moves "
        "neighbours more.",
        checker=_check_all_rule,
        mistakes=(
            Mistake(
                "distance_all_rule = np.mean(leaves[:, None] == leaves, axis=2)", "a similarity"
            ),
            Mistake("distance_all_rule = 1 - np.mean(leaves[0] == leaves[1])", "(300, 300)"),
            Mistake("distance_all_rule = distance", "the distance of the lesson"),
            Mistake("distance_all_rule = 1 - together / 200", "You divide by all trees"),
            Mistake(
                "distance_all_rule = 1 - np.mean(leaves[:, None] == leaves, axis=2); "
                "np.fill_diagonal(distance_all_rule, 1)",
                "Only the diagonal",
            ),
            Mistake(
                "distance_all_rule = 1 - np.mean(leaves[:, None, :100] == leaves[:, :100], axis=2)",
                "they share a leaf in",
            ),
            Mistake(
                "distance_all_rule = np.sum(leaves[:, None] == leaves, axis=2)", "a number of trees"
            ),
            Mistake("distance_all_rule = 100 * distance_all_rule", "percentages"),
            Mistake(
                "distance_all_rule = np.mean(np.abs(leaves[:, None] - leaves), axis=2)",
                "How far apart the numbers",
            ),
            Mistake("distance_all_rule = np.triu(distance_all_rule)", "the same both ways"),
        ),
    ),
    Exercise(
        number="4.2",
        title="say it beforehand, then break it",
        minutes=6,
        task="""
Two tables, both with one column changed and the order of the pixels kept.

(a) Violent: in `some`, replace `log_pah113_77` by `np.exp(3 * z)`, where `z` is that column minus
its mean, over its standard deviation. **Which distances will change their neighbours?** Write it
into `prediction` before you run anything. Then `after = find(violent)`, and put the shares of
neighbours that stay, `overlap(before[name], after[name])`, of the forest and of standardised into
`forest_keeps` and `standardised_keeps` (numbers between 0 and 1).

(b) Harmless-looking: replace `log_ha` by `10 ** some["log_ha"]`, back to Hα in erg/s/cm²/arcsec².
One of the six distances should not care, and does: `surprise` is its name. Read what it warns you
of, and look at the size of the numbers.
""",
        stub="""
prediction = ""  # e.g. "forest a little, the others ..."
violent = ...  # some.assign(log_pah113_77=...)
harmless = ...  # some.assign(log_ha=...)
forest_keeps, standardised_keeps = ..., ...  # between 0 and 1
surprise = ...  # the name of a distance, in quotes
""",
        answer="violent, harmless, forest_keeps, standardised_keeps, surprise",
        predicts=True,
        hints=(
            "A tree asks only whether a value is above or below. What does exp do to that?",
            "`some.assign(log_pah113_77=np.exp(3 * z))` is a copy with one column changed; give it "
            "to `find`, then compare with `before`, name by name.",
            'after = find(violent); forest_keeps = overlap(before["forest"], after["forest"]); '
            "the same for standardised, and once more for `harmless`.",
        ),
        solution="""
prediction = "the forest hardly, the others a lot"
column = some["log_pah113_77"]
violent = some.assign(log_pah113_77=np.exp(3 * (column - column.mean()) / column.std()))
harmless = some.assign(log_ha=10 ** some["log_ha"])
stays = {}
for change, changed in {"violent": violent, "harmless": harmless}.items():
    after = find(changed)
    stays[change] = {name: overlap(before[name], after[name]) for name in before}
print(pd.DataFrame(stays).round(2))
forest_keeps, standardised_keeps = stays["violent"]["forest"], stays["violent"]["standardised"]
surprise = "forest"
""",
        reason="""
A monotonic change leaves each question "above or below?" with the same answers. Until the numbers
are so small (1e-16) that their differences fall below the 1e-7 that scikit-learn's trees can tell
apart: then the column is constant to them. A scale near 1, as logs have, is safe.
""",
        misconception="The forest ignores every monotonic change, so units never matter.",
        reply="True on paper. Let them run 10 ** log_ha and print the size of the numbers.",
        checker=_check_violent,
        mistakes=(
            Mistake("violent = violent['log_pah113_77']", "with one column changed"),
            Mistake(
                "violent = some.assign(log_pah113_77=np.exp((column - column.mean()) / "
                "column.std()))",
                "with the 3 in its brackets",
            ),
            Mistake("violent = some", "nothing was changed"),
            Mistake("violent = np.exp(some)", "13 other columns"),
            Mistake(
                "violent = some.assign(log_pah113_77=np.exp(-3 * (column - column.mean()) / "
                "column.std()))",
                "Mind the sign",
            ),
            Mistake(
                "violent = violent.assign(log_pah113_77=violent['log_pah113_77'].values[::-1])",
                "on the wrong pixels",
            ),
            Mistake("violent = violent.reset_index(drop=True)", "have lost their names"),
            Mistake("harmless = harmless['log_ha']", "with `log_ha` changed"),
            Mistake("harmless = some.assign(log_ha=np.exp(some['log_ha']))", "to the power of"),
            Mistake("violent = violent.sort_values('log_pah113_77')", "in another order"),
            Mistake("violent = frame", "which has 2218"),
            Mistake("violent = harmless", "log_ha was changed"),
            Mistake(
                'whole = frame["log_pah113_77"]; violent = some.assign(log_pah113_77=np.exp(3 * '
                "(column - whole.mean()) / whole.std()))",
                "all the pixels",
            ),
            Mistake(
                "forest_keeps, standardised_keeps = standardised_keeps, forest_keeps", "exchanged"
            ),
            Mistake(
                "forest_keeps, standardised_keeps = 1 - forest_keeps, 1 - standardised_keeps",
                "the shares that change",
            ),
            Mistake("forest_keeps, standardised_keeps = 63, 84", "not a percentage"),
            Mistake("forest_keeps = 24.87", "a number of neighbours?"),
            Mistake("forest_keeps = 1.0", "In theory"),
            Mistake("forest_keeps = 0.63", "as few as with another seed"),
            Mistake("standardised_keeps = 0.99", "That is another number"),
            Mistake(
                'standardised_keeps = overlap(before["manhattan"], find(violent)["manhattan"])',
                "That is Manhattan's",
            ),
            Mistake('surprise = "euclidean"', "what it always does"),
        ),
    ),
    Exercise(
        number="4.3",
        title="break the tool: structure out of nothing",
        minutes=6,
        task="""
Four fluxes that know nothing of each other, as in notebook 03: `log_flux` below, logs to base 10.
Give them to `small_forest` (and be warned). Then make the logs of the ratios of all six pairs of
two of them, and say beforehand with which accuracy (`.oob_score_`) the forest will tell them from
shuffled ones. Last, only the three ratios over one and the same denominator. Put the tables into
`six_ratios` and `three_ratios`. Which of the two would you have published?
""",
        stub="""
rng = np.random.default_rng(0)
log_flux = rng.normal(size=(2218, 4))
prediction = ""  # e.g. "six ratios: 0.5; three: ..."
six_ratios = ...  # an array of shape (2218, 6)
three_ratios = ...  # an array of shape (2218, 3)
""",
        answer="six_ratios, three_ratios",
        predicts=True,
        hints=(
            "log(a / b) = log a - log b.",
            "Two loops over the columns, the second from the next one on, make six pairs; "
            "`np.column_stack` puts columns together.",
            "three_ratios = log_flux[:, :3] - log_flux[:, 3:]",
        ),
        solution="""
rng = np.random.default_rng(0)
log_flux = rng.normal(size=(2218, 4))
prediction = "0.5 for both, since the fluxes are independent"
pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
six_ratios = np.column_stack([log_flux[:, i] - log_flux[:, j] for i, j in pairs])
three_ratios = log_flux[:, :3] - log_flux[:, 3:]
for ratios in (six_ratios, three_ratios):
    print(ratios.shape, f"told from shuffled: {small_forest(ratios).oob_score_:.3f}")
""",
        reason="""
With six ratios of four fluxes three columns follow exactly from the other three; a shuffled row
breaks these sums, and the forest sees it. Three ratios over one denominator are only correlated,
by the noise of that denominator.
""",
        misconception="Ratios of independent quantities are independent.",
        reply="Ask how many of the six can be worked out from the others. Then let them run it.",
        checker=_check_ratios,
        mistakes=(
            Mistake(
                "six_ratios = np.column_stack([log_flux[:, i] / log_flux[:, j] for i in range(4) "
                "for j in range(i + 1, 4)])",
                "no log of a ratio",
            ),
            Mistake(
                "f = np.random.default_rng(1).normal(size=(2218, 4)); six_ratios = "
                "np.column_stack([f[:, i] - f[:, j] for i in range(4) for j in range(i + 1, 4)])",
                "other fluxes",
            ),
            Mistake("six_ratios = six_ratios * np.log(10)", "natural logarithms"),
            Mistake("six_ratios = six_ratios / six_ratios.std(axis=0)", "on another scale"),
            Mistake("three_ratios = three_ratios[:, [0, 0, 1]]", "`three_ratios` has the same two"),
            Mistake("six_ratios = np.tile(log_flux[:, :3] - log_flux[:, 3:], 2)", "six pairs"),
            Mistake(
                "three_ratios = np.column_stack([log_flux[:, 0] - log_flux[:, 1], log_flux[:, 1] - "
                "log_flux[:, 2], log_flux[:, 2] - log_flux[:, 3]])",
                "do not share a denominator",
            ),
        ),
    ),
    Exercise(
        number="4.4",
        title="open-ended",
        is_open=True,
        minutes=7,
        task="""
Take one of the twenty weirdest that no cell above has spoken of: `row = weirdest[2]`, say, then
`frame.iloc[row]`, `place["x", "y", "radius", "co_width", "co_width_error"][row]` (more columns:
`place.colnames`) and `neighbours[row, 1:6]`. Look at its features and their errors, at its position
on the sky, at its five nearest neighbours and theirs. Is it "physics", "noise", on the "rim"
(beside a hole or the edge of the table, where a map may have been cut: fewer than six of the eight
pixels around it are there), or one of "few of its kind"? Write two sentences, and the one
observation or test that would decide. (The check counts words and gives you numbers to compare
with; whether the sentences are good is for you to judge. It grows the forest again, once, which
takes some ten seconds.)
""",
        stub="""
my_pixel = frame.index[weirdest[2]]  # change me
reason = ...  # "physics", "noise", "rim" or "few of its kind"
judgement = ...  # two sentences and a test, in quotes
""",
        answer="my_pixel, reason, judgement",
        hints=(
            "Which feature stands out most? Divide its value by its error, "
            'place["r_pah"][row] / place["r_pah_error"][row] for instance.',
            "With x and y: which of the eight pixels around it are in the table?",
            "Its five nearest: are they from one galaxy, one place? And is it among theirs?",
        ),
        solution="""
row = weirdest[2]
my_pixel = frame.index[row]
print(frame.iloc[row].round(2).to_dict())
print(place["x", "y", "radius"][row])
galaxy, x, y = galaxy_of[row], place["x"], place["y"]
beside = (galaxy_of == galaxy) & (abs(x - x[row]) <= 1) & (abs(y - y[row]) <= 1)
print("of its 8 neighbours on the sky in the table:", beside.sum() - 1)
for name in ("co_width", "oiii_hb", "r_pah"):
    snr = place[name] / place[f"{name}_error"]
    print(f"S/N of {name}: {snr[row]:.1f}, of all {np.median(snr):.1f}")
print("its likes:", [frame.index[k] for k in neighbours[row, 1:6]])
reason = "rim"
judgement = (
    "Most of its neighbours on the sky are missing, it is measured worse than most, and its likes "
    "are strewn over the disc of the same galaxy. No feature stands out, so it may be a little of "
    "everything at the edge of the maps; deeper maps of that edge would decide."
)
""",
        reason="""
There is no single right answer: a pixel can be weird for more than one reason. What counts is the
test that could prove you wrong.
""",
        misconception="The weirdest objects of a survey are discoveries.",
        reply="Ask the four questions of the text: noise, small numbers, one value, luck.",
        checker=_check_pixel,
        mistakes=(
            Mistake("my_pixel = weirdest[2]", "not the name of a pixel"),
            Mistake("my_pixel = frame.index[weirdness.argmin()]", "in weirdness"),
            Mistake(
                "my_pixel = next(frame.index[k] for k in weirdest[:20] if abs(scaled[k, width]) "
                "> 3)",
                "The lesson has spoken of",
            ),
            Mistake('reason = "weird"', "one of physics"),
            Mistake('judgement = "it is weird"', "has 3 words"),
        ),
    ),
    question(
        number="4.A",
        title="99 per cent",
        minutes=2,
        task="""
A paper reports: "The forest separates real from synthetic data with 99 % accuracy, which proves
that our sample consists of distinct classes." You referee it. Which single control do you ask for?
""",
        choices={
            "a": (
                "The same forest on one smooth Gaussian with the sample's mean and covariance.",
                "A table without any groups that is as correlated as theirs. If it is told "
                "from its shuffled self as well, the number says nothing of classes; if "
                "clearly worse, something beyond correlations is there, and the claim may go "
                "on.",
            ),
            "b": (
                "More trees, and the same again with ten other seeds, to see whether the "
                "accuracy holds and how far it scatters from one forest to the next.",
                "It will hold. The question is what the accuracy means, not how well it is known.",
            ),
            "c": (
                "The same forest on their own table with each column shuffled by itself: if "
                "the accuracy falls to 50 %, the classes are real.",
                "It will, for any table. That shows that the columns are related, which "
                "nobody doubted; a single tilted cloud passes this control as well.",
            ),
            "d": (
                "A test set of a fifth of the objects, real and synthetic, that the forest "
                "has not seen while it was grown.",
                "The out-of-bag accuracy is that already. It is honest, and it answers "
                "another question.",
            ),
        },
        right="a",
        hints=(
            "What else than classes makes columns go together?",
            "You want data without groups in which everything else is as in theirs.",
            "Section 9 compared three tables. Which of them had no groups and a high accuracy?",
        ),
        misconception="A classifier that succeeds has found classes.",
        reply="Ask what the two labels were: real and shuffled. Nobody gave it a class.",
    ),
    question(
        number="4.B",
        title="20 per cent too bright",
        minutes=3,
        task="""
The MUSE fluxes of one of three galaxies are 20 % too high, all lines alike. What happens to the
distances?
""",
        choices={
            "a": (
                "Nothing: the table is made of ratios of lines, and in a ratio a common "
                "factor of 1.2 cancels, whatever the distance.",
                "In line ratios and in E(B-V) it does. But Hα and Hα/PAH 7.7 are in the "
                "table, and 20 % is 0.08 dex in both.",
            ),
            "b": (
                "Two features of that galaxy, Hα and Hα/PAH 7.7, are shifted by 0.08 "
                "[dex](../docs/glossary.md#dex): by every distance its pixels get some other "
                "neighbours. Weirdness does not find it.",
                "All pixels of the galaxy share the shift: none of them is lonely. It may move the "
                "galaxy away from the others, or towards them, where no one would suspect it. "
                "Compare galaxies at the same kind of place, or with another instrument.",
            ),
            "c": (
                "The forest forgives it, as a monotonic change; only Euclidean notices.",
                "It is monotonic within one galaxy only. In the table of three, pixels of one"
                " galaxy change places with those of the others, and every tree may ask about"
                " it.",
            ),
            "d": (
                "Weirdness finds it: a shift of 0.08 dex is more than the errors, so all "
                "pixels of that galaxy become weird, and the map of weirdness shows its "
                "outline.",
                "Weird is what has few likes. Here a whole galaxy of them is shifted alike.",
            ),
        },
        right="b",
        hints=(
            "Go through the fourteen features: in which does a common factor of all lines cancel?",
            "Is the change monotonic for the whole table, or for one galaxy?",
            "What does weirdness count?",
        ),
        misconception="A forest distance is immune to calibration.",
        reply="Monotonic for whom? Sort the pixels of all three together, then shift one galaxy.",
    ),
)
