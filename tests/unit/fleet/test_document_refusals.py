"""What cannot be meant: each is found at its place, which ¦ marks, with what to write instead."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from machine.errors import FleetFileError
from machine.fleet.document import load_fleet
from tests.unit.fleet.marked import HOST, load, problems, write

BARE = "fleet: x\ngroups:\n  "
GROUP = f"fleet: x\ngroups:\n  web: {{{HOST}, "  # and what a test adds, and a brace


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Keys.
        (GROUP + "¦conut: 3}", ["there is no key 'conut'; did you mean count?"]),
        ("¦Fleet: x\nfleet: y\ngroups:", ["did you mean fleet?"]),
        (GROUP + "limits: {¦paralel: 3}}", ["did you mean parallel?"]),
        (GROUP + "engine: {¦insecure-registries: [a]}}", ["did you mean insecure-registry?"]),
        (GROUP + "machines: {web-1: {¦driver: aws}}}", ["a machine: there is no key 'driver'"]),
        ("defaults: {¦count: 3}\nfleet: x\ngroups:", ["defaults: there is no key 'count'"]),
        ("fleet: x\n¦fleet: y\ngroups:", ["fleet is said twice; the first is in line 1"]),
        (GROUP + "files: [], ¦files+: []}", ["files is said here too"]),
        # Types.
        (GROUP + "count: ¦three}", ["count is a whole number, and this is 'three'"]),
        (GROUP + "count: ¦1.5}", ["a whole number, and this is 1.5"]),
        (GROUP + "count: ¦true}", ["a whole number, and this is true"]),
        (GROUP + "¦count: }", ["a whole number, and this is empty"]),
        (GROUP + "files: ¦nginx.conf}", ["files is a list, and this is 'nginx.conf'"]),
        (GROUP + "labels: {a: ¦[b]}}", ["a is a text"]),
        (GROUP + "commands: [¦3]}", ["item 1, is a text or a mapping, and this is 3; put it into quotes"]),
        ("fleet: ¦2024\ngroups:", ["fleet is a text, and this is 2024; put it into quotes"]),
        ("fleet: x\ngroups: ¦[a]", ["groups is a mapping, and this is a list"]),
        ("fleet: x\ngroups: {web: ¦5}", ["web is a mapping, and this is 5"]),
        (GROUP + "labels: ¦a=b}", ["labels is a mapping, and this is 'a=b'"]),
        (GROUP + "engine: {env: ¦{A: b}}}", ["env is a list or a text, and this is a mapping"]),
        (GROUP + "engine: {env: [¦5]}}", ["env, item 1, is a text, and this is 5; put it into quotes"]),
        (GROUP + "machines: ¦[a, b]}", ["machines is a mapping, and this is a list"]),
        (BARE + "web: {driver: nspawn, options: ¦[a]}", ["options is a mapping, and this is a list"]),
        # Numbers.
        (GROUP + "count: ¦-1}", ["count is -1, and at least 0 is needed"]),
        (GROUP + "count: ¦1000000000}", ["count is 1000000000, and at most 100000 can be meant"]),
        (GROUP + "limits: {canary: ¦-1, parallel: ¦0}}", ["at least 0", "at least 1"]),
        (GROUP + f"count: ¦{'9' * 5000}}}", ["count is a whole number, and this is '999"]),
        (GROUP + "count: ¦.inf}", ["a whole number, and this is '.inf'"]),
        (GROUP + "limits: {per-second: ¦1e400, parallel: ¦1.5}}", ["this is '1e400'", "this is 1.5"]),
        (GROUP + "limits: {max-failures: ¦10%}}", ["a whole number, and this is '10%'"]),
        # Drivers and their options.
        (BARE + "web: {driver: ¦genric}", ["'genric' is not known; did you mean generic?"]),
        (BARE + "web: {driver: ¦AWS}", ["'AWS' is not known; did you mean aws?"]),
        (BARE + "web: {driver: ¦''}", ["'' is not known; there is aws"]),
        (BARE + "web: {driver: ¦5}", ["driver is a text"]),
        (BARE + "¦web: {count: 2}", ["has no driver: write driver: into it, or into defaults"]),
        ("defaults: {¦options: {memory: 1g}}\nfleet: x\ngroups:", ["need a driver:"]),
        (
            BARE + "web: {driver: generic, options: {¦ip-adress: h}}",
            ["options of the driver generic: there is no key 'ip-adress'; did you mean ip-address?"],
        ),
        (BARE + "web: {driver: nspawn, options: {memory: ¦much}}", ["memory: 'much' is not an amount"]),
        (BARE + "web: {driver: nspawn, options: {memory: ¦-1g, cpus: ¦nan}}", ["such as 512m or 2g", "at least 0.05"]),
        (BARE + "web: {driver: nspawn, options: {memory: ¦[1g], cpus: ¦true}}", ["this is a list", "this is true"]),
        (
            BARE + "web: {driver: none, options: {url: 'tcp://h:2376'}, ¦commands: [ls]}",
            ["the driver none has no host for commands: leave them out"],
        ),
        (
            "defaults: {driver: nspawn, options: {¦memroy: 1g}}\nfleet: x\ngroups: {web: {options: {¦cpu: 2}}}",
            ["did you mean memory?", "did you mean cpus?"],
        ),
        (
            BARE + "web: {driver: aws, options: {volume-type: ¦gp4, spot: ¦perhaps}}",
            ["did you mean gp3 or gp2?", "spot: 'perhaps' is neither true nor false"],
        ),
        (BARE + "web: {driver: generic, options: {ip-address: ¦a@b}}", ["the user on its own: ssh-user a"]),
        (BARE + "¦web: {driver: generic}", ["web-1 needs ip-address: the driver generic is given"]),
        (GROUP + "count: ¦2}", ["web-2 would be the same host as web-1"]),
        # Names.
        ("fleet: ¦a_b\ngroups:", ["a fleet cannot be called 'a_b': letters, digits"]),
        ("¦groups:", ["the fleet has no name: write fleet: NAME"]),
        ("¦fleet: x", ["the fleet has no groups: write groups:"]),
        ("fleet: x\ngroups: {¦a b: {driver: nspawn, name: a}}", ["a group cannot be called 'a b'"]),
        (
            BARE + "a: {driver: nspawn, name: web}\n  ¦b: {driver: nspawn, name: WEB}",
            ["the name WEB differs from web by nothing but case"],
        ),
        (
            BARE + "a: {driver: nspawn, machines: {web: }}\n  b: {driver: nspawn, machines: {¦web: }}",
            ["the name web is there twice"],
        ),
        (BARE + "a: {driver: nspawn, machines: {¦a_1: }}", ["a machine cannot be called 'a_1'"]),
        (BARE + "a: {driver: nspawn, name: ¦'{grp}-{number}'}", ["there is no {grp}; did you mean group?"]),
        (BARE + "a: {driver: nspawn, name: ¦'{number:x}'}", ["name: in braces stand {group}, {number} or"]),
        (BARE + "a: {driver: nspawn, name: ¦'{number'}", ["name: in braces stand"]),
        (BARE + "a: {driver: nspawn, machines: {¦../a: , ¦é: , ¦-a: }}", ["'../a': letters", "'é'", "'-a'"]),
        (BARE + f"a: {{driver: nspawn, machines: {{¦{'a' * 300}: }}}}", ["aaa…': letters, digits", "at most 63"]),
        (
            BARE + f"a: {{driver: nspawn, count: 2, machines: {{? ¦{'9' * 5000} : , ? ¦a-{'9' * 5000} : }}}}",
            ["a has no machine '999", "a has no machine 'a-999"],
        ),
        (
            BARE + "a: {driver: nspawn, count: 2}\n  b: {driver: nspawn, machines: {¦a-2: }}",
            ["the name a-2 is there twice; the other one is at"],
        ),
        (BARE + "a: {driver: nspawn, count: 2, name: ¦a}", ["put {number} into name:"]),
        (
            BARE + "web: {driver: nspawn, count: 2, machines: {¦wep-1: }}",
            ["web has no machine 'wep-1'; did you mean web-1"],
        ),
        (
            BARE + "web: {driver: nspawn, count: 2, machines: {2: , ¦web-2: }}",
            ["web-2 is said twice"],
        ),
        # Groups that wait.
        (GROUP + "depends: [¦webb2]}\n  web2: {driver: nspawn}", ["there is no group 'webb2'; did you mean web2?"]),
        (GROUP + "depends: ¦web}", ["in a circle: web → web"]),
        (
            "defaults: {driver: nspawn}\n"
            + BARE
            + "a: {depends: [d, ¦c]}\n  b: {depends: a}\n  c: {depends: [b, d]}\n  d: ",
            ["in a circle: a → c → b → a"],
        ),
        # What shall be on the hosts.
        (GROUP + "files: [{source: ¦none, target: /a}]}", ["none cannot be read: No such file"]),
        (GROUP + "files: [{source: ¦directory, target: /a}]}", ["directory is a directory: name its files"]),
        (GROUP + "files: [{source: ¦pipe, target: /a}]}", ["pipe is no file"]),
        (GROUP + "files: [{source: file, target: ¦etc/a}]}", ["absolute path on the host, such as /etc/"]),
        (GROUP + "files: [{source: file, target: ¦/etc/}]}", ["absolute path on the host"]),
        (GROUP + "files: [{source: file, target: ¦/a/../b}]}", ["without . and .."]),
        (GROUP + "files: [{source: file, target: /a, mode: ¦rw-r--r--}]}", ["mode is octal, such as 0644"]),
        (GROUP + "files: [{source: file, target: /a, mode: ¦0680}]}", ["0680 is not octal"]),
        (GROUP + "files: [{source: file, target: /a, owner: ¦a b}]}", ["USER or USER:GROUP"]),
        (GROUP + 'files: [{source: file, target: /a, owner: ¦"a\\n"}]}', ["USER or USER:GROUP"]),
        (GROUP + 'files: [{source: file, target: ¦"/a\\n"}]}', ["absolute path on the host"]),
        (GROUP + 'files: [{source: ¦"a\\0", target: /a}]}', [r"a\x00 cannot be read: no file has a NUL"]),
        (GROUP + "files: [{source: ¦'', target: /a}]}", ["source is empty"]),
        (GROUP + "files: [{source: file, target: /a, mode: ¦64}]}", ["64 is not octal, such as 0644"]),
        (GROUP + "files: [{source: file, target: /a, mode: ¦-644}]}", ["-644 is not octal"]),
        (GROUP + "files: [{source: file, target: /a, mode: ¦0x1a4}]}", ["0x1a4 is not octal"]),
        (GROUP + "files: [{source: file, target: /a, mode: ¦6.44}]}", ["mode is a text or a whole number"]),
        (GROUP + "files: [¦file]}", ["files, item 1, is a mapping, and this is 'file'"]),
        (GROUP + "files: [¦{source: file}]}", ["a file needs target:"]),
        (GROUP + "files: [{source: file, target: /a}, ¦{source: file, target: /a}]}", ["/a is said twice"]),
        (GROUP + "commands: [{run: ls, when: ¦allways}]}", ["'allways' is not known; there is once, changed"]),
        (GROUP + "commands: [¦{when: once}]}", ["a command needs run:"]),
        (GROUP + "commands: [¦'  ']}", ["a command is empty"]),
        (GROUP + 'commands: [¦"a\\0"]}', ["no command has a NUL in it"]),
        (GROUP + 'commands: [¦"\\ud83d"]}', ["there is half of a character in this"]),
        (GROUP + "commands: [ls, ¦{run: ls}]}", ["this command is said twice"]),
        (GROUP + "labels: {¦a b: c}}", ["a label's name has letters"]),
        (GROUP + 'labels: {a: ¦"b\\nc"}}', ["the label a has control characters"]),
        (GROUP + "tls-san: [web.example.org, ¦a..b]}", ["tls-san: 'a..b' is neither a host name nor an IP address"]),
        (GROUP + "host-key-policy: ¦lax}", ["'lax' is not known; there is first-use, strict"]),
        (GROUP + "engine: {opt: [debug, ¦live-restor]}}", ["no flag 'live-restor'", "did you mean live-restore?"]),
        (GROUP + "engine: {source: ¦dokcer}}", ["did you mean docker?"]),
        (GROUP + "engine: ¦{repository: 'http://mirror.example.org'}}", ["a mirror needs its key's whole fingerprint"]),
        (GROUP + "engine: {env: [¦HTTP_PROXY]}}", ["is not NAME=VALUE"]),
        # Variables.
        (
            "variables: {host: h}\nfleet: x\ngroups: {web: {driver: nspawn, name: ¦'${hots}'}}",
            ["there is no variable 'hots'", "write $${hots} where ${hots} itself is meant; did you mean host?"],
        ),
        (
            "variables: {host: {env: THE_HOST}}\nfleet: x\ngroups: {web: {driver: nspawn, name: ¦'${host}'}}",
            ["the variable host has no value: set $THE_HOST or give --var host=…"],
        ),
        ("variables: {n: two}\n" + GROUP + "count: ¦'${n}'}", ["count is a whole number, and this is 'two'"]),
        ("variables: {a: {¦evn: A}}\nfleet: x\ngroups:", ["did you mean env?"]),
        ("variables: {¦1a: x}\nfleet: x\ngroups:", ["a variable's name has letters"]),
        ("variables: {a: ¦'${b}', b: ¦'${a}'}\nfleet: x\ngroups:", ["other variables are not put into it"]),
        ("variables: {a: {env: ¦A B}}\nfleet: x\ngroups:", ["an environment variable's name has letters"]),
        ("variables: ¦[a]\nfleet: x\ngroups:", ["variables is a mapping, and this is a list"]),
        ("variables: {a: ¦[b]}\nfleet: x\ngroups:", ["a is a text or a number or true or false or a mapping"]),
        ("variables: {a: ¦'${b}', b: c}\nfleet: x\ngroups:", ["other variables are not put into it"]),
        ("variables: {a: {env: A, secret: true, default: ¦b}}\nfleet: x\ngroups:", ["a secret has no default"]),
        ("variables: {a: ¦{secret: true}}\nfleet: x\ngroups:", ["the environment: a: {env: NAME, secret: true}"]),
        # What is no YAML, or more than that.
        ("fleet: x\ngroups: {web: {count: 1\n  db¦: 2\n", ["this is no YAML: expected ',' or '}'"]),
        ("fleet: x\n¦\tgroups:\n", ["indented by spaces, and this is a tab"]),
        ("fleet: a¦: b\n", ["a second `: ` in the line; put the text into quotes"]),
        ("fleet: x\n groups¦: y\n", ["it is indented too far, or a colon above"]),
        ("fleet:x\ngroups¦:\n", ["or a colon above has no space after it"]),
        ("fleet: x\n¦groups\n", ["a key without its colon"]),
        ("fleet: ¦@x\n", ["put the text into quotes"]),
        ("fleet: 'x\ngroups:\n¦", ["a quoted scalar that begins in line 1"]),
        ("fleet: x\ngroups: {a: [b\n¦", ["a flow sequence that begins in line 2"]),
        ("¦%YAML 1.1\n---\nfleet: x\n", ["YAML 1.1, and 1.2 is read here: take the line away"]),
        ("# x\n\n¦%YAML 1.3\n---\nfleet: x\n", ["YAML 1.3, and 1.2 is read here"]),
        ("¦%YAML\n---\nfleet: x\n", ["YAML of no version"]),
        ("¦just words\n", ["a fleet file is a mapping"]),
        ("¦~\n", ["a fleet file is a mapping"]),
        ("fleet: x\n¦: b\ngroups:", ["there is no key ''"]),
        ("x-a: &a {¦<<: ¦*a}\nfleet: x\ngroups:", ["takes the alias", "contains itself"]),
        ("fleet: x\ngroups: {¦<<: text}", ["<<: takes the alias of a mapping"]),
        ("fleet: x\n¦---\nfleet: y\n", ["here another one begins"]),
        ("fleet: x\ngroups: {web: ¦*common}\n", ["an alias of what is not there"]),
        ("fleet: ¦!secret x\ngroups:", ["tags mean nothing"]),
        ("fleet: x\nx-a: &a [¦*a]\ngroups:", ["*a contains itself"]),
        ("fleet: x\ngroups: {¦[a]: {}}", ["a key is a word"]),
        ("¦- fleet\n", ["a fleet file is a mapping"]),
        ("[" * 100 + "¦" + "[" * 5000, ["nested too deeply"]),
        ("fleet: ¦\x01\n", ["no such character: U+0001"]),
        # Included files.
        ("include: [¦none.yaml]\nfleet: x\ngroups:", ["none.yaml cannot be read: No such file"]),
        ("include: [¦3]\nfleet: x\ngroups:", ["the name of a file belongs here"]),
        ("include: [¦'${stage}.yaml']\nfleet: x\ngroups:", ["variables are not known yet"]),
        ("include: [¦directory]\nfleet: x\ngroups:", ["directory cannot be read: Is a directory"]),
        ("include: [¦pipe]\nfleet: x\ngroups:", ["pipe is no file"]),
        ("include: [¦/dev/zero]\nfleet: x\ngroups:", ["/dev/zero is no file"]),
        ('include: [¦"a\\0b"]\nfleet: x\ngroups:', ["the name of a file belongs here"]),
        ("include: ¦fleet.yaml\nfleet: x\ngroups:", ["files include each other in a circle"]),
        ("include: ¦{a: b}\nfleet: x\ngroups:", ["include is a list of files"]),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_named_at_its_place_with_what_to_write_instead(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    found = "\n".join(problems(tmp_path, text))
    for each in said:
        assert each in found


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "fleet: ¦a_b\ngroups:\n  web:\n    driver: ¦genric\n    ¦cuont: 1\n  ¦db:\n    count: ¦-1\n",
    )
    assert len(found) == 5


def test_text_in_another_encoding_is_found_where_it_begins(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_bytes(b"fleet: x\n# caf\xe9\n")
    with pytest.raises(FleetFileError, match=r":2:6: this is not UTF-8"):
        load_fleet(str(tmp_path / "fleet.yaml"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfef\0l\0e\0", ":1:1: this is not UTF-8"),  # UTF-16
        (b"", ":1:1: the fleet has no name"),
        (b"# nothing\n", ":1:1: the fleet has no name"),
        (b"f\0l\0e\0", ":1:2: YAML has no such character: U\\+0000"),
        (b"\x89PNG\r\n\x1a\n", ":1:1: this is not UTF-8"),
        (b"- " * 5000, ":1:201: this is nested too deeply"),
        (b"".join(b" " * n + b"a:\n" for n in range(200)), ":101:101: this is nested too deeply"),
        (b"fleet: x\nx-a: " + b"{a: " * 5000, ":2:402: this is nested too deeply"),
        (b"]" * 5000, ":1:1: this is no YAML"),
        (b"fleet: x\n" + b"#" * (32 << 20), "is larger than 32 MB"),
        (b"{" + b", ".join(b"a%d: &a%d {<<: [*a%d, *a%d]}" % (n, n, n - 1, n - 1) for n in range(1, 99)), "not there"),
    ],
)
def test_what_is_no_text_or_far_too_much_is_refused_at_its_place_and_at_once(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "fleet.yaml").write_bytes(content)
    begun = time.process_time()
    with pytest.raises(FleetFileError, match=said):
        load_fleet(str(tmp_path / "fleet.yaml"))
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("mark", ["\ufeff", "\ufeff\ufeff", ""])
def test_a_byte_order_mark_is_no_part_of_a_fleet(tmp_path: Path, mark: str) -> None:
    (tmp_path / "fleet.yaml").write_text(f"{mark}fleet: x\ngroups:\n", encoding="utf-8")
    assert load_fleet(str(tmp_path / "fleet.yaml")).name == "x"


def test_a_mapping_that_is_taken_into_thousands_is_refused_before_memory_is_full(tmp_path: Path) -> None:
    lines = ["x-0: &a {" + ", ".join(f"k{n}: 1" for n in range(2000)) + "}"]
    lines += [f"x-{n}: {{<<: *a}}" for n in range(1, 5000)]
    with pytest.raises(FleetFileError, match=r":500:\d+: with its aliases written out this is too much"):
        load(tmp_path, "\n".join([*lines, "fleet: x", "groups:"]))


def test_a_file_that_is_included_in_many_ways_is_read_once(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path, f"include: [{number + 1}.yaml, {number + 1}.yaml]\n", f"{number}.yaml")
    write(tmp_path, "defaults: {driver: nspawn}\n", "40.yaml")
    assert len(load(tmp_path, "include: 0.yaml\nfleet: x\ngroups: {web: }\n").groups) == 1


def test_files_that_include_each_other_for_ever_are_refused_where_that_is_sure(tmp_path: Path) -> None:
    for number in range(100):
        write(tmp_path, f"include: {number + 1}.yaml\n", f"{number}.yaml")
    with pytest.raises(FleetFileError, match=r"49\.yaml:1:10: files include each other more than 50 deep"):
        load(tmp_path, "include: 0.yaml\nfleet: x\ngroups: {web: }\n")


def test_no_error_does_anything_to_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(FleetFileError) as caught:
        load(tmp_path, 'fleet: x\n"\\e[31m": 1\n"\\e[31m": 2\ngroups: {web: {driver: nspawn, labels: {"\\e]": a}}}\n')
    assert len(caught.value.problems) == 3
    assert all(each.isprintable() for each in caught.value.problems)


def test_files_that_include_each_other_are_named_with_the_chain(tmp_path: Path) -> None:
    path, _ = write(tmp_path, "include: [a.yaml]\n")
    write(tmp_path, "include: [b.yaml]\n", "a.yaml")
    _, places = write(tmp_path, "include: [¦fleet.yaml]\n", "b.yaml")
    with pytest.raises(FleetFileError) as caught:
        load_fleet(path)
    (problem,) = caught.value.problems[:1]
    chain = " → ".join(str(tmp_path / each) for each in ("fleet.yaml", "a.yaml", "b.yaml", "fleet.yaml"))
    assert f"{places[0]}files include each other in a circle: {chain}" in caught.value.problems, problem


def test_an_error_in_an_included_file_is_found_there(tmp_path: Path) -> None:
    _, places = write(tmp_path, "defaults:\n  driver: nspawn\n  options: {¦memroy: 1g}\n", "common.yaml")
    with pytest.raises(FleetFileError) as caught:
        load(tmp_path, "include: common.yaml\nfleet: x\ngroups: {web: }\n")
    assert [each.startswith(places[0]) for each in caught.value.problems] == [True]


def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(FleetFileError) as caught:
        load_fleet(str(tmp_path / "fleet.yaml"))
    assert "pymachine fleet init" in str(caught.value.hint)


def test_aliases_that_say_more_than_fits_into_memory_are_refused(tmp_path: Path) -> None:
    lines = ["x-0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(FleetFileError, match="too much for a fleet"):
        load(tmp_path, "\n".join([*lines, "fleet: x", "groups:"]))


def test_a_secret_of_a_driver_is_refused_also_as_a_variable_and_its_own_way_is_named(tmp_path: Path) -> None:
    begin = "variables: {key: {env: KEY, secret: true}}\nfleet: x\ngroups: {web: {driver: aws, options: {"
    (said,) = problems(tmp_path, begin + "¦secret-key: canary-1}}}")
    assert "set $AWS_SECRET_ACCESS_KEY" in said
    assert "canary" not in said
    path, _ = write(tmp_path, begin + "secret-key: '${key}'}}}")
    with pytest.raises(FleetFileError) as caught:
        load_fleet(path, {"KEY": "canary-2"})
    assert "canary" not in str(caught.value)
