"""docker-machine's names in a fleet file: none is taken, for the file is ours, and each is answered with what to write.

The names themselves are the command line's: `machine.compat.names`, which is data. It is imported where there is one.
"""

from __future__ import annotations

from machine.driver import DeclaredOption, declared_options, driver_names, load_driver
from machine.errors import PymachineError
from machine.fleet.problems import Problems
from machine.fleet.schema import engine_fields, option_key
from machine.fleet.tree import Map

_ENGINE = "engine-"
_VIRTUALBOX = "virtualbox-"
_BESIDE = (
    "labels",
    "tls-san",
    "host-key-policy",
    "files",
    "commands",
    "engine",
    "driver",
    "count",
    "limits",
    "machines",
)


def replace_former_drivers(document: Map, problems: Problems) -> None:
    """Say what docker-machine's drivers are called here; the file is looked at further as if it had said so."""
    installed = driver_names()
    groups = document.section("groups")
    for section in (document.section("defaults"), *map(groups.section, groups)):
        said = section.get("driver")
        if isinstance(said, str) and said.isidentifier() and said not in installed:
            now, instead = _driver(said, installed)
            if instead:
                problems.add(section.values_at["driver"], f"driver: {instead}")
            if now is not None:
                section["driver"] = now


def former_option(key: str, driver: str) -> str:
    """What to write for an option of a driver that is not known; empty: it is none of docker-machine's either."""
    from machine.compat.names import UNUSED_FLAGS, old_prefixes

    items = {option_key(item): item for item in declared_options(load_driver(driver))}
    plain = key.lstrip("-")
    for prefix in (f"{driver}-", *(each.lstrip("-") for each in old_prefixes(driver))):
        plain = plain.removeprefix(prefix)
    if plain in items and plain != key:
        return f"write {plain}:"
    if renamed := _renamed(plain, driver, items):
        return f"write {renamed}:"
    for each in UNUSED_FLAGS.get(driver, ()):
        if each.name == plain:
            return f"leave it out: {each.why}"
    return _virtualbox(key.lstrip("-"), driver, items) or former_key(key, driver)


def former_key(key: str, driver: str | None = None) -> str:
    """What to write for a key of defaults, a group or a machine that is not known, or that stands among options.

    Args:
        driver: among whose options; None: it does not stand there.
    """
    from machine.compat.names import owner_of_flag

    plain = key.lstrip("-")
    if plain.startswith(_ENGINE) and (setting := plain.removeprefix(_ENGINE)) in engine_fields():
        return f"write {setting}: below engine:, beside options" if driver else f"write {setting}: below engine:"
    if plain.startswith("swarm") and plain.removeprefix("swarm")[:1] in ("", "-"):
        return "leave it out: the classic Swarm has been dead since Docker 1.12"
    if driver is not None:
        return "write it beside options" if plain in _BESIDE else ""
    owner = owner_of_flag(f"--{plain}", driver_names())
    if owner in driver_names():
        instead = former_option(plain, owner)
        return f"below options:, {instead}" if instead else ""
    return _virtualbox(plain, "", {}) and "leave it out: only VirtualBox has it"


def _driver(said: str, installed: list[str]) -> tuple[str | None, str]:
    """Which driver is meant by a name, where that is sure, and what to write."""
    from machine.compat.names import LOCAL, is_known, old_driver

    row = old_driver(said)
    others = f"; there is {', '.join(installed)}" if installed else ""
    if row is None:  # one that is not here yet has no row where its name has not changed
        return None, f"{said} is not available in this version{others}" if is_known(said) else ""
    if row.now == LOCAL:
        local = _local(installed)
        write = f": write driver: {' or '.join(local)}" if local else ""
        return local[0] if len(local) == 1 else None, f"{said} is not driven here{write}"
    if row.now in installed:
        return row.now, f"docker-machine's {said} is called {row.now} here: write driver: {row.now}"
    if row.gone:
        return None, f"{said} has nothing to drive any more: {row.gone}"
    called = f"is called {row.now} here, and " if row.now != said else ""
    return None, f"{said} {called}is not available in this version{others}"


def _local(installed: list[str]) -> list[str]:
    """The drivers that make machines of this very computer."""
    found = []
    for name in installed:
        try:
            if load_driver(name).capabilities.local_rank is not None:
                found.append(name)
        except PymachineError:  # a broken plugin: whoever names it is told
            continue
    return found


def _renamed(plain: str, driver: str, items: dict[str, DeclaredOption]) -> str:
    flag = f"--{driver}-{plain}"
    return next((key for key, item in items.items() if flag in item.info.aliases), "")


def _virtualbox(plain: str, driver: str, items: dict[str, DeclaredOption]) -> str:
    from machine.compat.names import VIRTUALBOX_FLAGS

    name = plain.removeprefix(_VIRTUALBOX)
    if name == plain or name not in VIRTUALBOX_FLAGS:
        return ""
    same = VIRTUALBOX_FLAGS[name]
    if same is None or same[0] not in items:
        return "leave it out: only VirtualBox has it"
    return f"write {same[0]}: {same[1].format('N')}, of the driver {driver}"
