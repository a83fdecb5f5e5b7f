"""The exercises of notebook 01, Inspect the maps."""

import copy
from functools import cache

import numpy as np

from helpers import survey
from helpers.exercises.answers import close, in_words, number, one_of, words
from helpers.exercises.exercise import Exercise, Mistake, Wrong, question
from helpers.galaxies import GALAXIES

_GALAXY = "NGC 7496"


@cache
def _image(name: str) -> np.ndarray:
    return survey.native_map(_GALAXY, name).data


# ------------------------------------------------------------------------- 1.1, a norm that hides


def _check_hidden(norm, n_hidden) -> str:
    from matplotlib.colors import LogNorm

    if isinstance(norm, type):
        raise Wrong(
            "`norm` is a class, or a type: call it, with its limits or without, to get a norm. "
            "The code above the figures does it, as in LogNorm(...)."
        )
    if not isinstance(norm, LogNorm):
        raise Wrong(
            f"`norm` is {in_words(norm)}, but a LogNorm is expected: of the scales that you have "
            "seen, it is the one that negative pixels cannot pass."
        )
    if norm.clip:
        raise Wrong(
            "With clip=True a norm lifts what is below its lower limit onto it before it takes the "
            "logarithm, so nothing is hidden. Leave clip out."
        )
    image = _image("F770W")
    measured = np.isfinite(image)
    negative, nan = np.sum(image[measured] <= 0), np.sum(~measured)
    value = number(n_hidden, "`n_hidden`")
    if value == negative:
        return (
            f"{negative} of {measured.sum()} measured pixels, {negative / measured.sum():.1%}, are "
            "hidden, wherever the scale begins. A pixel of 0.05 is no such case: below `vmin` it "
            "gets the darkest colour, but it is drawn."
        )
    if value == negative + nan:
        raise Wrong(
            f"Among these are {nan} pixels that are NaN: any norm hides them, and they are not "
            "negative. Count only pixels that were measured."
        )
    if value == np.sum(measured) - negative:
        raise Wrong("These are the pixels that are shown: the mask is True where one is hidden.")
    if value in (np.sum(image < 0.1), np.sum((image > 0) & (image < 0.1))):
        raise Wrong(
            "You counted the pixels below 0.1. Those above 0 among them are drawn, in the darkest "
            "colour; hidden is only what has no logarithm."
        )
    if 0 < value < 1 or value != int(value):
        raise Wrong("`n_hidden` is a whole number: how many pixels, no fraction and no percentage.")
    way = "more" if value < negative else "fewer"
    raise Wrong(
        f"It is {way} than that. Look at the mask of `norm(JWST_image)`, and at which of its "
        "True pixels were measured."
    )


# ------------------------------------------------------------------------ 1.2, negatives


def _negative(name: str) -> float:
    """Percentage of the finite pixels below zero."""
    image = _image(name)
    return 100 * np.mean(image[np.isfinite(image)] < 0)


def _check_negatives(percent, reason) -> str:
    expected, other = _negative("HA6562"), _negative("F2100W")
    value = number(percent, "`percent`", "percent")
    if not close(value, expected, absolute=0.15):
        if close(value, expected / 100, absolute=0.0005):
            raise Wrong("That is a fraction; `percent` is a percentage: multiply by 100.")
        if close(value, other, absolute=0.02):
            raise Wrong("That is the percentage in F2100W. The first question is about HA6562.")
        image = _image("HA6562")
        if close(value, 100 * np.mean(image < 0), absolute=0.02):
            raise Wrong("You divided by all pixels, as the table does: divide by the finite ones.")
        if close(value, 100 * np.sum(image < 0) / np.sum(image > 0), absolute=0.02):
            raise Wrong("You divided by the positive pixels: divide by all that are finite.")
        if close(value, 100 - expected, absolute=0.05):
            raise Wrong("That is the percentage that is *not* negative: turn the comparison round.")
        way = "more" if value < expected else "less"
        raise Wrong(f"It is {way} than that: negative pixels over finite pixels, times 100.")
    choice = one_of(reason, "`reason`", ("noisier", "fainter", "both"))
    if choice == "noisier":
        raise Wrong(
            "The percentage is right. F2100W is noisier, yes: its median error is larger. But "
            "look at the median of the two maps, too."
        )
    if choice == "fainter":
        raise Wrong(
            "The percentage is right. The galaxy is fainter in F2100W, yes: the map's median is "
            "lower. But look at the median error, too."
        )
    return (
        "F2100W has more negatives than F770W for both reasons: a typical pixel of it is 3 sigma "
        "above zero, one of F770W 9. What falls below zero depends on signal *and* noise."
    )


# ------------------------------------------------------------------------------ 1.3, mirror count


@cache
def _snr() -> np.ndarray:
    oi = survey.native_map(_GALAXY, "OI6300")
    ratio = oi.data / oi.uncertainty.array
    return ratio[np.isfinite(ratio)]


def _check_cut(cut) -> str:
    snr = _snr()
    tried = np.arange(10, 50) / 10
    false, above = (np.array([np.sum(side * snr > one) for one in tried]) for side in (-1, 1))
    expected = tried[false < 0.01 * above][0]
    value = number(cut, "`cut`")
    if not close(10 * value, round(10 * value), absolute=1e-6):
        raise Wrong(
            f"{value:g} has more than one decimal: go in steps of 0.1, as np.arange(1, 5, 0.1) "
            "does."
        )
    if close(value, expected, absolute=0.04):
        return (
            f"Above {expected:.1f} fewer than 1 in 100 are false. With half as many real pixels "
            "it would have to be higher, though the noise is the same: a cut belongs to a map."
        )
    if close(value, expected - 0.1, absolute=0.04):
        raise Wrong(
            "One step too low: there the false ones are still a little more than 1 %. Look for "
            "the first cut that passes, not for the last one that fails."
        )
    if close(value, expected + 0.1, absolute=0.04):
        raise Wrong("One step too high: a cut 0.1 lower passes as well.")
    n_pixels = survey.native_map(_GALAXY, "OI6300").data.size
    if any(close(value, tried[false < 0.01 * n][0], absolute=0.04) for n in (len(snr), n_pixels)):
        raise Wrong(
            "That is the answer if the false pixels are divided by *all* pixels of the map. Divide "
            "by those that survive the cut."
        )
    if close(value, 3.0, absolute=0.04):
        raise Wrong(
            "3 passes, but so does a lower cut. Do not take 3 out of habit: go down, in steps of "
            "0.1."
        )
    if value > 4.5:
        raise Wrong(
            "That is the last cut of the loop, and they all pass from some point on. Stop the loop "
            "at the first that passes (`break`)."
        )
    way = "More" if value < expected else "Less"
    raise Wrong(
        f"Not that one. {way} is needed: take the pixels below -cut as a share of those above +cut."
    )


# --------------------------------------------------------------------------------- 1.4, break it


@cache
def _finder() -> dict[str, float]:
    """What a limit of 2 MJy/sr does to the notebook's finder of stars."""
    from astropy.wcs.utils import proj_plane_pixel_scales
    from scipy import ndimage

    def sharp(image):
        islands, _ = ndimage.label(np.isnan(image))
        rim = np.concatenate([islands[0], islands[-1], islands[:, 0], islands[:, -1]])
        filled = np.where(np.isnan(image), np.nanmedian(image), image)
        filled[np.isnan(image) & ~np.isin(islands, rim)] = np.nanmax(image)
        return filled - ndimage.median_filter(filled, size=9)

    sky_map = survey.native_map(_GALAXY, "F770W")
    image = sky_map.data
    near, mid = sharp(_image("F200W")), sharp(image)
    peak = (near == ndimage.maximum_filter(near, size=7)) & (near > 0.5)
    islands, n_peaks = ndimage.label(peak, np.ones((3, 3)))
    y, x = np.transpose(ndimage.maximum_position(near, islands, range(1, n_peaks + 1)))
    near_peak, mid_peak = near[y, x], mid[y, x]
    loose = (near_peak > 2) & (mid_peak < 0.5 * near_peak)
    new = loose & (near_peak <= 20)
    step = proj_plane_pixel_scales(sky_map.wcs)[0] * 3600
    center = sky_map.wcs.world_to_pixel(GALAXIES[_GALAXY].center)
    distance = np.hypot(x - center[0], y - center[1]) * step
    rows, columns = np.indices(image.shape)

    def lost(peaks, radius=0.8):
        radius = np.broadcast_to(radius, len(x)) / step
        hidden = np.zeros(image.shape, dtype=bool)
        for i in np.flatnonzero(peaks):
            hidden |= np.hypot(columns - x[i], rows - y[i]) < radius[i]
        return np.nansum(image[hidden]) / np.nansum(image)

    return {
        "new": int(new.sum()),
        "loose": int(loose.sum()),
        "above the limit": int(np.sum(near_peak > 2)),
        "stars": int(loose.sum() - new.sum()),
        "between the limits": int(np.sum((near_peak > 2) & (near_peak <= 20))),
        "farthest": float(distance[new].max()),
        "step": float(step),
        "lost": float(lost(loose)),
        "lost by new": float(lost(new)),
        "lost with mask": float(lost(loose, np.where(near_peak > 300, 3.0, 0.8))),
    }


def _check_loose(n_new, farthest, lost) -> str:
    true = _finder()
    count = number(n_new, "`n_new`")
    if count != true["new"]:
        if count == true["loose"]:
            raise Wrong("`n_new` counts the old stars, too: only those of `loose` not in `star`.")
        if count in (true["between the limits"], true["above the limit"] - true["stars"]):
            raise Wrong(
                "`n_new` counts every peak brighter than 2 MJy/sr: a star must also be less than "
                "half as bright at 7.7 µm. Keep the second condition."
            )
        way = "more" if count < true["new"] else "fewer"
        raise Wrong(f"`n_new` should be {way}: change nothing but the limit, and leave out `star`.")
    distance = number(farthest, "`farthest`", "arcsec")
    if not close(distance, true["farthest"], absolute=0.3):
        if close(distance, true["farthest"] / true["step"], relative=0.07):
            raise Wrong("`farthest` seems to be in pixels: one is `pixel` arcsec wide.")
        way = "larger" if distance < true["farthest"] else "smaller"
        raise Wrong(
            f"`n_new` is right, but `farthest` should be {way}: the largest distance of the new "
            "peaks alone, in arcsec from the pixel (cx, cy)."
        )
    share = number(lost, "`lost`")
    if close(share, true["lost with mask"], absolute=0.0003):
        raise Wrong(
            "`lost` has discs of 3 arcsec around the bright stars, from `mask` or from `radius`. "
            "Begin with an empty mask: 0.8 arcsec around every peak in `loose`."
        )
    if close(share, true["lost"], absolute=0.0005):
        return (
            f"{true['new']} false stars, all in the bright centre, take {share:.1%} of the dust's "
            "light with them. (At 7.7 µm the running median takes away more than these peaks "
            "have: `mid` is negative there, so they pass as faint.) Read your extra condition "
            "again: would it have saved them, and would it still find a real star that happens to "
            "stand in front of the centre?"
        )
    if close(share, round(true["lost"], 2), absolute=1e-6):
        raise Wrong("Nearly: give `lost` as it was computed, with more digits than two.")
    if close(share, 100 * true["lost"], relative=0.06):
        raise Wrong("`lost` looks like a percentage; it should be a fraction between 0 and 1.")
    if close(share, true["lost by new"], absolute=0.001):
        raise Wrong("`lost` is what the new ones take: mask all of `loose`, old stars and new.")
    way = "more" if share < true["lost"] else "less"
    raise Wrong(
        f"`lost` should be {way}: discs of 0.8 arcsec (0.8 / pixel, in pixels) around all peaks of "
        "`loose`; then the F770W flux in them over the flux of the whole map, with np.nansum."
    )


# ------------------------------------------------------------------------------- 1.5, two captions


def _picture(answer, name: str):
    """The norm and the caption of a picture."""
    from matplotlib.colors import Normalize

    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Wrong(
            f"{name} is {in_words(answer)}, but a tuple is expected: (norm, caption), such as "
            '(Normalize(0, 100), "This galaxy has ...").'
        )
    norm, caption = answer
    if not isinstance(norm, Normalize):
        raise Wrong(
            f"{name} begins with {in_words(norm)}, but the norm comes first, such as "
            "LogNorm(0.1, 100), and then the caption."
        )
    return norm, words(caption, f"The caption of {name}")


def _flat(norm, measured) -> float:
    """Share of the measured pixels that are hidden or in the lowest or highest 2 % of the colours.

    Where the learner's norm has no limits yet, a copy of it takes those of the image.
    """
    colours = copy.deepcopy(norm)(measured)
    hidden = np.ma.getmaskarray(colours)
    shown = np.ma.filled(colours, 0)
    return float(np.mean(hidden | ~((shown > 0.02) & (shown < 0.98))))


def _check_captions(map_shown, misleading, honest) -> str:
    from astropy.nddata import CCDData

    image = map_shown.data if isinstance(map_shown, CCDData) else map_shown
    if not isinstance(image, np.ndarray) or image.ndim != 2 or image.dtype.kind not in "fiu":
        raise Wrong(
            f'`map_shown` is {in_words(map_shown)}, but a map is expected, such as maps["F770W"].'
        )
    measured = image[np.isfinite(image)]
    if not measured.size:
        raise Wrong("`map_shown` has not one pixel that is a number: take another map.")
    bad, claim = _picture(misleading, "`misleading`")
    good, answer = _picture(honest, "`honest`")
    try:
        shares = [_flat(norm, measured) for norm in (bad, good)]
        shown = [np.ma.filled(copy.deepcopy(norm)(measured), -1.0) for norm in (bad, good)]
    except ValueError as error:
        raise Wrong(f"A norm cannot draw this map. Matplotlib says: {error!s:.200}.") from None
    if np.allclose(*shown):
        raise Wrong("Both pictures have one and the same scale, so they show the same thing.")
    if claim.split() == answer.split():
        raise Wrong("Both pictures have the same caption: what does each make a reader believe?")
    if shares[1] > 0.75:
        raise Wrong(
            f"Look at `honest` again: {shares[1]:.0%} of its pixels have no colour, or nearly the "
            "darkest or the brightest one, so most of the map cannot be seen in it."
        )
    return (
        f"Of the pixels, {shares[0]:.0%} of `misleading` and {shares[1]:.0%} of `honest` are on a "
        "flat part of the scale. Now the real test: show the first with its caption to someone "
        "who has not seen the second. Do they believe it? And what on the colour bar warns them?"
    )


EXERCISES = (
    Exercise(
        number="1.1",
        title="warm-up: what LogNorm hides",
        minutes=2,
        predicts=True,
        task="""
**Predict first**, as a few words in `prediction`: of the 194,481 pixels of `JWST_image`, about
how many does a `LogNorm` leave without a colour because they are negative? And do the pixels
between 0 and 0.1 join them if the scale begins at `vmin=0.1`?

Then count. Put into `norm` a `LogNorm`, with limits or without. A norm can be called:
`norm(JWST_image)` is a masked array, and its `.mask` is True for each pixel without a colour.
Put into `n_hidden` how many pixels have no colour *although they were measured* (a whole
number). The mask is True for NaN pixels as well ("no number here"); leave those out with
`~np.isnan(JWST_image)`. (`hint("1.1")` helps; notebook 00 says how.)
""",
        stub="""
prediction = ""  # a few words, e.g. "about 20, and ..."
norm = ...  # a LogNorm
n_hidden = ...  # a whole number of pixels
""",
        answer="norm, n_hidden",
        hints=(
            "The norm of the last figure will do: what stands after `norm=` in its code?",
            "The mask is an array of True and False; so is `~np.isnan(JWST_image)`. `&` joins two "
            "such arrays, and np.sum counts the True ones.",
            "np.sum(norm(JWST_image).mask & ~np.isnan(JWST_image)), once `norm` is a LogNorm.",
        ),
        solution="""
prediction = "a few hundred, and those below 0.1 join them"
norm = LogNorm(vmin=0.1)
n_hidden = np.sum(norm(JWST_image).mask & ~np.isnan(JWST_image))
""",
        reason="""
A number that is not above zero has no logarithm, so its pixel is masked: 1036 here, and not
one more with `vmin=0.1`. The 5805 pixels between 0 and 0.1 have a logarithm. They are below the
scale, get its darkest colour, and look alike, but they are drawn.
""",
        misconception="LogNorm(vmin=0.1) cuts away all pixels below 0.1.",
        reply="Ask for the colour of a pixel of 0.05 and of one of -0.05; let them look both up.",
        checker=_check_hidden,
        mistakes=(
            Mistake("n_hidden = np.sum(norm(JWST_image).mask)", "any norm hides them"),
            Mistake("n_hidden = np.sum(JWST_image < 0.1)", "pixels below 0.1"),
            Mistake("n_hidden = np.sum(~norm(JWST_image).mask)", "pixels that are shown"),
            Mistake("norm = Normalize(0, 100)", "a LogNorm is expected"),
        ),
    ),
    Exercise(
        number="1.2",
        title="a noisier map, or a fainter galaxy?",
        minutes=2,
        task="""
What percentage of the *measured* (finite, that is not NaN) pixels of the `HA6562` map is
negative? Put it into `percent`, a number from 0 to 100; the map's array is
`maps["HA6562"].data`. (The table above divides by all pixels; here NaNs do not count.)

Now the table's two JWST maps: many more pixels are negative in `F2100W` than in `F770W`. Why?
Compare the two maps' medians (`np.nanmedian` of their `.data`) and their median errors (of
`.uncertainty.array`), then put one of three words into `reason`:
`"noisier"` (F2100W has larger errors), `"fainter"` (the galaxy has a lower median in F2100W), or
`"both"`.
""",
        stub="""
percent = ...  # a number from 0 to 100
reason = ...  # "noisier", "fainter" or "both"
""",
        answer="percent, reason",
        hints=(
            "You need two counts, or one mean: that of `image < 0` over the finite pixels.",
            "`image[np.isfinite(image)]` are the finite pixels; np.mean of True and False is the "
            "fraction that is True.",
            'image = maps["HA6562"].data; 100 * np.mean(image[np.isfinite(image)] < 0)',
        ),
        solution="""
image = maps["HA6562"].data
percent = 100 * np.mean(image[np.isfinite(image)] < 0)
for name in ("F770W", "F2100W"):
    typical, noise_level = (
        np.nanmedian(values) for values in (maps[name].data, maps[name].uncertainty.array)
    )
    print(f"{name}: median {typical:.2f}, median error {noise_level:.2f} MJy/sr")
reason = "both"
""",
        reason="""
3.9 % of the measured Hα pixels are negative; the table says 3.4 %, because it counts those that
nobody looked at as well. In F2100W 7.9 % are negative, in F770W 0.5 %: the median of F2100W is
lower (0.48 against 0.73 MJy/sr) and its error twice as large (0.17 against 0.08), so more of its
pixels are so faint that noise can push them below zero.
""",
        misconception="Many negative pixels mean that a map was badly reduced.",
        reply="Let them put median and error of both maps side by side: signal over noise decides.",
        checker=_check_negatives,
        mistakes=(
            Mistake("percent = percent / 100", "That is a fraction"),
            Mistake('percent = 100 * np.mean(maps["HA6562"].data < 0)', "divided by all pixels"),
            Mistake(
                'percent = 100 * np.mean(maps["F2100W"].data < 0)',
                "That is the percentage in F2100W",
            ),
            Mistake(
                'd = maps["HA6562"].data; percent = 100 * np.sum(d < 0) / np.sum(d > 0)',
                "divided by the positive pixels",
            ),
            Mistake('reason = "noisier"', "look at the median of the two maps"),
        ),
    ),
    question(
        number="1.A",
        title="forty sigma",
        minutes=1,
        task="""
A colleague stacks (averages) 10,000 non-detected pixels after setting negatives to zero, takes
one hundredth of a pixel's sigma as the error of the mean, and reports a "40 sigma detection of
faint emission between the arms". Where do the 40 sigma come from?
""",
        choices={
            "a": (
                "From faint emission: averaging 10,000 pixels finds what no single pixel shows.",
                "It would, with the negatives left in. But the same 40 sigma come out of pure"
                " noise: do it with `noise` of section 6.",
            ),
            "b": (
                "From an error of the mean that is too small, since neighbouring pixels share"
                " their noise.",
                "That may be so, too, and would lower the 40. But what is divided by the "
                "error is not zero, though nothing is there: ask where the mean itself comes "
                "from.",
            ),
            "c": (
                "From a few outliers: among 10,000 pixels, some lie 4 sigma high by chance alone.",
                "About one in 30,000 is that high, and a few such pixels hardly move a mean "
                "of 10,000. Something pushes *all* of them upwards.",
            ),
            "d": (
                "From the negatives set to zero: that adds about 0.4 sigma to the mean.",
                "The mean of clipped noise is 0.4 sigma, its error only 0.01, and 0.4 / 0.01 "
                "is 40. More pixels would make it an even better detection, of nothing.",
            ),
        },
        right="d",
        hints=(
            "What would the colleague have found in pure noise?",
            "Section 6 printed the mean of noise with its negatives set to zero.",
            "The mean is 0.4 sigma. What is it in units of its error, sigma / 100?",
        ),
        misconception="Averaging many pixels makes any result safer.",
        reply="Let them run the recipe on pure noise with 100, 10,000 and a million pixels.",
    ),
    Exercise(
        number="1.3",
        title="how far must a cut go?",
        minutes=3,
        task="""
Find the smallest S/N cut, to one decimal (such as 1.7), for which less than 1 % of the surviving
[OI] pixels are false by the mirror count. As in the cell above, the survivors are the pixels
with `oi_snr > cut`, and there are about as many false ones among them as there are pixels with
`oi_snr < -cut`. Put it into `cut`. `np.arange(1, 5, 0.1)` and a loop will do.
""",
        stub="""
cut = ...  # a number with one decimal
""",
        answer="cut",
        hints=(
            "Go up in steps of 0.1, and stop at the first cut that is good enough.",
            "Good enough: the number of pixels below -cut is less than 0.01 times the number of "
            "those above +cut.",
            "for cut in np.arange(1, 5, 0.1): if np.sum(oi_snr < -cut) < 0.01 * np.sum(oi_snr > "
            "cut): break",
        ),
        solution="""
for cut in np.arange(1, 5, 0.1):
    above, below = np.sum(oi_snr > cut), np.sum(oi_snr < -cut)
    if below < 0.01 * above:
        break
print(f"S/N > {cut:.1f}: {above} pixels, about {below} ({below / above:.2%}) false")
""",
        reason="""
At 2.8 there are 66 pixels below and 6749 above, or 0.98 %; at 2.7 it is still 1.25 %. That this
is near 3 is an accident of this line in this map: where fewer pixels hold a real line, the same
noise needs a higher cut.
""",
        misconception="S/N > 3 is the right cut, everywhere.",
        reply="Ask how many false ones pure noise would leave above 3, and out of how many.",
        checker=_check_cut,
        mistakes=(
            Mistake("cut = cut + 0.1", "One step too high"),
            Mistake("cut = 2.83", "has more than one decimal"),
            Mistake("cut = 2.7", "One step too low"),
            Mistake("cut = 2.0", "*all* pixels of the map"),
            Mistake("cut = 3", "out of habit"),
            Mistake("cut = 4.9", "the last cut of the loop"),
        ),
    ),
    question(
        number="1.B",
        title="the faintest clouds",
        minutes=1,
        task="""
In the strict map the faintest pixels have about the same brightness everywhere. Is that a
property of molecular clouds?
""",
        choices={
            "a": (
                "No: it is where the mask ends.",
                "Fainter gas was not sure enough to be kept. The noise is about the same all "
                "over the map, so a cut on certainty is a cut at nearly one brightness. The "
                "selection made the floor.",
            ),
            "b": (
                "Yes: a cloud needs a least amount of gas to be molecular at all.",
                "That may be true of clouds, but this map cannot show it. Look at the broad "
                "map, of the same data: it holds much fainter pixels.",
            ),
            "c": (
                "No: the beam spreads all clouds until they are equally bright.",
                "A beam makes small clouds fainter, and does not stop at any brightness: in "
                "the broad map, which has the same beam, there is no such floor.",
            ),
        },
        right="a",
        hints=(
            "Has the broad map this lower limit, too?",
            "What did a pixel need to be kept in the strict map?",
            "It needed a line well above the noise, and the noise is about the same everywhere.",
        ),
        misconception="The faintest thing in a catalogue is the faintest thing there is.",
        reply="Ask what would have to be changed to find a fainter one: the galaxy, or the mask?",
    ),
    Exercise(
        number="1.4",
        title="break the star finder",
        minutes=5,
        task="""
Lower the limit from 20 to 2 MJy/sr: copy the line of this section that makes `star`, call yours
`loose` and write 2 in place of `LIMIT`. Then find three numbers.

- `n_new`: how many peaks are in `loose` but not in `star` (a whole number).
- `farthest`: how far from the galaxy's centre the outermost of these new "stars" is, in arcsec.
  Peak number i is at column `x[i]` and row `y[i]`, the galaxy's centre at column `cx` and row
  `cy`, and a pixel is `pixel` arcsec wide.
- `lost`: mask a disc of radius 0.8 arcsec around *every* peak in `loose`, old and new. Which
  fraction (between 0 and 1) of the F770W map's flux does it take? (The loop that makes `mask`
  shows how; leave `mask` itself as it is.)

Where on the map do the new ones lie? In the comment, name *one* more condition that would save
the galaxy's centre.
""",
        stub="""
loose = ...  # True for each peak that now counts as a star
n_new = ...  # a whole number
farthest = ...  # in arcsec
lost = ...  # a fraction between 0 and 1
# One more condition that would save the galaxy's centre:
""",
        answer="n_new, farthest, lost",
        hints=(
            "`new = loose & ~star` is True for the new ones; they are at `x[new]` and `y[new]`.",
            "Distances: np.hypot(x[new] - cx, y[new] - cy) * pixel. Discs: copy the loop over "
            "np.flatnonzero(star), with `loose` and a radius of 0.8 / pixel.",
            'With `discs` the mask of all: np.nansum(maps["F770W"].data[discs]) over '
            'np.nansum(maps["F770W"].data).',
        ),
        solution="""
loose = (near[y, x] > 2) & (mid[y, x] < 0.5 * near[y, x])
new = loose & ~star
n_new = new.sum()
farthest = np.max(np.hypot(x[new] - cx, y[new] - cy)) * pixel
discs = np.zeros(near.shape, dtype=bool)
for i in np.flatnonzero(loose):
    discs |= np.hypot(columns - x[i], rows - y[i]) < 0.8 / pixel
flux = maps["F770W"].data
lost = np.nansum(flux[discs]) / np.nansum(flux)
print(f"{n_new} new, all within {farthest:.1f} arcsec of the centre; {lost:.1%} of the flux lost")
# One more condition that would save the galaxy's centre: a hole of the MUSE map at that place.
""",
        reason="""
All 8 new "stars" are within 4.3 arcsec of the nucleus: grains of 2 to 4 MJy/sr on the bright
centre. There the map at 7.7 µm is so bright and lumpy that its running median exceeds what these
pixels hold; `mid` is negative, and the second condition always passes. Their discs cover little
sky, but the brightest: 3.8 % of the flux is lost, ten times what discs of that size on the 9 real
stars take. Each of these would save them: a hole of the MUSE map at that place, a least distance
from the centre, or the 7.7 µm map itself in place of `mid`.
""",
        misconception="A lower limit finds the same kind of thing, only fainter.",
        reply="Let them plot the new ones on the map before they count: where do they all lie?",
        checker=_check_loose,
        mistakes=(
            Mistake(
                "hidden = mask.copy()\n"
                "for i in np.flatnonzero(loose):\n"
                "    hidden |= np.hypot(columns - x[i], rows - y[i]) < 0.8 / pixel\n"
                'lost = np.nansum(maps["F770W"].data[hidden]) / np.nansum(maps["F770W"].data)',
                "from `mask` or from `radius`",
            ),
            Mistake("lost = round(lost, 2)", "with more digits than two"),
            Mistake("n_new = loose.sum()", "counts the old stars, too"),
            Mistake("n_new = np.sum((near[y, x] > 2) & ~star)", "Keep the second condition"),
            Mistake("farthest = farthest / pixel", "seems to be in pixels"),
            Mistake("lost = 100 * lost", "looks like a percentage"),
        ),
    ),
    Exercise(
        number="1.5",
        title="open-ended: two captions",
        is_open=True,
        minutes=5,
        task="""
Take one map and make two pictures of it: one that leads an honest reader to a *wrong* conclusion,
by nothing but the colour scale and its limits, and one that leads to the right one. Write a
caption for each, one sentence of five words or more. (Ideas: make NGC 7496 lose its arms; make
the empty sky around NGC 1365, `dust["NGC 1365"]`, full of structure; hide the nucleus.)

`misleading` and `honest` are two tuples, each of a norm and a caption in this order (a `LogNorm`
needs limits above 0). The code below them draws both. Is your wrong conclusion one that *you* would
have believed yesterday?
""",
        stub="""
map_shown = maps["F770W"]  # or another map
misleading = ...  # (norm, caption), such as (Normalize(0, 50), "This galaxy ...")
honest = ...  # (norm, caption)
pairs = [p for p in (misleading, honest) if isinstance(p, tuple) and len(p) == 2]
if len(pairs) == 2 and all(isinstance(norm, Normalize) for norm, _ in pairs):
    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="compressed")
    for panel, (norm, caption) in zip(axes, pairs, strict=True):
        panel.set_facecolor("0.7")
        ticks = [0, 1, 10, 100] if isinstance(norm, AsinhNorm) else None  # else they overlap
        shown = panel.imshow(map_shown.data, norm=norm)
        figure.colorbar(shown, ax=panel, shrink=0.8, ticks=ticks, format="%g")
        panel.set(xticks=[], yticks=[])
        panel.set_title(fill(str(caption), 48), fontsize=11)
    plots.show("One map on two colour scales: a misleading picture and an honest one.")
""",
        answer="map_shown, misleading, honest",
        hints=(
            "A scale hides whatever lies on a flat part of its curve. What would you like to hide?",
            "A linear scale up to the brightest pixel hides the arms; limits within the noise make "
            "a galaxy of it; a low upper limit hides the nucleus.",
            'misleading = (Normalize(0, 300), "..."), and for `honest` '
            'own_scale(maps["F770W"]) with another sentence.',
        ),
        solution="""
map_shown = maps["F770W"]
misleading = (Normalize(0, 300), "All of the dust is in the nucleus.")
honest = (own_scale(map_shown), "Dust in the nucleus, along two arms and between them.")
figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="compressed")
for panel, (norm, caption) in zip(axes, (misleading, honest), strict=True):
    panel.set_facecolor("0.7")
    ticks = [0, 1, 10, 100] if isinstance(norm, AsinhNorm) else None  # else they overlap
    shown = panel.imshow(map_shown.data, norm=norm)
    figure.colorbar(shown, ax=panel, shrink=0.8, ticks=ticks, format="%g")
    panel.set(xticks=[], yticks=[])
    panel.set_title(fill(str(caption), 48), fontsize=11)
plots.show("One map on two colour scales: a misleading picture and an honest one.")
""",
        reason="""
There are many right answers; this is one. The left picture is not false: every colour is where
it belongs. But a reader takes "dark" for "nothing", and only the colour bar says that on this scale
6 MJy/sr, eight times what a typical pixel has, still look dark.
""",
        misconception="A figure made from correct data cannot mislead.",
        reply="Let two learners swap misleading figures without captions, and write those.",
        checker=_check_captions,
        mistakes=(
            Mistake("honest = (misleading[0], honest[1])", "one and the same scale"),
            Mistake("honest = honest[::-1]", "the norm comes first"),
            Mistake('honest = (honest[0], "Dust.")', "Write a sentence"),
            Mistake(
                'misleading, honest = honest, (Normalize(0, 300), "All is in the nucleus here.")',
                "Look at `honest` again",
            ),
        ),
    ),
)
