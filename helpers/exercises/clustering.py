"""The exercises of notebook 06, Clustering."""

from functools import cache

import numpy as np
import pandas as pd
from astropy.table import vstack
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from helpers.clusters import cluster
from helpers.comparison import score
from helpers.embedding import read_grid
from helpers.exercises.answers import array, close, grouping, in_words, labels, number, words
from helpers.exercises.exercise import Exercise, Mistake, Wrong, question
from helpers.features import feature_table, learning_frame
from helpers.galaxies import GALAXIES

_KINDS = np.repeat([0, 1, 2], [950, 30, 20])


@cache
def _pixels() -> pd.Index:
    """The names of the pixels, in the order of the table."""
    return learning_frame(vstack([feature_table(galaxy) for galaxy in GALAXIES])).index


def _check_shape(my_shape) -> str:
    points = array(my_shape, "`my_shape`", (300, 2))
    if len(np.unique(points, axis=0)) < 100:
        raise Wrong(
            f"`my_shape` has too few different points ({len(np.unique(points, axis=0))}). Draw 150 "
            "for each group, for instance with rng.normal or rng.random."
        )
    truth = np.repeat([0, 1], 150)
    try:
        dense = cluster(points, "hdbscan", min_cluster_size=15)
        k_means = adjusted_rand_score(truth, cluster(points, "kmeans", n_clusters=2))
    except ValueError as error:
        raise Wrong(f"`my_shape` cannot be clustered. {error}") from None
    density = adjusted_rand_score(truth, dense)
    if k_means < 0.05 and density < 0.5:
        raise Wrong(
            f"Neither sees your groups: k-means has {k_means:.3f}, HDBSCAN {density:.3f}. Are rows "
            "0 to 149 one of them, and the rest the other? And do they lie apart?"
        )
    if k_means < 0.9 and density < 0.5:
        raise Wrong(
            f"Both lose your groups: k-means has {k_means:.3f}, HDBSCAN {density:.3f} (rows 0 to "
            "149 are one group, the rest the other). Bring them so far apart that the nearer "
            "centre is the right one."
        )
    if k_means < 0.9:
        raise Wrong(
            f"k-means has {k_means:.3f}, less than HDBSCAN's {density:.3f}: it looks for two round "
            "groups of one width. Give it those, side by side."
        )
    if density > 0.5:
        raise Wrong(
            f"k-means has {k_means:.3f}, but HDBSCAN {density:.3f}: it sees a gap, or a thinner "
            "place, between your groups. Fill it."
        )
    found, left_out = len(np.unique(dense[dense >= 0])), np.mean(dense < 0)
    if found > 1:
        return (
            f"k-means {k_means:.2f}, HDBSCAN {density:.2f}. HDBSCAN finds {found} groups, with "
            f"{left_out:.0%} of the points in none, but not your two: by chance there are thinner "
            "places even in a shape that is evenly filled, and they need not be where your border "
            "is."
        )
    return (
        f"k-means {k_means:.2f}, HDBSCAN {density:.2f}. Two groups that touch, with nothing "
        f"thinner "
        "between them, are one group to a density method. Whether they *are* two groups is a "
        "question about what you mean by one, and no algorithm answers it."
    )


def _check_two(two_groups, information) -> str:
    found = labels(two_groups, "`two_groups`", len(_KINDS))
    n_groups = len(np.unique(found))
    if n_groups != 2:
        raise Wrong(
            f"`two_groups` has {n_groups} {'group' if n_groups == 1 else 'groups'}; it should have "
            "two, so that three kinds cannot all have one of their own."
        )
    rand = adjusted_rand_score(_KINDS, found)
    if rand < 0.95:
        raise Wrong(
            f"The adjusted Rand index is {rand:.2f}, and should be above 0.95. It counts pairs: "
            "which two kinds have so few pairs that it hardly matters if they are thrown together?"
        )
    given = number(information, "`information`")
    expected = adjusted_mutual_info_score(_KINDS, found)
    if close(given, rand, absolute=0.005) and abs(rand - expected) > 0.02:
        raise Wrong(
            f"{given:.2f} is the Rand index. `agreement` returns two tables; the mutual "
            f"information "
            "is in the second, `.information`."
        )
    if not close(given, expected, absolute=0.02):
        raise Wrong(
            f"`information` is {given:.2f}, but for these two groups it is something else: "
            'agreement({"truth": kinds, "two": two_groups}).information, off the diagonal.'
        )
    return (
        f"Rand {rand:.3f}, information {expected:.2f}: both high, and one kind is gone. The mutual "
        "information minds it a little more, since it counts objects, not pairs of them. In a "
        "survey the 20 are what you came for: the active nucleus, the new kind. Look class by "
        "class."
    )


@cache
def _blob() -> np.ndarray:
    return read_grid().points(distance="gaussian")


def _check_blob(blob_labels, methods_sentence) -> str:
    blob = _blob()
    found = grouping(blob_labels, "`blob_labels`", len(blob))
    n_groups, out = len(np.unique(found[found >= 0])), np.mean(found < 0)
    if n_groups >= 8 and out < 0.02:
        raise Wrong(
            f"{out:.1%} of the points are in no group. HDBSCAN leaves more out; a method that is "
            "told how many to make leaves none, and that is no art. (If these are HDBSCAN's: has "
            "the -1 been lost?)"
        )
    silhouette = score({"mine": found}, blob).loc["mine", "silhouette"] if n_groups > 1 else np.nan
    if silhouette < 0:
        raise Wrong(
            f"The silhouette is {silhouette:.2f}: on the picture of the blob these groups lie "
            "among or around each other. Are they HDBSCAN's, of `blob`, in its order?"
        )
    if n_groups < 8:
        raise Wrong(
            f"{n_groups} {'group' if n_groups == 1 else 'groups'}, and eight or more are wanted. "
            "Smaller groups, if they are allowed, are more of them: min_cluster_size."
        )
    if n_groups > 80:
        raise Wrong(
            f"{n_groups} groups: no referee would believe in more than eighty. Raise "
            "min_cluster_size until a dozen or two are left."
        )
    if out >= 0.5:
        raise Wrong(
            f"{out:.0%} of the points are in no group; less than half should be. With a smaller "
            "min_samples (about 5) a point needs less company."
        )
    if not silhouette > 0.3:
        raise Wrong(
            f"The silhouette is {silhouette:.2f}, and should be above 0.3. With fewer and larger "
            "groups (min_cluster_size), or with a min_samples of 5 to 10, it rises."
        )
    words(methods_sentence, "`methods_sentence`", at_least=8)
    return (
        f"{n_groups} groups, {out:.0%} of the points in none, silhouette {silhouette:.2f}, from "
        "one Gaussian cloud. (The points in none do not enter the silhouette, which helps. k-means "
        "gets there at once: it cuts any cloud into compact pieces, and compact is what the "
        "silhouette rewards.) Does your sentence name the settings that you tried and gave up, and "
        "what the same recipe finds in nothing? If not, it is the sentence of many a paper."
    )


def _check_choice(my_labels, defence) -> str:
    names = _pixels()
    if isinstance(my_labels, pd.Series) and set(my_labels.index) == set(names):
        my_labels = my_labels[names]  # by name, whatever the order
    found = grouping(my_labels, "`my_labels`", len(names))
    sizes = np.bincount(found[found >= 0])
    sizes = sizes[sizes > 0]
    if len(sizes) < 2:
        raise Wrong(
            "There is one group or none: nothing to compare. A grouping that you take along has "
            "two "
            "groups or more (and a reason)."
        )
    if len(sizes) > 40:
        raise Wrong(
            f"There are {len(sizes)} groups. Nobody can describe so many on the sky; take fewer, "
            f"or "
            "keep only those that you can defend, the others being -1."
        )
    nearest = cKDTree(read_grid().points()).query(read_grid().points(), 2)[1][:, 1]
    alike = adjusted_rand_score(found, found[nearest])
    if alike < 0.05:
        raise Wrong(
            "Pixels next to each other on the picture have the same label no more often than by "
            "chance. Are these labels of this table, in its order?"
        )
    if isinstance(defence, np.ndarray | pd.Series):
        defence = list(defence)
    if isinstance(defence, str) or not isinstance(defence, list | tuple) or len(defence) != 3:
        raise Wrong(
            f"`defence` is {in_words(defence)}; a list of three sentences is expected: findings, "
            "cuts, and what would make you withdraw one."
        )
    for sentence in defence:
        words(sentence, "A sentence of `defence`", at_least=5)
    return (
        f"{len(sizes)} groups of {sizes.min()} to {sizes.max()} pixels, {np.mean(found < 0):.1%} "
        f"in "
        "none. Compare: of all groups of five methods, section 10 kept a few small ones. If your "
        "first sentence calls more than those a finding, what did you see that it did not? And "
        "could your third sentence come true?"
    )


EXERCISES = (
    Exercise(
        number="6.1",
        title="warm-up: a shape for k-means",
        minutes=5,
        task="""
Make a shape of two known groups on which k-means (told to make two) has an adjusted Rand index
above 0.9, and HDBSCAN (`min_cluster_size=15`) one below 0.5. Put it into `my_shape`, an array of
300 rows and 2 columns: the first 150 rows are the points of one group, the others those of the
other. (What does HDBSCAN need between two groups that k-means does not? `hint("6.1")` helps;
notebook 00 says how.)
""",
        stub="""
my_shape = ...  # an array of shape (300, 2)
""",
        answer="my_shape",
        hints=(
            "HDBSCAN looks for places where points are thin. Leave it none.",
            "Two squares side by side, each evenly filled with random points.",
            "xy = rng.random((300, 2)); xy[150:, 0] += 1 moves the second half one step aside.",
        ),
        solution="""
my_shape = np.random.default_rng(0).random((300, 2))
my_shape[150:, 0] += 1.02
two = np.repeat([0, 1], 150)
for method, setting in {"kmeans": {"n_clusters": 2}, "hdbscan": {"min_cluster_size": 15}}.items():
    print(method, round(adjusted_rand_score(two, cluster(my_shape, method, **setting)), 2))
""",
        reason="""
Two evenly filled squares that touch: the nearer centre is the right one, and no thin place betrays
the border.
""",
        misconception="HDBSCAN is the better method: it finds whatever is there.",
        reply="Better at what? Let them show you a gap in two squares that touch.",
        checker=_check_shape,
        mistakes=(
            Mistake(
                "my_shape = np.random.default_rng(0).normal(size=(300, 2))\nmy_shape[150:] += 8",
                "it sees a gap",
            ),
            Mistake(
                "my_shape = np.random.default_rng(0).normal(size=(300, 2))",
                "Neither sees your groups",
            ),
            Mistake(
                "my_shape = np.random.default_rng(0).normal(size=(300, 2))\n"
                "my_shape[150:, 0] += 2.5",
                "Both lose your groups",
            ),
            Mistake(
                "my_shape = make_moons(300, noise=0.05, shuffle=False, random_state=0)[0]",
                "two round groups",
            ),
            Mistake(
                "my_shape = np.random.default_rng(0).random((2, 300))", "but (300, 2) is expected"
            ),
            Mistake("my_shape = my_shape * [1, 0]", "the same value in all 300 rows"),
        ),
    ),
    Exercise(
        number="6.2",
        title="a high Rand index with two groups",
        minutes=5,
        task="""
950, 30 and 20 objects of three kinds: `kinds` below is the truth. Make a grouping with **two**
groups, by any rule you like, that has an adjusted Rand index above 0.95 and has lost one kind
altogether: `two_groups`, an array of 1,000 labels (any two numbers will do). Then put the adjusted
mutual information of the two into `information`: `agreement` returns both indices. Before you
compute it: will it be as high as the Rand index? In a survey of a galaxy, which kind would be the
20?
""",
        stub="""
kinds = np.repeat([0, 1, 2], [950, 30, 20])
prediction = ""  # the information: "higher", "the same", "lower"; by how much?
two_groups = ...  # 1,000 labels; then agreement({"truth": kinds, "two": two_groups})
information = ...  # a number
""",
        answer="two_groups, information",
        predicts=True,
        hints=(
            "The index counts pairs of objects. How many pairs has each kind?",
            "950 objects make 450,775 pairs; 30 make 435, and 20 make 190. Which may go wrong?",
            "two_groups = (kinds > 0).astype(int); the information is "
            '`agreement(...).information.loc["truth", "two"]`.',
        ),
        solution="""
kinds = np.repeat([0, 1, 2], [950, 30, 20])
prediction = "much lower, since a kind is lost"
two_groups = (kinds > 0).astype(int)
both = agreement({"truth": kinds, "two": two_groups})
information = both.information.loc["truth", "two"]
print(f"Rand {both.rand.loc['truth', 'two']:.3f}, information {information:.3f}")
""",
        reason="""
Nearly all pairs lie inside the large kind or between it and the others; the 600 pairs between 30
and 20 drown in half a million. Any index over all objects or pairs is an index of the large kinds.
""",
        misconception="A Rand index of 0.99 means that all kinds were found.",
        reply="Count pairs together: 450,775 against 190. Who decides the index?",
        checker=_check_two,
        mistakes=(
            Mistake("two_groups = kinds", "has 3 groups"),
            Mistake("two_groups = np.zeros(1000)", "has 1 group;"),
            Mistake("two_groups = (kinds == 2).astype(int)", "It counts pairs"),
            Mistake(
                'information = agreement({"truth": kinds, "two": two_groups}).rand.iloc[0, 1]',
                "is the Rand index",
            ),
        ),
    ),
    Exercise(
        number="6.3",
        title="break the tool: beautiful groups of nothing",
        minutes=7,
        task="""
Give the blob *beautiful* groups: eight to eighty, with a silhouette above 0.3 on the picture. With
k-means that is no art (try it, and say why). Do it with HDBSCAN, which "counts for itself", and
with less than half of the points left out. Turn `min_cluster_size`, `min_samples` (well below it),
`cluster_selection_method="leaf"`. Put its labels into `blob_labels`, and into
`methods_sentence` the sentence (eight words or more) of a methods section that would let it pass.
(Now you know what to look for in papers.)
""",
        stub="""
blob = grid.points(distance="gaussian")
blob_labels = ...  # cluster(blob, "hdbscan", min_cluster_size=..., min_samples=...)
# print(score({"mine": blob_labels}, blob))
methods_sentence = ...  # a sentence, in quotes
""",
        answer="blob_labels, methods_sentence",
        hints=(
            "Three numbers to watch: groups, left_out and silhouette; `score` gives all of them. "
            '`cluster_selection_method="leaf"` makes more and smaller groups.',
            "`min_samples` is as large as `min_cluster_size` unless you say otherwise. Say 5.",
            'cluster(blob, "hdbscan", min_cluster_size=150, min_samples=5) is a good place to '
            "begin.",
        ),
        solution="""
blob = grid.points(distance="gaussian")
blob_labels = cluster(blob, "hdbscan", min_cluster_size=150, min_samples=5)
methods_sentence = (
    "Clusters were identified with HDBSCAN, which determines their number from the data."
)
print(score({"mine": blob_labels}, blob).round(2).to_string())
draw_numbered(plt.subplots(figsize=(8, 5))[1], blob, blob_labels, f"N = {len(blob)}, no groups")
plots.show("Some ten numbered groups that HDBSCAN finds in the picture of one Gaussian cloud.")
""",
        reason="""
UMAP's picture of a cloud has denser and thinner places, by the chance of the sample and by its
layout; a density method that is allowed small groups finds them. The number of groups came from
the data *and* from two settings.
""",
        misconception="HDBSCAN finds the number of groups by itself, so the number is objective.",
        reply="Let them turn min_cluster_size from 300 to 40 on the blob: from about 10 groups "
        "to 70.",
        checker=_check_blob,
        mistakes=(
            Mistake(
                'blob_labels = cluster(blob, "kmeans", n_clusters=8)', "HDBSCAN leaves more out"
            ),
            Mistake(
                'blob_labels = cluster(blob, "hdbscan", min_cluster_size=100)', "eight or more are"
            ),
            Mistake(
                'blob_labels = cluster(blob, "hdbscan", min_cluster_size=40, min_samples=10, '
                'cluster_selection_method="leaf")',
                "less than half should be",
            ),
            Mistake(
                'blob_labels = cluster(blob, "hdbscan", min_cluster_size=10, min_samples=2)',
                "no referee would believe",
            ),
            Mistake("blob_labels = np.where(blob_labels < 0, -2, blob_labels)", "from 0 on"),
            Mistake("blob_labels = blob_labels.astype(str)", "should be whole numbers"),
            Mistake("blob_labels = blob_labels[::-1]", "around each other"),
            Mistake('methods_sentence = "We used HDBSCAN."', "has 3 words"),
        ),
    ),
    Exercise(
        number="6.4",
        title="open-ended: what you take along",
        is_open=True,
        minutes=5,
        task="""
(Or an evening.) Choose the grouping that you would take to the sky: method, on what, how many
groups, what is left out. (07 takes eight groups of spectral clustering, and its text speaks of
those; yours is there to be compared with them.) `my_labels` is one label for each pixel in the
order of the table, -1 for those left out. Then write its `defence`, a list of three sentences, each
of five words or more: which groups are findings, which are cuts of yours, and which result would
make you withdraw one of them. (A fair choice uses no truth, and neither does the choice of the
setting that gives the prettiest map.)
""",
        stub="""
my_labels = ...  # one label for each pixel, e.g. labels["spectral"]
defence = ...  # a list of three sentences: ["...", "...", "..."]
""",
        answer="my_labels, defence",
        hints=(
            "Look at the verdicts of section 10 before you call anything a finding.",
            "`survivors` holds what at least two methods keep; everything else is -1.",
            'The third sentence may begin with "If under another forest seed ...".',
        ),
        solution="""
my_labels = labels["spectral"]
defence = [
    "The small islets are findings: several methods keep them under all seeds.",
    "The other four groups are cuts along one continuum.",
    "If another forest joined an islet to the body, I would withdraw it.",
]
""",
        reason="""
There is no single right grouping. What makes one defensible is that its sentence says which of its
borders the data made.
""",
        misconception="There is one right clustering, and the scores will tell it.",
        reply="Ask which question the grouping is for: to find rare things, or to divide a "
        "sequence?",
        checker=_check_choice,
        mistakes=(
            Mistake("my_labels = np.zeros(len(frame))", "one group or none"),
            Mistake("my_labels = np.arange(len(frame)) % 100", "There are 100 groups"),
            Mistake("my_labels = my_labels[::-1]", "no more often than by chance"),
            Mistake("my_labels = labels", "is a dictionary"),
            Mistake('defence = ["The islets are findings of ours.", ..., ...]', "still the dots"),
            Mistake('defence = "It is the best one."', "a list of three sentences"),
            Mistake('defence = ["islets", "pieces", "nothing"]', "has 1 word."),
        ),
    ),
    question(
        number="6.A",
        title="two controls",
        minutes=2,
        task="""
A colleague's clustering of 500,000 regions has a silhouette of 0.62, and a bootstrap finds every
group again with a Jaccard index of 0.97. The groups were made by k-means on a UMAP. Which two
controls do you ask for?
""",
        choices={
            "a": (
                "More bootstraps, a thousand of them, and the silhouette of every single group.",
                "Both look at the finished picture again, which nobody has moved; and the "
                "silhouette rewards just what k-means seeks. They will be good once more.",
            ),
            "b": (
                "A larger sample of regions, and a finer UMAP with more steps and neighbours.",
                "Half a million regions are not the bottleneck. Nothing in this tests whether"
                " there are groups.",
            ),
            "c": (
                "A second method on the same UMAP, and the agreement of the two.",
                "Two methods can agree on the same mistake if they believe the same, and the "
                "picture, which both take for given, is the thing to be doubted.",
            ),
            "d": (
                "Other seeds of UMAP and distance; and the same on data without groups.",
                "Data without groups are, for instance, one Gaussian. If the groups are found "
                "again, and the groupless cloud gives clearly worse ones, there is something to "
                "talk about. One control alone would not do: the pieces of a cloud can be stable, "
                "too.",
            ),
        },
        right="d",
        hints=(
            "What did the bootstrap shake, and what did it leave as it was?",
            "What would the same numbers be for data without groups?",
            "Section 8 shook the picture and the distance, section 9 took the groups away.",
        ),
        misconception="Stable means real.",
        reply="Ask what was shaken. Then ask how stable the six pieces of the blob were.",
    ),
    question(
        number="6.B",
        title="left out",
        minutes=2,
        task="""
DBSCAN leaves 12 % of the pixels out, k-means none. In the next step you compare mean metallicities
of groups. What does "left out" do to those means?
""",
        choices={
            "a": (
                "DBSCAN's means are of dense cores, k-means' of everybody: say both.",
                "The cores are sharper, but a selected sample; the others are pulled by "
                "borders and by pixels that belong nowhere. Which hurts more depends on the "
                "question. And the 12 % deserve a mean of their own: if it is unlike all the "
                "others, they are a finding.",
            ),
            "b": (
                "Nothing: what is left out is noise, and noise averages out in both.",
                "The pixels left out need not be badly measured; they have no close company. They"
                " are not drawn at random, so their absence does not average out.",
            ),
            "c": (
                "k-means has no problem: it uses all the data, so its means are the true ones.",
                "It puts every pixel into some group, whether it fits or not. Its groups' "
                "means hold the misfits.",
            ),
            "d": (
                "DBSCAN's are right: outliers should be removed before anything is averaged.",
                "Only when you know that they are faults. Here *outlier* means *thin place in"
                " a picture*.",
            ),
        },
        right="a",
        hints=(
            "Which pixels does DBSCAN leave out: bad ones, or lonely ones?",
            "And where does k-means put those same pixels?",
            "A mean of a selected sample, or a mean with strangers in it: is either the truth?",
        ),
        misconception="Noise pixels of a clustering are bad data.",
        reply="Let them look up the S/N of the pixels left out, and compare it with the rest.",
    ),
)
