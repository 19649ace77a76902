"""Readers: files of networks become checked geographies (see `agora.data.geographies`).

Edge tables (CSV, Parquet, XLSX), GraphML and the TNTP format of *Transportation Networks for Research*. Every
reader takes ``undirected=True`` to ignore one-way restrictions: a link may then be used both ways, at the
shorter of its two lengths. What a file has wrong is an `InputError` that names the file and the line.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx

from agora.data.checks import MISSING, InputError, nearest, positive
from agora.data.geographies import as_geography, call_checked
from agora.data.tables import FileTable, as_number, existing, read_table

_TIME = {"freeflowtime", "fftt", "fft"}
_STANDARD_HEADER = "init_node term_node capacity length free_flow_time b power speed toll link_type"


def read_edge_table(  # noqa: PLR0913 (options that users type by name)
    path: str | Path,
    *,
    origin: str = "origin",
    destination: str = "destination",
    length: str = "length",
    directed: bool = False,
    nodes: str | Path | None = None,
    total_land: float | None = None,
    largest_component: bool = False,
    undirected: bool = False,
) -> nx.Graph | nx.DiGraph:
    """Read a table of edges and, optionally, a table of cells: CSV, Parquet, or XLSX.

    Parameters
    ----------
    path : path
        The edge table, one row an edge. Cells are named by integers if every name is one, else by text.
    origin, destination, length : str
        Its columns; lengths > 0 in any unit.
    directed : bool
        A row is a one-way link from origin to destination; otherwise it may be used both ways.
    nodes : path, optional
        A table with the column ``cell`` and any of ``land`` (> 0), ``x`` and ``y``, ``longitude`` and
        ``latitude`` (degrees; x is then longitude times the cosine of the mean latitude, for drawing).
    total_land, largest_component
        As in `agora.data.geographies.as_geography`; without a column ``land`` cells have equal shares.
    undirected : bool
        Ignore one-way restrictions, as if `directed` were false.

    Raises
    ------
    InputError
        A file or column that is missing, a value that is missing or no number > 0, an invalid geography.
    """
    table = read_table(existing("path", path))
    cells = None if nodes is None else read_table(existing("nodes", nodes))
    ends = [table.names(column, of="a cell") for column in (origin, destination)]
    names = [] if cells is None else cells.names("cell", of="a cell")
    naming = _naming(itertools.chain(names, *ends))
    both_ways = _flag("undirected", undirected)
    one_way = _flag("directed", directed) and not both_ways
    graph = nx.MultiDiGraph(kind="file") if one_way else nx.MultiGraph(kind="file")
    lengths = zip(table.column(length), table.numbers(length), strict=True)
    for tail, head, ((position, _), miles) in zip(*ends, lengths, strict=True):
        graph.add_edge(naming(tail), naming(head), length=positive(position, miles))
    if cells is not None:
        _add_cells(graph, cells, [naming(name) for name in names])
    land = "land" if cells is not None and "land" in cells.columns else None
    return as_geography(graph, land=land, total_land=total_land, largest_component=largest_component)


def read_graphml(
    path: str | Path,
    *,
    length: str = "length",
    land: str | Mapping[Hashable, float] | None = None,
    total_land: float | None = None,
    largest_component: bool = False,
    undirected: bool = False,
) -> nx.Graph | nx.DiGraph:
    """Read a GraphML file, such as OSMnx saves (where numbers are text and ``length`` is in metres).

    Parameters
    ----------
    path : path
        The file. Cells are named by integers if every node identifier is one, else by text.
    length : str
        The edge attribute with the lengths, > 0, any unit.
    land : str or mapping, optional
        As in `agora.data.geographies.as_geography`. Unless given, the node attribute ``land`` if any node has
        it, else equal shares.
    total_land, largest_component
        As in `agora.data.geographies.as_geography`.
    undirected : bool
        Ignore one-way restrictions.

    Raises
    ------
    InputError
        A file that is missing or is no GraphML, an invalid geography.
    """
    file = existing("path", path)
    try:
        read = nx.read_graphml(file)
    except (ParseError, nx.NetworkXError, KeyError, ValueError, AttributeError) as error:
        raise InputError("file", file.name, f"a GraphML file ({error})") from None
    naming = _naming(read)
    two_way = _flag("undirected", undirected) or not read.is_directed()
    graph = nx.MultiGraph(kind="file") if two_way else nx.MultiDiGraph(kind="file")
    for node, data in read.nodes(data=True):
        graph.add_nodes_from([(naming(node), _with_numbers(read.graph.get("node_default", {}) | data))])
    for tail, head, data in read.edges(data=True):
        known = _with_numbers(read.graph.get("edge_default", {}) | data)
        graph.add_edges_from([(naming(tail), naming(head), known)])
    if land is None and any("land" in data for data in graph.nodes.values()):
        land = "land"
    return as_geography(
        graph, length=length, land=land, total_land=total_land, largest_component=largest_component
    )


def read_tntp(  # noqa: PLR0913 (options that users type by name)
    net: str | Path,
    nodes: str | Path | None = None,
    *,
    length: str = "length",
    total_land: float | None = None,
    centroids: bool = False,
    zero_length: float | None = None,
    largest_component: bool = False,
    undirected: bool = False,
) -> nx.Graph | nx.DiGraph:
    """Read a network, and optionally its nodes' coordinates, in the TNTP text format.

    Nodes numbered below ``<FIRST THRU NODE>`` are centroids of zones, where trips may start or end but
    which they never pass. A geography has no such cells, so they are left out with all their connectors.

    Parameters
    ----------
    net : path
        The links: metadata ``<NUMBER OF LINKS> 76``, names of columns after ``~``, rows ended by ``;``.
    nodes : path, optional
        The coordinates: rows ``node x y ;``.
    length : str
        The column with the lengths, in its unit: ``length`` or ``free flow time`` (also ``fftt``). Units in
        the header, capitals and underscores do not matter.
    total_land, largest_component
        As in `agora.data.geographies.as_geography`; cells have equal shares of land.
    centroids : bool
        Keep centroids and connectors as ordinary cells and links; routes may then pass through centroids.
    zero_length : float, optional
        The length of the links whose length is 0 in the file; unless given, these are an error.
    undirected : bool
        Ignore one-way restrictions.

    Raises
    ------
    InputError
        A file that is missing or not in the format, a link without length, an invalid geography.
    """
    file = existing("net", net)
    replacement = 0.0 if zero_length is None else positive("zero_length", zero_length)
    first_through, links = _tntp_links(file, str(length))
    first = 0 if _flag("centroids", centroids) else first_through
    graph = nx.MultiGraph(kind="file") if _flag("undirected", undirected) else nx.MultiDiGraph(kind="file")
    for position, tail, head, number in links:
        graph.add_nodes_from(node for node in (tail, head) if node >= first)
        if tail >= first and head >= first:
            if number < 0 or (number == 0 and not replacement):
                hint = "a finite number > 0 (zero_length= replaces zeros)"
                raise InputError(f"{length} of link {tail} -> {head} in {position}", number, hint)
            graph.add_edge(tail, head, length=number or replacement)
    if nodes is not None:
        for node, x, y in _tntp_coordinates(existing("nodes", nodes)):
            if node in graph:
                graph.add_node(node, x=x, y=y)
    return as_geography(graph, land=None, total_land=total_land, largest_component=largest_component)


READERS: dict[str, Callable[..., nx.Graph]] = {
    ".csv": read_edge_table,
    ".parquet": read_edge_table,
    ".xlsx": read_edge_table,
    ".graphml": read_graphml,
    ".tntp": read_tntp,
}
"""The reader of each suffix."""


def read_geography(file: str | Path, **options: Any) -> nx.Graph | nx.DiGraph:
    """Read a geography with the reader of the file's suffix in `READERS`; options are that reader's.

    Unless the option ``nodes`` is given, a node file beside the file is used: ``city_node.tntp`` for
    ``city_net.tntp``, ``city_nodes.csv`` for ``city.csv`` (so too Parquet and XLSX). Raises `InputError` for
    a missing file, an unknown suffix or option, and whatever the reader finds.
    """
    path = existing("geography.file", file)
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise InputError("geography.file", str(file), f"a file with suffix {nearest(suffix, READERS)}")
    stem = path.stem.removesuffix("_net") + "_node" if suffix == ".tntp" else path.stem + "_nodes"
    beside = path.with_name(stem + path.suffix)
    if suffix != ".graphml" and "nodes" not in options and beside.is_file():
        options["nodes"] = beside
    return call_checked(partial(READERS[suffix], path), path.name, options)


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(field, value, "true or false")
    return value


def _with_numbers(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with numeric text as floats."""
    numbers = dict(data)
    for name, value in data.items():
        if isinstance(value, str):
            with suppress(ValueError):
                numbers[name] = float(value)
    return numbers


def _naming(names: Iterable[str]) -> Callable[[str], Hashable]:
    """Return int if every name is an integer as Python writes it, else str (so '007' stays text)."""
    return int if all(re.fullmatch(r"0|-?[1-9][0-9]*", name) for name in names) else str


def _add_cells(graph: nx.Graph, table: FileTable, names: list[Hashable]) -> None:
    """Give the cells of the node table their land and coordinates."""
    known = set(names)
    missing = [cell for cell in graph if cell not in known]
    if missing:
        raise InputError("cell of the edge table", missing[0], f"a cell of {table.file.name}, too")
    for (position, _), cell in zip(table.column("cell"), names, strict=True):
        if cell not in known:
            raise InputError(position, cell, "given once")
        known.remove(cell)
        graph.add_node(cell)
    if "land" in table.columns:
        for (position, _), cell, land in zip(table.column("land"), names, table.numbers("land"), strict=True):
            graph.nodes[cell]["land"] = positive(position, land)
    _add_coordinates(graph, table, names)


def _add_coordinates(graph: nx.Graph, table: FileTable, names: list[Hashable]) -> None:
    """Give cells their x and y; degrees are scaled as on a map at the mean latitude."""
    axes = {"x": "x", "y": "y"}
    if not {"x", "y"} <= set(table.columns) and {"longitude", "latitude"} <= set(table.columns):
        axes = {"x": "longitude", "y": "latitude"}
    for axis, column in axes.items():
        cells = table.column(column) if column in table.columns else []
        for cell, (position, given) in zip(names, cells, strict=False):
            if given is not None:
                graph.nodes[cell][axis] = as_number(position, given)
    if axes["x"] == "longitude":
        latitudes = [data["y"] for _, data in graph.nodes(data=True) if "y" in data]
        scale = math.cos(math.radians(math.fsum(latitudes) / max(len(latitudes), 1)))
        for _, data in graph.nodes(data=True):
            if "x" in data:
                data["x"] *= scale


def _tntp_lines(file: Path) -> list[tuple[str, str]]:
    """Return the lines that are not empty, each with its position in the file."""
    text = file.read_text(encoding="utf-8", errors="replace")
    lines = enumerate(text.splitlines(), start=1)
    return [(f"line {number} of {file.name}", line.strip()) for number, line in lines if line.strip()]


def _tntp_metadata(file: Path, lines: list[tuple[str, str]]) -> tuple[dict[str, tuple[str, str]], int]:
    """Return each metadata entry's position and text, and how many lines the metadata take."""
    entries: dict[str, tuple[str, str]] = {}
    for number, (position, line) in enumerate(lines, start=1):
        entry = re.fullmatch(r"<([^>]+)>(.*)", line)
        if entry:
            key = entry[1].strip().upper()
            if key == "END OF METADATA":
                return entries, number
            entries[key] = (position, entry[2].strip())
        elif not line.startswith("~"):
            allowed = "TNTP metadata such as '<NUMBER OF NODES> 24' or '<END OF METADATA>'"
            raise InputError(position, line, allowed)
    raise InputError(f"<END OF METADATA> of {file.name}", MISSING, "a line of a network file in TNTP format")


def _tntp_count(file: Path, entries: Mapping[str, tuple[str, str]], key: str) -> int:
    if key not in entries:
        raise InputError(f"<{key}> of {file.name}", MISSING, "metadata of a network file in TNTP format")
    position, text = entries[key]
    return _natural(f"<{key}> in {position}", text)


def _tntp_columns(header: str) -> list[str]:
    """Return the names of a header, which tabs separate if there are any (names may have blanks)."""
    text = header.strip("~; \t")
    names = text.split("\t") if "\t" in text else text.split()
    return [name.strip() for name in names if name.strip()]


def _tntp_key(name: str) -> str:
    """Return a column's name without its unit, capitals, blanks and underscores."""
    return re.sub(r"\(.*?\)|[^a-z]", "", name.lower())


def _tntp_links(file: Path, length: str) -> tuple[int, list[tuple[str, int, int, float]]]:
    """Return the first through node and the links: position, tail, head, length."""
    lines = _tntp_lines(file)
    entries, start = _tntp_metadata(file, lines)
    first = _tntp_count(file, entries, "FIRST THRU NODE")
    announced = _tntp_count(file, entries, "NUMBER OF LINKS")
    rows = [(position, line) for position, line in lines[start:] if not line.startswith("~")]
    # Comments begin with ~, too: the header is the one before the rows. The format fixes the order of columns
    # for files without a header.
    before = itertools.takewhile(lambda entry: entry[1].startswith("~"), lines[start:])
    headers = [_STANDARD_HEADER, *(text for key, (_, text) in entries.items() if key == "ORIGINAL HEADER")]
    columns = _tntp_columns([*headers, *(line for _, line in before)][-1])
    wanted = _TIME if _tntp_key(length) in _TIME else {_tntp_key(length)}
    at = next((n for n, name in enumerate(columns) if n > 1 and _tntp_key(name) in wanted), None)
    if at is None:
        raise InputError("length", length, f"a column of {file.name}: {nearest(length, columns[2:])}")
    links = []
    for position, line in rows:
        fields = line.rstrip(";").split()
        if len(fields) != len(columns) or not line.endswith(";"):
            allowed = f"a row of {len(columns)} numbers ended by ';' ({', '.join(columns)})"
            raise InputError(position, line, allowed)
        tail, head = (_natural(f"node in {position}", text) for text in fields[:2])
        links.append((position, tail, head, as_number(f"{columns[at]} in {position}", fields[at])))
    if len(links) != announced:
        raise InputError(f"<NUMBER OF LINKS> of {file.name}", announced, f"its number of links, {len(links)}")
    return first, links


def _natural(field: str, text: str) -> int:
    if not re.fullmatch("[0-9]+", text):
        raise InputError(field, text, "a whole number >= 0")
    return int(text)


def _tntp_coordinates(file: Path) -> list[tuple[int, float, float]]:
    """Return the rows of a node file: node, x, y."""
    coordinates = []
    for number, (position, line) in enumerate(_tntp_lines(file)):
        fields = line.rstrip(";").split()
        if line.startswith("~") or (number == 0 and fields[0].lower() == "node"):
            continue
        if len(fields) < 3:
            raise InputError(position, line, "a row of three numbers: node, x, y")
        x, y = (as_number(f"{axis} in {position}", fields[k]) for k, axis in ((1, "x"), (2, "y")))
        coordinates.append((_natural(f"node in {position}", fields[0]), x, y))
    if not coordinates:
        raise InputError("file", file.name, "a file of rows 'node x y ;'")
    return coordinates
