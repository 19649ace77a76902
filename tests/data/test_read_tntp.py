"""The TNTP reader: three real networks against their own metadata, and files that are broken in one place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from makers import complaint, write

from agora.data.geographies import cell_network, positions
from agora.data.geography_files import read_geography, read_tntp

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "networks"

needs_reference = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="the reference networks are not beside the repository"
)

NET = """\
<NUMBER OF ZONES> 1
<NUMBER OF NODES> 4
<FIRST THRU NODE> 2
<NUMBER OF LINKS> 6
<END OF METADATA>

~ a comment
~ \tInit node \tTerm node \tCapacity \tLength (miles) \tfftt(min) \t;
\t1\t2\t100\t0\t0\t;
\t2\t1\t100\t0\t0\t;
\t2\t3\t100\t1.5\t3\t;
\t3\t2\t100\t1.5\t4\t;
\t3\t4\t100\t2.5\t5\t;
\t4\t3\t100\t2.0\t5;
"""


def raw(name: str) -> tuple[dict[str, int], list[list[float]]]:
    """Return a real file's metadata counts and rows, read without the reader."""
    text = (REFERENCE / f"{name}_net.tntp").read_text(encoding="utf-8")
    counts = {key: int(number) for key, number in re.findall(r"<([A-Z ]+)>\s*(\d+)", text)}
    rows = [line.split(";")[0].split() for line in text.partition("<END OF METADATA>")[2].splitlines()]
    return counts, [[float(field) for field in row] for row in rows if row and row[0] != "~"]


# ---- real networks --------------------------------------------------------------------------------------


@needs_reference
@pytest.mark.parametrize("name", ["SiouxFalls", "ChicagoSketch", "friedrichshain-center"])
def test_real_network_has_the_counts_of_its_metadata(name: str) -> None:
    counts, rows = raw(name)
    assert len(rows) == counts["NUMBER OF LINKS"]
    graph = read_geography(REFERENCE / f"{name}_net.tntp", centroids=True, zero_length=0.5, undirected=True)
    assert graph.number_of_nodes() == counts["NUMBER OF NODES"]
    pairs = {frozenset(row[:2]) for row in rows}
    assert {frozenset(edge) for edge in graph.edges} == pairs
    assert all("x" in data and "y" in data for data in graph.nodes.values())


@needs_reference
@pytest.mark.parametrize(("name", "cells", "links"), [("SiouxFalls", 24, 76), ("ChicagoSketch", 933, 2950)])
def test_two_way_networks_become_undirected(name: str, cells: int, links: int) -> None:
    graph = read_geography(REFERENCE / f"{name}_net.tntp", total_land=float(cells))
    assert type(graph) is nx.Graph
    network = cell_network(graph)
    assert network.cells == tuple(range(1, cells + 1))
    assert len(network.lengths) == links
    assert network.land.tolist() == pytest.approx([1.0] * cells)
    counts, rows = raw(name)
    assert (counts["NUMBER OF NODES"], counts["NUMBER OF LINKS"]) == (cells, links)
    ends_and_lengths = sorted((row[0], row[1], row[3]) for row in rows)
    np.testing.assert_array_equal(
        np.column_stack([network.tails + 1, network.heads + 1]), [r[:2] for r in ends_and_lengths]
    )
    np.testing.assert_array_equal(network.lengths, [row[2] for row in ends_and_lengths])


@needs_reference
def test_sioux_falls_numbers() -> None:
    graph = read_geography(REFERENCE / "SiouxFalls_net.tntp")
    assert graph.edges[1, 2]["length"] == 6
    assert positions(graph)[0] == pytest.approx([-96.77041974, 43.61282792], abs=1e-12)
    distances = cell_network(graph).distances
    assert distances[0, 19] == nx.dijkstra_path_length(
        graph, 1, 20, weight="length"
    )  # another route, same number
    by_time = read_tntp(REFERENCE / "SiouxFalls_net.tntp", length="Free Flow Time")
    assert "x" not in by_time.nodes[1]
    assert nx.utils.edges_equal(
        by_time.edges(data=True), graph.edges(data=True)
    )  # this file's times are its lengths


@needs_reference
def test_chicago_connectors_take_no_time() -> None:
    net = REFERENCE / "ChicagoSketch_net.tntp"
    assert complaint(read_tntp, net, length="fftt") == (
        "fftt of link 1 -> 547 in line 10 of ChicagoSketch_net.tntp is 0.0, but must be a finite number > 0 "
        "(zero_length= replaces zeros)."
    )
    graph = read_tntp(net, length="fftt", zero_length=0.25)
    assert graph.edges[1, 547]["length"] == 0.25
    assert sum(length == 0.25 for *_, length in graph.edges(data="length")) == 387


@needs_reference
def test_friedrichshain_without_centroids_falls_into_pieces() -> None:
    net = REFERENCE / "friedrichshain-center_net.tntp"
    assert complaint(read_tntp, net) == (
        "number of strongly connected pieces is 14, but must be 1 (no route leads from cell 52 to cell 24; "
        "largest_component=True keeps the largest piece)."
    )
    graph = read_geography(net, largest_component=True)
    assert type(graph) is nx.DiGraph
    counts, rows = raw("friedrichshain-center")
    first = counts["FIRST THRU NODE"]
    streets = nx.DiGraph([(row[0], row[1]) for row in rows if min(row[:2]) >= first])
    largest = max(nx.strongly_connected_components(streets), key=len)
    assert set(graph) == largest
    assert len(largest) == 188
    assert set(graph.edges) == set(streets.subgraph(largest).edges)
    assert np.isfinite(cell_network(graph).distances).all()


# ---- a file by hand -------------------------------------------------------------------------------------


def test_centroids_and_their_connectors_are_left_out(tmp_path: Path) -> None:
    net = write(tmp_path / "t_net.tntp", NET)
    graph = read_tntp(net)
    assert type(graph) is nx.DiGraph
    assert graph.graph == {"kind": "file"}
    network = cell_network(graph)
    assert network.cells == (2, 3, 4)
    assert network.distances.tolist() == [[0, 1.5, 4], [1.5, 0, 2.5], [3.5, 2, 0]]
    both = read_tntp(net, undirected=True)
    assert cell_network(both).distances.tolist() == [[0, 1.5, 3.5], [1.5, 0, 2], [3.5, 2, 0]]
    whole = read_tntp(net, centroids=True, zero_length=0.1)
    assert sorted(whole) == [1, 2, 3, 4]
    assert whole.edges[1, 2]["length"] == 0.1


@pytest.mark.parametrize("name", ["fftt", "FFTT", "free flow time", "free_flow_time", "Free Flow Time (min)"])
def test_columns_go_by_name_without_unit(tmp_path: Path, name: str) -> None:
    net = write(tmp_path / "t_net.tntp", NET)
    assert cell_network(read_tntp(net, length=name)).lengths.tolist() == [3, 4, 5, 5]
    renamed = write(tmp_path / "u_net.tntp", NET.replace("fftt(min)", "Free Flow Time "))
    assert cell_network(read_tntp(renamed, length=name)).lengths.tolist() == [3, 4, 5, 5]


def test_header_may_stand_in_the_metadata_or_be_missing(tmp_path: Path) -> None:
    header = "~ \tInit node \tTerm node \tCapacity \tLength (miles) \tfftt(min) \t;"
    original = "<ORIGINAL HEADER>~\ttail node\thead node\tspeed limit (mph)\tB\tlength (miles)\t\n<END OF"
    moved = NET.replace("~ a comment\n", "").replace(header, "").replace("<END OF", original)
    lengths = cell_network(read_tntp(write(tmp_path / "t.tntp", moved))).lengths
    assert lengths.tolist() == [3, 4, 5, 5]  # the last column, as this header says
    standard = re.sub(
        r"(\d)(\t?);", r"\1\t.15\t4\t0\t0\t1\2;", NET.replace("~ a comment\n", "").replace(header, "")
    )
    lengths = cell_network(read_tntp(write(tmp_path / "u.tntp", standard))).lengths
    assert lengths.tolist() == [1.5, 1.5, 2.5, 2.0]  # the fourth, as the format says
    spaces = "~ init_node term_node capacity length fftt ;"
    lengths = cell_network(read_tntp(write(tmp_path / "v.tntp", NET.replace(header, spaces)))).lengths
    assert lengths.tolist() == [1.5, 1.5, 2.5, 2.0]


def test_node_file_is_found_beside_the_net(tmp_path: Path) -> None:
    net = write(tmp_path / "t_net.tntp", NET)
    assert "x" not in read_geography(net).nodes[2]
    write(
        tmp_path / "t_node.tntp",
        "Node \tX \tY \t;\n1 \t0 \t \t0 \t; \n2\t5\t6\t;\n3\t7\t8\t;\n4\t9\t-1e1\t;\n99\t0\t0\t;\n",
    )
    graph = read_geography(net)
    np.testing.assert_array_equal(positions(graph), [[5, 6], [7, 8], [9, -10]])
    assert 99 not in graph
    other = write(tmp_path / "other.tntp", "2 1 1\n")
    assert read_geography(net, nodes=other).nodes[2]["x"] == 1
    assert "x" not in read_tntp(net).nodes[2]


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        (
            ("<NUMBER OF ZONES> 1", "origin,destination,length"),
            {},
            "line 1 of t.tntp is 'origin,destination,length', but must be TNTP metadata such as "
            "'<NUMBER OF NODES> 24' or '<END OF METADATA>'.",
        ),
        (
            ("<END OF METADATA>\n", ""),
            {},
            "line 8 of t.tntp is '1\\t2\\t100\\t0\\t0\\t;', but must be TNTP metadata such as "
            "'<NUMBER OF NODES> 24' or '<END OF METADATA>'.",
        ),
        (
            (NET, "<NUMBER OF ZONES> 1\n"),
            {},
            "<END OF METADATA> of t.tntp is missing, but must be a line of a network file in TNTP format.",
        ),
        (
            (NET, ""),
            {},
            "<END OF METADATA> of t.tntp is missing, but must be a line of a network file in TNTP format.",
        ),
        (
            ("<FIRST THRU NODE> 2\n", ""),
            {},
            "<FIRST THRU NODE> of t.tntp is missing, but must be metadata of a network file in TNTP format.",
        ),
        (
            ("<NUMBER OF LINKS> 6\n", ""),
            {},
            "<NUMBER OF LINKS> of t.tntp is missing, but must be metadata of a network file in TNTP format.",
        ),
        (
            ("THRU NODE> 2", "THRU NODE> two"),
            {},
            "<FIRST THRU NODE> in line 3 of t.tntp is 'two', but must be a whole number >= 0.",
        ),
        (
            ("LINKS> 6", "LINKS> 7"),
            {},
            "<NUMBER OF LINKS> of t.tntp is 7, but must be its number of links, 6.",
        ),
        (
            ("\t4\t3\t100\t2.0\t5;\n", "\t4\t3\t10"),
            {},
            "line 14 of t.tntp is '4\\t3\\t10', but must be a row of 5 numbers ended by ';' "
            "(Init node, Term node, Capacity, Length (miles), fftt(min)).",
        ),
        (
            ("\t4\t3\t100\t2.0\t5;\n", "\t4\t3\t100\t2.0\t5"),
            {},
            "line 14 of t.tntp is '4\\t3\\t100\\t2.0\\t5', but must be a row of 5 numbers ended by ';' "
            "(Init node, Term node, Capacity, Length (miles), fftt(min)).",
        ),
        (
            ("\t2.5", "\tlong"),
            {},
            "Length (miles) in line 13 of t.tntp is 'long', but must be a finite number.",
        ),
        (("\t2.5", "\tnan"), {}, "Length (miles) in line 13 of t.tntp is nan, but must be a finite number."),
        (
            ("\t3\t4\t100", "\t3\tD\t100"),
            {},
            "node in line 13 of t.tntp is 'D', but must be a whole number >= 0.",
        ),
        (
            ("\t3\t4\t100", "\t3.5\t4\t100"),
            {},
            "node in line 13 of t.tntp is '3.5', but must be a whole number >= 0.",
        ),
        (
            ("\t2.5", "\t0.0"),
            {},
            "length of link 3 -> 4 in line 13 of t.tntp is 0.0, but must be a finite number > 0 "
            "(zero_length= replaces zeros).",
        ),
        (
            ("\t2.5", "\t-2.5"),
            {"zero_length": 1.0},
            "length of link 3 -> 4 in line 13 of t.tntp is -2.5, but must be a finite number > 0 "
            "(zero_length= replaces zeros).",
        ),
        (
            (" ", " "),
            {"centroids": True},
            "length of link 1 -> 2 in line 9 of t.tntp is 0.0, but must be a finite number > 0 "
            "(zero_length= replaces zeros).",
        ),
        (
            (" ", " "),
            {"length": "lenght"},
            "length is 'lenght', but must be a column of t.tntp: one of Capacity, Length (miles), fftt(min).",
        ),
        (
            (" ", " "),
            {"length": "init_node"},
            "length is 'init_node', but must be a column of t.tntp: one of Capacity, Length (miles), "
            "fftt(min).",
        ),
        (
            (" ", " "),
            {"length": 4},
            "length is '4', but must be a column of t.tntp: one of Capacity, Length (miles), fftt(min).",
        ),
        ((" ", " "), {"zero_length": 0}, "zero_length is 0, but must be a finite number > 0."),
        ((" ", " "), {"centroids": "no"}, "centroids is 'no', but must be true or false."),
        ((" ", " "), {"undirected": 0}, "undirected is 0, but must be true or false."),
        (
            (" ", " "),
            {"nodes": "none.tntp"},
            "nodes is 'none.tntp', but must be the path of a file that exists.",
        ),
        (
            ("\t3\t4\t100", "\t3\t1\t100"),
            {},
            "number of strongly connected pieces is 2, but must be 1 (no route leads from cell 2 to cell 4; "
            "largest_component=True keeps the largest piece).",
        ),
    ],
)
def test_broken_files_are_refused_in_one_sentence(
    tmp_path: Path, change: tuple[str, str], options: dict[str, Any], sentence: str
) -> None:
    assert change[0] in NET
    net = write(tmp_path / "t.tntp", NET.replace(*change, 1))
    assert complaint(read_tntp, net, **options) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "node\tX\tY\t;\n1\t2\t;\n",
            "line 2 of n.tntp is '1\\t2\\t;', but must be a row of three numbers: node, x, y.",
        ),
        ("1\teast\t0\t;\n", "x in line 1 of n.tntp is 'east', but must be a finite number."),
        ("1\t0\tinf\t;\n", "y in line 1 of n.tntp is inf, but must be a finite number."),
        ("~ c\n\nA 0 1 ;\n", "node in line 3 of n.tntp is 'A', but must be a whole number >= 0."),
        ("node X Y ;\n", "file is 'n.tntp', but must be a file of rows 'node x y ;'."),
        ("", "file is 'n.tntp', but must be a file of rows 'node x y ;'."),
    ],
)
def test_broken_node_files_are_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    nodes = write(tmp_path / "n.tntp", text)
    assert complaint(read_tntp, write(tmp_path / "t.tntp", NET), nodes) == sentence


def test_files_that_are_not_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.tntp").write_bytes(bytes(range(256)))
    assert "but must be TNTP metadata such as" in complaint(read_tntp, tmp_path / "t.tntp")
    assert complaint(read_tntp, "no.tntp") == "net is 'no.tntp', but must be the path of a file that exists."
    assert complaint(read_geography, write(tmp_path / "u.tntp", NET), zero_length=-1) == (
        "geography.zero_length is -1, but must be a finite number > 0."
    )
