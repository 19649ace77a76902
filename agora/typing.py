"""Types that every room shares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Vector = NDArray[np.float64]
"""Floating-point numbers, of any number of dimensions."""
Tables = Mapping[str, pd.DataFrame]
"""A solution's tables by name."""
