"""The exercises of notebook 05, UMAP."""

import numpy as np

from helpers.exercises.answers import in_words, labels, number, one_of, words
from helpers.exercises.exercise import Exercise, Mistake, Wrong, question

_N_BLOB = 2218


def _check_thread(smallest_n_neighbors, property_of) -> str:
    smallest = number(smallest_n_neighbors, "`smallest_n_neighbors`")
    whose = one_of(property_of, "`property_of`", ("UMAP", "this thread"))
    if smallest != round(smallest):
        raise Wrong(
            f"`smallest_n_neighbors` is {smallest:g}; neighbours are counted in whole ones."
        )
    if smallest <= 4:
        raise Wrong(
            f"With {smallest:g} the thread is still torn somewhere: draw it, and follow the colour "
            "all the way round. (4 was the torn picture of this section.)"
        )
    if smallest > 7:
        raise Wrong(
            f"With {smallest:g} it is closed, but it is closed with fewer, too. Go down one by one "
            "from 12 until it tears."
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
        f"low "
        'in Y") come from the table and are found again in every picture; sentences on who lies '
        "beside whom, or how far, come from the layout."
    )


def _check_blob(blob_labels, warning_sentence) -> str:
    found = labels(blob_labels, "`blob_labels`", _N_BLOB)
    n_groups, out = len(np.unique(found[found >= 0])), np.mean(found < 0)
    if n_groups < 10:
        raise Wrong(
            f"{n_groups} {'group' if n_groups == 1 else 'groups'}, and ten or more are wanted. "
            f"Fewer "
            "neighbours tear the picture; a smaller min_cluster_size takes the shreds for groups."
        )
    if out >= 1 / 3:
        raise Wrong(
            f"{out:.0%} of the points are in no group; less than a third should be. Fewer "
            "neighbours make tighter knots."
        )
    words(warning_sentence, "`warning_sentence`", at_least=8)
    return (
        f"{n_groups} groups, {out:.0%} left out, of one smooth cloud. Does your sentence say what "
        "the same chain finds in data without groups, and how many settings were tried? That one "
        "sentence is rare in print."
    )


def _check_club(islet_share, piece_share) -> str:
    islet = _share(islet_share, "`islet_share`")
    piece = _share(piece_share, "`piece_share`")
    if piece > islet:
        raise Wrong(
            f"The piece of the body keeps more ({piece:.2f}) than the islet ({islet:.2f})? The "
            "first number is the islet's. And the piece should have as many members as the islet."
        )
    if not 0.75 < islet < 0.98:
        raise Wrong(
            f"`islet_share` is {islet:.2f}, but another number is expected. Of each member's 15 "
            "nearest (without itself), which share are members, too? np.isin(near, islets[0])."
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


def _share(answer, name: str) -> float:
    value = number(answer, name)
    if 1 < value <= 100:
        raise Wrong(f"{name} is {value:g}: a share between 0 and 1 is asked for, not a percentage.")
    if not 0 <= value <= 1:
        raise Wrong(f"{name} is {value:g}, but a share lies between 0 and 1.")
    return value


EXERCISES = (
    Exercise(
        number="5.1",
        title="warm-up: the closed thread",
        minutes=5,
        task="""
Back to the thread, where you know the truth: which is the smallest `n_neighbors` with which it
becomes one closed line? Put it into `smallest_n_neighbors`. And is that number a property of
"UMAP", or of "this thread"? (Half of the points on the same thread: would it be the same?
`hint("5.1")` helps; notebook 00 explains.)
""",
        stub="""
smallest_n_neighbors = ...  # embed(shape_neighbours, ..., min_dist=0.1), then draw_shape
property_of = ...  # "UMAP" or "this thread"
""",
        answer="smallest_n_neighbors, property_of",
        hints=(
            "At 4 it is torn, at 12 closed. There are not many numbers between.",
            "A row of panels, one for each number from 4 to 9, as in the figure of section 3.",
            "`embed(shape_neighbours, n, min_dist=0.1)` in a loop, `draw_shape(axis, points, n)`.",
        ),
        solution="""
figure, axes = plt.subplots(1, 5, figsize=(16, 3.6))
for n, axis in zip((4, 5, 6, 7, 8), axes, strict=True):
    draw_shape(axis, embed(shape_neighbours, n, min_dist=0.1), f"n_neighbors = {n}")
plots.show("The thread with 4 to 8 neighbours: torn with 4, one closed line from 5 or 6 on.")
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
draw(plt.gca(), torn, np.where(blob_labels < 0, np.nan, blob_labels % 8), cmap="tab10", s=4)
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
            Mistake("islet_share, piece_share = 0.6, 0.8", "The first number is the islet's"),
            Mistake("islet_share, piece_share = 0.86, 0.03", "from all over the body"),
            Mistake("islet_share, piece_share = 0.5, 0.3", "another number is expected"),
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
                "Agreed, if the bridge is there with other seeds as well.",
                "Then it is a property of the graph and not of one layout. It still says nothing "
                "of time: a graph of likeness has no direction.",
            ),
            "b": (
                "Few neighbours, pixels that mix both kinds of light, and the layout itself can "
                "make a bridge. For evolution you need something that knows time: ages, or a "
                "sequence on the sky.",
                "And the bridge should be found in the table: regions with values in between, more "
                "of them than mixing would give.",
            ),
            "c": (
                "No: UMAP never shows anything real.",
                "It shows who is next to whom, and does it well. What it does not show is why.",
            ),
            "d": (
                "The groups must be separated better, with a smaller `min_dist`.",
                "The width of the pen does not decide whether there is a way between two places.",
            ),
        },
        right="b",
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
                "Nothing else: more data are better data.",
                "More data are another question. Every step of the chain looks at all the pixels.",
            ),
            "b": (
                "The forest learned other borders, the 25 nearest now come from thirteen galaxies, "
                "each pixel's ruler is shorter, and the layout began anew. The new pixels may fill "
                "the gap: then it was a gap of our sample.",
                "Which of these it was, one can test: the old forest on the new pixels, the old "
                "pixels alone with a new seed, the gap in the table.",
            ),
            "c": (
                "Only the layout: it is chaotic, so the islet is still there.",
                "It may be. But the neighbours are others as well, and the gap may have been "
                "filled; that is found in the table, not by faith.",
            ),
            "d": (
                "`n_neighbors` has to be raised in proportion to the number of pixels.",
                "That keeps the scale in the data about as it was, and is a good test. But it is "
                "one of four things that changed.",
            ),
        },
        right="b",
        hints=(
            "Go through the chain: forest, neighbours, ruler, layout. Which looks at all pixels?",
            "What if the ten galaxies have pixels just between the islet and the body?",
            "A gap can be a gap of nature, or of the sample.",
        ),
        misconception="A group that vanishes with more data was an error.",
        reply="Let them say what each step of the chain saw before, and what it sees now.",
    ),
)
