"""Tables without groups, made of one that may have some: what a null test is run on."""

import numpy as np
import pandas as pd

from helpers.clusters import check_table


def shuffle_columns(frame: pd.DataFrame, random_state: int = 0) -> pd.DataFrame:
    """Shuffle each column for itself: the same values, and no relation between columns.

    Parameters
    ----------
    frame : DataFrame of shape (n_objects, n_features)
        Finite numbers, as `features.learning_frame` returns.
    random_state : int

    Returns
    -------
    DataFrame of the same shape and columns
        Its rows are no pixels any more, so they are numbered from 0.

    Raises
    ------
    ValueError
        If it is no frame of two rows or more of finite numbers.

    Notes
    -----
    What the forest learns to tell from a real table (`forest.draw_synthetic`, Shi & Horvath 2006,
    J. Comput. Graph. Stat. 15, 118) is drawn in the same way, but with replacement. Here every
    value appears as often as before.
    """
    rng = np.random.default_rng(random_state)
    values = _values(frame)
    shuffled = np.column_stack([rng.permutation(column) for column in values.T])
    return pd.DataFrame(shuffled, columns=frame.columns)


def one_gaussian(frame: pd.DataFrame, random_state: int = 0) -> pd.DataFrame:
    """Draw as many rows from one Gaussian with the frame's mean and covariance.

    Parameters
    ----------
    frame : DataFrame of shape (n_objects, n_features)
        Finite numbers, as `features.learning_frame` returns.
    random_state : int

    Returns
    -------
    DataFrame of the same shape and columns
        One smooth cloud: linear relations between columns stay, groups and bends go. Its rows are
        no pixels, so they are numbered from 0.

    Raises
    ------
    ValueError
        If it is no frame of two rows or more of finite numbers.
    """
    rng = np.random.default_rng(random_state)
    values = _values(frame)
    covariance = np.atleast_2d(np.cov(values, rowvar=False))
    drawn = rng.multivariate_normal(values.mean(axis=0), covariance, len(values))
    return pd.DataFrame(drawn, columns=frame.columns)


def _values(frame) -> np.ndarray:
    if not isinstance(frame, pd.DataFrame) or len(frame) < 2:
        raise ValueError(
            f"A null table is made of a frame of two rows or more, not of {type(frame).__name__} "
            f"with {np.size(frame, 0) if np.ndim(frame) else 'no'} rows: give the one that "
            "learning_frame returns."
        )
    return check_table(frame).astype(float)
