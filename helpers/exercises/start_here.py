"""The exercises of notebook 00, Start here."""

from helpers import survey
from helpers.exercises.answers import array, one_of, words
from helpers.exercises.exercise import Exercise, Mistake, Wrong, question
from helpers.galaxies import GALAXIES

_GALAXY = "NGC 7496"


def _check_centre(centre) -> str:
    rows, columns = GALAXIES[_GALAXY].grid()[1]
    row, column = array(centre, "`centre`, a tuple (row, column),", (2,))
    if (row, column) == (rows // 2, columns // 2):
        return (
            "That is the nucleus. The CO panel is least like the others: a line several times "
            "higher and wider, of much gas that turns fast around the centre. And Hβ is weak "
            "beside Hα: dust takes more of the blue light than of the red."
        )
    if (row, column) in ((rows / 2, columns / 2), ((rows + 1) // 2, (columns + 1) // 2)):
        raise Wrong(
            "Half of the number of rows is not a row: they are counted from 0, so that of 5 rows "
            "the middle one is number 2, which is 5 // 2."
        )
    raise Wrong(
        f"({row:g}, {column:g}) is not the middle of a grid of {rows} rows and {columns} columns, "
        "counted from 0. `shape` holds both numbers."
    )


def _check_missing_map(missing_map) -> str:
    here = survey.available(_GALAXY)
    if isinstance(missing_map, str) and missing_map in here:
        raise Wrong(
            f"{missing_map} of {_GALAXY} is here: look for a name that the error lists and "
            f'survey.available("{_GALAXY}") does not.'
        )
    if isinstance(missing_map, str) and missing_map.upper() in ("F444W", "NGC 4321"):
        raise Wrong(
            f"{missing_map} is what the course does not know at all. Read the last line of the "
            "error: it names every map that the course knows."
        )
    lacking = [name for name in survey.MAPS if name not in here]
    found = one_of(missing_map, "`missing_map`", survey.MAPS)
    return (
        f"{found} is a name that the course knows, but {_GALAXY} comes without it "
        f"({len(lacking)} of the {len(survey.MAPS)} maps are like that). A list of names in an "
        "error saves you a search."
    )


def _check_painted(follows_the_arms, does_not) -> str:
    words(follows_the_arms, "`follows_the_arms`", at_least=1)
    words(does_not, "`does_not`", at_least=1)
    if follows_the_arms.split() == does_not.split():
        raise Wrong(
            "Both names are the same. Look for two: where do young stars matter, and where only "
            "old stars, distance from the centre or noise?"
        )
    return (
        "Noted. Compare with your neighbour: what follows the arms has to do with young stars "
        "(Hα, warm dust, little [SII] beside Hα). CO's width and the dust's reddening are "
        "largest in the centres and, in NGC 1365, in the bar."
    )


EXERCISES = (
    Exercise(
        number="0.1",
        title="warm-up",
        minutes=1,
        task="""
Add a third pixel: the very centre of NGC 7496, where the active nucleus is. (The grid has an
odd number of rows and columns, so the middle pixel is the galaxy's centre; `shape` holds both
numbers.) Which of its panels looks least like the other two? (Do not expect a pure nucleus: in
a pixel of 150 pc its light is mixed with that of the starburst around it.)
""",
        stub="""
centre = ...  # a tuple: (row, column)
if centre is not ...:
    draw_pixels(pixels | {"centre": centre})
    plots.show("The bright, the quiet and the central pixel in four panels.")
""",
        answer="centre",
        hints=(
            "`shape` is (number of rows, number of columns). Both are odd.",
            "Rows are counted from 0. Of 5 rows, number 2 is the middle one.",
            "`shape[0] // 2` is the row; the column goes the same way.",
        ),
        misconception="The middle of a grid of n rows is row n/2.",
        reply="Let them write down the rows of a grid of five, counted from 0, and put a "
        "finger on the middle one.",
        solution="""
centre = (shape[0] // 2, shape[1] // 2)
draw_pixels(pixels | {"centre": centre})
plots.show("The bright, the quiet and the central pixel in four panels.")
""",
        reason="""
The grid was laid around the galaxy's centre, so the middle pixel holds it. `//` divides and
drops the rest, which is what counting from 0 needs.
""",
        checker=_check_centre,
        mistakes=(
            Mistake("centre = (shape[0] / 2, shape[1] / 2)", "is not a row"),
            Mistake("centre = (0, 0)", "is not the middle of a grid"),
            Mistake("centre = shape[0] // 2", "numbers of shape (2,)"),
        ),
    ),
    question(
        number="0.A",
        title="the same gas",
        minutes=1,
        task="""
The three telescopes' pictures are not equally sharp: in NGC 7496, JWST's 7.7 µm image resolves
about 25 pc, ALMA's beam about 150 pc. What had to be done to the maps before "the same pixel"
could mean the same gas?
""",
        choices={
            "a": (
                "The ALMA map was sharpened to 25 pc, so that none of JWST's detail was lost.",
                "What a telescope has blurred is lost: nothing sharpens it again without "
                "inventing detail.",
            ),
            "b": (
                "The sharper maps were blurred to the least sharp one; then all were put on "
                "one grid.",
                "First one sharpness, then one grid, so that a pixel holds the light of the "
                "same 150 pc in every map. Notebook 02 does it.",
            ),
            "c": (
                "All maps were put on the same grid of pixels; with the same pixels, that is "
                "enough.",
                "The same grid says where a pixel is, not from how far its light came: at 150"
                " pc, ALMA's light of a cloud is spread over many pixels of 25 pc.",
            ),
        },
        right="b",
        hints=(
            "Imagine one small cloud. Over how many of JWST's pixels does ALMA spread it?",
            "Sharpness can be taken from a map, but not given to it.",
            "Two steps are needed: one for sharpness, one for the grid.",
        ),
        misconception="Two maps on one grid of pixels show the same gas in each pixel.",
        reply="Draw one small cloud as each telescope sees it, and ask where its light went.",
    ),
    Exercise(
        number="0.2",
        title="break the tool",
        minutes=1,
        task="""
A good tool says what is wrong. Ask for a map that the survey does not have, then for a galaxy
that the course does not have (take the `#` away, one line at a time), and read the *last line*
of each error. The first one names every map the course knows; not all of them exist for each
galaxy. `survey.available("NGC 7496")` lists what is there. Find one map that the course knows
and NGC 7496 lacks.
""",
        stub="""
# survey.native_map("NGC 7496", "F444W")
# survey.native_map("NGC 4321", "F770W")
missing_map = ...  # a name, in quotes
""",
        answer="missing_map",
        hints=(
            "Two lists are to be compared: the one in the error, and survey.available(...).",
            "The names in the error are also in `survey.MAPS`.",
            "[name for name in survey.MAPS if name not in survey.available(...)]",
        ),
        misconception="An error message is bad news, and its last line is for experts.",
        reply="Read the last line aloud together: what was given, what is possible, what to "
        "do next.",
        solution="""
available = survey.available("NGC 7496")
missing_map = next(name for name in survey.MAPS if name not in available)
""",
        reason="""
The error lists what can be asked for by name; `available` lists what is on the disk for one
galaxy. (CO at 150 pc, for example, exists only where ALMA's own beam is sharper than that: of
NGC 7496 its own map is used.)
""",
        checker=_check_missing_map,
        mistakes=(
            Mistake('missing_map = "F770W"', "is here"),
            Mistake('missing_map = "F444W"', "does not know at all"),
            Mistake('missing_map = "F150W"', "one of co_mom0"),
        ),
    ),
    Exercise(
        number="0.3",
        title="open",
        minutes=2,
        task="""
Paint something else on the sky: in the cell of the three skies, set `painted` to the second
component, or to a column of the table such as `table["ebv"].value` (dust) or
`table["co_width"].value` (motion of gas), and `label`, `vmin` and `vmax` to suit. Find one
quantity that follows the arms and one that does not. First write down what you expect of the
dust.
""",
        stub="""
prediction = ""  # e.g. "dust will ..."
follows_the_arms, does_not = ..., ...  # two names, in quotes
""",
        answer="follows_the_arms, does_not",
        predicts=True,
        hints=(
            "The second component is `scores[:, 1]`. `table.colnames` lists the columns.",
            "What has to do with young stars follows the arms. What else changes over a galaxy?",
            "Compare `scores[:, 0]` with `scores[:, 1]`, or `log_ha` of `frame` with `co_width`.",
        ),
        misconception="Everything in a spiral galaxy follows the arms.",
        reply="Ask what makes an arm visible at all. Where young stars play no part, need "
        "there be one?",
        solution="""
prediction = "dust will lie along the arms"
follows_the_arms, does_not = "the first component", "the second component"
""",
        reason="""
There are many right answers; this is one. Paint them and say what you see: knots along the
arms, or something else.
""",
        checker=_check_painted,
        mistakes=(
            Mistake('follows_the_arms, does_not = "ebv", "ebv"', "Both names are the same"),
            Mistake("follows_the_arms, does_not = 1, 2", "words in quotes"),
        ),
    ),
    question(
        number="0.B",
        title="an equal say",
        minutes=1,
        task="""
More than half of the rows come from NGC 1365. You let each galaxy count the same instead, by
giving a pixel of a small galaxy more weight. What do you assume by that?
""",
        choices={
            "a": (
                "Nothing: equal weights are neutral, and every other weight would be a choice"
                " of mine.",
                "No weighting is neutral. One pixel, one vote says that area on the sky is "
                "what counts; one galaxy, one vote says something else.",
            ),
            "b": (
                "That NGC 1365 has worse data than the small galaxies, pixel by pixel.",
                "The weight has nothing to do with the quality of the data: NGC 1365 is "
                "large, so more of its pixels are there.",
            ),
            "c": (
                "That the galaxy, not the pixel, is the unit of the question.",
                "One small galaxy then stands for all small ones: a pixel of NGC 7496, and "
                "its noise, turns the axes several times as much as one of NGC 1365. It may "
                "be right for your question; say so.",
            ),
        },
        right="c",
        hints=(
            "What would change if NGC 7496 were cut out of the sample?",
            "Think of an election: one person, one vote, or one state, one vote?",
            "Each way of weighting answers another question. Which one does this answer?",
        ),
        misconception="Equal weights are the neutral choice.",
        reply="Ask who is counted: pixels, galaxies, or light. Each is a choice, and each "
        "has an answer of its own.",
    ),
)
