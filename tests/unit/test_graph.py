from __future__ import annotations

from itertools import pairwise

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnb.workflows.graph import CycleError, Graph

NODES = [f"n{place}" for place in range(9)]


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, list[str]]:
    order = draw(st.permutations(NODES))
    return {node: draw(st.lists(st.sampled_from(order[: order.index(node)] or ["unknown"]), max_size=4)) for node in NODES}


anything = st.fixed_dictionaries({node: st.lists(st.sampled_from(NODES), max_size=3) for node in NODES})


def the_same(needs: dict[str, list[str]]) -> networkx.DiGraph:
    graph = networkx.DiGraph()
    graph.add_nodes_from(needs)
    graph.add_edges_from((other, node) for node, others in needs.items() for other in others if other in needs)
    return graph


def test_phases_are_the_layers_of_the_longest_paths_in_document_order() -> None:
    graph = Graph.of({"A": [], "B": ["A"], "C": ["B"], "D": ["A", "B"]})
    assert graph.phases() == [["A"], ["B"], ["C", "D"]]
    assert graph.dependants == {"A": ("B", "D"), "B": ("C", "D"), "C": (), "D": ()}


def test_needs_are_in_document_order_without_duplicates_and_without_unknown_nodes() -> None:
    assert Graph.of({"a": [], "b": [], "c": ["b", "a", "b", "nobody"]}).needs["c"] == ("a", "b")


def test_a_circle_is_refused_with_its_path() -> None:
    with pytest.raises(CycleError, match="b → c → d → b") as caught:
        Graph.of({"a": [], "b": ["a", "d"], "c": ["b"], "d": ["c"], "e": ["d"]}).phases()
    assert caught.value.path == ["b", "c", "d", "b"]


def test_a_node_that_needs_itself_is_a_circle() -> None:
    assert Graph.of({"a": ["a"]}).cycle() == ["a", "a"]


def test_nothing_at_all() -> None:
    graph = Graph.of({})
    assert (graph.phases(), graph.cycle(), graph.critical_path({}), graph.upstream([])) == ([], None, [], set())


def test_the_critical_path_follows_the_weights() -> None:
    graph = Graph.of({"a": [], "quick": ["a"], "slow": ["a"], "end": ["quick", "slow"]})
    assert graph.critical_path({"slow": 30, "quick": 2}) == ["a", "slow", "end"]
    assert graph.critical_path({"quick": 30}) == ["a", "quick", "end"]


@given(acyclic())
def test_phases_are_those_of_networkx(needs: dict[str, list[str]]) -> None:
    ours = Graph.of(needs).phases()
    assert [set(layer) for layer in ours] == [set(layer) for layer in networkx.topological_generations(the_same(needs))]
    assert all(layer == sorted(layer, key=NODES.index) for layer in ours)


@given(anything)
def test_circles_are_those_of_networkx(needs: dict[str, list[str]]) -> None:
    theirs = the_same(needs)
    path = Graph.of(needs).cycle()
    if path is None:
        assert networkx.is_directed_acyclic_graph(theirs)
        return
    assert path[0] == path[-1]
    assert all(theirs.has_edge(*edge) for edge in pairwise(path))
    assert len(path) - 1 == 1 + min(
        networkx.shortest_path_length(theirs, other, path[0])
        for other in theirs.successors(path[0])
        if networkx.has_path(theirs, other, path[0])
    )


@given(anything, st.lists(st.sampled_from(NODES), max_size=3))
def test_downstream_and_upstream_are_those_of_networkx(needs: dict[str, list[str]], ids: list[str]) -> None:
    graph, theirs = Graph.of(needs), the_same(needs)
    assert graph.downstream(ids) == set(ids).union(*(networkx.descendants(theirs, node) for node in ids))
    assert graph.upstream(ids) == set(ids).union(*(networkx.ancestors(theirs, node) for node in ids))


@given(acyclic(), st.dictionaries(st.sampled_from(NODES), st.integers(1, 50)))
def test_the_critical_path_weighs_what_networkx_finds(needs: dict[str, list[str]], weights: dict[str, int]) -> None:
    theirs = the_same(needs)
    for first, second in theirs.edges:
        theirs.edges[first, second]["weight"] = weights.get(second, 1)
    theirs.add_edges_from(("start", node, {"weight": weights.get(node, 1)}) for node in NODES)
    path = Graph.of(needs).critical_path(weights)
    assert all(theirs.has_edge(*edge) for edge in pairwise(path))
    assert sum(weights.get(node, 1) for node in path) == networkx.dag_longest_path_length(theirs)


@given(anything)
def test_a_networkx_graph_has_the_same_edges(needs: dict[str, list[str]]) -> None:
    ours, theirs = Graph.of(needs).to_networkx(), the_same(needs)
    assert list(ours) == list(needs)
    assert set(ours.edges) == set(theirs.edges)
