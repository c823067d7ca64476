"""``ls --filter``: any of a key's values, all of the keys."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Fleet, Program


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["driver=cloud"], "Web2 web10"),
        (["driver=CLOUD"], "Web2 web10"),
        (["DRIVER=other"], "db web1"),
        (["driver=cloud", "driver=other"], "Web2 db web1 web10"),
        (["driver=clou"], ""),
        (["driver=a=b"], ""),
        (["name=web"], "web1 web10"),
        (["name=Web"], "Web2"),
        (["name=(?i)web"], "Web2 web1 web10"),
        (["name=^web1$"], "web1"),
        (["name=eb"], "Web2 web1 web10"),
        (["name=b$"], "db"),
        (["name=d", "name=2"], "Web2 db"),
        (["name=[[:digit:]]{2}"], "web10"),
        (["name=1\\z"], "web1"),
        (["name="], "Web2 db web1 web10"),
        (["label=env=prod"], "web10"),
        (["label=env=PROD"], "web10"),
        (["label=ENV=prod"], ""),
        (["label=env=prod", "label=env=test"], "Web2 web10"),
        (["label=env"], "Web2 web10"),
        (["label=bare"], "web10"),
        (["label=bare="], "web10"),
        (["label=bare=x"], ""),
        (["label=nope"], ""),
        (["label="], ""),
        (["state=running"], "web1 web10"),
        (["state=Stopped"], "Web2"),
        (["state=Stopped", "state=error"], "Web2 db"),
        (["state=Paused"], ""),
        (["swarm=master"], ""),
        (["swarm="], "Web2 db web1 web10"),
        (["driver=cloud", "state=Running"], "web10"),
        (["driver=other", "name=web", "state=Running", "state=Stopped"], "web1"),
        (["driver=other", "name=Web2"], ""),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else None,
)
def test_filters_are_any_of_a_keys_values_and_all_of_the_keys(
    program: Program, some: Fleet, filters: list[str], names: str
) -> None:
    words = [word for each in filters for word in ("--filter", each)]
    said = program("ls", "-q", *words)
    assert (said.code, said.out.split()) == (0, names.split())
    listed = program("ls", "--format", "{{.Name}}", *words)
    assert sorted(listed.out.split()) == names.split()


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        ("driver", "Unsupported filter syntax", "--filter driver=generic"),
        ("", "Unsupported filter syntax", ""),
        ("foo=bar", "Unsupported filter key 'foo'", "known: driver, label, name, state, swarm"),
        ("Labl=a", "Unsupported filter key 'labl'", "did you mean label?"),
        ("=a", "Unsupported filter key ''", "known:"),
        ("name=[a", "error parsing regexp", ""),
        ("name=a{999999999999999999999}", "error parsing regexp", ""),
        ("name=*", "error parsing regexp", ""),
    ],
)
def test_a_wrong_filter_is_said_in_docker_machines_words(
    program: Program, some: Fleet, wanted: str, message: str, hint: str
) -> None:
    said = program("ls", "-q", "--filter", wanted)
    assert (said.code, said.out) == (1, "")
    assert message in said.err.splitlines()[0]
    assert hint in said.err
    assert some.asked == []


@pytest.mark.parametrize(
    ("wanted", "note"),
    [
        ("state=runing", "there is no such state; did you mean Running?"),
        ("driver=othr", "there is no such driver; did you mean"),
        ("driver=virtualbox", ""),
        ("state=Saved", ""),
    ],
)
def test_a_mistyped_value_lists_nothing_and_is_told_of_under_our_name(
    program: Program, some: Fleet, wanted: str, note: str
) -> None:
    said = program("ls", "-q", "--filter", wanted)
    assert (said.code, said.out) == (0, "")
    assert note in said.err if not program.drop_in and note else said.err == ""


def test_drivers_are_found_by_docker_machines_names_too(program: Program, fleet: Fleet) -> None:
    fleet.add("cloudy", driver="aws")
    for name in ("aws", "amazonec2", "AmazonEC2"):
        assert program("ls", "-q", "--filter", f"driver={name}").out == "cloudy\n"
    its = program.expects({"docker-machine": "amazonec2\n", "pymachine": "aws\n"})
    assert program("ls", "-f", "{{.DriverName}}").out == its


def test_only_machines_that_the_other_filters_let_through_are_asked(program: Program, some: Fleet) -> None:
    program("ls", "-q", "--filter", "state=Running", "--filter", "name=^web1$")
    assert sorted(some.asked) == ["192.0.2.3", "other"]


def test_a_state_that_nobody_confirmed_is_none_that_is_wanted(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", says="no credentials")
    assert program("ls", "-q", "--filter", "state=Running").out == ""
    assert program("ls", "-q", "--recorded", "--filter", "state=Running").out == "h1\n"
