"""What was changed on real hosts is put back, and another way to a host is taken without taking anything off it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Pymachine
from tests.testbed.fixtures import HostFactory
from tests.testbed.host import Host, User, make_key

pytestmark = pytest.mark.e2e

# What nothing may touch: files as they are on the disk, the processes of the agent and the engine, the account's line.
_STANDS = """
stat -c '%n %i %y %a %U:%G' /etc/app.conf /etc/docker/daemon.json
systemctl show --property InvocationID docker.service pymachine-agent.service
cat /var/lib/seen
"""


class Fleet:
    """One given host in a fleet, and the commands on it."""

    def __init__(self, pymachine: Pymachine, place: Path, host: Host, key: Path) -> None:
        self._pymachine, self._place = pymachine, place
        self.options: dict[str, Any] = {"ip-address": host.address, "ssh-key": str(key), "ssh-user": "ada"}
        (place / "app.conf").write_text("one\n")

    def write(self) -> str:
        document = {
            "fleet": "shop",
            "groups": {
                "web": {
                    "driver": "generic",
                    "engine": {"opt": ["max-concurrent-downloads=2"]},
                    "files": [{"source": "app.conf", "target": "/etc/app.conf", "owner": "daemon:daemon"}],
                    "commands": [{"run": "cat /etc/app.conf >>/var/lib/seen", "when": "changed"}],
                    "machines": {"web-1": {"options": self.options}},
                }
            },
        }
        (self._place / "fleet.yaml").write_text(json.dumps(document, indent=1))
        return str(self._place / "fleet.yaml")

    def __call__(self, command: str, *arguments: str, code: int = 0) -> str:
        done = self._pymachine("fleet", command, self.write(), *arguments, code=code)
        return done.stdout + done.stderr

    def planned(self, *arguments: str) -> list[tuple[str, list[str]]]:
        plan = self._pymachine("fleet", "plan", self.write(), "-o", "json", *arguments, code=None)
        document: dict[str, Any] = json.loads(plan.stdout)
        assert plan.returncode == (2 if document["changes"] else 0)
        return [(each["action"], each["steps"]) for each in document["changes"]]


def test_what_was_changed_on_a_host_is_put_back_and_another_way_to_it_takes_nothing_off_it(
    pymachine: Pymachine, host_factory: HostFactory, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "id")
    host = host_factory(kind="docker", user=User(name="ada", authorized_keys=[key]))
    fleet = Fleet(pymachine, tmp_path, host, tmp_path / "id")
    fleet("apply", "-y")
    assert fleet.planned("--hosts") == []
    before = host.run(_STANDS).stdout

    # Of a host that is as it was left, nothing is touched.
    assert "nothing to do" in fleet("apply", "-y", "--hosts")
    assert host.run(_STANDS).stdout == before

    # A file with another content, mode and owner, and a setting that was taken out.
    host.run("echo by hand >/etc/app.conf; chmod 600 /etc/app.conf; chown root:root /etc/app.conf")
    host.run("echo '{\"debug\": true}' >/etc/docker/daemon.json")
    assert fleet.planned() == []
    said = fleet("diff", code=2)
    assert "/etc/app.conf was changed on the host" in said
    assert "daemon.json: max-concurrent-downloads was removed on the host" in said
    assert "To put it back: pymachine fleet apply --hosts" in said
    assert fleet.planned("--hosts") == [("update", ["provision"])]
    fleet("apply", "-y", "--hosts")
    after = host.run(_STANDS).stdout
    assert after.endswith("one\none\n"), "what watches the files has run again"
    assert " 644 daemon:daemon" in after
    settings = json.loads(host.run("cat /etc/docker/daemon.json").stdout)
    assert settings == {"debug": True, "max-concurrent-downloads": 2}
    assert fleet.planned("--hosts") == []
    assert "nothing to do" in fleet("apply", "-y", "--hosts")
    assert host.run(_STANDS).stdout == after
    assert "all is as it was left" in fleet("diff")

    host.run("rm /etc/app.conf")
    fleet("apply", "-y", "--hosts")
    assert host.run("cat /etc/app.conf").stdout == "one\n"

    # Another port, and then another account: the engine and the agent are left alone.
    stands = host.run(_STANDS).stdout
    host.run("printf 'Port 22\\nPort 2222\\n' >/etc/ssh/sshd_config.d/ports.conf; systemctl restart ssh")
    fleet.options["ssh-port"] = 2222
    assert fleet.planned() == [("update", ["access"])]
    fleet("apply", "-y")
    assert host.run(_STANDS).stdout == stands
    assert fleet.planned("--hosts") == []
    host.run("rm /etc/ssh/sshd_config.d/ports.conf; systemctl restart ssh")

    # The way that is recorded is closed: that is said, and nothing is believed to be changed or gone.
    assert "Warning: web-1 could not be asked" in fleet("plan", "--hosts", code=1)
    fleet.options["ssh-port"] = 2223
    assert "web-1 is recorded as it was" in fleet("apply", "-y", code=1)
    assert '"ssh_port": 2222' in json.dumps(json.loads(pymachine("inspect", "web-1").stdout))

    del fleet.options["ssh-port"]
    fleet.options.update({"ssh-user": "root", "ssh-key": str(host.identity_file)})
    fleet("apply", "-y")
    assert host.run(_STANDS).stdout == stands
    assert pymachine("ssh", "web-1", "id -un").stdout == "root\n"
    assert "pymachine:" in host.run("cat ~root/.ssh/authorized_keys").stdout
    assert host.run("cat /home/ada/.ssh/authorized_keys").stdout.strip() == key, "the machine's key is not left there"
    assert fleet.planned("--hosts") == []

    # The endpoint at another port is the same host as well.
    fleet.options["engine-port"] = 2380
    assert fleet.planned() == [("update", ["access"])]
    fleet("apply", "-y")
    assert pymachine("url", "web-1").stdout == f"tcp://{host.address}:2380\n"
    assert pymachine("status", "web-1").stdout == "Running\n"
    engine = "systemctl show --property InvocationID docker.service"
    assert host.run(engine).stdout in stands
    assert fleet.planned("--hosts") == []
