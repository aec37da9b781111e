"""Learning curve: a metric against the number of spectra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure


def learning_curve(
    file: Path,
    spectra: npt.ArrayLike,
    value: npt.ArrayLike,
    interval: npt.ArrayLike,
    random: npt.ArrayLike,
    strategy: str,
) -> None:
    """Draw the figure of merit of `strategy` beside that of random selection into `file`.

    Parameters
    ----------
    file : path
        PNG.
    spectra : array, shape (n,)
        Numbers of spectra.
    value : array, shape (n,)
        Figure of merit on the fixed test set.
    interval : array, shape (n, 2)
        Its 68% interval.
    random : array, shape (n, seeds)
        Figure of merit of random selection, by seed.
    strategy : str
        Name of the query strategy.
    """
    spectra, interval, random = np.asarray(spectra), np.asarray(interval), np.asarray(random)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(spectra, *interval.T, alpha=0.2, color="C0", lw=0)
    axes.plot(spectra, value, "o-", color="C0", label=f"{strategy} (band: 68% of the test set)")
    axes.plot(spectra, random, color="C7", lw=0.7)
    axes.plot(spectra, random.mean(axis=1), "s--", color="C7", label="random (thin: each seed)")
    axes.set(xlabel="spectra taken", ylabel="figure of merit on the fixed test set")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(file, dpi=150)
