"""Which host key is believed, over the life of a machine whose first one came in its user data."""

from __future__ import annotations

import json

from machine.operations.hostconnection import pinned_keys
from tests.faults.scripted import ScriptedHost
from tests.faults.sweep import GENERIC, MEMORY
from tests.faults.world import World


def host(world: World) -> ScriptedHost:
    (instance,) = world.cloud.instances()
    return ScriptedHost.made_with(world.directory / "host", instance.host_key)


def believed(world: World) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """As recorded, as other programs read it, and whether one is still known to come from user data."""
    (row,) = world.rows("SELECT access, data FROM instances")
    recorded = tuple(json.loads(row["access"])["host_keys"])
    known = pinned_keys((world.store / "machines/web/known_hosts").read_bytes())
    return recorded, known, "injected_host_key" in json.loads(row["data"])


def test_after_a_create_only_the_key_that_the_host_made_is_believed(world: World) -> None:
    world.ok(MEMORY)
    key = host(world).key()
    assert key != world.cloud.instances()[0].host_key
    assert believed(world) == ((key,), (key,), False)
    world.ok("provision web")
    assert host(world).key() == key
    assert believed(world) == ((key,), (key,), False)


def test_a_start_brings_the_old_key_back_to_nobody(world: World) -> None:
    """The driver says again which key it gave the host."""
    world.ok(MEMORY)
    key = host(world).key()
    world.ok("stop web", "start web")
    assert host(world).key() == key
    assert believed(world) == ((key,), (key,), False)


def test_who_has_the_key_of_the_user_data_is_refused_once_it_is_replaced(world: World) -> None:
    world.ok(MEMORY)
    host(world).write("key", world.cloud.instances()[0].host_key)
    assert "shows another key" in world.run("provision web")[0].err
    world.ok("stop web")
    assert "shows another key" in world.run("start web")[0].err


def test_a_host_whose_key_should_be_known_and_is_not_is_not_believed_at_first_sight(world: World) -> None:
    world.ok(MEMORY)
    with world.database() as db:
        db.execute("UPDATE instances SET access = json_set(access, '$.host_keys', json('[]'))")
    (world.store / "machines/web/known_hosts").unlink()
    assert "nobody vouches for" in world.run("provision web")[0].err


def test_another_instance_in_place_of_one_that_has_gone_is_known_by_its_own_key(world: World) -> None:
    """The key that the first one made says nothing about it."""
    ended = world.run(MEMORY, point="open(store/machines/web/.key.pem.*) #1", action="kill")
    assert ended[-1].killed, ended
    (first,) = world.cloud.instances()
    assert believed(world)[2] is False
    world.cloud.terminate(first.id)
    world.ok("create web")
    assert world.cloud.instances()[0].id != first.id
    key = host(world).key()
    assert believed(world) == ((key,), (key,), False)


def test_where_the_first_login_led_is_recorded_with_the_key_that_was_shown(world: World) -> None:
    world.ok(GENERIC)
    (row,) = world.rows("SELECT m.address, i.access FROM machines m JOIN instances i ON i.machine_id = m.id")
    access = json.loads(row["access"])
    assert (row["address"], access["address"], access["user"], access["port"]) == (*("192.0.2.7",) * 2, "root", 22)
    assert access["host_keys"] == [world.host.key()]
    assert access["machine_key_installed"]
