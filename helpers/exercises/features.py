"""The exercises of notebook 03, Features."""

from functools import cache

import astropy.units as u
import numpy as np
import pandas as pd
from astropy.table import vstack
from dust_extinction.parameter_averages import O94

from helpers import survey
from helpers.exercises.answers import array, close, in_words, number, one_of, words
from helpers.exercises.exercise import Exercise, Mistake, Wrong, question
from helpers.features import feature_table, learning_frame
from helpers.galaxies import GALAXIES
from helpers.maps import signal_to_noise

_PAIRS = ("Hβ/[OIII]", "[OI]/[SII]", "[NII]/[OIII]", "[OIII]/[SII]")
_WAVELENGTHS = {
    "Hβ": 4861.3, "[OIII]": 5006.8, "[OI]": 6300.3, "[NII]": 6583.5, "[SII]": 6723.6
}  # fmt: skip


@cache
def _survey():
    """The feature table, and the S/N of [OI]/Hα and the JWST bands of its pixels."""
    maps = {galaxy: survey.common_maps(galaxy) for galaxy in GALAXIES}
    tables = {galaxy: feature_table(galaxy, maps[galaxy]) for galaxy in GALAXIES}

    def of(values, name):
        return np.concatenate(
            [values(maps[galaxy][name])[t["y"], t["x"]] for galaxy, t in tables.items()]
        )

    oxygen = np.min([of(signal_to_noise, name) for name in ("OI6300", "HA6562")], axis=0)
    bands = {name: of(lambda one: one.data, name) for name in ("F200W", "F770W", "F1130W")}
    return vstack(list(tables.values())), np.nan_to_num(oxygen), bands


def _dust_factors() -> dict[str, float]:
    curve = O94(Rv=3.1)
    k = {line: curve.Rv * curve(angstrom * u.AA) for line, angstrom in _WAVELENGTHS.items()}
    above_below = {pair: pair.split("/") for pair in _PAIRS}
    return {
        pair: float(10 ** (-0.4 * 0.5 * (k[above] - k[below])))
        for pair, (above, below) in above_below.items()
    }


def _check_dust(stay) -> str:
    if isinstance(stay, dict):
        stay = [pair for pair, yes in stay.items() if yes is True or yes is np.True_]
    if isinstance(stay, str):
        stay = [stay]
    if not isinstance(stay, list | tuple | set) or not all(isinstance(one, str) for one in stay):
        raise Wrong(
            f"`stay` is {in_words(stay)}; a list of ratios is expected, each in quotes as it "
            f"stands "
            "in the task."
        )
    chosen = {one_of(pair.replace("Hb", "Hβ"), "An entry of `stay`", _PAIRS) for pair in stay}
    factors = _dust_factors()
    right = {pair for pair, factor in factors.items() if abs(factor - 1) < 0.1}
    if extra := chosen - right:
        worst = max(extra, key=lambda pair: abs(np.log(factors[pair])))
        raise Wrong(
            f"{worst} is {factors[worst]:.2f} of its value without dust: more than 10 % away. How "
            "far apart are its two lines in wavelength?"
        )
    if missing := right - chosen:
        raise Wrong(
            f"All you named stay within 10 %; {len(missing)} more "
            f"{'does' if len(missing) == 1 else 'do'}. Which other pair is close in wavelength?"
        )
    return (
        "; ".join(f"{pair} {factor:.2f}" for pair, factor in factors.items())
        + ". Close in wavelength, close to 1. A ratio of one line to another that is far away is "
        "partly a measurement of dust."
    )


@cache
def _shifts() -> dict[float, tuple[float, float, float]]:
    """How the old pixels' median moves, by both ways to say it; and that of all pixels."""
    table, _, bands = _survey()
    good = np.asarray(table["pah113_77_flag"]) == 0
    stars, pah77, pah113 = (bands[name][good] for name in ("F200W", "F770W", "F1130W"))
    old = stars / pah77 > 1.5

    def ratio(part):
        return np.log10((pah113 - 0.06 * stars) / (pah77 - part * stars))

    found = {}
    for part in (0.10, 0.16):
        new, usual = ratio(part), ratio(0.13)
        found[part] = (
            np.median(new[old]) - np.median(usual[old]),
            np.median((new - usual)[old]),
            np.median(new) - np.median(usual),
        )
    return found


def _check_shift(shift_010, shift_016) -> str:
    given = {
        0.10: number(shift_010, "`shift_010`"), 0.16: number(shift_016, "`shift_016`")
    }  # fmt: skip
    for part, shift in given.items():
        of_medians, median_of, of_all = (float(one) for one in _shifts()[part])
        name = f"`shift_{part * 100:03.0f}`"
        low, high = sorted((of_medians, median_of))
        if low - 0.002 <= shift <= high + 0.002:
            continue
        if low - 0.002 <= -shift <= high + 0.002:
            raise Wrong(
                f"{name} has the right size and the other sign: the median with {part:.2f}, less "
                "the median with 0.13. With less starlight taken off, is PAH 7.7 larger or smaller?"
            )
        if close(shift, of_all, absolute=0.002):
            raise Wrong(
                f"{name} is {shift:+.3f}: that is the median of all pixels. The old ones, "
                "`[old]`, move more."
            )
        raise Wrong(
            f"{name} is {shift:+.3f} dex, and something else is expected. Take the logarithm "
            f"first, then the median of the old pixels; once with {part:.2f}, once with 0.13."
        )
    return (
        f"{given[0.10]:+.3f} and {given[0.16]:+.3f} dex: nearly twice the 0.025 dex of the "
        "relation. An uncertainty of 0.03 in one coefficient moves the old pixels further than the "
        "whole scatter of what the paper is about."
    )


def _check_oxygen(pixels_left, pays_most) -> str:
    table, snr, _ = _survey()
    galaxy_of = np.asarray(table["galaxy"])
    right = {
        galaxy: [int(np.sum(snr[galaxy_of == galaxy] >= cut)) for cut in (3, 5, 10)]
        for galaxy in GALAXIES
    }
    form = "a dictionary from each galaxy's name to three numbers, for S/N 3, 5 and 10"
    if isinstance(pixels_left, pd.DataFrame):
        turned = pixels_left if set(GALAXIES) <= set(pixels_left.columns) else pixels_left.T
        pixels_left = {name: turned[name].tolist() for name in turned}
    if not isinstance(pixels_left, dict) or not set(GALAXIES) <= set(pixels_left):
        raise Wrong(f"`pixels_left` is {in_words(pixels_left)}; {form} is expected.")
    for galaxy, counts in right.items():
        given = array(pixels_left[galaxy], f"`pixels_left` of {galaxy}", (3,))
        if np.all(given <= 1):
            raise Wrong(
                f"{galaxy} has {given.round(2).tolist()}: shares. Numbers of pixels are asked for."
            )
        if np.all(np.abs(given[::-1] - counts) <= 5):
            raise Wrong(f"{galaxy} has them from S/N 10 down to 3; give 3, 5, 10.")
        if np.any(np.abs(given - counts) > 5):
            raise Wrong(
                f"{galaxy} has {given.astype(int).tolist()}, which is not what is left there. "
                '`weakest["[OI]/Hα"]` holds the S/N; take the rows of one galaxy, and count those '
                "at least as large as the cut."
            )
    share = {galaxy: counts[0] / np.sum(galaxy_of == galaxy) for galaxy, counts in right.items()}
    pays = one_of(pays_most, "`pays_most`", list(GALAXIES))
    if pays != min(share, key=share.get):
        raise Wrong(
            f"{pays} keeps {share[pays]:.0%} of its pixels at S/N 3. Another one keeps a smaller "
            "share: divide by how many pixels with CO each has."
        )
    return (
        "Left at S/N 3: "
        + ", ".join(f"{galaxy} {part:.0%}" for galaxy, part in share.items())
        + ". The host of the brightest nucleus loses a third, NGC 628 an eighth. What is left of "
        "the two are different kinds of places, so a comparison of AGN hosts with NGC 628 compares "
        "the cuts as well."
    )


def _check_ratios(ratios, theory) -> str:
    nothing = 10 ** np.random.default_rng(0).normal(size=(5000, 4))
    found = array(ratios, "`ratios`", (5000, 3))
    logs = np.log10(nothing)
    if np.any(found <= 0) is np.False_:
        raise Wrong("All of `ratios` are positive: take the logarithm of each ratio.")
    pairs = {(i, j): logs[:, i] - logs[:, j] for i in range(4) for j in range(4) if i != j}
    known = [
        next((pair for pair, ratio in pairs.items() if np.allclose(column, ratio)), None)
        for column in found.T
    ]
    if any(pair is None for pair in known):
        raise Wrong(
            "A column of `ratios` is no log of a ratio of two of the fluxes of `nothing`. "
            'np.log10(nothing["a"] / nothing["d"]) is one.'
        )
    if len({j for _, j in known}) > 1 or len({i for i, _ in known}) < 3:
        raise Wrong("The three ratios should have one and the same flux below the line.")
    value = number(theory, "`theory`")
    if close(value, 0, absolute=0.05):
        raise Wrong(
            "0 would be right for the fluxes. But log(a/d) and log(b/d) have -log d in common: "
            "which part of the variance of each is that?"
        )
    if not close(value, 0.5, absolute=0.02):
        raise Wrong(
            f"`theory` is {value:g}. The correlation is the variance of what they share over the "
            "variance of each, and in a log ratio two variances add up."
        )
    measured = np.corrcoef(found.T)[np.triu_indices(3, 1)]
    return (
        f"Measured {measured.min():.2f} to {measured.max():.2f}, theory 1/2: log d is half of the "
        "variance of each. With a steadier d it falls towards 0, with a noisier one it rises "
        "towards 1, and log(a/d) goes against log d itself by -0.7. To test a real pair, take "
        "the ratios over different denominators."
    )


def _check_redundant(redundant, formula, independent_quantities) -> str:
    frame = learning_frame(_survey()[0])
    column = one_of(redundant, "`redundant`", list(frame))
    if column == "log_f200w_2100w":
        raise Wrong(
            "log_f200w_2100w is the one that section 8 has found: linear in the logs. There is one "
            "more, which the rank does not see."
        )
    if column not in ("log_r_pah", "log_pah113_77", "log_f2100w_770w", "log_f200w_770w"):
        raise Wrong(
            f"{column} is no function of others: it needs a map that no other ratio has. Look for "
            "columns that are made from the same four bands."
        )
    given = array(formula, "`formula`", (len(frame),))
    if np.allclose(given, 10 ** frame[column], rtol=1e-3):
        raise Wrong(f"`formula` is right but for the logarithm: {column} is the log of it.")
    if not np.allclose(given, frame[column], atol=1e-3):
        raise Wrong(
            f"`formula` differs from {column} by up to {np.abs(given - frame[column]).max():.2g} "
            "dex. R(PAH) is (PAH 11.3 + PAH 7.7) / F2100W: divide above and below by F770W."
        )
    independent = number(independent_quantities, "`independent_quantities`")
    if independent != 12:
        raise Wrong(
            f"{independent:g} independent quantities? Fourteen columns, less the linear one, less "
            "this one."
        )
    return (
        "Exact to the last digit, and the rank is 13: it looks for planes, and this is a curved "
        "surface. Twelve independent quantities in fourteen columns; a distance counts some of "
        "them twice, and it is well to know which."
    )


def _check_set(my_set, defence, against) -> str:
    frame = learning_frame(_survey()[0])
    if not isinstance(my_set, pd.DataFrame) or my_set.shape[1] < 2 or len(my_set) < 100:
        raise Wrong(
            f"`my_set` is {in_words(my_set)}; a frame with a row for each pixel and at least two "
            "columns is expected, such as adopted.drop(columns=...)."
        )
    try:
        values = np.asarray(my_set, dtype=float)
    except (TypeError, ValueError):
        raise Wrong("`my_set` holds things that are no numbers; keep only features.") from None
    if not np.all(np.isfinite(values)):
        raise Wrong(
            f"`my_set` holds {np.sum(~np.isfinite(values))} NaN or infinite values: keep the rows "
            "in which every feature is detected."
        )
    words(defence, "`defence`", at_least=8)
    words(against, "`against`", at_least=5)
    scaled = (values - values.mean(axis=0)) / np.where(
        values.std(axis=0) > 0, values.std(axis=0), 1
    )
    variances = np.linalg.svd(scaled, compute_uv=False) ** 2
    rank = np.sum(variances > 1e-12 * variances[0])
    return (
        f"{my_set.shape[1]} columns of rank {rank}, {len(my_set)} pixels (the adopted set: "
        f"{len(frame)}); the first axis holds {variances[0] / variances.sum():.0%} of the "
        "variance. Did all five judges agree with your defence? If they did, what would a sixth "
        "have asked?"
    )


EXERCISES = (
    Exercise(
        number="3.1",
        title="warm-up",
        minutes=3,
        task="""
Which of Hβ/[OIII], [OI]/[SII], [NII]/[OIII] and [OIII]/[SII] stay within 10 % of their value
without dust at E(B-V) = 0.5? First guess from the wavelengths, into `prediction`; then compute each
with `dust_factor`, and put those that stay into the list `stay`. (`hint("3.1")` helps; notebook 00
explains.)
""",
        stub="""
prediction = ""  # your guess, in words
stay = ...  # a list of ratios in quotes, such as ["Hβ/[OIII]"]
""",
        answer="stay",
        predicts=True,
        hints=(
            "`wavelength` has them. Whose lines are neighbours?",
            '`dust_factor("Hβ", "[OIII]")` is the observed ratio over the one without dust.',
            "Within 10 % means between 0.9 and 1.1.",
        ),
        solution="""
prediction = "the first two, whose lines are close"
ratios_to_test = ["Hβ/[OIII]", "[OI]/[SII]", "[NII]/[OIII]", "[OIII]/[SII]"]
factors = {ratio: dust_factor(*ratio.split("/")) for ratio in ratios_to_test}
print({ratio: round(factor, 2) for ratio, factor in factors.items()})
stay = [ratio for ratio, factor in factors.items() if abs(factor - 1) < 0.1]
""",
        reason="""
What matters is the difference of k at the two wavelengths: small for neighbours, large from green
to red.
""",
        misconception="Dust dims all lines alike, so no ratio needs a correction.",
        reply="Ask why sunsets are red. Then compare a pair of neighbours with a distant one.",
        checker=_check_dust,
        mistakes=(
            Mistake('stay = ["Hβ/[OIII]"]', "1 more does"),
            Mistake(
                'stay = ["Hβ/[OIII]", "[OI]/[SII]", "[NII]/[OIII]"]',
                "[NII]/[OIII] is 1.",
            ),
            Mistake('stay = ["Hβ/[OIII]", "[OI]/[SII]", "[OIII]/[SII]"]', "[OIII]/[SII] is 0.6"),
            Mistake('stay = ["Hα/Hβ"]', "one of Hβ/[OIII]"),
        ),
    ),
    Exercise(
        number="3.2",
        title="how sure is 0.13?",
        minutes=4,
        task="""
Redo `pah_ratio` with 0.10 and with 0.16 in place of 0.13. By how many dex does the median of the
**old** pixels move against that with 0.13? Put the two numbers, with their signs (new less usual),
into `shift_010` and `shift_016`. Compare them with 0.025 dex.
""",
        stub="""
shift_010, shift_016 = ..., ...  # dex, in the old pixels
""",
        answer="shift_010, shift_016",
        hints=(
            "The line that makes `pah_ratio`, twice more, each with one number changed.",
            "`[old]` picks the old pixels; np.median of the new ones less np.median of the usual.",
            "np.median(np.log10((f1130w - 0.06 * f200w) / (f770w - 0.10 * f200w))[old]) is one.",
        ),
        solution="""
usual = np.median(pah_ratio[old])
shift_010, shift_016 = (
    np.median(np.log10((f1130w - 0.06 * f200w) / (f770w - part * f200w))[old]) - usual
    for part in (0.10, 0.16)
)
print(f"{shift_010:+.3f} and {shift_016:+.3f} dex")
""",
        reason="""
Less starlight taken off leaves more 7.7 µm light, so the ratio falls; in old pixels the starlight
is most of the band, and a small change of its part is a large change of the rest.
""",
        misconception="A coefficient known to a quarter is known well enough.",
        reply="Well enough for which pixels? Let them compare the old ones with all.",
        checker=_check_shift,
        mistakes=(
            Mistake("shift_010, shift_016 = -shift_010, -shift_016", "the other sign"),
            Mistake("shift_010, shift_016 = -0.0172, 0.0143", "the median of all pixels"),
            Mistake("shift_010, shift_016 = -0.11, 0.11", "something else is expected"),
        ),
    ),
    Exercise(
        number="3.3",
        title="the price of a better [OI]",
        minutes=4,
        task="""
Count, **for each galaxy**, how many pixels with CO are left when [OI]/Hα is asked for at S/N of at
least 3, 5 and 10: `pixels_left` is a dictionary from the galaxy's name to the list of these three
numbers. Which galaxy pays most, that is, keeps the smallest share at S/N 3? That is `pays_most`.
Would a study of "AGN hosts against NGC 628" survive it?
""",
        stub="""
pixels_left = ...  # {"NGC 628": [.., .., ..], ...}; `weakest` and table["galaxy"] share rows
pays_most = ...  # a galaxy's name, in quotes
""",
        answer="pixels_left, pays_most",
        hints=(
            '`weakest["[OI]/Hα"]` is the S/N of each pixel, in the order of `table`.',
            '`table["galaxy"] == "NGC 628"` picks the rows of one galaxy.',
            "np.sum(snr[here] >= cut) counts; divide by np.sum(here) for the share.",
        ),
        solution="""
oxygen = weakest["[OI]/Hα"].values
pixels_left = {
    g: [int(np.sum(oxygen[table["galaxy"] == g] >= cut)) for cut in (3, 5, 10)] for g in GALAXIES
}
kept_share = {g: left[0] / np.sum(table["galaxy"] == g) for g, left in pixels_left.items()}
pays_most = min(kept_share, key=kept_share.get)
print(pixels_left, kept_share)
""",
        reason="""
The cut takes faint pixels, and galaxies differ in how many of theirs are faint; so a cut that looks
the same for all is not.
""",
        misconception="A cut at one S/N for all galaxies treats them alike.",
        reply="Alike in S/N, unlike in what is left: let them map what each galaxy loses.",
        checker=_check_oxygen,
        mistakes=(
            Mistake(
                'pixels_left = {g: [int(np.sum(weakest["[OI]/Hα"] >= cut)) for cut in (3, 5, 10)] '
                "for g in GALAXIES}",
                "take the rows of one galaxy",
            ),
            Mistake("pixels_left = {g: [0.9, 0.7, 0.4] for g in GALAXIES}", "shares"),
            Mistake("pixels_left = {g: n[::-1] for g, n in pixels_left.items()}", "give 3, 5, 10"),
            Mistake('pays_most = "NGC 7496"', "a smaller share"),
        ),
    ),
    question(
        number="3.A",
        title="filled with the median",
        minutes=2,
        task="""
A colleague fills the missing [OI]/Hα with the median of the detected ones, "so as not to lose
pixels". What will a clustering make of it?
""",
        choices={
            "a": (
                "A group of its own out of the filled pixels.",
                "They all have the same [OI]/Hα, so the group is made of the missing value. "
                "And that these faint outer pixels may have a ratio of their own is gone, "
                "since both have the median.",
            ),
            "b": (
                "Nothing: the median is the most neutral value there is, in the middle of all.",
                "It is a value that thousands of faint pixels now share *exactly*. Nothing "
                "else in the table is so alike.",
            ),
            "c": (
                "More noise in all groups, a little wider clouds, and nothing else.",
                "Noise would be better: it does not look like a group. A constant does.",
            ),
        },
        right="a",
        hints=(
            "How many pixels have exactly the same value afterwards?",
            "Which pixels were they: bright ones, or faint ones far out?",
            "What would a distance say of two pixels that agree exactly in one column?",
        ),
        misconception="Filling gaps with the median changes nothing.",
        reply="Let them draw the histogram of the filled column.",
    ),
    Exercise(
        number="3.4",
        title="break the tool: structure out of nothing",
        minutes=6,
        task="""
Here are four fluxes, `nothing`, which know nothing of one another. Build the logs of three ratios
over the same denominator, log(a/d), log(b/d) and log(c/d): `ratios`, with 5,000 rows and three
columns. How strongly do they correlate, and which value does theory give when all four logs have
the same variance? That is `theory`. Then play: make the denominator ten times noisier, or far
steadier, than the others; make a ratio correlate with a *flux*. Could a correlation in the heat map
above be of this kind, and how would you find out?
""",
        stub="""
rng = np.random.default_rng(0)
nothing = pd.DataFrame(10 ** rng.normal(size=(5000, 4)), columns=["a", "b", "c", "d"])
between = np.log10(nothing).corr().values[np.triu_indices(4, 1)]
print(f"N = {len(nothing)}; largest |r| between the log fluxes: {np.abs(between).max():.3f}")
ratios = ...  # a frame or array of log(a/d), log(b/d), log(c/d)
theory = ...  # a correlation between -1 and 1
""",
        answer="ratios, theory",
        hints=(
            "log(a/d) = log a - log d, and log(b/d) = log b - log d. What do they share?",
            "Correlation: the variance of what is shared, over the variance of each.",
            'np.log10(nothing[["a", "b", "c"]].div(nothing["d"], axis=0))',
        ),
        solution="""
rng = np.random.default_rng(0)
nothing = pd.DataFrame(10 ** rng.normal(size=(5000, 4)), columns=["a", "b", "c", "d"])
ratios = np.log10(nothing[["a", "b", "c"]].div(nothing["d"], axis=0))
print(ratios.corr().round(2))
theory = 1 / 2
""",
        reason="""
The variance of log(a/d) is that of log a plus that of log d; they share log d, half of it. Pearson
warned of such "spurious correlation" of ratios in 1897.
""",
        misconception="Ratios of independent fluxes are independent.",
        reply="Ask what would happen to all three ratios of a pixel if its d alone were too small.",
        checker=_check_ratios,
        mistakes=(
            Mistake('ratios = nothing[["a", "b", "c"]].div(nothing["d"], axis=0)', "are positive"),
            Mistake(
                'ratios = np.log10(nothing[["a", "b", "c"]].values / '
                'nothing[["b", "c", "d"]].values)',
                "one and the same flux",
            ),
            Mistake("theory = 0", "0 would be right for the fluxes"),
            Mistake("theory = 1", "two variances add up"),
        ),
    ),
    Exercise(
        number="3.5",
        title="a redundancy that the rank does not see, extra",
        minutes=15,
        task="""
The rank looks for *linear* relations between columns. There is one more column among the fourteen
that is an **exact** function of three others, pixel by pixel, but not a linear one in the logs.
Look at the recipes in the table of section 7, find it (`redundant`, the column's name), and compute
it from three others (`formula`: one number for each row of `frame`). (`10 ** frame[...]` undoes the
logarithm. You need section 4: PAH 7.7 is F770W - 0.13 F200W.) How many independent quantities do
the fourteen columns hold?
""",
        stub="""
redundant = ...  # the column's name, in quotes
formula = ...  # the same column, computed from three others
independent_quantities = ...  # a whole number
""",
        answer="redundant, formula, independent_quantities",
        hints=(
            "Four columns are made from F770W, F200W, F1130W and F2100W only. Three would do.",
            "R(PAH) = (PAH 11.3 + PAH 7.7) / F2100W = (PAH 11.3/7.7 + 1) times PAH 7.7 / F2100W.",
            "PAH 7.7 / F2100W is (1 - 0.13 F200W/F770W) / (F2100W/F770W).",
        ),
        solution="""
redundant = "log_r_pah"
pah, warm, stars = (
    10 ** frame[name] for name in ("log_pah113_77", "log_f2100w_770w", "log_f200w_770w")
)
formula = np.log10((pah + 1) * (1 - 0.13 * stars) / warm)
print(f"largest deviation: {(formula - frame[redundant]).abs().max():.1e} dex")
independent_quantities = 12
""",
        reason="""
A sum of two bands is not linear in the logs, so no singular value is zero; but given three of the
four ratios, the fourth is fixed.
""",
        misconception="Full rank means that every column brings something new.",
        reply="Rank asks for planes. Let them draw a circle: rank two, and one number too many.",
        checker=_check_redundant,
        mistakes=(
            Mistake('redundant = "log_f200w_2100w"', "that section 8 has found"),
            Mistake('redundant = "ebv"', "is no function of others"),
            Mistake("formula = 10 ** formula", "right but for the logarithm"),
            Mistake("independent_quantities = 13", "less the linear one"),
        ),
    ),
    Exercise(
        number="3.6",
        title="open-ended",
        is_open=True,
        minutes=8,
        task="""
(Or an evening.) Build your own set, `my_set`, a frame with a row for each pixel of `frame`, and put
it before the judges: `judge(my_set, reference)`. Two ideas: B without everything that is a flux;
C with [OI]/Hα and PAH 3.3/11.3 (how many pixels does that cost, and which frame do the judges then
need?). Write two sentences in its `defence`, and one `against` it.
""",
        stub="""
my_set = ...  # for example adopted.drop(columns="log_ha")
defence = ...  # two sentences, in quotes
against = ...  # one sentence, in quotes
""",
        answer="my_set, defence, against",
        hints=(
            '`sets["B fluxes + ratios"]` is a frame; `.drop(columns=[...])` takes columns off.',
            "`verdict` has the judgements of the four sets: compare line by line.",
            "Against it: which judge was worst, and which question could it not answer?",
        ),
        solution="""
my_set = adopted.drop(columns="log_ha")
print(judge(my_set, reference))
defence = "Without any flux it asks only what kind of gas there is. It loses hardly a neighbour."
against = "It predicts CO worse at home, since nothing in it says how much there is."
""",
        reason="""
There is no best set, only one that answers a question; the sentence against it says which question
that is not.
""",
        misconception="The best feature set is the one with the highest score.",
        reply="Ask which of the five judges gave the score, and what the others said.",
        checker=_check_set,
        mistakes=(
            Mistake('my_set = frame["log_ha"]', "at least two columns"),
            Mistake("my_set = frame.where(frame > frame.mean())", "NaN or infinite"),
            Mistake('defence = "It is good."', "has 3 words"),
        ),
    ),
    question(
        number="3.B",
        title="a group disappears",
        minutes=2,
        task="""
You drop one feature of the adopted set, run everything again, and a group disappears from the final
picture. What do you conclude?
""",
        choices={
            "a": (
                "The group was not real: a real group would not hang on a single feature.",
                "A rare kind of gas may show in one feature only, as an AGN does in "
                "[OIII]/Hβ. To drop that is to close the eye that sees it.",
            ),
            "b": (
                "The feature must stay: without it the analysis loses something that is there.",
                "That keeps what one has seen because one has seen it. First find out whether"
                " the feature carries physics or noise.",
            ),
            "c": (
                "Nothing yet: three things may have happened, and I test each.",
                "It may have hung on that one feature for good reasons, another seed may have"
                " done it, or it was not real. Run the full set with another seed, drop other"
                " features, and look whether the group's pixels still differ in the table: "
                "each test can fell one.",
            ),
        },
        right="c",
        hints=(
            "What else changes when everything is run again?",
            "Can a true group be visible in one feature only?",
            "Section 12 drops features one by one and asks who stands in.",
        ),
        misconception="A real group is seen with any set of features.",
        reply="Ask whether they would find a red car in a black-and-white photograph.",
    ),
)
