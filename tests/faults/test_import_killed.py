"""An import killed at every point is finished by the next one, and its source stays as it was."""

from __future__ import annotations

import json
from pathlib import Path

from machine.trust.certificates import load_authority, new_authority, new_client
from tests.faults.sweep import Sweep
from tests.faults.world import World

IMPORT = "import --from-docker-machine=HOME/old"


def docker_machines_store(directory: Path, *names: str) -> None:
    """A store of docker-machine with given hosts in it."""
    pair = new_authority("somebody")
    client = new_client(load_authority(pair), store="somebody", machine="any", user="somebody")
    for name in names:
        place = directory / "machines" / name
        place.mkdir(parents=True)
        kept = {"ca.pem": pair.certificate, "cert.pem": client.certificate, "key.pem": client.key, "id_rsa": b"a key"}
        for each, content in kept.items():
            (place / each).write_bytes(content)
        driver = {"IPAddress": "192.0.2.7", "MachineName": name, "SSHUser": "root", "SSHPort": 22, "EnginePort": 2376}
        driver |= {"SSHKeyPath": str(place / "id_rsa"), "StorePath": str(directory)}
        record = {"ConfigVersion": 3, "Name": name, "DriverName": "generic", "Driver": driver}
        record["HostOptions"] = {"AuthOptions": {"StorePath": str(place)}, "EngineOptions": {}, "SwarmOptions": {}}
        (place / "config.json").write_text(json.dumps(record))


def test_an_import_killed_anywhere_is_finished_by_the_next_one(sweep: Sweep, world: World) -> None:
    docker_machines_store(world.home / "old", "web", "db")
    source = {path: path.read_bytes() for path in (world.home / "old").rglob("*") if path.is_file()}
    learnt = sweep.learn_in(world, IMPORT)
    assert sorted(row[0] for row in learnt.end["machines"]) == ["db", "web"]

    def killed(world: World, point: str) -> None:
        assert world.run(IMPORT, point=point, action="kill")[-1].killed
        assert [name for name in world.names() if not (world.store / "machines" / name / "key.pem").exists()] == []
        (again,) = world.run(IMPORT)
        assert again.code == 0, again
        assert sorted(world.described()["machines"]) == sorted(learnt.end["machines"])
        assert not [name for name in world.files() if "/." in name]

    sweep.each(learnt, learnt.different, killed)
    assert {path: path.read_bytes() for path in source} == source
