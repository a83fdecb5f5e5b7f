"""The exercises of notebook 05, UMAP."""

from functools import cache

import numpy as np
from astropy.table import vstack

from helpers.clusters import cluster
from helpers.distances import nearest
from helpers.embedding import read_grid
from helpers.exercises.answers import in_words, labels, number, one_of, share, words
from helpers.exercises.exercise import Exercise, Mistake, Wrong, question
from helpers.features import feature_table, learning_frame
from helpers.galaxies import GALAXIES

_N_BLOB = 2218


def _check_thread(smallest_n_neighbors, property_of) -> str:
    smallest = number(smallest_n_neighbors, "`smallest_n_neighbors`")
    whose = one_of(property_of, "`property_of`", ("UMAP", "this thread"))
    if smallest != round(smallest):
        raise Wrong(
            f"`smallest_n_neighbors` is {smallest:g}; neighbours are counted in whole ones."
        )
    if not 2 <= smallest <= 120:
        raise Wrong(
            f"`smallest_n_neighbors` is {smallest:g}: from 2, the point itself and another, to the "
            "120 that `shape_neighbours` holds, no other number can be drawn."
        )
    if smallest <= 4:
        raise Wrong(
            f"With {smallest:g} the thread is still torn somewhere: `longest_step` of its picture "
            "is more than 6. (4 was the torn picture of this section.)"
        )
    if smallest > 7:
        raise Wrong(
            f"With {smallest:g} no step is too long, but neither is one with fewer. Go down one by "
            "one from 12 until it tears."
        )
    if whose == "UMAP":
        raise Wrong(
            f"{smallest:g} holds for 420 points with this noise, wound twelve times. Take every "
            "second point, or twice the noise, and look again: whose number is it?"
        )
    return (
        f"{smallest:g}: as many as it takes to reach along the thread and not yet to the next "
        "winding. More points, more noise or more windings, and it is another number. So there is "
        "no right n_neighbors in general, only one that is as wide as what you want to see."
    )


def _check_sentences(sentences, survived, kind) -> str:
    if isinstance(sentences, str) or not isinstance(sentences, list | tuple) or len(sentences) != 3:
        raise Wrong(f"`sentences` is {in_words(sentences)}; a list of three sentences is expected.")
    for sentence in sentences:
        words(sentence, "One of the `sentences`", at_least=5)
    survived = survived.tolist() if isinstance(survived, np.ndarray) else survived
    good = isinstance(survived, list | tuple) and len(survived) == 3
    if not good or not all(isinstance(one, bool | np.bool_) for one in survived):
        raise Wrong(
            f"`survived` is {in_words(survived)}; a list of three is expected, True or False for "
            "each sentence."
        )
    kind = one_of(kind, "`kind`", ("values", "neighbours"))
    if kind == "neighbours":
        raise Wrong(
            "Look again at what lies beside an islet: in grid.points(100, 0.25) and under another "
            "distance it has other neighbours. Which sentences name no neighbour?"
        )
    return (
        f'{sum(survived)} of your three survived. Sentences on values ("a region high in X and '
        'low in Y") come from the table and are found again in every picture; sentences on who '
        "lies beside whom, or how far, come from the layout. One that lived through two pictures "
        "was lucky twice: try it on `grid.points(random_state=2)`, and on the other distances."
    )


def _check_blob(blob_labels, warning_sentence) -> str:
    found = labels(blob_labels, "`blob_labels`", _N_BLOB)
    n_groups, out = len(np.unique(found[found >= 0])), np.mean(found < 0)
    if n_groups < 10:
        raise Wrong(
            f"{n_groups} {'group' if n_groups == 1 else 'groups'}, and ten or more are wanted. "
            "Fewer neighbours tear the picture; a smaller min_cluster_size takes the shreds for "
            "groups."
        )
    if out >= 1 / 3:
        raise Wrong(
            f"{out:.0%} of the points are in no group; less than a third should be. Fewer "
            "neighbours make tighter knots."
        )
    size = np.median(np.unique(found[found >= 0], return_counts=True)[1])
    if size < 3:
        raise Wrong(
            f"Half of the {n_groups} groups have {size:g} points or fewer. A group is what "
            "`cluster` finds, with 3 points at least."
        )
    words(warning_sentence, "`warning_sentence`", at_least=8)
    return (
        f"{n_groups} groups, {out:.0%} left out, of one smooth cloud. Does your sentence say what "
        "the same chain finds in data without groups, and how many settings were tried? That one "
        "sentence is rare in print."
    )


@cache
def _islet_shares() -> dict[str, float]:
    """Of the neighbours of an islet's pixels, the share in the islet: the right one, and others."""
    table = vstack([feature_table(galaxy) for galaxy in GALAXIES])
    near = nearest(learning_frame(table), "standardised", 16)[1]
    tag = cluster(read_grid().points(random_state=2), min_cluster_size=100)
    first, second = (np.flatnonzero(tag == group) for group in (1, 2))
    return {
        "right": np.isin(near[first, 1:], first).mean(),
        "These are of the other islet: `islets[0]` is the first.": np.isin(
            near[second, 1:], second
        ).mean(),
        "The pixel itself is among the neighbours: [1][:, 1:] leaves it out.": np.isin(
            near[first], first
        ).mean(),
        "These are 14 neighbours: ask for 16, the pixel itself and 15 more.": np.isin(
            near[first, 1:15], first
        ).mean(),
        "This is the mean over all pixels. Take the members' rows alone: near[islets[0]].": np.isin(
            near[:, 1:], first
        ).mean(),
        "This is the share that is *not* in the islet.": 1 - np.isin(near[first, 1:], first).mean(),
    }


def _check_club(islet_share, piece_share) -> str:
    islet = share(islet_share, "`islet_share`")
    piece = share(piece_share, "`piece_share`")
    known = dict(_islet_shares())
    right = known.pop("right")
    says = min(known, key=lambda mistake: abs(islet - known[mistake]))
    is_that = abs(islet - known[says]) < 1e-4
    if is_that or abs(islet - right) > 0.006:  # a share of two digits was rounded
        says = says if is_that else None
        if abs(piece - right) < 1e-4:
            says = "The two are turned round: the first number is the islet's."
        raise Wrong(
            f"`islet_share` is {islet:.3f}, but another number is expected. "
            + (
                says
                or "Of each member's 15 nearest (without itself), which share are members, too? "
                "np.isin(near[islets[0]], islets[0]).mean()."
            )
        )
    if abs(piece - right) < 1e-4 or piece == islet:
        raise Wrong("Both numbers are the islet's: the second belongs to a piece of the body.")
    if piece > islet:
        raise Wrong(
            f"The piece of the body keeps more ({piece:.2f}) than the islet ({islet:.2f})? It "
            "should have as many members as the islet, and none in it."
        )
    if piece < 0.15:
        raise Wrong(
            f"`piece_share` is {piece:.2f}: those are pixels from all over the body. Cut the piece "
            "with a straight line, so that its members lie together on paper."
        )
    return (
        f"The islet keeps {islet:.0%} of its neighbours to itself, your piece {piece:.0%}. A piece "
        "from an end of the body keeps 60 to 80 %, one from its middle 20 to 50 %: so compare "
        "with ends. The islet wins, not by much, and in a space that no UMAP has touched."
    )


EXERCISES = (
    Exercise(
        number="5.1",
        title="warm-up: the closed thread",
        minutes=5,
        task="""
Back to the thread, where you know the truth: which is the smallest `n_neighbors` with which it
becomes one closed line? Call it closed if no step from a point to the next along the thread is more
than six times the median one; `longest_step(points)`, of section 3, tells. Put the number into
`smallest_n_neighbors`. And is it a property of "UMAP", or of "this thread"? (Half of the points on
the same thread: would it be the same? `hint("5.1")` helps; notebook 00 says how.)
""",
        stub="""
smallest_n_neighbors = ...  # embed(shape_neighbours, ..., min_dist=0.1), then draw_shape
property_of = ...  # "UMAP" or "this thread"
""",
        answer="smallest_n_neighbors, property_of",
        hints=(
            "At 4 it is torn, at 12 closed. There are not many numbers between.",
            "A row of panels, one for each number from 4 to 9, as in the figure of section 3.",
            "points = embed(shape_neighbours, n, min_dist=0.1) in a loop over n, then "
            "longest_step(points) and draw_shape(axis, points, n).",
        ),
        solution="""
figure, axes = plt.subplots(1, 5, figsize=(16, 3.6))
for n, axis in zip((4, 5, 6, 7, 8), axes, strict=True):
    points = embed(shape_neighbours, n, min_dist=0.1)
    draw_shape(axis, points, f"{n}: longest step {longest_step(points):.1f}")
plots.show("The thread with 4 to 8 neighbours: torn with 4, one closed line from 5 on.")
smallest_n_neighbors = 5
property_of = "this thread"
""",
        reason="""
A link must reach the next point along the thread on both sides, and a few more hold against the
push of strangers. How many that are depends on how the points lie.
""",
        misconception="There is a right n_neighbors, and 15 (or 25) is it.",
        reply="Ask how wide the thing is that they want to see, in points. That is the number.",
        checker=_check_thread,
        mistakes=(
            Mistake("smallest_n_neighbors = 4", "still torn somewhere"),
            Mistake("smallest_n_neighbors = 12", "Go down one by one"),
            Mistake("smallest_n_neighbors = 500", "no other number can be drawn"),
            Mistake('property_of = "UMAP"', "whose number is it"),
        ),
    ),
    Exercise(
        number="5.2",
        title="sentences under fire",
        minutes=6,
        task="""
Write three sentences about the adopted picture, of the kind "region R is high in X and low in Y" or
"group A lies next to group B", into the list `sentences`. Say in `prediction` which will survive.
Then look for each in another cell of the grid
(`draw(plt.gca(), grid.points(100, 0.25), frame["log_ha"])`) and under another distance
(`grid.points(distance="cosine")` in its place), and put True or False for each into the list
`survived`. Which *kind* of sentence survives: those on "values", or those on "neighbours"?
""",
        stub="""
prediction = ""  # e.g. "the first two will survive"
sentences = ...  # a list of three sentences
survived = ...  # a list of three: True or False
kind = ...  # "values" or "neighbours"
""",
        answer="sentences, survived, kind",
        predicts=True,
        hints=(
            "Have at least one sentence of each kind, or there is nothing to compare.",
            "Colour each picture by the features that the sentence names, one after the other.",
            "Who lies beside the right islet: the bright or the faint end of the body? In all "
            "three?",
        ),
        solution="""
prediction = "all three will survive"
sentences = [
    "One end of the body is high in [SII]/Hα and low in Hα.",
    "There is an islet that is high in Hα and in E(B-V).",
    "That islet lies next to the faint end of the body.",
]
figure, axes = plt.subplots(1, 3, figsize=(16, 4))
shown = {"adopted": adopted, "100, 0.25": grid.points(100, 0.25)}
shown["cosine"] = grid.points(distance="cosine")
for axis, (name, points) in zip(axes, shown.items(), strict=True):
    draw(axis, points, frame["log_ha"], name)
plots.show("Three pictures coloured by Halpha: the same regions, the islets in other places.")
survived = [True, True, False]
kind = "values"
""",
        reason="""
Values belong to the pixels, wherever they are drawn. Who is drawn beside whom across a gap is the
layout's choice, and it changes with every setting.
""",
        misconception="What lies side by side on a UMAP is alike.",
        reply="Within a crowd, yes. Across white paper let them look at a second picture.",
        checker=_check_sentences,
        mistakes=(
            Mistake('kind = "neighbours"', "name no neighbour"),
            Mistake('survived = ["yes", "yes", "no"]', "True or False"),
            Mistake('sentences = "One end is bright."', "a list of three sentences"),
        ),
    ),
    Exercise(
        number="5.3",
        title="break the tool: groups of a blob",
        minutes=6,
        task="""
Get the most "convincing" groups out of the Gaussian blob that you can: play with `n_neighbors` of
`embed` (small ones), `min_cluster_size` of `cluster`, the seed, the distance
(`nearest(blob, "cosine", 5)`). Aim at ten groups or more with less than a third of the points left
out, and put the labels (one for each of the 2,218 points, -1 for those left out) into
`blob_labels`. Then write into `warning_sentence` the *one* sentence which, in the methods section
of a paper, would have warned the reader.
""",
        stub="""
blob = no_groups["one Gaussian blob"]
blob_labels = ...  # cluster(embed(nearest(blob, ...), ...), min_cluster_size=...)
warning_sentence = ...  # a sentence, in quotes
""",
        answer="blob_labels, warning_sentence",
        hints=(
            "Section 3: what do few neighbours do to a thread? Do it to the blob.",
            "`nearest(blob, name, k)` gives k neighbours; `embed` of them, with the same k.",
            'cluster(embed(nearest(blob, "cosine", 4), 4, min_dist=0.0), min_cluster_size=10)',
        ),
        solution="""
blob = no_groups["one Gaussian blob"]
torn = embed(nearest(blob, "cosine", 4), 4, min_dist=0.0)
blob_labels = cluster(torn, min_cluster_size=10)
warning_sentence = "The same settings find dozens of groups in one Gaussian without any."
print(f"{blob_labels.max() + 1} groups, {np.mean(blob_labels < 0):.0%} left out")
colours = np.where(blob_labels < 0, -1, blob_labels % 8)  # eight colours, again and again
plots.draw_groups(*torn.T, colours, legend=False)
plots.show("The blob torn into dozens of small knots, coloured by group.")
""",
        reason="""
With four neighbours the graph is held together by threads, the layout tears it into knots, and a
density method finds them, one and all.
""",
        misconception="Clean groups on a UMAP are groups.",
        reply="Let them count the groups that their own settings find in the blob.",
        checker=_check_blob,
        mistakes=(
            Mistake(
                'blob_labels = cluster(embed(nearest(blob, "standardised", 25)), '
                "min_cluster_size=200)",
                "ten or more are wanted",
            ),
            Mistake(
                "blob_labels = np.where(np.arange(2218) < 1100, -1, 0) + np.r_[np.zeros(1100, "
                "int), np.arange(1118) % 20]",
                "less than a third",
            ),
            Mistake("blob_labels = np.arange(2218)", "points or fewer"),
            Mistake('warning_sentence = "Beware of UMAP."', "has 3 words"),
        ),
    ),
    Exercise(
        number="5.4",
        title="open-ended: a club without a picture",
        minutes=5,
        task="""
(Or an evening.) Are the islets members of one club in the *table*, without any picture? Take the
pixels of the first, `islets[0]`, and their 15 nearest in the standardised table
(`nearest(frame, "standardised", 16)[1][:, 1:]`: row numbers, without the pixel itself). Which share
of these are members of the islet? That is `islet_share`, between 0 and 1. Then the same for a piece
of the body of the same size that a straight line cuts off (for instance the pixels of
`tag == 0` with the smallest `adopted[:, 0]`): `piece_share`. Would another direction of the line
change your mind? What would the blob's best group score?
""",
        stub="""
islet_share = ...  # between 0 and 1
piece_share = ...  # between 0 and 1
""",
        answer="islet_share, piece_share",
        hints=(
            "np.isin(rows, members) is True for each row number that is among the members.",
            "The mean of that, over the members' neighbours, is the share.",
            "body = np.flatnonzero(tag == 0); piece = body[np.argsort(adopted[body, 0])[:n]]",
        ),
        solution="""
near = nearest(frame, "standardised", 16)[1][:, 1:]
body = np.flatnonzero(tag == 0)
piece = body[np.argsort(adopted[body, 0])[: len(islets[0])]]
islet_share = np.isin(near[islets[0]], islets[0]).mean()
piece_share = np.isin(near[piece], piece).mean()
print(f"islet {islet_share:.2f}, piece {piece_share:.2f}, both of {len(piece)} pixels")
""",
        reason="""
A piece at an end of the body has strangers on one side only, so it is the hardest rival. What keeps
more than every such piece is set apart in the table, too.
""",
        misconception="If it is apart on the picture, it is apart in the data.",
        reply="Let them ask the table, and let them give a piece of the body the same chance.",
        checker=_check_club,
        mistakes=(
            Mistake("islet_share, piece_share = 86, 70", "not a percentage"),
            Mistake("islet_share, piece_share = piece_share, islet_share", "turned round"),
            Mistake("piece_share = islet_share", "Both numbers are the islet's"),
            Mistake("piece_share = 0.95", "keeps more"),
            Mistake("piece_share = 0.03", "from all over the body"),
            Mistake("islet_share = 1 - islet_share", "*not* in the islet"),
            Mistake("islet_share = np.isin(near, islets[0]).mean()", "mean over all pixels"),
            Mistake(
                "near = nearest(frame, 'standardised', 16)[1]; "
                "islet_share = np.isin(near[islets[0]], islets[0]).mean()",
                "pixel itself is among",
            ),
            Mistake(
                "islet_share = np.isin(near[islets[0], :14], islets[0]).mean()", "These are 14"
            ),
            Mistake("islet_share = np.isin(near[islets[1]], islets[1]).mean()", "other islet"),
            Mistake("islet_share, piece_share = 0.5, 0.3", "which share are members"),
        ),
    ),
    question(
        number="5.A",
        title="the bridge",
        minutes=2,
        task="""
A paper shows a UMAP of 30,000 star-forming regions: two large groups and a thin bridge between
them. "The bridge shows that regions evolve from one group to the other." What do you reply?
""",
        choices={
            "a": (
                "Agreed, if the bridge is there again with two or three other seeds of UMAP.",
                "Then it is a property of the graph and not of one layout. It still says "
                "nothing of time: a graph of likeness has no direction.",
            ),
            "b": (
                "No: UMAP never shows anything real, neither groups nor what lies between.",
                "It shows who is next to whom, and does it well. What it does not show is why.",
            ),
            "c": (
                "Mixing or the layout can make a bridge; show me something that knows time.",
                "Few neighbours, pixels that mix both kinds of light, and the layout itself "
                "can make a bridge. For evolution you need ages, or a sequence on the sky. "
                "And the bridge should be found in the table: regions with values in between,"
                " more of them than mixing would give.",
            ),
            "d": (
                "The groups must be separated better first, with a smaller `min_dist`.",
                "The width of the pen does not decide whether there is a way between two places.",
            ),
        },
        right="c",
        hints=(
            "What is a link of the graph: a likeness, or a way that something has gone?",
            "A pixel of 150 pc that holds a bit of both kinds: where is it drawn?",
            "Which measurement knows about time?",
        ),
        misconception="A continuous path on a UMAP is a path in time.",
        reply="Ask what each axis is. Then ask which of the features is a clock.",
    ),
    question(
        number="5.B",
        title="the islet that merged",
        minutes=2,
        task="""
Your collaborator adds the pixels of ten more galaxies, runs the chain again, and one of our islets
has merged with the body. "So it was not real." What else may have happened?
""",
        choices={
            "a": (
                "The forest, the neighbours, the rulers and the layout: all are others now.",
                "The forest learned other borders, the 25 nearest now come from thirteen "
                "galaxies, each pixel's ruler is shorter, and the layout began anew. The new "
                "pixels may fill the gap: then it was a gap of our sample. Which of these it "
                "was, one can test: the old forest on the new pixels, the old pixels alone "
                "with a new seed, the gap in the table.",
            ),
            "b": (
                "Nothing else: ten more galaxies are better data, and better data decide.",
                "More data are another question. Every step of the chain looks at all the pixels.",
            ),
            "c": (
                "Only the layout: it is chaotic, so in the table the islet is still there.",
                "It may be. But the neighbours are others as well, and the gap may have been "
                "filled; that is found in the table, not by faith.",
            ),
            "d": (
                "`n_neighbors` has to be raised in proportion to the number of pixels.",
                "That keeps the scale in the data about as it was, and is a good test. But it"
                " is one of four things that changed.",
            ),
        },
        right="a",
        hints=(
            "Go through the chain: forest, neighbours, ruler, layout. Which looks at all pixels?",
            "What if the ten galaxies have pixels just between the islet and the body?",
            "A gap can be a gap of nature, or of the sample.",
        ),
        misconception="A group that vanishes with more data was an error.",
        reply="Let them say what each step of the chain saw before, and what it sees now.",
    ),
)
