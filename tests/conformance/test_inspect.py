"""``inspect``: docker-machine's shape of a host, its templates, and no secret; under both names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from machine.compat import document
from machine.compat.document import CONFIG_VERSION, Paths, host_document
from machine.model import EngineSpec, State
from machine.operations.hostconnection import MACHINE_KEY
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program
from tests.unit.processes import python

BASE = "IPAddress MachineName SSHUser SSHPort SSHKeyPath StorePath SwarmMaster SwarmHost SwarmDiscovery"
ENGINE = (
    "ArbitraryFlags Dns GraphDir Env Ipv6 InsecureRegistry Labels LogLevel StorageDriver SelinuxEnabled TlsVerify"
    " RegistryMirror InstallURL"
)
SWARM = (
    "IsSwarm Address Discovery Agent Master Host Image Strategy Heartbeat Overcommit ArbitraryFlags ArbitraryJoinFlags"
    " Env IsExperimental"
)
AUTH = (
    "CertDir CaCertPath CaPrivateKeyPath CaCertRemotePath ServerCertPath ServerKeyPath ClientKeyPath"
    " ServerCertRemotePath ServerKeyRemotePath ClientCertPath ServerCertSANs StorePath"
)
SETTINGS = EngineSpec(
    options=("log-driver=none",),
    labels=("spam=eggs",),
    insecure_registries=("registry.example.org",),
    registry_mirrors=("https://mirror.example.org",),
    storage_driver="overlay2",
    environment=("TEST=VALUE",),
)


@pytest.fixture
def h1(fleet: Fleet) -> Fleet:
    """One machine with settings."""
    fleet.add(
        "h1",
        driver="generic",
        settings=SETTINGS,
        options={"ip_address": "192.0.2.1", "engine_port": 2376, "ssh_key": None, "ssh_user": "root"},
        tls_san=("web.example.org",),
    )
    return fleet


def shown(program: Program, *words: str) -> Any:
    said = program("inspect", *words)
    assert (said.code, said.err) == (0, "")
    return json.loads(said.out)


# The document


def test_the_fields_are_docker_machines_in_its_order(program: Program, h1: Fleet) -> None:
    seen = shown(program, "h1")
    assert list(seen)[:5] == ["ConfigVersion", "Driver", "DriverName", "HostOptions", "Name"]
    assert list(seen["Driver"])[:9] == BASE.split()
    assert list(seen["HostOptions"]) == ["Driver", "Memory", "Disk", "EngineOptions", "SwarmOptions", "AuthOptions"]
    assert list(seen["HostOptions"]["EngineOptions"]) == ENGINE.split()
    assert list(seen["HostOptions"]["SwarmOptions"]) == SWARM.split()
    assert list(seen["HostOptions"]["AuthOptions"]) == AUTH.split()


def test_without_a_format_it_is_json_with_four_spaces_and_a_newline(program: Program, h1: Fleet) -> None:
    out = program("inspect", "h1").out
    assert out.startswith('{\n    "ConfigVersion": 3,\n    "Driver": {\n        "IPAddress": "192.0.2.1",\n')
    assert out.endswith("\n}\n")
    assert program("inspect", "-f", "", "h1").out == out


def test_json_is_escaped_as_go_escapes_it(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", error="a < b & c")
    assert '"Error": "a \\u003c b \\u0026 c"' in program("inspect", "h1").out


def test_without_a_name_it_is_the_machine_default(program: Program, fleet: Fleet) -> None:
    fleet.add("default")
    assert shown(program)["Name"] == "default"


def test_what_only_pymachine_knows_stands_beside_it(program: Program, h1: Fleet) -> None:
    seen = shown(program, "h1")
    assert (seen["State"], seen["URL"], seen["Engine"]) == ("Running", "tcp://192.0.2.1:2376", "docker 20.10.24")
    assert seen["Timeline"][0]["Operation"] == "create"
    assert len(seen) == len(set(seen))
    assert program("inspect", "-f", "{{.State}} {{.InstanceID}}", "h1").out == "Running h1\n"


def test_no_private_key_is_in_it(program: Program, h1: Fleet, store: Store) -> None:
    store.files("h1").write(MACHINE_KEY, b"-----BEGIN OPENSSH PRIVATE KEY-----")
    assert "PRIVATE KEY" not in program("inspect", "h1").out


def test_more_than_one_name_is_refused(program: Program, h1: Fleet) -> None:
    said = program("inspect", "h1", "h2")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: Expected one machine name as an argument\n")


def test_an_unknown_machine_is_an_error(program: Program, h1: Fleet) -> None:
    said = program("inspect", "nobody")
    assert (said.code, said.out) == (1, "")
    first = {
        "docker-machine": 'Docker machine "nobody" does not exist.',
        "pymachine": 'Error: no machine "nobody"',
    }
    assert said.err.startswith(program.expects(first))


# Templates

STORE = "{store}"
PRINTED = {
    # the paths that scripts read
    "{{.ConfigVersion}}": "3",
    "{{.Name}}": "h1",
    "{{.DriverName}}": "generic",
    "{{.Driver.IPAddress}}": "192.0.2.1",
    "{{.Driver.MachineName}}": "h1",
    "{{.Driver.SSHUser}}": "root",
    "{{.Driver.SSHPort}}": "22",
    "{{.Driver.SSHKeyPath}}": f"{STORE}/machines/h1/id_ed25519",
    "{{.Driver.StorePath}}": STORE,
    "{{.Driver.EnginePort}}": "2376",
    "{{.Driver.SSHKey}}": "",
    "{{.Driver.SwarmMaster}} {{.Driver.SwarmHost}} {{.Driver.SwarmDiscovery}}": "false tcp://0.0.0.0:3376 ",
    "{{.HostOptions.EngineOptions.Labels}}": "[spam=eggs]",
    "{{index .HostOptions.EngineOptions.Labels 0}}": "spam=eggs",
    "{{.HostOptions.EngineOptions.ArbitraryFlags}}": "[log-driver=none]",
    "{{.HostOptions.EngineOptions.Env}}": "[TEST=VALUE]",
    "{{.HostOptions.EngineOptions.InsecureRegistry}}": "[registry.example.org]",
    "{{.HostOptions.EngineOptions.RegistryMirror}}": "[https://mirror.example.org]",
    "{{.HostOptions.EngineOptions.StorageDriver}}": "overlay2",
    "{{.HostOptions.EngineOptions.TlsVerify}}": "true",
    "{{.HostOptions.EngineOptions.InstallURL}}": "https://get.docker.com",
    "{{.HostOptions.EngineOptions.Dns}}": "<no value>",
    "{{.HostOptions.SwarmOptions.IsSwarm}} {{.HostOptions.SwarmOptions.Master}}": "false false",
    "{{.HostOptions.SwarmOptions.Image}} {{.HostOptions.SwarmOptions.Strategy}}": "swarm:latest spread",
    "{{.HostOptions.AuthOptions.StorePath}}": f"{STORE}/machines/h1",
    "{{.HostOptions.AuthOptions.CertDir}}": f"{STORE}/certs",
    "{{.HostOptions.AuthOptions.CaCertPath}}": f"{STORE}/certs/ca.pem",
    "{{.HostOptions.AuthOptions.CaPrivateKeyPath}}": f"{STORE}/certs/ca-key.pem",
    "{{.HostOptions.AuthOptions.ServerCertPath}}": f"{STORE}/machines/h1/server.pem",
    "{{.HostOptions.AuthOptions.ServerKeyPath}}": f"{STORE}/machines/h1/server-key.pem",
    "{{.HostOptions.AuthOptions.ServerCertSANs}}": "[web.example.org]",
    "{{.HostOptions.Memory}} {{.HostOptions.Disk}}": "0 0",
    # docker-machine's functions
    "{{json .DriverName}}": '"generic"',
    "{{json .HostOptions.EngineOptions.Labels}}": '["spam=eggs"]',
    "{{json .HostOptions.EngineOptions.Dns}}": "null",
    "{{prettyjson .HostOptions.EngineOptions.Labels}}": '[\n    "spam=eggs"\n]',
    # as people use them
    "{{range .HostOptions.EngineOptions.Labels}}{{println .}}{{end}}": "spam=eggs\n",
    '{{if eq .DriverName "generic"}}ssh {{.Driver.SSHUser}}@{{.Driver.IPAddress}}{{end}}': "ssh root@192.0.2.1",
    "{{with .HostOptions.AuthOptions}}{{.CertDir}}{{end}}": f"{STORE}/certs",
    '{{printf "%s:%.0f" .Driver.IPAddress .Driver.SSHPort}}': "192.0.2.1:22",
    "{{len .HostOptions.EngineOptions.Labels}}": "1",
    "a\\tb": "a\\tb",  # only ls has it
}


@pytest.mark.parametrize(("form", "text"), PRINTED.items())
def test_a_format_reads_docker_machines_paths(program: Program, h1: Fleet, store: Store, form: str, text: str) -> None:
    text = text.replace(STORE, store.directory)
    for words in (["-f", form, "h1"], ["h1", "--format", form], [f"--format={form}", "h1"]):
        said = program("inspect", *words)
        assert (said.code, said.out, said.err) == (0, text + "\n", "")


def test_json_of_the_whole_host_sorts_its_keys(program: Program, h1: Fleet) -> None:
    out = program("inspect", "-f", "{{json .}}", "h1").out
    document = json.loads(out)
    assert list(document) == sorted(document)
    assert out.count("\n") == 1
    assert document == shown(program, "h1")
    assert len(program("inspect", "-f", "{{prettyjson .Driver}}", "h1").out.splitlines()) > 10


def test_a_field_that_is_not_there_has_no_value_and_the_nearest_is_told_under_our_name(
    program: Program, h1: Fleet
) -> None:
    said = program("inspect", "-f", "{{.Driver.IPAdress}}", "h1")
    assert (said.code, said.out) == (0, "<no value>\n")
    note = "h1: there is no .Driver.IPAdress; did you mean .Driver.IPAddress?\n"
    assert said.err == program.expects({"docker-machine": "", "pymachine": note})


@pytest.mark.parametrize(
    ("form", "message", "hint"),
    [
        ("{{.Name", "template parsing error: template: :1: unclosed action", ""),
        ("{{.Name}", 'template parsing error: template: :1: unexpected "}" in operand', ""),
        ("{{jsn .Name}}", 'template parsing error: template: :1: function "jsn" not defined', "did you mean json?"),
        ("{{end}}", "template parsing error: template: :1: unexpected {{end}}", ""),
        (
            "{{.Name.First}}",
            'template: :1:7: executing "" at <.Name.First>: can\'t evaluate field First in type interface {}',
            "",
        ),
        (
            "{{.Name}}{{index .HostOptions.EngineOptions.Labels 7}}",
            'template: :1:11: executing "" at <index .HostOptions.E...>: error calling index: index out of range: 7',
            "",
        ),
    ],
)
def test_a_wrong_template_is_said_in_gos_words_and_prints_nothing_else(
    program: Program, h1: Fleet, form: str, message: str, hint: str
) -> None:
    said = program("inspect", "-f", form, "h1")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0].removeprefix("Error: ") == message
    assert hint in said.err


# Other kinds of machines


def test_an_endpoint_by_its_url_has_an_address_without_its_port_and_no_ssh(program: Program, fleet: Fleet) -> None:
    fleet.add(
        "place",
        State.UNKNOWN,
        driver="none",
        address="192.0.2.9",
        route="plain",
        options={"url": "tcp://192.0.2.9:2376"},
    )
    form = "{{with .Driver}}{{.IPAddress}}|{{.SSHUser}}|{{.SSHPort}}|{{.SSHKeyPath}}|{{.URL}}{{end}}"
    assert program("inspect", "-f", form, "place").out == "192.0.2.9||0||tcp://192.0.2.9:2376\n"


def test_docker_machines_files_are_named_where_they_are_there(program: Program, h1: Fleet, store: Store) -> None:
    form = "{{.Driver.SSHKeyPath}} {{with .HostOptions.AuthOptions}}{{.ClientCertPath}} {{.ClientKeyPath}}{{end}}"
    place, certs = store.files("h1").directory, store.certs.directory
    assert program("inspect", "-f", form, "h1").out.split() == [
        f"{place}/id_ed25519",
        f"{place}/cert.pem",
        f"{place}/key.pem",
    ]
    store.files("h1").write("id_rsa", b"key")
    store.certs.write("cert.pem", b"certificate")
    assert program("inspect", "-f", form, "h1").out.split() == [
        f"{place}/id_rsa",
        f"{certs}/cert.pem",
        f"{certs}/key.pem",
    ]


def test_a_clouds_driver_and_its_identifier_have_docker_machines_names(program: Program, fleet: Fleet) -> None:
    fleet.add("i-0123", driver="aws", options={"region": "eu-west-1", "instance_type": "t3.micro", "user_data": None})
    form = "{{.DriverName}} {{.Driver.InstanceId}} {{.Driver.Region}} {{.Driver.InstanceType}} <{{.Driver.UserData}}>"
    name = program.expects({"docker-machine": "amazonec2", "pymachine": "aws"})
    assert program("inspect", "-f", form, "i-0123").out == f"{name} i-0123 eu-west-1 t3.micro <>\n"


def test_a_machine_that_was_never_finished_has_the_same_fields(program: Program, store: Store, fleet: Fleet) -> None:
    from tests.unit.specs import spec

    store.journal.finish(store.journal.begin_create(spec("half")), state=State.ERROR, error="connect: no answer")
    form = "{{.Name}} <{{.Driver.IPAddress}}> {{.Driver.SSHPort}} {{.State}}"
    assert program("inspect", "-f", form, "half").out == "half <> 22 Error\n"


# The view for other programs


def test_the_document_is_made_of_the_record_alone(store: Store, fleet: Fleet) -> None:
    machine = fleet.add("h1")
    paths = Paths(store="/s", machine="/s/machines/h1", key="/s/machines/h1/id_rsa", client="/s/certs")
    made = host_document(machine, paths)
    assert made == host_document(machine, paths)
    assert json.loads(json.dumps(made)) == made
    assert made["ConfigVersion"] == CONFIG_VERSION == 3
    assert made["HostOptions"]["AuthOptions"]["ClientKeyPath"] == "/s/certs/key.pem"


def test_the_name_of_our_key_is_the_one_that_is_written() -> None:
    assert document._OUR_KEY == MACHINE_KEY


def test_inspect_and_ls_import_nothing_of_ssh(store: Store, fleet: Fleet) -> None:
    fleet.add("h1", State.UNKNOWN, driver="none", address="127.0.0.1", port=1, route="plain")
    code = """
        import sys
        from machine.cli import command_line as run
        assert run(["-s", sys.argv[1], *sys.argv[2:]]) == 0
        print(*sorted({"paramiko", "jinja2", "cryptography", "rich"} & set(sys.modules)))
        """
    for words in (["inspect", "-f", "{{.Driver.IPAddress}}", "h1"], ["ls", "--recorded", "-f", "{{.Name}}"]):
        assert python(code, store.directory, *words).stdout.splitlines()[-1] == ""
