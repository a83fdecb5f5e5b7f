"""The exercises of notebook 02, Common resolution."""

from functools import cache

import numpy as np

from helpers import survey
from helpers.exercises.answers import array, close, in_words, number, one_of, words
from helpers.exercises.exercise import Exercise, Mistake, Wrong, question
from helpers.galaxies import RESOLUTION, get_galaxy
from helpers.maps import JWST_FWHM

_GALAXY = "NGC 7496"
_SIGMA = 1 / np.sqrt(8 * np.log(2))  # of a Gaussian of FWHM 1


# --------------------------------------------------------------------------------- 2.1, two kernels


def _kernel_from(name: str, galaxy: str = "NGC 628") -> tuple[float, float]:
    """Own width and target, arcsec."""
    target = get_galaxy(galaxy).angle(RESOLUTION)
    return JWST_FWHM[name].to_value("arcsec"), target.to_value("arcsec")


def _check_kernels(kernel_f2100w, kernel_f200w) -> str:
    names = {"F2100W": "`kernel_f2100w`", "F200W": "`kernel_f200w`"}
    given = (kernel_f2100w, kernel_f200w)
    values = [number(a, n, "arcsec") for a, n in zip(given, names.values(), strict=True)]
    for value, (band, name) in zip(values, names.items(), strict=True):
        own, target = _kernel_from(band)
        right = np.sqrt(target**2 - own**2)
        if close(value, right, absolute=0.012):
            continue
        if close(value, target - own, absolute=0.012):
            raise Wrong(f"{name}: widths do not subtract, their squares do. See the last figure.")
        if close(value, right * _SIGMA, absolute=0.012):
            raise Wrong(f"{name} is a sigma; the task asks for the FWHM, 2.355 times as wide.")
        elsewhere, far = _kernel_from(band, _GALAXY)
        if close(value, np.sqrt(far**2 - elsewhere**2), absolute=0.012):
            raise Wrong(
                f"{name} is that of NGC 7496. At NGC 628, half as far away, 150 pc are a larger "
                "angle."
            )
        if close(value, np.sqrt(target**2 + own**2), absolute=0.012):
            raise Wrong(f"{name}: you have added the squares. That is how two blurs combine.")
        if close(value, target, absolute=0.012):
            raise Wrong(f"{name} is the target itself: the map has a width of its own already.")
        way = "wider" if value < right else "narrower"
        raise Wrong(
            f"{name} should be {way}: the target is the angle of 150 pc at NGC 628, the own width "
            "is in the table of section 1, and both are squared."
        )
    return (
        f"{values[0]:.2f} and {values[1]:.2f} arcsec: nearly the target in both cases. F2100W is "
        "ten times as wide as F200W, but in squares even its width is only a twentieth of the "
        "target's."
    )


# ------------------------------------------------------------------------- 2.2, a false HII region


@cache
def _seen(above: float, below: float, source: float) -> float:
    """The ratio at the source of the toy sky, seen with two FWHM (arcsec)."""
    from scipy.ndimage import gaussian_filter

    sky = np.ones((201, 201))
    sky[100, 100] += source
    views = [gaussian_filter(sky, width * _SIGMA / 0.05) for width in (above, below)]
    return float(views[0][100, 100] / views[1][100, 100])


def _check_false_region(ratio_co, ratio_bright, ratio_dust) -> str:
    galaxy = get_galaxy(_GALAXY)
    ha, co = (w.to_value("arcsec") for w in (galaxy.muse_fwhm, galaxy.alma_fwhm))
    dust = JWST_FWHM["F2100W"].to_value("arcsec")
    first = number(ratio_co, "`ratio_co`")
    right = _seen(ha, co, 1000.0)
    if not close(first, right, relative=0.02):
        if close(first, 1, absolute=0.005):
            raise Wrong(
                "`ratio_co` is 1, the truth: both eyes had the same width. Look up MUSE and ALMA "
                "at NGC 7496 in the table of section 1."
            )
        if close(first, 1 / right, relative=0.02):
            raise Wrong("`ratio_co` is upside down: Hα, which MUSE sees, belongs above; CO below.")
        if close(first, _seen(ha / _SIGMA, co / _SIGMA, 1000.0), relative=0.02):
            raise Wrong("`ratio_co` comes from FWHM taken for sigma: `to_sigma` is missing.")
        way = "larger" if first < right else "smaller"
        raise Wrong(
            f"`ratio_co` should be {way}. Check the widths in arcsec (MUSE above, ALMA below), and "
            "that the source is 1000 times as bright as the background."
        )
    bright, right = number(ratio_bright, "`ratio_bright`"), _seen(ha, co, 100_000.0)
    if not close(bright, right, relative=0.015):
        if close(bright, first, relative=0.002):
            raise Wrong("`ratio_bright` is as `ratio_co`: is the brighter source really in there?")
        if bright > 10:
            raise Wrong(
                "`ratio_bright` is too large: the source is brighter in both maps, so that most of "
                "it cancels."
            )
        way = "larger" if bright < right else "smaller"
        raise Wrong(
            f"`ratio_bright` should be {way}: the same two widths, and a source of 100,000 (set "
            "`source`) in place of 1000."
        )
    seen, right = number(ratio_dust, "`ratio_dust`"), _seen(ha, dust, 1000.0)
    if close(seen, right, relative=0.02):
        return (
            f"{first:.1f}, then {bright:.1f}: a source ten times brighter again would hardly help, "
            f"since the most is ({co:g}/{ha:g})², or {(co / ha) ** 2:.2f}. And Hα/F2100W, at "
            f"{seen:.2f}, would have been taken for dust that swallows the light of young stars. "
            "The truth was 1, three times."
        )
    if close(seen, 1 / right, relative=0.02):
        raise Wrong("`ratio_dust` is upside down: Hα above, F2100W below.")
    if close(seen, _seen(ha, JWST_FWHM["F770W"].to_value("arcsec"), 1000.0), relative=0.02):
        raise Wrong("`ratio_dust` has the width of F770W: take that of F2100W.")
    way = "larger" if seen < right else "smaller"
    raise Wrong(
        f"`ratio_dust` should be {way}: Hα with MUSE's width, over dust with that of F2100W, and "
        "the source of 1000."
    )


# --------------------------------------------------------------------- 2.3, a width the wrong way


@cache
def _wrong_ways() -> dict[str, np.ndarray]:
    """The two wrong widths of NGC 628, over the right one, and the S/N they are cut at."""
    import astropy.units as u
    from astropy.convolution import Gaussian2DKernel, convolve_fft

    from helpers.maps import fwhm, signal_to_noise, valid

    galaxy = get_galaxy("NGC 628")
    names = ("co_mom0", "co_tpeak", "co_ew", "co_mom0_150pc", "co_ew_150pc")
    gas = {name: survey.native_map(galaxy, name) for name in names}
    own, goal = fwhm(gas["co_mom0"]), galaxy.angle(RESOLUTION)
    sigma = np.sqrt(goal**2 - own**2).to_value(u.arcsec) * _SIGMA / 0.5

    def blur(image):
        return convolve_fft(
            np.where(valid(image), image.data, np.nan),
            Gaussian2DKernel(sigma),
            preserve_nan=True,
            boundary="fill",
            fill_value=np.nan,
        )

    return {
        "wronger": blur(gas["co_ew"]),
        "wrong": blur(gas["co_mom0"]) / (np.sqrt(2 * np.pi) * blur(gas["co_tpeak"])),
        "right": gas["co_ew_150pc"].data,
        "native": gas["co_ew"].data,
        "snr": signal_to_noise(gas["co_mom0_150pc"]),
    }


def _median_ratios(which: str) -> list[float]:
    way = _wrong_ways()
    ratio = way[which] / way["right"]
    clear = [(way["snr"] > cut) & np.isfinite(way["wrong"]) for cut in (3, 20, 30)]
    return [float(np.nanmedian(ratio[use])) for use in clear]


def _check_wronger(wronger_width, medians, farther) -> str:
    way = _wrong_ways()
    unit = "km/s"
    map_of = getattr(wronger_width, "data", None)
    given = map_of if hasattr(wronger_width, "wcs") else wronger_width
    given = array(given, "`wronger_width`", way["right"].shape, finite=False, unit=unit)
    use = (way["snr"] > 20) & np.isfinite(way["wronger"])

    def off_from(name):
        with np.errstate(all="ignore"):
            return np.mean(~np.isclose(given[use], way[name][use], rtol=0.01, equal_nan=True))

    if not np.isfinite(given[use]).any():
        raise Wrong("`wronger_width` has no number where CO is bright: it is NaN there.")
    if off_from("native") < 0.05:
        raise Wrong("`wronger_width` is `co_ew` as it was: it has still to be blurred.")
    if off_from("wrong") < 0.05:
        raise Wrong(
            "`wronger_width` is `wrong_width`, made of two blurred maps. Here the width itself "
            "goes through `blur`."
        )
    if off_from("wronger") > 0.05:
        raise Wrong(
            "`wronger_width` is not the blurred `co_ew`: hand the map at ALMA's own resolution to "
            "`blur`, as section 7 does with mom0 and Tpeak."
        )
    right, wrong = _median_ratios("wronger"), _median_ratios("wrong")
    found = array(medians, "`medians`", (3,))
    if not np.allclose(found, right, atol=0.006):
        if np.allclose(found, wrong, atol=0.006):
            raise Wrong("`medians` are those of `wrong_width`: take `wronger_width` now.")
        if np.allclose(found * right, 1, atol=0.02):
            raise Wrong("`medians` are upside down: your map over `co_ew_150pc`, not the reverse.")
        if np.allclose(found[::-1], right, atol=0.006):
            raise Wrong("`medians` are in the reverse order: first the cut at 3, last that at 30.")
        if np.ptp(found) < 0.01:
            raise Wrong("`medians` are all alike: make a new `clear` for each of the three cuts.")
        index = int(np.argmax(np.abs(found - right)))
        side = "larger" if found[index] < right[index] else "smaller"
        raise Wrong(
            f"`medians`, at a cut of {(3, 20, 30)[index]}: it should be {side}. Take the median of "
            '`wronger_width` over gas["co_ew_150pc"].data, where mom0 at 150 pc has a S/N above '
            "the cut."
        )
    choice = one_of(farther, "`farther`", ("wrong_width", "wronger_width"))
    if choice == "wrong_width":
        raise Wrong(
            "`farther` names the one that is nearer: at a cut of 20, `wrong_width` has a median "
            "ratio that section 7 prints. Which is farther from 1?"
        )
    return (
        f"Both are too small, the blurred width more so: {right[1]:.2f} against {wrong[1]:.2f} at "
        f"S/N > 20. With the cut it goes from {right[0]:.2f} to {right[2]:.2f}, and noise has "
        "a part in that. But it stays below 1 even among the brightest pixels: how clouds in one "
        "beam move past each other, only the cube knows."
    )


# -------------------------------------------------------------------------- 2.4, break the tool

_REFUSALS = {
    "pixels too large": "larger than the target resolution",
    "coarser than the target": "blurring cannot sharpen",
    "a kernel larger than the map": "is larger than the map",
    "an empty map": "Not one pixel of the map is valid",
    "unknown noise": "is not known: choose",
    "no angle": "is no angle",
    "no width": "is no width",
    "a logarithm": "it is a logarithm",
    "a flux per beam": "it is a flux per beam",
    "a velocity": "it is a velocity or a width",
    "a peak temperature": "it is a peak temperature",
    "an age": "it is an age",
    "a ratio": "it is a ratio",
    "no map": "A map (CCDData) was expected",
    "not two axes": "a map has rows and columns",
    "no place on the sky": "does not know where it is on the sky",
    "useless errors": "gives no errors in that unit",
}
_SHOWN = ("coarser than the target", "a velocity", "a peak temperature")


@cache
def _matched():
    """F770W of the galaxy, as it should be at 150 pc, and its own resolution."""
    from helpers.maps import fwhm
    from helpers.resolution import match_resolution

    galaxy = get_galaxy(_GALAXY)
    image = survey.native_map(galaxy, "F770W")
    target = galaxy.angle(RESOLUTION)
    return match_resolution(image, fwhm(image), target, noise="pixel")


def _check_refusals(refusals) -> list[str]:
    if isinstance(refusals, str) or not isinstance(refusals, list | tuple):
        raise Wrong(f"`refusals` is {in_words(refusals)}, but a list of three texts is expected.")
    kinds = []
    for refusal in refusals:
        text = str(refusal) if isinstance(refusal, str | Exception) else ""
        text = " ".join(text.split())
        kind = next((kind for kind, says in _REFUSALS.items() if says in text), None)
        if kind is None:
            raise Wrong(
                f"`refusals` holds {in_words(refusal)}, which is no sentence of match_resolution. "
                "Catch its errors as section 5 does, and collect str(refusal)."
            )
        kinds.append(kind)
    new = [kind for kind in dict.fromkeys(kinds) if kind not in _SHOWN]
    if len(new) >= 3:
        return new
    known = [kind for kind in kinds if kind in _SHOWN]
    if known:
        raise Wrong(
            f"One of your refusals ({known[0]}) was shown in this notebook. Find another: what "
            "else does a call need, and what could be wrong with it?"
        )
    if len(kinds) > len(new):
        raise Wrong(
            f"{len(kinds)} refusals, but only {len(new)} different: the same reason twice counts "
            "once. Change another argument."
        )
    raise Wrong(f"Three are asked for; here are {len(new)}. Try each argument in turn.")


def _check_broken(refusals, fooled, protection) -> str:
    from astropy.nddata import CCDData

    from helpers.maps import errors

    kinds = _check_refusals(refusals)
    right = _matched()
    if not isinstance(fooled, CCDData):
        raise Wrong(
            f"The refusals are fine. `fooled` is {in_words(fooled)}, but the map is expected that "
            "match_resolution returned."
        )
    if fooled.shape != right.shape:
        raise Wrong(
            f"The refusals are fine. `fooled` has the shape {fooled.shape}, F770W {right.shape}: "
            "keep to `pah`, so that your map can be compared with the right one."
        )
    stated = fooled.meta.get("PSFFWHM")
    if not isinstance(stated, int | float) or not close(
        stated, right.meta["PSFFWHM"], absolute=0.002
    ):
        raise Wrong(
            "The refusals are fine. `fooled` does not claim to be at the common resolution, so "
            "nobody is fooled: leave the target as it is, and give something else that is wrong."
        )
    with np.errstate(all="ignore"):
        change = float(np.nanmedian(np.abs(fooled.data / right.data - 1)))
        error = errors(fooled)
        ratio = np.nan if error is None else float(np.nanmedian(error / errors(right)))
    found = []
    if fooled.unit != right.unit:
        found.append(f"its unit is {fooled.unit}")
    if change > 0.0003:
        found.append(f"its pixels are off by {change:.1%} in the median")
    if np.isnan(ratio):
        found.append("it has lost its errors")
    elif abs(ratio - 1) > 0.002:
        found.append(f"its errors are {ratio:.2f} times what they should be")
    if not found:
        raise Wrong(
            "The refusals are fine. But `fooled` is the right map: same pixels, errors and unit. "
            "What does match_resolution believe without being able to look it up?"
        )
    words(protection, "`protection`")
    return (
        f"Refused for three reasons ({', '.join(kinds[:3])}), and fooled without a word: "
        f"{', '.join(found)}. Compare your protection with these: read the width from the header "
        "by fwhm(map), never by hand; look at the unit; put a point source, or pure noise, through."
    )


# ---------------------------------------------------------------------- 2.5, another resolution


@cache
def _at(parsec: float) -> tuple[int, float]:
    """Valid pixels and median S/N of [OI] at another common resolution."""
    import astropy.units as u

    from helpers.maps import signal_to_noise, valid
    from helpers.resolution import common_maps

    galaxy = get_galaxy(_GALAXY)
    maps = {"OI6300": survey.native_map(galaxy, "OI6300")}
    made = common_maps(galaxy, maps, target=parsec * u.pc)["OI6300"]
    return int(valid(made).sum()), float(np.nanmedian(signal_to_noise(made)))


def _check_resolution(target, n_pixels, snr) -> str:
    parsec = round(number(target, "`target`", "pc"), 3)
    if not 160 <= parsec <= 1500:
        raise Wrong(
            f"`target` is {parsec:g} pc. Take another resolution than 150 pc, and a coarser one: "
            "from 200 to 1500 pc."
        )
    right, right_snr = _at(parsec)
    count = number(n_pixels, "`n_pixels`")
    if not close(count, right, relative=0.03, absolute=2):
        if close(count, _at(150.0)[0], absolute=30):
            raise Wrong("`n_pixels` is what there was at 150 pc: count in your new map.")
        rows, columns = get_galaxy(_GALAXY).grid(RESOLUTION * (parsec / RESOLUTION.value))[1]
        if close(count, rows * columns, absolute=1):
            raise Wrong(
                "`n_pixels` counts all pixels of the grid: some were never measured. `valid` knows."
            )
        way = "more" if count < right else "fewer"
        raise Wrong(f"`n_pixels` should be {way}: valid(my_resolution['OI6300']).sum().")
    found = number(snr, "`snr`")
    if close(found, right_snr, relative=0.03):
        base, base_snr = _at(150.0)
        return (
            f"At {parsec:g} pc, {right / base:.0%} of the pixels are left, and the median S/N of "
            f"[OI] is {right_snr / base_snr:.1f} times that at 150 pc. At 20 Mpc a beam of 1.68 "
            "arcsec spans 163 pc: that galaxy sets the least, and the nearest ones pay most."
        )
    if close(found, _at(150.0)[1], relative=0.03):
        raise Wrong("`snr` is the median at 150 pc: take the map of your new resolution.")
    way = "higher" if found < right_snr else "lower"
    raise Wrong(
        f"`snr` should be {way}: the median over the pixels of signal_to_noise of the new OI6300 "
        "(np.nanmedian, since masked pixels are NaN)."
    )


EXERCISES = (
    Exercise(
        number="2.1",
        title="warm-up",
        minutes=2,
        task="""
Which kernel (FWHM, in arcsec) brings F2100W of **NGC 628** to 150 pc, and which one F200W? The
widths are in the table of section 1; the angle of 150 pc is printed above it. Before you compute:
why are the two nearly the same? (`hint("2.1")` helps; notebook 00 says how.)
""",
        stub="""
kernel_f2100w = ...  # FWHM in arcsec
kernel_f200w = ...  # FWHM in arcsec
""",
        answer="kernel_f2100w, kernel_f200w",
        hints=(
            "kernel² = target² - own². The target is an angle: 150 pc, at NGC 628.",
            'GALAXIES["NGC 628"].angle(150 * u.pc) is the target, JWST_FWHM["F2100W"] one of the '
            "own widths; both are quantities, and np.sqrt takes them.",
            'np.sqrt(GALAXIES["NGC 628"].angle(150 * u.pc) ** 2 - JWST_FWHM["F2100W"] ** 2)',
        ),
        solution="""
goal_628 = GALAXIES["NGC 628"].angle(150 * u.pc)
kernel_f2100w = np.sqrt(goal_628**2 - JWST_FWHM["F2100W"] ** 2)
kernel_f200w = np.sqrt(goal_628**2 - JWST_FWHM["F200W"] ** 2)
print(f"{kernel_f2100w:.3f} and {kernel_f200w:.3f}; the target is {goal_628:.3f}")
""",
        reason="""
At NGC 628, 150 pc are 3.14 arcsec. The squares of the own widths, 0.45 and 0.004, hardly matter
beside 9.89. Where the own width is near the target, as for ALMA, it decides everything.
""",
        misconception="A map twice as sharp needs a kernel twice as wide.",
        reply="Let them write down the three squares, 9.89, 0.45 and 0.004, before they subtract.",
        checker=_check_kernels,
        mistakes=(
            Mistake("kernel_f2100w = goal_628 - JWST_FWHM['F2100W']", "widths do not subtract"),
            Mistake("kernel_f2100w = kernel_f2100w * to_sigma", "is a sigma"),
            Mistake("kernel_f2100w = 1.509", "is that of NGC 7496"),
            Mistake("kernel_f2100w = goal_628", "is the target itself"),
        ),
    ),
    question(
        number="2.A",
        title="throwing sharpness away",
        minutes=1,
        task="""
NGC 628 is close: ALMA sees it at 53 pc, and we blur it to 150 pc, throwing away nearly nine
tenths of its resolution elements. When is that right, and for which question about NGC 628 would
it be a mistake?
""",
        choices={
            "a": (
                "Always right: a blurred map has the better signal-to-noise ratio in every pixel.",
                "It has, but you can blur later, whenever you want. What is gone does not "
                "come back: the size of a single cloud cannot be measured in the blurred map.",
            ),
            "b": (
                "Never right: no measurement that was paid for should ever be thrown away.",
                "Nothing is deleted, the sharp map is still there. And a ratio with a map at "
                "150 pc would be wrong at 53 pc: section 6 shows how badly.",
            ),
            "c": (
                "Right for maps of flux; a mistake for their ratios, which need all the detail.",
                "It is the other way round: a ratio of two maps is what needs one resolution "
                "most of all.",
            ),
            "d": (
                "Right beside other maps or galaxies; a mistake for the sizes of its clouds.",
                "Compared things must have seen the same size of patch. A question inside one"
                " map, how large, massive or turbulent its clouds are, may keep all the "
                "sharpness there is, and needs it.",
            ),
        },
        right="d",
        hints=(
            "Name two questions: one that compares NGC 628 with something, and one that does not.",
            "What is lost at 150 pc is everything smaller, such as the size of a cloud.",
            "Comparing needs one resolution. Single clouds need the sharpest map that there is.",
        ),
        misconception="One resolution is the right one for every question.",
        reply="Ask for a question for which 53 pc is right, and one for which it is wrong.",
    ),
    Exercise(
        number="2.2",
        title="make a false HII region out of unmatched PSFs",
        minutes=5,
        predicts=True,
        task="""
A young HII region that has blown away its gas shows as a spot of high Hα/CO. Make one where there
is none: in the toy sky above (true ratio 1), "observe" Hα with the width that MUSE has at NGC
7496, and CO with that of ALMA (table of section 1). **Predict first:** by what factor does Hα/CO
rise at the source, and does a brighter source help without end?

- `ratio_co`: Hα/CO at the source, with a source of 1000 on the background of 1.
- `ratio_bright`: the same with a source of 100,000.
- `ratio_dust`: Hα/F2100W at the source, again with the source of 1000.

What would you have "discovered" the third time?
""",
        stub="""
prediction = ""  # a few words, e.g. "a factor ..., and with a brighter source ..."


def at_source(fwhm_above, fwhm_below, source=1000):
    \"\"\"The ratio at the source of a toy sky, seen with two FWHM in arcsec.\"\"\"
    toy = np.ones((201, 201))
    toy[100, 100] += source
    above, below = (gaussian_filter(toy, w * to_sigma / 0.05) for w in (fwhm_above, fwhm_below))
    return above[100, 100] / below[100, 100]


ratio_co = ...  # at_source(width of MUSE, width of ALMA)
ratio_bright = ...
ratio_dust = ...
""",
        answer="ratio_co, ratio_bright, ratio_dust",
        hints=(
            'The widths (arcsec) are in the dictionary `arcsec["NGC 7496"]`, by the eye\'s name.',
            "The first width belongs to the map above the line of the fraction: Hα. `at_source` "
            "takes a brighter source as `source=100_000`.",
            'eyes = arcsec["NGC 7496"]; at_source(eyes["MUSE"], eyes["ALMA"]); for dust, the '
            'second is eyes["F2100W"].',
        ),
        solution="""
prediction = "a factor two, and more and more with a brighter source"


def at_source(fwhm_above, fwhm_below, source=1000):
    \"\"\"The ratio at the source of a toy sky, seen with two FWHM in arcsec.\"\"\"
    toy = np.ones((201, 201))
    toy[100, 100] += source
    above, below = (gaussian_filter(toy, w * to_sigma / 0.05) for w in (fwhm_above, fwhm_below))
    return above[100, 100] / below[100, 100]


eyes = arcsec["NGC 7496"]
ratio_co = at_source(eyes["MUSE"], eyes["ALMA"])
ratio_bright = at_source(eyes["MUSE"], eyes["ALMA"], source=100_000)
ratio_dust = at_source(eyes["MUSE"], eyes["F2100W"])
print(f"Hα/CO {ratio_co:.2f}, of a brighter source {ratio_bright:.2f}; Hα/F2100W {ratio_dust:.2f}")
""",
        reason="""
ALMA's beam is wider and spreads the source over more sky, so its peak comes out lower and Hα/CO
higher: 2.1. Once the background no longer matters, only the areas of the two PSFs count, and
nothing exceeds (1.68/0.89)² = 3.56. Beside F2100W it is MUSE that is the blurrier one, so Hα/dust
falls to 0.65, and you would have discovered a young region hidden in dust.
""",
        misconception="A bright enough source makes any artefact as large as you like.",
        reply="Let them try sources of 10⁴, 10⁵ and 10⁶, and compare with the ratio of beam areas.",
        checker=_check_false_region,
        mistakes=(
            Mistake("ratio_co = at_source(0.5, 0.5)", "both eyes had the same width"),
            Mistake("ratio_co = 1 / ratio_co", "`ratio_co` is upside down"),
            Mistake("ratio_bright = ratio_co", "is the brighter source really in there"),
            Mistake(
                'ratio_dust = at_source(eyes["MUSE"], eyes["F770W"])', "has the width of F770W"
            ),
        ),
    ),
    Exercise(
        number="2.3",
        title="convolve a width the wrong way",
        minutes=5,
        predicts=True,
        task="""
`wrong_width` blurred mom0 and Tpeak and divided afterwards. Do it more wrongly still: blur
`co_ew` itself, with `blur` of this section. **Predict first:** which of the two is farther from
`co_ew_150pc`, and is it too small or too large?

- `wronger_width`: the blurred map (an array).
- `medians`: a list of three numbers, the median of `wronger_width` over
  `gas["co_ew_150pc"].data`, for pixels with a S/N of `gas["co_mom0_150pc"]` above 3, above 20 and
  above 30, in this order.
- `farther`: which of the two has the median ratio that is farther from 1 at the cut of 20 (for
  `wrong_width` the cell above prints it): `"wrong_width"` or `"wronger_width"`.

Say which part of the answer may be noise: what goes away with a higher cut. (Why only "may"? A
higher cut also picks other gas.)
""",
        stub="""
prediction = ""  # a few words
wronger_width = ...  # a map
medians = ...  # three numbers, at cuts of 3, 20 and 30
farther = ...  # "wrong_width" or "wronger_width"
""",
        answer="wronger_width, medians, farther",
        hints=(
            "`blur` takes one of the maps in `gas`. Which is the width at ALMA's own resolution?",
            "For each cut, select pixels as the cell above makes `clear`; then take np.nanmedian "
            "of the ratio.",
            'snr = signal_to_noise(gas["co_mom0_150pc"]); [np.nanmedian((wronger_width / '
            'gas["co_ew_150pc"].data)[snr > cut]) for cut in (3, 20, 30)]',
        ),
        solution="""
prediction = "the blurred width is farther off, and too small"
wronger_width = blur(gas["co_ew"])
snr_150 = signal_to_noise(gas["co_mom0_150pc"])
ratio_150 = wronger_width / gas["co_ew_150pc"].data
medians = [np.nanmedian(ratio_150[snr_150 > cut]) for cut in (3, 20, 30)]
farther = "wronger_width"
print("blurred co_ew / co_ew_150pc at three cuts:", np.round(medians, 2))
""",
        reason="""
A mean of widths knows nothing of how fast the clouds of one beam move past each other, and gives
faint, noisy pixels as much of a say as bright ones. It is too small by a quarter at S/N > 20 (0.76,
against 0.85 for `wrong_width`). From the cut at 3 to that at 30 it rises from 0.57 to 0.79. Noise
has a part in that (the peak of a noisy spectrum is too high, so its width is too small), but a
higher cut also picks brighter gas. Even above S/N 100 it is 0.86.
""",
        misconception="Averaging widths is harmless: the mean of 4 km/s and 4 km/s is 4 km/s.",
        reply="Go back to the two clouds of section 7: how wide is the line of the beam over both?",
        checker=_check_wronger,
        mistakes=(
            Mistake("wronger_width = wrong_width", "made of two blurred maps"),
            Mistake("wronger_width = gas['co_ew'].data", "still to be blurred"),
            Mistake("medians = [1 / m for m in medians]", "`medians` are upside down"),
            Mistake("farther = 'wrong_width'", "the one that is nearer"),
        ),
    ),
    Exercise(
        number="2.4",
        title="break the tool",
        minutes=10,
        task="""
`match_resolution` refuses with a sentence when it can know better.

(a) Make it refuse in **three different ways** that this notebook has not shown. Collect the
messages in `refusals`, a list of three texts: the code below does it when `attempts` is a list of
calls, each with `lambda:` before it.

(b) Then fool it. `match_resolution(pah, fwhm(pah), common, noise="pixel")` is right. Put into
`fooled` what a call returns, without a word, that is *wrong*, though it says that it is at the
resolution `common`. (It believes what you tell it about `fwhm` and `noise`, and the unit that the
map itself carries.)

(c) What could protect you? Put a sentence into `protection`.
""",
        stub="""
attempts = ...  # [lambda: match_resolution(co, fwhm(co), galaxy.angle(100 * u.pc)), ...]: shown!
refusals = ...
if attempts is not ...:
    refusals = []
    for attempt in attempts:
        try:
            attempt()
        except (TypeError, ValueError) as refusal:
            refusals.append(str(refusal))
            print(textwrap.fill(refusals[-1], 90), end="\\n\\n")
fooled = ...  # what match_resolution(pah, ..., common, ...) returned
protection = ...  # a sentence, in quotes
""",
        answer="refusals, fooled, protection",
        hints=(
            "Think of what a call needs: a map, two angles with units, a noise that it knows, "
            "pixels that are fine enough, a unit that may be averaged. Spoil one at a time.",
            "A width without a unit, another word for noise, a target smaller than a pixel, a "
            "ratio of two maps (its unit is none). For (b): a width that is not the map's own.",
            "lambda: match_resolution(pah, 0.269, common), for instance; and fooled = "
            'match_resolution(pah, 1 * u.arcsec, common, noise="pixel").',
        ),
        solution="""
attempts = [
    lambda: match_resolution(pah, 0.269, common),
    lambda: match_resolution(pah, fwhm(pah), common, noise="white"),
    lambda: match_resolution(pah, fwhm(pah), 0.1 * u.arcsec),
]
refusals = []
for attempt in attempts:
    try:
        attempt()
    except (TypeError, ValueError) as refusal:
        refusals.append(str(refusal))
        print(textwrap.fill(refusals[-1], 90), end="\\n\\n")
fooled = match_resolution(pah, 1 * u.arcsec, common, noise="pixel")
protection = "Read the width from the header with fwhm(map), never type it."
""",
        reason="""
A tool can refuse what contradicts itself: no unit, no such noise, a target below the pixels. It
cannot know that a plausible number is false. With a width of 1 arcsec in place of 0.27, the
kernel is too narrow, and the header says 150 pc all the same. Only a check from outside finds
that: a point source, pure noise, or another map.
""",
        misconception="No error message means that the result is right.",
        reply="Ask what the tool could know. The rest must be measured: try a point source.",
        checker=_check_broken,
        mistakes=(
            Mistake(
                "refusals = refusals[:2] + ['... and blurring cannot sharpen: choose ...']",
                "was shown in this notebook",
            ),
            Mistake("refusals = refusals[:2] + refusals[:1]", "the same reason twice"),
            Mistake(
                'fooled = match_resolution(pah, fwhm(pah), common, noise="pixel")',
                "But `fooled` is the right map",
            ),
            Mistake("fooled = match_resolution(pah, fwhm(pah), 2 * common)", "so nobody is fooled"),
        ),
    ),
    question(
        number="2.B",
        title="four statements",
        minutes=2,
        task="""
From now on the table has a few thousand pixels a galaxy. Which of these statements need care
because neighbours are not independent, and which do not?

1. "The mean ratio of the group is 0.52 ± 0.01."
2. "UMAP shows two islands."
3. "The relation has a slope of 0.20."
4. "The group has 400 members."
""",
        choices={
            "a": (
                "None: the common grid has one pixel for each resolution element.",
                "Such pixels still share noise: neighbours agree at 0.25 and more, and the "
                "signal itself reaches over many pixels.",
            ),
            "b": (
                "1 alone: only errors of means depend on how many independent pixels there are.",
                "1, yes. But an island can be one piece of sky whose pixels are alike because"
                " they are neighbours. What would 2 look like with every other pixel?",
            ),
            "c": (
                "1 and 2.",
                "The ± counts pixels as if each were new, and an island may be one place on "
                "the sky. A slope and a count only describe; as soon as you give the slope an"
                " error, or call the 400 a sample of 400, they join the others.",
            ),
            "d": (
                "All four.",
                "A slope as such is not pushed either way by neighbours that agree, and 400 "
                "pixels are 400 pixels. Their *errors* would need care; none is claimed in 3 "
                "and 4.",
            ),
        },
        right="c",
        hints=(
            "Which statements would change if each pixel were put into the table four times?",
            "Four copies of each pixel halve the claimed error and draw tighter islands. The slope "
            "stays where it is.",
            "Look for a claim of certainty (±) and for one about groups of points that are alike.",
        ),
        misconception="Correlated pixels make every result wrong.",
        reply="Let them copy each pixel four times in their minds: what changes, what does not?",
    ),
    Exercise(
        number="2.5",
        title="open-ended and extra",
        minutes=8,
        task="""
(Or an evening.) Choose another common resolution for NGC 7496: put 300 or 500 pc, with its unit,
into `target`, and run `common_maps(galaxy, maps, target=target)` into `my_resolution` (without
`co_ew` and `co_tpeak`; you know why). Put into `n_pixels` how many pixels of its `OI6300` are
valid, and into `snr` the median signal-to-noise ratio of that faint line.

How does the spread of log F2100W/F770W change? Which resolution would you choose for 19 galaxies
at 5 to 20 Mpc, and who loses? Write both as comments.
""",
        stub="""
names = ("F770W", "F2100W", "OI6300", "HA6562")
maps = {name: native[name] for name in names if name in native}
target = ...  # 300 * u.pc, or 500 * u.pc
my_resolution = ...
n_pixels = ...  # a whole number
snr = ...  # the median of OI6300's signal_to_noise
# My resolution for 19 galaxies, and who loses by it:
""",
        answer="target, n_pixels, snr",
        hints=(
            "`common_maps` gives a dictionary of maps, by name; `valid` and `signal_to_noise` take "
            "one of these maps.",
            'valid(my_resolution["OI6300"]).sum() counts; np.nanmedian leaves out masked pixels.',
            'np.nanmedian(signal_to_noise(my_resolution["OI6300"])), and for the spread: the '
            "standard deviation of np.log10 of F2100W's .data over F770W's, with np.nanstd.",
        ),
        solution="""
names = ("F770W", "F2100W", "OI6300", "HA6562")
maps = {name: native[name] for name in names if name in native}
target = 300 * u.pc
my_resolution = common_maps(galaxy, maps, target=target)
n_pixels = valid(my_resolution["OI6300"]).sum()
snr = np.nanmedian(signal_to_noise(my_resolution["OI6300"]))
colour = np.log10(my_resolution["F2100W"].data / my_resolution["F770W"].data)
print(f"{n_pixels} pixels, [OI] S/N {snr:.1f}, spread of the colour {np.nanstd(colour):.3f} dex")
# My resolution for 19 galaxies, and who loses by it: 150 pc; clouds in the nearest ones.
""",
        reason="""
At 300 pc a quarter of the pixels is left, 958 in place of 3885, and the median S/N of [OI] rises
from 3.3 to 8.4. The spread of log F2100W/F770W falls from 0.141 to 0.122 dex: part of it was noise
and contrast on small scales. Sharpness is paid for with depth, and the nearest galaxies lose most.
""",
        misconception="The finest resolution that all galaxies share is always the best choice.",
        reply="Ask what is to be found: faint lines want large pixels, single regions small ones.",
        checker=_check_resolution,
        mistakes=(
            Mistake("n_pixels = valid(made['OI6300']).sum()", "what there was at 150 pc"),
            Mistake("n_pixels = my_resolution['OI6300'].data.size", "all pixels of the grid"),
            Mistake(
                "snr = np.nanmedian(signal_to_noise(made['OI6300']))", "is the median at 150 pc"
            ),
            Mistake("target = 150 * u.pc", "Take another resolution"),
        ),
    ),
)
