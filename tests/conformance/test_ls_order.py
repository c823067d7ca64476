"""``ls``: the table sorts as people do, ``-q`` by the bytes."""

from __future__ import annotations

from tests.conformance.conftest import Fleet, Program


def test_the_table_sorts_naturally_and_without_case(program: Program, some: Fleet) -> None:
    some.add("web01")
    names = [line.split()[0] for line in program("ls").out.splitlines()[1:]]
    assert names == ["db", "web1", "web01", "Web2", "web10"]


def test_quiet_lists_in_the_order_of_the_bytes_and_asks_nobody(program: Program, some: Fleet) -> None:
    for words in (["-q"], ["--quiet"], ["-q", "--format", "{{"], ["-o", "name"]):
        said = program("ls", *words)
        assert (said.code, said.out.split(), said.err) == (0, ["Web2", "db", "web1", "web10"], "")
    assert some.asked == []
