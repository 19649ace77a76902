"""The TNTP reader: three real networks against their own metadata, and files that are broken in one place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from agora.data.checks import InputError
from agora.data.geographies import cell_network, positions
from agora.data.readers import read_geography, read_tntp
