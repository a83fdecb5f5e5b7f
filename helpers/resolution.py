"""Resolution: bring maps of different sharpness to one resolution and one grid of pixels.

A ratio of two maps means something only where both have seen the same patch of sky. So every
map is first blurred to the resolution of the least sharp one (`match_resolution`), then averaged
into the same pixels, one for each resolution element (`to_grid`); `common_maps` does both for a
whole galaxy.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.convolution import Gaussian2DKernel, convolve_fft
from astropy.nddata import CCDData
from astropy.stats import gaussian_fwhm_to_sigma
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from reproject import reproject_interp
from scipy import fft
from scipy.ndimage import distance_transform_edt, gaussian_filter, laplace, map_coordinates
from scipy.special import erf

from helpers import fitsfile
from helpers.galaxies import RESOLUTION, Galaxy, get_galaxy
from helpers.maps import errors, make_map, require_map, require_maps, valid
from helpers.maps import fwhm as own_fwhm

TOLERANCE = 0.05
"""A map this close to the target resolution (as a fraction) counts as being there."""

_MOST_SUB_PIXELS = 1e9

LARGE = 4_000_000
"""Pixels above which a map is brought to a grid in tiles."""

TILE = 1200
"""Pixels of the map along the side of a tile."""

SAMPLED_ONLY = ("co_ew", "co_tpeak")
"""Maps that must come at the target resolution, because they may not be convolved."""


def match_resolution(
    image: CCDData,
    fwhm: u.Quantity,
    target: u.Quantity,
    *,
    noise: str = "beam",
    kernel: np.ndarray | None = None,
) -> CCDData:
    r"""Blur a map to a coarser resolution.

    Two Gaussians convolved make a Gaussian whose widths add in quadrature, so the kernel is a
    Gaussian of FWHM :math:`\sqrt{target^2 - fwhm^2}` (Aniano et al. 2011 compare it with exact
    kernels). Pixels that are masked or outside the map have no say: the weights of the others
    are raised to sum 1 (`astropy.convolution.convolve_fft`), and masked pixels stay masked.

    Parameters
    ----------
    image : CCDData
        A quantity linear in the brightness of the sky: a flux, an intensity.
    fwhm : Quantity
        Its own resolution, an angle; see `helpers.maps.fwhm`.
    target : Quantity
        The resolution wanted, an angle. A map within `TOLERANCE` of it is returned as it is,
        which the card RESNOTE then says.
    noise : {"beam", "pixel"}
        Whether the noise is correlated over the map's own beam, as in an interferometer's map,
        or independent from pixel to pixel, as (nearly) in a camera's.
    kernel : (odd, odd) array, optional
        To blur with instead of the Gaussian, in the map's pixels (see `read_kernel`); it is
        scaled to sum 1. The errors are still those of the Gaussian.

    Returns
    -------
    CCDData
        On the same pixels. ``meta`` has the new PSFFWHM and the length NOISEFWH over which its
        noise is now correlated (both FWHM in arcsec; `to_grid` uses the second).

    Raises
    ------
    ValueError
        If the map may not be convolved, is coarser than the target, or too small, too coarsely
        sampled or too empty for it.

    Notes
    -----
    Errors. Beam-correlated noise is white noise of variance :math:`v(x)` seen through a Gaussian
    beam :math:`b`: the variance in the map is :math:`\sigma^2 = b^2 * v`. Blurred by a kernel
    :math:`k`, it becomes :math:`(b * k)^2 * v`. The square of a Gaussian of dispersion :math:`s`
    is :math:`1 / (4 \pi s^2)` times a unit Gaussian of dispersion :math:`s / \sqrt 2`, so

    .. math:: \sigma_{out}^2 = \frac{s_b^2}{s_b^2 + s_k^2} \; (\hat{k^2} * \sigma^2)
        = \left(\frac{fwhm}{target}\right)^2 (\hat{k^2} * \sigma^2),

    with :math:`\hat{k^2}` the square of the kernel scaled to sum 1: exact however the noise
    varies across the map. For independent pixels the factor is :math:`\sum k^2`, about
    :math:`1 / (4 \pi s_k^2)` with :math:`s_k` in pixels: far smaller. Beside a hole or an edge
    the weights that are left, :math:`W = k * valid`, average less noise, and the factor is
    divided by :math:`W^2 / (\hat{k^2} * valid)`, but never above 1: exact for independent pixels,
    and for a beam too large by up to a quarter in the outermost pixels (by Monte Carlo).
    """
    _refuse_if_not_linear(require_map(image))
    fwhm, target = _angle(fwhm, "fwhm"), _angle(target, "target")
    if noise not in ("beam", "pixel"):
        raise ValueError(f'noise={noise!r} is not known: choose "beam" or "pixel".')
    pixels = _pixel_scales(image.wcs)
    if pixels.max() > target:
        raise ValueError(
            f"The pixels ({pixels.max():.2f}) are larger than the target resolution "
            f"({target:.2f}): this map cannot show it. Choose a coarser target."
        )
    if fwhm > target * (1 + TOLERANCE):
        raise ValueError(
            f"The map has a resolution of {fwhm:.2f}, coarser than the target of {target:.2f}, "
            "and blurring cannot sharpen: choose a coarser target, or leave this map out."
        )
    _refuse_if_empty(image)
    if fwhm >= target * (1 - TOLERANCE):
        note = f"already at {fwhm:.2f}, within {TOLERANCE:.0%} of {target:.2f}"
        values = np.ma.array(image.data, mask=~valid(image), copy=True)
        same = make_map(values, image.unit, image.wcs, error=errors(image), meta=image.meta)
        return _with_cards(same, fwhm, fwhm if noise == "beam" else 0 * fwhm, note)

    width = np.sqrt(target**2 - fwhm**2)
    in_pixels = (width / pixels).to_value(u.one)
    if (in_pixels > image.shape[::-1]).any():
        raise ValueError(
            f"The kernel ({width:.2f}, FWHM) is larger than the map "
            f"({image.shape[1]} x {image.shape[0]} pixels of {pixels[0]:.2f}): nothing of the map "
            "would be left. Is the target in the right unit?"
        )
    sigma = in_pixels * gaussian_fwhm_to_sigma
    gaussian = Gaussian2DKernel(*sigma).array
    good = valid(image)
    values = convolve_fft(
        np.where(good, image.data, np.nan),
        gaussian if kernel is None else _checked_kernel(kernel),
        boundary="fill",
        fill_value=np.nan,
        preserve_nan=True,
        allow_huge=True,
        fftn=fft.fftn,
        ifftn=fft.ifftn,
    )
    error = errors(image)
    if error is not None:
        ratio = (fwhm / target).to_value(u.one) ** 2 if noise == "beam" else np.sum(gaussian**2)
        error = _blurred_error(np.where(good, error, 0), good, ratio, sigma[::-1])
    dtype = np.result_type(image.data.dtype, np.float32)  # whole numbers would be cut off
    made = make_map(values.astype(dtype), image.unit, image.wcs, error=error, meta=image.meta)
    return _with_cards(made, target, target if noise == "beam" else width, "")


def to_grid(image: CCDData, wcs: WCS, shape: tuple[int, int]) -> CCDData:
    r"""Average a map into the pixels of another grid.

    Each new pixel is divided into at least 4 x 4 sub-pixels, as fine as the map's own pixels or
    a quarter of its resolution; the map is interpolated to their centres by cubic splines
    (`reproject.reproject_interp`; straight lines would blur maps of coarse pixels more than
    others) and averaged over the valid ones. A surface brightness is
    thereby averaged; a flux per pixel (a unit with ``/ pix``) is also scaled by the ratio of the
    pixels' areas, so that the total flux is kept. Averaging blurs once more, by the pixel itself:
    a star of one pixel FWHM becomes 1.2 pixels wide, in all maps alike.

    Parameters
    ----------
    image : CCDData
        A map, normally after `match_resolution`.
    wcs : WCS
        The new grid, celestial.
    shape : tuple of int
        Its rows and columns.

    Returns
    -------
    CCDData
        Masked, and NaN, where less than half of a pixel is covered by valid pixels of the map.

    Raises
    ------
    ValueError
        If the map and the grid do not overlap.

    Notes
    -----
    Errors. Noise that is correlated over the FWHM :math:`2.355 s` of card NOISEFWH (or, in a map
    straight from an interferometer, over its beam) has the autocorrelation
    :math:`\exp(-d^2 / 4 s^2)`; averaging it over a pixel of side :math:`p = 2 s L` multiplies the
    variance by :math:`F(L)^2` with

    .. math:: F(L) = \frac{\sqrt\pi}{L} \mathrm{erf}(L) - \frac{1 - e^{-L^2}}{L^2},

    0.82 for a pixel as wide as the FWHM. Without either card the errors are averaged as
    though the noise were the same throughout a pixel, which is an upper limit.
    """
    _refuse_if_empty(image)
    _refuse_if_per_nothing(image.unit)
    _pixel_scales(wcs, "grid")  # refuses what is no grid
    if np.shape(shape) != (2,) or not all(isinstance(n, int | np.integer) and n > 0 for n in shape):
        raise ValueError(
            f"shape={shape!r} is no shape of a grid: give (rows, columns), as galaxy.grid() does."
        )
    if wcs.array_shape not in (None, tuple(shape)):
        raise ValueError(
            f"The grid's WCS is made for {wcs.array_shape} rows and columns, the shape given is "
            f"{tuple(shape)}: are rows and columns swapped?"
        )
    made = _averaged(image, wcs, shape)
    if not valid(made).any():
        _refuse_if_apart(image, wcs, shape)
    return made


def _averaged(image: CCDData, wcs: WCS, shape: tuple[int, int]) -> CCDData:
    """What `to_grid` returns, which may be empty."""
    scales, new_scales = _pixel_scales(image.wcs), _pixel_scales(wcs, "grid")
    resolution = image.meta.get("PSFFWHM", 3600 * image.meta.get("BMAJ", 0)) * u.arcsec
    finest = np.maximum(scales.min(), resolution / 4)
    times = max(4, int(np.ceil((new_scales.max() / finest).to_value(u.one))))
    if np.prod(np.array(shape) * times, dtype=float) > _MOST_SUB_PIXELS:
        raise ValueError(
            f"A grid of {shape[0]} x {shape[1]} pixels of {new_scales.max():.3g} is too large for "
            f"the memory, with {times} x {times} sub-pixels in each for a map whose pixels are "
            f"{scales.min():.3g}. Choose larger or fewer pixels."
        )
    good, error = valid(image), errors(image)
    values = _filled(image.data.astype(float), good)
    # From the value at a sub-pixel's centre to the mean over it, to second order.
    step = (new_scales.max() / times / scales.min()).to_value(u.one)
    layers = [good, values + step**2 / 24 * laplace(values, mode="nearest")]
    if error is not None:
        layers.append(_filled(error, good).astype(float) ** 2)
    layers = reproject_interp(
        (np.array(layers, dtype=float), image.wcs),
        _refined(wcs, times),
        shape_out=(len(layers), shape[0] * times, shape[1] * times),
        order="bicubic",
        return_footprint=False,
        roundtrip_coords=False,
    )
    layers = np.nan_to_num(layers).reshape(len(layers), shape[0], times, shape[1], times)
    weight, layers = np.clip(layers[0], 0, 1), layers[1:]
    layers = (weight * layers).mean(axis=(2, 4))
    weight = weight.mean(axis=(1, 3))
    covered = weight >= 0.5
    area = 1.0
    if u.pix in image.unit.bases:
        area = np.prod((new_scales / scales).to_value(u.one))
    weight = np.where(covered, weight, np.nan)
    values = area * layers[0] / weight
    if error is not None:
        correlated = image.meta.get("NOISEFWH", 3600 * image.meta.get("BMAJ", 0)) * u.arcsec
        error = area * np.sqrt(np.maximum(layers[1], 0) / weight)
        if correlated > 0:
            half = new_scales / (2 * gaussian_fwhm_to_sigma * correlated)
            error *= np.sqrt(np.prod(_averaged_noise(half.to_value(u.one))))
    wcs = wcs.deepcopy()
    wcs.array_shape = tuple(shape)
    return make_map(values, image.unit, wcs, error=error, meta=image.meta)


def common_maps(
    galaxy: str | Galaxy,
    maps: Mapping[str, CCDData],
    target: u.Quantity = RESOLUTION,
    kernels: Mapping[str, tuple[np.ndarray, u.Quantity]] | None = None,
) -> dict[str, CCDData]:
    """Bring all maps of a galaxy to one resolution and one grid.

    `co_ew` and `co_tpeak` may not be convolved: they must come at the target resolution, as the
    archive's 150-pc products do, and are only averaged into the pixels. There they hardly change
    within a pixel, which is one resolution element.

    Parameters
    ----------
    galaxy : str or Galaxy
        Its name, or itself.
    maps : mapping of str to CCDData
        The maps as the telescopes made them, by name; each says its own resolution (see
        `helpers.maps.fwhm`).
    target : Quantity
        The FWHM wanted and the side of the pixels, a length or an angle.
    kernels : mapping of str to (array, Quantity), optional
        For maps that shall not be blurred with a Gaussian: by their name the kernel, and the
        side of its pixels (see `read_kernel`).

    Returns
    -------
    dict of CCDData
        On ``galaxy.grid(target)``.

    Notes
    -----
    Large maps are done in tiles, each with a margin wide enough for the kernel and the splines,
    so that the memory needed hardly grows with the map.
    """
    galaxy = get_galaxy(galaxy)
    grid = galaxy.grid(target)
    angle = galaxy.angle(target)
    made = {}
    for name, image in require_maps(maps).items():
        try:
            if name in SAMPLED_ONLY:
                _refuse_unless_at(image, angle)
            else:
                # BMAJ is the beam of an interferometer.
                noise = "beam" if "BMAJ" in image.meta else "pixel"
                options = {"fwhm": own_fwhm(image), "target": angle, "noise": noise}
                if kernels and name in kernels:
                    options["kernel"] = kernel_for(image, *kernels[name])
                if image.data.size > LARGE:
                    made[name] = _in_tiles(image, grid, options)
                    continue
                image = match_resolution(image, **options)
            made[name] = to_grid(image, *grid)
        except ValueError as fault:
            raise ValueError(f"{galaxy.name}, {name}: {fault}") from fault
    return made


def read_kernel(path: str | Path) -> tuple[np.ndarray, u.Quantity]:
    """A convolution kernel from a FITS file, such as those of Aniano et al. (2011).

    Returns
    -------
    kernel : (odd, odd) array
        The first image of the file.
    pixel : Quantity
        The side of its pixels: from PIXSCALE (arcsec), else from CD1_1 or CDELT1 (deg).

    Raises
    ------
    ValueError
        If the file holds no kernel: no square image of odd side, or none that says its pixels.
    """
    path = fitsfile.existing(path)
    with fitsfile.opened(path) as hdus:
        hdu = hdus[fitsfile.choose_hdu(hdus, None, path)]
        kernel, header = np.asarray(hdu.data, dtype=float), hdu.header
    pixel = header.get("PIXSCALE", 3600 * abs(header.get("CD1_1", header.get("CDELT1", 0))))
    if not pixel > 0:
        raise ValueError(f"{path.name} does not say how large its pixels are: add PIXSCALE.")
    return _checked_kernel(kernel, path.name), pixel * u.arcsec


def kernel_for(image: CCDData, kernel: np.ndarray, pixel: u.Quantity) -> np.ndarray:
    """A kernel in the pixels of a map: resampled linearly, of odd sides, with sum 1.

    Raises
    ------
    ValueError
        If the map's pixels are not square, or larger than the kernel.
    """
    scales = _pixel_scales(image.wcs)
    if abs(scales[0] / scales[1] - 1) > 0.01:
        raise ValueError("A kernel from a file needs a map with square pixels.")
    step = (scales.mean() / pixel).to_value(u.one)
    half = (len(kernel) - 1) / 2
    reach = int(half / step)
    if reach < 1:
        raise ValueError(f"The kernel is smaller than a pixel of the map ({scales.mean():.2f}).")
    at = half + step * np.arange(-reach, reach + 1)
    made = map_coordinates(kernel, np.meshgrid(at, at, indexing="ij"), order=1)
    return made / made.sum()


def _checked_kernel(kernel: np.ndarray, name: str = "The kernel") -> np.ndarray:
    kernel = np.asarray(kernel, dtype=float)
    square = kernel.ndim == 2 and kernel.shape[0] == kernel.shape[1] and kernel.shape[0] % 2 == 1
    if not square or not np.isfinite(kernel).all() or kernel.sum() <= 0:
        raise ValueError(
            f"{name} has the shape {kernel.shape}; a kernel is a square of odd side, finite, with "
            "a sum above 0."
        )
    return kernel / kernel.sum()


def _in_tiles(image: CCDData, grid: tuple[WCS, tuple[int, int]], options: dict) -> CCDData:
    """`match_resolution` and `to_grid` of a large map, piece by piece of the grid."""
    wcs, shape = grid
    _refuse_if_not_linear(image)
    _refuse_if_per_nothing(image.unit)
    _refuse_if_empty(image)
    scale, side = _pixel_scales(image.wcs).min(), _pixel_scales(wcs, "grid").max()
    sigma = options["target"] / scale * gaussian_fwhm_to_sigma
    margin = int(np.ceil(5 * sigma.to_value(u.one))) + 30
    if "kernel" in options:
        margin = max(margin, len(options["kernel"]) // 2 + 30)
    step = max(8, int(TILE * scale / side))  # pixels of the grid
    values, error = np.full((2, *shape), np.nan)
    meta = None
    for top in range(0, shape[0], step):
        for left in range(0, shape[1], step):
            tile = np.s_[top : min(top + step, shape[0]), left : min(left + step, shape[1])]
            here = _part_of(image, wcs, tile, margin)
            if here is None or not valid(here).any():
                continue
            part_wcs = wcs[tile]
            part_shape = tuple(s.stop - s.start for s in tile)
            part_wcs.array_shape = part_shape
            made = _averaged(match_resolution(here, **options), part_wcs, part_shape)
            values[tile], meta = made.data, made.meta
            if (part_error := errors(made)) is not None:
                error[tile] = part_error
    if meta is None or not np.isfinite(values).any():
        _refuse_if_apart(image, wcs, shape)
    wcs = wcs.deepcopy()
    wcs.array_shape = tuple(shape)
    error = None if image.uncertainty is None else error
    return make_map(values, image.unit, wcs, error=error, meta=meta)


def _part_of(image: CCDData, wcs: WCS, tile, margin: int) -> CCDData | None:
    """The part of a map that a tile of the grid covers, with a margin; None if it covers none."""
    rows, columns = tile
    along = np.linspace(0, 1, 9)
    y = rows.start - 0.5 + (rows.stop - rows.start) * along
    x = columns.start - 0.5 + (columns.stop - columns.start) * along
    x, y = (each.ravel() for each in np.meshgrid(x, y))
    low, high = zip(
        *((np.floor(p.min()), np.ceil(p.max()) + 1) for p in
          image.wcs.world_to_pixel(wcs.pixel_to_world(x, y))),
        strict=True,
    )  # fmt: skip
    sizes = image.shape[::-1]
    if any(not (h > 0 and lo < n) for lo, h, n in zip(low, high, sizes, strict=True)):
        return None
    x_cut, y_cut = (
        slice(max(0, int(lo) - margin), min(n, int(h) + margin))
        for lo, h, n in zip(low, high, sizes, strict=True)
    )
    return image[y_cut, x_cut]


def _refuse_if_not_linear(image: CCDData) -> None:
    unit = image.unit
    if isinstance(unit, u.function.FunctionUnitBase) or unit.is_equivalent(u.mag):
        why = "a logarithm, and the mean of logarithms is not the logarithm of the mean"
    elif u.beam in unit.bases:
        why = "a flux per beam, and the beam is about to change: convert it to K or MJy/sr first"
    elif unit.is_equivalent(u.km / u.s):
        why = "a velocity or a width, and blurred emission moves and widens lines"
    elif unit.is_equivalent(u.K):
        why = "a peak temperature, and the peaks of neighbouring lines lie at other velocities"
    elif unit.is_equivalent(u.yr):
        why = "an age, and brighter neighbours must count more in its mean"
    elif unit.is_equivalent(u.one):
        why = "a ratio, and the ratio of two means is not the mean of the ratios"
    else:
        return
    raise ValueError(
        f"A map in {unit.to_string() or 'no unit'} may not be convolved: it is {why}. "
        "Convolve the maps (or the cube) it is made of, then make it anew."
    )


def _refuse_unless_at(image: CCDData, target: u.Quantity) -> None:
    own = own_fwhm(image)
    if abs(own / target - 1) > TOLERANCE:
        raise ValueError(
            f"The map has a resolution of {own:.2f} and may not be convolved to {target:.2f}: "
            "use the archive's product at that resolution, or a cube."
        )


def _refuse_if_apart(image: CCDData, wcs: WCS, shape: tuple[int, int]) -> None:
    there, here = (_center(image.wcs, image.shape), _center(wcs, shape))
    raise ValueError(
        f"The map (around {there.to_string('decimal', precision=4)}) and the grid (around "
        f"{here.to_string('decimal', precision=4)}, RA and Dec in deg) do not overlap: "
        f"their centres are {here.separation(there).to(u.arcmin):.1f} apart. "
        "Are they of the same galaxy?"
    )


def _refuse_if_empty(image: CCDData) -> None:
    if not valid(image).any():
        raise ValueError("Not one pixel of the map is valid: there is nothing to average.")


def _refuse_if_per_nothing(unit: u.UnitBase) -> None:
    """A flux in Jy or electron/s could be meant per pixel; then its unit must say so."""
    fluxes = (u.Jy, u.erg / u.s / u.cm**2, u.erg / u.s / u.cm**2 / u.AA, u.electron / u.s, u.ct)
    fluxes += (u.Jy * u.km / u.s, u.ph / u.s / u.cm**2, u.DN / u.s, u.W, u.Msun)
    if any(unit.is_equivalent(flux) for flux in fluxes):
        raise ValueError(
            f"A flux in {unit} does not say whether it is per pixel or per solid angle, on which "
            f'regridding depends: read it with e.g. unit="{(unit / u.pix).to_string()}".'
        )


def _angle(value: u.Quantity, name: str) -> u.Quantity:
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(u.arcsec):
        raise ValueError(
            f"{name}={value} is no angle: give e.g. 3.14 * u.arcsec "
            "(galaxy.angle(150 * u.pc) turns a length into one)."
        )
    value = value.to(u.arcsec)
    if not (np.isscalar(value.value) and np.isfinite(value) and value > 0):
        raise ValueError(f"{name}={value} is no width: give one angle larger than 0.")
    return value


def _pixel_scales(wcs: WCS | None, what: str = "map") -> u.Quantity:
    """Width and height of a pixel (arcsec)."""
    if not isinstance(wcs, WCS) or not wcs.has_celestial:
        give = {
            "map": "read it with read_map(..., wcs=...)",
            "grid": "give a WCS and a shape, as in to_grid(map, *galaxy.grid())",
        }
        raise ValueError(f"The {what} does not know where it is on the sky: {give[what]}.")
    return (proj_plane_pixel_scales(wcs) * u.deg).to(u.arcsec)


def _blurred_error(error: np.ndarray, good: np.ndarray, ratio: float, sigma) -> np.ndarray:
    """The errors of `match_resolution`; ratio is the one of dispersions in its formula."""
    blur = partial(gaussian_filter, mode="constant", truncate=5)
    left = blur(good.astype(float), sigma)
    left_squared = blur(good.astype(float), sigma / np.sqrt(2))
    variance = blur(error.astype(float) ** 2, sigma / np.sqrt(2))
    blurred = np.full(good.shape, np.nan)
    factor = np.minimum(ratio * left_squared[good] / left[good] ** 2, 1)
    blurred[good] = np.sqrt(factor * variance[good] / left_squared[good])
    return blurred


def _with_cards(image: CCDData, resolution, correlated, note: str) -> CCDData:
    for beam in ("BMAJ", "BMIN", "BPA"):
        image.meta.remove(beam, ignore_missing=True)
    image.meta["PSFFWHM"] = round(resolution.to_value(u.arcsec), 4), "[arcsec] resolution, FWHM"
    image.meta["NOISEFWH"] = round(correlated.to_value(u.arcsec), 4), "[arcsec] noise correlation"
    if note:
        image.meta["RESNOTE"] = note
    return image


def _filled(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Each pixel that is not good takes the nearest good value, so that no edge is seen."""
    if good.all():
        return values
    nearest = distance_transform_edt(~good, return_distances=False, return_indices=True)
    return values[tuple(nearest)]


def _averaged_noise(half: np.ndarray) -> np.ndarray:
    """F(L) of `to_grid`."""
    return np.sqrt(np.pi) / half * erf(half) - (1 - np.exp(-(half**2))) / half**2


def _refined(wcs: WCS, times: int) -> WCS:
    """The same grid with every pixel divided into times x times."""
    fine = wcs.deepcopy()
    fine.wcs.crpix = (wcs.wcs.crpix - 0.5) * times + 0.5
    if fine.wcs.has_cd():
        fine.wcs.cd = wcs.wcs.cd / times
    else:
        fine.wcs.cdelt = wcs.wcs.cdelt / times
    fine.array_shape = None
    return fine


def _center(wcs: WCS, shape: tuple[int, int]):
    return wcs.pixel_to_world((shape[1] - 1) / 2, (shape[0] - 1) / 2).icrs
