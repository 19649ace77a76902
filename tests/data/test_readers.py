"""Readers: real and broken files, and the shipped network; each bad file is refused in one sentence."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from makers import complaint, write

import agora
from agora.data.geographies import cell_network, positions
from agora.data.geography_files import read_edge_table, read_geography, read_graphml

SHIPPED = Path(agora.__file__).parent / "data" / "shipped" / "networks"


# ---- edge tables ----------------------------------------------------------------------------------------


def test_edge_table_gives_two_way_links_of_the_shorter_length(tmp_path: Path) -> None:
    table = write(tmp_path / "roads.csv", "origin,destination,length\n1,2,3.5\n2,1,3.0\n\n2,10,1\n10,10,9\n")
    graph = read_edge_table(table)
    assert type(graph) is nx.Graph
    assert graph.graph == {"kind": "file"}
    network = cell_network(graph)
    assert network.cells == (1, 2, 10)
    assert network.distances.tolist() == [[0, 3, 4], [3, 0, 1], [4, 1, 0]]
    assert network.land.tolist() == pytest.approx([1 / 3] * 3)


def test_edge_table_directions_columns_and_land(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "\ufefffrom,to,km,name\na,b,1,x\nb,c,2,x\nc,a,4,x\nq,r,1,x\n")
    columns = {"origin": "from", "destination": "to", "length": "km", "largest_component": True}
    graph = read_edge_table(table, **columns, directed=True, total_land=6)
    assert type(graph) is nx.DiGraph
    assert cell_network(graph).distances.tolist() == [[0, 1, 3], [6, 0, 2], [4, 5, 0]]
    assert cell_network(graph).land.tolist() == [2, 2, 2]
    both = read_edge_table(table, **columns, directed=True, undirected=True)
    assert cell_network(both).distances.tolist() == [[0, 1, 3], [1, 0, 2], [3, 2, 0]]


def test_names_are_integers_only_if_all_are(tmp_path: Path) -> None:
    for rows, cells in [("007,8,1\n", ("007", "8")), ("-7,0,1\n", (-7, 0)), ("1,A,1\n", ("1", "A"))]:
        table = write(tmp_path / "t.csv", "origin,destination,length\n" + rows)
        assert cell_network(read_edge_table(table)).cells == cells


def test_node_table_gives_land_and_coordinates(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "origin,destination,length\n1,2,3\n2,3,3\n")
    nodes = write(tmp_path / "cells.csv", "cell,land,x,y\n3,5,0,1\n1,2,1,1\n2,3,,\n")
    graph = read_edge_table(table, nodes=nodes)
    assert cell_network(graph).land.tolist() == [2, 3, 5]
    assert graph.nodes[1] == {"land": 2.0, "x": 1.0, "y": 1.0}
    assert graph.nodes[2] == {"land": 3.0}
    scaled = read_edge_table(table, nodes=nodes, total_land=1.0)
    assert cell_network(scaled).land.tolist() == [0.2, 0.3, 0.5]


def test_longitude_is_scaled_to_the_length_of_latitude(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "origin,destination,length\n1,2,3\n")
    nodes = write(tmp_path / "cells.csv", "cell,longitude,latitude\n1,10,59\n2,12,61\n")
    expected = [[5.0, 59.0], [6.0, 61.0]]  # cos 60 degrees = 1/2
    np.testing.assert_allclose(positions(read_edge_table(table, nodes=nodes)), expected, rtol=1e-14)


def test_parquet_tables_read_as_csv(tmp_path: Path) -> None:
    edges = pd.DataFrame({"origin": [1, 2], "destination": [2.0, 3.0], "length": [3.5, 1.0]})
    edges.to_parquet(tmp_path / "t.parquet")
    cells = pd.DataFrame(
        {"cell": [1, 2, 3], "land": [1.0, 2.0, 3.0], "x": [0.0, 1.0, np.nan], "y": [1.0, 1.0, 1.0]}
    )
    cells.to_parquet(tmp_path / "t_nodes.parquet")
    graph = read_geography(tmp_path / "t.parquet")
    assert cell_network(graph).cells == (1, 2, 3)
    assert graph.edges[1, 2] == {"length": 3.5}
    assert graph.nodes[3] == {"land": 3.0, "y": 1.0}


def test_xlsx_tables_read_as_csv(tmp_path: Path) -> None:
    edges = pd.DataFrame({"origin": ["NA", "b"], "destination": ["b", "c"], "length": [2, 3.5]})
    edges.to_excel(tmp_path / "t.xlsx", index=False)
    network = cell_network(read_geography(tmp_path / "t.xlsx"))
    assert network.cells == ("NA", "b", "c")
    assert network.distances[0].tolist() == [0, 2, 5.5]
    edges.assign(length=[2, -1]).to_excel(tmp_path / "t.xlsx", index=False)
    assert complaint(read_edge_table, tmp_path / "t.xlsx") == (
        "length in row 3 of t.xlsx is -1.0, but must be a finite number > 0."
    )


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        (
            "from,to,length\n1,2,3\n",
            {},
            "column of t.csv is 'origin', but must be one of from, to, length.",
        ),
        (
            "origin,destination,lenght\n1,2,3\n",
            {},
            "column of t.csv is 'length', but must be one of origin, destination, lenght "
            "(did you mean lenght?).",
        ),
        ("", {}, "file is 't.csv', but must be a table with a header and at least one row."),
        (
            "origin,destination,length\n1,2,x\n",
            {},
            "length in line 2 of t.csv is 'x', but must be a finite number.",
        ),
        (
            "origin,destination,length\n1,2,\n",
            {},
            "length in line 2 of t.csv is missing, but must be a finite number.",
        ),
        (
            "origin,destination,length\n1,2,nan\n",
            {},
            "length in line 2 of t.csv is nan, but must be a finite number.",
        ),
        (
            "origin,destination,length\n1,2,1\n\n1,3,0\n",
            {},
            "length in line 4 of t.csv is 0.0, but must be a finite number > 0.",
        ),
        (
            "origin,destination,length\n1, ,3\n",
            {},
            "destination in line 2 of t.csv is missing, but must be the name of a cell.",
        ),
        (
            "origin,destination,length\n1,2\n",
            {},
            "line 2 of t.csv is '1,2', but must be 3 values: origin, destination, length.",
        ),
        (
            "origin,destination,length\n1,2,3\n",
            {"length": 3},
            "column of t.csv is 3, but must be one of origin, destination, length.",
        ),
        (
            "origin,destination,length\n1,2,3\n",
            {"directed": "no"},
            "directed is 'no', but must be true or false.",
        ),
        (
            "origin,destination,length\n1,2,3\n",
            {"undirected": 1},
            "undirected is 1, but must be true or false.",
        ),
        (
            "origin,destination,length\n1,2,3\n3,4,1\n",
            {},
            "number of connected pieces is 2, but must be 1 (cell 3 is not joined to cell 1; "
            "largest_component=True keeps the largest piece).",
        ),
    ],
)
def test_edge_table_says_what_is_wrong(
    tmp_path: Path, text: str, options: dict[str, Any], sentence: str
) -> None:
    table = write(tmp_path / "t.csv", text)
    assert complaint(read_edge_table, table, **options) == sentence


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ("name,land\n1,1\n2,1\n", "column of n.csv is 'cell', but must be one of name, land."),
        ("cell,land\n1,1\n", "cell of the edge table is 2, but must be a cell of n.csv, too."),
        ("cell,land\n1,1\n2,1\n1,3\n", "cell in line 4 of n.csv is 1, but must be given once."),
        ("cell,land\n1,1\n2,\n", "land in line 3 of n.csv is missing, but must be a finite number."),
        ("cell,land\n1,1\n2,-3\n", "land in line 3 of n.csv is -3.0, but must be a finite number > 0."),
        ("cell,x,y\n1,1,east\n2,1,1\n", "y in line 2 of n.csv is 'east', but must be a finite number."),
        (
            "cell,longitude,latitude\n1,1,N\n2,1,1\n",
            "latitude in line 2 of n.csv is 'N', but must be a finite number.",
        ),
        (
            "cell\n1\n2\n3\n",
            "number of connected pieces is 2, but must be 1 (cell 3 is not joined to cell 1; "
            "largest_component=True keeps the largest piece).",
        ),
    ],
)
def test_node_table_says_what_is_wrong(tmp_path: Path, nodes: str, sentence: str) -> None:
    table = write(tmp_path / "t.csv", "origin,destination,length\n1,2,3\n")
    assert complaint(read_edge_table, table, nodes=write(tmp_path / "n.csv", nodes)) == sentence


def test_unreadable_tables_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(b"origin,destination,length\n\xff\xfe,2,3\n")
    assert complaint(read_edge_table, table).startswith("file is 't.csv', but must be a CSV table in UTF-8 (")
    write(table, 'origin,destination,length\n"a,b,3\n')
    assert complaint(read_edge_table, table).startswith("file is 't.csv', but must be a CSV table in UTF-8 (")
    write(table, "origin,destination,length\n")
    assert "must be a table with a header and at least one row." in complaint(read_edge_table, table)
    parquet = write(tmp_path / "t.parquet", "no parquet")
    assert "must be a Parquet file that can be read (" in complaint(read_edge_table, parquet)
    other = write(tmp_path / "t.txt", "")
    assert "must be a table with suffix .csv, .parquet or .xlsx." in complaint(read_edge_table, other)


# ---- the shipped network --------------------------------------------------------------------------------


def test_randstad_lengths_are_great_circle_distances() -> None:
    places = pd.read_csv(SHIPPED / "randstad_nodes.csv", index_col="cell")
    links = pd.read_csv(SHIPPED / "randstad.csv")
    assert len(places) == 29
    assert len(links) == 41
    assert list(places) == ["latitude", "longitude"]
    start, end = (
        np.radians(places.loc[links["origin"]].to_numpy()),
        np.radians(places.loc[links["destination"]]),
    )
    (north, east), (north_end, east_end) = start.T, end.to_numpy().T
    cosine = np.sin(north) * np.sin(north_end) + np.cos(north) * np.cos(north_end) * np.cos(east_end - east)
    np.testing.assert_array_equal(np.round(6371.0 * np.arccos(cosine), 1), links["length"])


def test_randstad_is_one_network_with_its_nodes_found() -> None:
    graph = read_geography(SHIPPED / "randstad.csv")
    assert type(graph) is nx.Graph
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (29, 41)
    network = cell_network(graph)
    at = {town: number for number, town in enumerate(network.cells)}
    # Via Hoofddorp: Leiden-Hoofddorp 20.1, Hoofddorp-Schiphol 4.6, Schiphol-Amsterdam 12.3.
    assert network.distances[at["Leiden"], at["Amsterdam"]] == pytest.approx(37.0, abs=1e-9)
    assert network.land.sum() == pytest.approx(1.0)
    places = positions(graph)
    latitude = pd.read_csv(SHIPPED / "randstad_nodes.csv")["latitude"].mean()
    assert places[at["Utrecht"]] == pytest.approx([5.11 * math.cos(math.radians(latitude)), 52.09], rel=1e-14)
    assert places[at["Den Haag"], 0] == places[:, 0].min()


# ---- GraphML --------------------------------------------------------------------------------------------


def street_file(path: Path) -> Path:
    """Write a GraphML file as OSMnx does: every attribute is text, edges are parallel and one-way."""
    graph = nx.MultiDiGraph(crs="epsg:4326")
    for node, x, y in [("101", "4.90", "52.37"), ("102", "4.91", "52.37"), ("20", "4.90", "52.38")]:
        graph.add_node(node, x=x, y=y, street_count="3")
    for tail, head, length in [("101", "102", "98.25"), ("101", "102", "120.5"), ("102", "101", "130")]:
        graph.add_edge(tail, head, length=length, name="Lange Straat", oneway="False")
    graph.add_edge("102", "20", length="300", oneway="True")
    graph.add_edge("20", "101", length="50.0", oneway="True")
    nx.write_graphml(graph, path)
    return path


def test_street_file_in_graphml(tmp_path: Path) -> None:
    graph = read_graphml(street_file(tmp_path / "city.graphml"), total_land=3.0)
    assert type(graph) is nx.DiGraph
    assert graph.graph == {"kind": "file"}
    network = cell_network(graph)
    assert network.cells == (20, 101, 102)
    assert network.distances.tolist() == [[0, 50, 148.25], [398.25, 0, 98.25], [300, 130, 0]]
    assert graph.nodes[101] == {"land": 1.0, "x": 4.90, "y": 52.37}
    both = cell_network(read_geography(tmp_path / "city.graphml", undirected=True))
    assert both.distances.tolist() == [[0, 50, 148.25], [50, 0, 98.25], [148.25, 98.25, 0]]
    mapped = read_graphml(tmp_path / "city.graphml", land={20: 1, 101: 2, 102: 3})
    assert cell_network(mapped).land.tolist() == [1, 2, 3]


def test_graphml_land_names_and_defaults(tmp_path: Path) -> None:
    graph = nx.Graph([("a", "b"), ("b", "3")])
    nx.set_edge_attributes(graph, 2, "km")
    nx.set_node_attributes(graph, {"a": 1, "b": 2, "3": 4}, "land")
    nx.write_graphml(graph, tmp_path / "t.graphml")
    network = cell_network(read_graphml(tmp_path / "t.graphml", length="km"))
    assert network.cells == ("3", "a", "b")
    assert network.land.tolist() == [4, 1, 2]
    text = (tmp_path / "t.graphml").read_text(encoding="utf-8")
    default = re.sub(r'(<key id="\w+" for="edge"[^>]*?)\s*/>', r"\1><default>7</default></key>", text)
    default = re.sub(r"(<edge [^>]*>).*?</edge>", r"\1</edge>", default, count=1, flags=re.DOTALL)
    lengths = cell_network(read_graphml(write(tmp_path / "u.graphml", default), length="km")).lengths
    assert sorted(lengths) == [2, 2, 7, 7]


@pytest.mark.parametrize(
    "text", ["", "no xml", "<graphml>", "<html/>", "<graphml xmlns='http://graphml.graphdrawing.org/xmlns'/>"]
)
def test_what_is_no_graphml_is_refused(tmp_path: Path, text: str) -> None:
    sentence = complaint(read_graphml, write(tmp_path / "t.graphml", text))
    assert sentence.startswith("file is 't.graphml', but must be a GraphML file (")


def test_graphml_lengths_are_checked(tmp_path: Path) -> None:
    street_file(tmp_path / "t.graphml")
    assert complaint(read_graphml, tmp_path / "t.graphml", length="name") == (
        "name of edge 101-102 is 'Lange Straat', but must be a finite number > 0."
    )
    assert complaint(read_graphml, tmp_path / "t.graphml", undirected=None) == (
        "undirected is None, but must be true or false."
    )


# ---- read_geography -------------------------------------------------------------------------------------


def test_read_geography_says_what_is_wrong(tmp_path: Path) -> None:
    assert complaint(read_geography, "no.csv") == (
        "geography.file is 'no.csv', but must be the path of a file that exists."
    )
    assert (
        complaint(read_geography, 7) == "geography.file is '7', but must be the path of a file that exists."
    )
    assert complaint(read_geography, write(tmp_path / "t.grapml", "")).endswith(
        "must be a file with suffix one of .csv, .parquet, .xlsx, .graphml, .tntp (did you mean .graphml?)."
    )
    table = write(tmp_path / "t.csv", "origin,destination,length\n1,2,3\n")
    assert complaint(read_geography, table, lenght="km") == (
        "geography.lenght is 'km', but must be left out, or an argument of 't.csv': one of origin, "
        "destination, length, directed, nodes, total_land, largest_component, undirected "
        "(did you mean length?)."
    )
    assert complaint(read_geography, table, total_land=-1) == (
        "geography.total_land is -1, but must be a finite number > 0."
    )
    assert complaint(read_geography, table, nodes="none.csv") == (
        "geography.nodes is 'none.csv', but must be the path of a file that exists."
    )
    assert (
        complaint(read_edge_table, "no.csv")
        == "path is 'no.csv', but must be the path of a file that exists."
    )
    assert complaint(read_graphml, tmp_path).endswith("must be the path of a file that exists.")


def test_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    table = write(tmp_path / "T.CSV", "origin,destination,length\n1,2,3\n")
    assert cell_network(read_geography(str(table))).lengths.tolist() == [3, 3]
