"""The exercises of notebook 07, From groups to astronomy."""

from functools import cache

import numpy as np
import pandas as pd
from astropy.table import vstack
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from helpers import survey
from helpers.clusters import cluster
from helpers.embedding import read_grid
from helpers.exercises.answers import labels, one_of, words
from helpers.exercises.exercise import Exercise, Mistake, Wrong, question
from helpers.features import FEATURES, feature_table, learning_frame
from helpers.galaxies import GALAXIES
from helpers.identity import galaxy_identity, predict_galaxy, standardise_per_galaxy
from helpers.relation import fit_relation


@cache
def _pixels():
    """The features, the pixels' places and galaxies, and the features standardised per galaxy."""
    table = vstack([feature_table(galaxy, survey.common_maps(galaxy)) for galaxy in GALAXIES])
    frame = learning_frame(table)
    place = table[pd.Index(table["pixel_id"]).isin(frame.index)]
    galaxy_of = np.asarray(place["galaxy"])
    return frame, place, galaxy_of, standardise_per_galaxy(frame, galaxy_of)


@cache
def _betrays() -> pd.DataFrame:
    """How well each feature alone tells the galaxy, before and after standardising."""
    frame, _, galaxy_of, own = _pixels()
    return pd.DataFrame(
        {
            what: {
                name: predict_galaxy(values[[name]], galaxy_of, frame.index).accuracy
                for name in frame
            }
            for what, values in (("before", frame), ("after", own))
        }
    )


@cache
def _groups() -> np.ndarray:
    """The eight groups of section 1."""
    frame = _pixels()[0]
    return cluster(read_grid().points(), "spectral", n_clusters=8, ids=frame.index)


@cache
def _follows() -> pd.Series:
    """Rank correlation of each feature with the offset from its galaxy's relation."""
    frame, place, galaxy_of, own = _pixels()
    x, y = frame["log_sii_ha"].values, frame["log_pah113_77"].values
    x_error, y_error = (
        np.asarray((place[f"{name}_error"] / place[name]).value) / np.log(10)
        for name in ("sii_ha", "pah113_77")
    )
    offset = np.empty(len(frame))
    for galaxy in GALAXIES:
        here = galaxy_of == galaxy
        fit = fit_relation(x[here], y[here], x_error[here], y_error[here])
        offset[here] = fit.offset(x[here], y[here])
    return pd.Series({name: spearmanr(offset, own[name]).statistic for name in own})


def _check_betraying(before, after) -> str:
    table = _betrays()
    before = one_of(before, "`before`", table.index)
    after = one_of(after, "`after`", table.index)
    first, second = table["before"], table["after"]
    if second[before] > second.max() - 0.02 and first[after] > first.max() - 0.02:
        raise Wrong(
            "The two are turned round: the first is the one from `frame`, as measured; the second "
            "the one from `own`, standardised in each galaxy."
        )
    if first[before] < first.max() - 0.02:
        raise Wrong(
            f"Before standardising, {before} is right in {first[before]:.2f} (mean of the three "
            "galaxies); another feature does better. Go through all fourteen, in `frame`."
        )
    if second[after] < second.max() - 0.02:
        raise Wrong(
            f"After standardising, {after} is right in {second[after]:.2f}; another feature does "
            "better. Go through all fourteen once more, this time in `own`."
        )
    more = "".join(
        f" ({column.idxmax()} even in {column.max():.2f}.)"
        for column, name in ((first, before), (second, after))
        if name != column.idxmax()
    )
    if second[after] > first[after]:
        more += (
            f" {after} is right more often than before ({first[after]:.2f}): with means and "
            "spreads gone, a shape stands out."
        )
    return (
        f"{before} is right in {first[before]:.2f}, {after} after standardising in "
        f"{second[after]:.2f}; guessing in 0.33.{more} Means of ratios differ from galaxy to "
        "galaxy, and a mean can be taken off. The shape of a distribution cannot: look at the "
        "histograms of the CO width in `own`."
    )


def _check_survivors(own_labels) -> str:
    frame, _, galaxy_of, _ = _pixels()
    found = labels(own_labels, "`own_labels`", len(frame))
    ours = _groups()
    n_groups = len(np.unique(found[found >= 0]))
    if n_groups < 2:
        raise Wrong(
            f"There {'is one group' if n_groups else 'are no groups'}: ask for eight, as in "
            "section 1: `**SPECTRAL` does."
        )
    known, before = (galaxy_identity(one, galaxy_of).information for one in (found, ours))
    alike = adjusted_rand_score(found, ours)
    if alike > 0.99:
        raise Wrong(
            "These are the groups of section 1, from the picture. Cluster the neighbours in `own`, "
            "so that each galaxy's mean and spread are gone before anything is grouped."
        )
    if not 4 <= n_groups <= 20:
        raise Wrong(
            f"There are {n_groups} groups. To compare them with the eight of section 1, ask for "
            "eight: `**SPECTRAL` does."
        )
    if alike < 0.1:
        raise Wrong(
            f"These groups have nothing to do with those of section 1 (adjusted Rand {alike:.2f}). "
            "Are they in the order of `frame`? Shuffled labels know nothing of any galaxy, either."
        )
    if known > 0.06:
        raise Wrong(
            f"These groups know as much of the galaxies as before: adjusted mutual information "
            f"{known:.2f}, ours of section 1 {before:.2f}. Were the neighbours found in `frame`?"
        )
    both = pd.crosstab(ours, found).values
    either = both.sum(axis=1)[:, None] + both.sum(axis=0) - both
    best = (both / either).max(axis=1)
    return (
        f"The information on the galaxies falls from {before:.2f} to {known:.2f}. Of the eight "
        f"groups {np.sum(best > 0.5)} come back with a Jaccard index above 0.5; the best of them, "
        f"with {best.max():.2f}, is number {best.argmax()}. What comes back is a kind of pixel "
        "within galaxies; what does not was, at least in part, a difference between them, or a cut."
    )


def _check_seen_through(seen_through, verdict) -> str:
    allowed = ("shuffled", "slices", "galaxies")
    chosen = one_of(seen_through, "`seen_through`", allowed)
    if chosen == "slices":
        raise Wrong(
            'Its lines for the slices are as confident as any: "bright Hα" is what you cut by, '
            'and the others follow it. Which lines say "like the rest"?'
        )
    if chosen == "galaxies":
        raise Wrong(
            "It has something to say of each galaxy, and it is true: they do differ. But nobody "
            'would call them kinds of gas. Which lines say "like the rest"?'
        )
    words(verdict, "`verdict`", at_least=8)
    return (
        "Only the shuffled groups are seen through: they are alike in all features. Compare your "
        "verdict: an effect size says by how much groups differ. It cannot say that there are "
        "groups, since a cut through a continuum makes a difference as large as you like; nor why, "
        "since a galaxy or a calibration makes one, too."
    )


def _check_second(second, argument) -> str:
    follows = _follows()
    second = one_of(second, "`second`", follows.index)
    shared = set(FEATURES[second.removeprefix("log_")].inputs) & set(FEATURES["pah113_77"].inputs)
    if second == "log_pah113_77":
        raise Wrong(
            "PAH 11.3/7.7 is what the offset was measured in: a pixel above the line has a high "
            "one. That is no second parameter but the first thing again."
        )
    if second == "log_sii_ha":
        raise Wrong(
            "[SII]/Hα is already in the fit. What is left of it in the offset says that a straight "
            "line is not all; a second parameter stands beside it."
        )
    if shared:
        raise Wrong(
            f"{second} shares {' and '.join(sorted(shared))} with PAH 11.3/7.7: an error in that "
            "map would move both, without any physics. Choose one that shares no map."
        )
    best = follows[[name for name in follows.index if _apart(name)]].abs()
    if best[second] < best.max() - 0.04:
        raise Wrong(
            f"{second} goes with the offset by {follows[second]:+.2f} (rank correlation); among "
            "the features that share no map with PAH 11.3/7.7, another follows it more closely."
        )
    words(argument, "`argument`", at_least=8)
    more = "gas in motion" if second == "log_co_width" else "molecular gas"
    return (
        f"{second} goes with the offset by {follows[second]:+.2f}: more {more}, lower "
        "11.3/7.7. Weak, and so a companion until shown otherwise: gas lies where dust, young "
        "stars and the centre are. Ask whether it holds at a fixed radius, within each galaxy, and "
        "for pixels with the same E(B-V); a cause should."
    )


def _apart(name: str) -> bool:
    inputs = set(FEATURES[name.removeprefix("log_")].inputs)
    return name != "log_sii_ha" and not inputs & set(FEATURES["pah113_77"].inputs)


def _check_referee(weakest, one_more_check) -> str:
    allowed = ("slope", "artefact", "groups")
    weakest = one_of(weakest, "`weakest`", allowed)
    words(one_more_check, "`one_more_check`", at_least=6)
    return (
        f"Noted: the {weakest}. A check is worth its name if you can say before which outcome "
        "would make you take the sentence back. Can you? Write that down, too; then open the "
        "envelope."
    )


EXERCISES = (
    Exercise(
        number="7.1",
        title="warm-up",
        minutes=4,
        task="""
Which single feature betrays the galaxy best, before and after standardising each galaxy?
`predict_galaxy(frame[[name]], galaxy_of, frame.index).accuracy` gives it for one feature; `own`
in place of `frame` is the standardised table. Does the answer make sense, given what you know of
the three galaxies (notebook 00)? (`hint("7.1")` helps; notebook 00 says how. The check itself
takes some ten seconds.)
""",
        stub="""
before, after = ..., ...  # two names of columns, in quotes, such as "ebv"
""",
        answer="before, after",
        hints=(
            "Fourteen features, two tables: a loop over the columns of each.",
            "A dictionary of accuracies by name; `max(that, key=that.get)` is the name of the "
            "largest.",
            "alone = {name: predict_galaxy(own[[name]], galaxy_of, frame.index).accuracy for name "
            "in own}",
        ),
        solution="""
best = []
for values in (frame, own):
    alone = {
        name: predict_galaxy(values[[name]], galaxy_of, frame.index).accuracy for name in values
    }
    best.append(max(alone, key=alone.get))
before, after = best
""",
        reason="""
Before, ratios whose means differ between the galaxies lead, several of them nearly alike.
Standardising takes off means and spreads; what is left is the shape of a distribution, and that of
the CO width differs most: the broad lines of a bar and a centre make a tail.
""",
        misconception="The brightest quantity, Hα, must give the galaxy away.",
        reply="Let them run the loop: Hα is among the worst. Brightness varies within a galaxy "
        "far more than between them.",
        checker=_check_betraying,
        mistakes=(
            Mistake('before, after = "log_ha", "log_co_width"', "all fourteen, in `frame`"),
            Mistake('before, after = "log_pah113_77", "log_pah113_77"', "once more, this time"),
            Mistake('before, after = "log_co_width", "log_pah113_77"', "are turned round"),
            Mistake('before, after = "co", "ebv"', "one of log_co_flux"),
        ),
    ),
    Exercise(
        number="7.2",
        title="remove the galaxy and see what survives",
        minutes=5,
        task="""
Group the pixels again, with each galaxy's own mean and spread taken off first: find the
neighbours in `own` (`nearest(own, "standardised", 26, n_jobs=2)`: the pixel itself and 25 more)
and cluster them (`cluster(neighbours, **SPECTRAL, ids=frame.index)`); it takes a second. Which
groups of section 1 will come back? Write it down first. Then compare
`galaxy_identity(own_labels, galaxy_of).information` with the number printed above, and look at
`pd.crosstab(labels, own_labels)`.
""",
        stub="""
prediction = ""  # e.g. "islets come back, bins do not"
own_labels = ...  # one label for each row of `own`, from cluster(...)
""",
        answer="own_labels",
        predicts=True,
        hints=(
            "Two lines: one for the neighbours, one for the groups. Both are in the text.",
            "`nearest` returns distances and neighbours; `cluster` takes the pair as it is.",
            'neighbours = nearest(own, "standardised", 26, n_jobs=2); then `cluster` of them.',
        ),
        solution="""
prediction = "the islets come back and the bins do not"
neighbours = nearest(own, "standardised", 26, n_jobs=2)
own_labels = cluster(neighbours, **SPECTRAL, ids=frame.index)
print(f"information {galaxy_identity(own_labels, galaxy_of).information:.2f}")
print(pd.crosstab(labels, own_labels))
""",
        reason="""
Most of what the groups knew of the galaxies is gone, and about half of the groups are found again:
they are kinds of pixels that each galaxy has. Numbers of groups mean nothing here; the table of
both groupings says which is which.
""",
        misconception="Once each galaxy is standardised, nothing of it is left in the groups.",
        reply="Let them read the information after standardising: small, not zero. Means and "
        "spreads are gone, the shapes of distributions are not.",
        checker=_check_survivors,
        mistakes=(
            Mistake("own_labels = labels", "the groups of section 1, from the picture"),
            Mistake(
                'own_labels = cluster(nearest(frame, "standardised", 26), **SPECTRAL, '
                "ids=frame.index)",
                "know as much of the galaxies as before",
            ),
            Mistake(
                "own_labels = np.random.default_rng(0).permutation(labels)", "Shuffled labels know"
            ),
            Mistake("own_labels = (own['log_ha'] > 0).astype(int)", "There are 2 groups"),
            Mistake("own_labels = np.zeros(len(own), int)", "There is one group"),
        ),
    ),
    Exercise(
        number="7.3",
        title="break the describer",
        minutes=7,
        task="""
Make groups that cannot mean anything, and let the machine describe them:

- "shuffled": `describe_groups(frame, np.random.default_rng(0).permutation(labels), place)`;
- "slices" of one feature: the same with
  `np.digitize(frame["log_ha"], frame["log_ha"].quantile([0.25, 0.5, 0.75]))`;
- the "galaxies" themselves: the same with `np.unique(galaxy_of, return_inverse=True)[1]`.

Which of the three does the tool see through, and which does it describe with confidence? Then
write in a sentence what an effect size can tell, and what it cannot.
""",
        stub="""
seen_through = ...  # "shuffled", "slices" or "galaxies"
verdict = ...  # a sentence, in quotes
""",
        answer="seen_through, verdict",
        hints=(
            "Print the lines of all three. Which of them say nothing?",
            'A group without any clear effect is "like the rest".',
            "Think of what was done to the labels: who lost all connection with the features?",
        ),
        solution="""
for made in (
    np.random.default_rng(0).permutation(labels),
    np.digitize(frame["log_ha"], frame["log_ha"].quantile([0.25, 0.5, 0.75])),
    np.unique(galaxy_of, return_inverse=True)[1],
):
    print(*describe_groups(frame, made, place), sep="\\n")
seen_through = "shuffled"
verdict = "It says how much groups differ, never that they exist or why they differ."
""",
        reason="""
Shuffled groups are all alike, and the tool says so. Slices and galaxies do differ, and it says by
how much, which is all it can do.
""",
        misconception="A group that differs clearly from the rest is a real group.",
        reply="Cut people by height at 1.70 m: the tall differ clearly from the rest. Is there a "
        "gap at 1.70 m?",
        checker=_check_seen_through,
        mistakes=(
            Mistake('seen_through = "slices"', "what you cut by"),
            Mistake('seen_through = "galaxies"', "kinds of gas"),
            Mistake('verdict = "effect sizes lie"', "has 3 words"),
        ),
    ),
    Exercise(
        number="7.4",
        title="open-ended",
        minutes=8,
        task="""
Which feature, put beside [SII]/Hα, would make the scatter smallest? Correlate `offset` with each
column of `own` (`spearmanr(offset, own[name]).statistic`). Choose one that shares no map with
PAH 11.3/7.7 (`FEATURES["pah113_77"].inputs` lists its maps; the names of `FEATURES` have no
`log_`), and that follows the offset about as closely as any such feature. Argue for a cause: how
would you find out whether it is one, or only a companion?
""",
        stub="""
second = ...  # the name of a column of `own`, in quotes
argument = ...  # a sentence or two, in quotes
""",
        answer="second, argument",
        hints=(
            "The sign does not matter for the scatter: compare the sizes of the correlations.",
            "F1130W, F770W and F200W make PAH 11.3/7.7. Leave out every feature made with them.",
            "Of what is left, two features of the gas lead.",
        ),
        solution="""
follows = {name: spearmanr(offset, own[name]).statistic for name in own}
taken = set(FEATURES["pah113_77"].inputs)
free = [name for name in own if not taken & set(FEATURES[name.removeprefix("log_")].inputs)]
second = max(free, key=lambda name: abs(follows[name]))
argument = (
    "Where gas is dense and moves fast, shocks may change the charge or size of PAHs; if so, it "
    "should hold at fixed radius and fixed dust, and in each galaxy."
)
""",
        reason="""
The strongest correlations belong to features that share a map with PAH 11.3/7.7, where a shared
error would do the same. Of the independent ones the CO features lead, weakly: a companion until a
test that could fail has not.
""",
        misconception="The feature with the strongest correlation is the cause.",
        reply="Ask which maps both numbers are made of. Then ask for a test in which a mere "
        "companion would fail.",
        checker=_check_second,
        mistakes=(
            Mistake('second = "log_pah113_77"', "the first thing again"),
            Mistake('second = "log_f200w_770w"', "without any physics"),
            Mistake('second = "log_oiii_hb"', "another follows it more closely"),
            Mistake('second = "log_sii_ha"', "already in the fit"),
        ),
    ),
    Exercise(
        number="7.5",
        title="the referee",
        minutes=6,
        task="""
Exchange your three lines with somebody, or put them aside for a day and be your own referee. Which
sentence is carried by a figure, which by hope? Name the weakest: what you wrote of the slope, of
the artefact, or of the groups. And name one more check that you could do with the files in front
of you: maps of residuals, a galaxy at a time, or the same comparison for one environment only.
""",
        stub="""
weakest = ...  # "slope", "artefact" or "groups"
one_more_check = ...  # a sentence, in quotes
""",
        answer="weakest, one_more_check",
        hints=(
            "Cover the figures: which sentence could you still defend?",
            "A check is a figure or a number that could come out against you.",
            "For a drift: the same residual in the eastern and the western half.",
        ),
        solution="""
weakest = "artefact"
one_more_check = (
    "The suspect map over another that should go with it, in the eastern and the western half: "
    "equal halves speak against a drift."
)
""",
        reason="""
There is no single right answer. The artefact is the usual one: of a factor by pointing neither
table shows anything.
""",
        misconception="A check is something that confirms what I found.",
        reply="Ask which outcome would make them withdraw the sentence. None? Then it is no check.",
        checker=_check_referee,
        mistakes=(
            Mistake('weakest = "none of them"', "one of slope"),
            Mistake('one_more_check = "look again"', "has 2 words"),
        ),
    ),
    question(
        number="7.A",
        title="only in barred galaxies",
        minutes=3,
        task="""
A paper clusters the pixels of 19 galaxies and reports that "cluster 5 is found only in barred
galaxies". Nine of the 19 are barred. What do you ask the authors?
""",
        choices={
            "a": (
                "In how many galaxies it lives, what else they share, and if it returns "
                "without one.",
                "They may share distance and with it resolution, mass, tilt, a nucleus; and "
                "it should return when each galaxy is standardised, or left out in turn. "
                "Chance, a companion of bars, and galaxy identity are the rivals, and each of"
                " the three questions can fell one.",
            ),
            "b": (
                "Nothing: nine barred galaxies against ten others is a fair sample, so bars "
                "make this gas.",
                "In how many of the nine is it? A cluster that lives in two galaxies is in "
                "two barred ones once in five times by chance: 9/19 times 8/18.",
            ),
            "c": (
                "For the significance: with half a million pixels it must be tiny, and be given.",
                "Pixels of one galaxy are not independent witnesses on bars: here there are "
                "19 objects, or fewer.",
            ),
            "d": (
                "To use more clusters, so that the gas of the bars separates from the rest better.",
                "More groups, more chances that one is in barred galaxies alone. Ask first "
                "how many groups were looked at before this one was reported.",
            ),
        },
        right="a",
        hints=(
            "How many independent objects are there: pixels, clusters or galaxies?",
            "What do barred galaxies share besides bars?",
            "Which test of section 3 would you repeat with 19 galaxies?",
        ),
        misconception="Half a million pixels are half a million pieces of evidence.",
        reply="Ask what was drawn at random: pixels or galaxies? Then count those.",
    ),
    question(
        number="7.B",
        title="a witness",
        minutes=3,
        task="""
Effect sizes, BPT classes, the fit: all were computed on the groups' own features. You may keep
**one** map out of the table from the beginning, as a witness that the clustering never heard.
Which one, and what do you ask it?
""",
        choices={
            "a": (
                "F770W: it enters the most features, so it knows the most.",
                "With it go five of the fourteen features, or they would whisper to the "
                "clustering what the witness is to be asked.",
            ),
            "b": (
                "Hα, corrected for dust: everything hangs on it. I ask whether the groups "
                "differ in Hα.",
                "Hα is in five of the features: as a flux, in ratios, in the dust. Without it"
                " only [OIII]/Hβ is left of the lines.",
            ),
            "c": (
                "Any: the groups were cut along the features, so no map is a witness.",
                "The features, yes. A map that no feature was made from was not cut along, "
                "and may contradict.",
            ),
            "d": (
                "[NII]: it enters one feature. I ask whether the groups differ in [NII]/[SII].",
                "Little is lost, and a difference in it cannot come from a cut along it. It "
                "is no perfect stranger: metals and hardness speak through [SII] and [OIII], "
                "too.",
            ),
        },
        right="d",
        hints=(
            "In how many features is each map? Notebook 03 has the table.",
            "The witness must not have been heard, and the table should lose little.",
            "Which line is in one feature alone?",
        ),
        misconception="The map that is used most is the best witness.",
        reply="A witness who wrote the indictment is none. Count in how many features each map is.",
    ),
)
