"""The hot path: what shells, prompts and scripts ask many times a minute, answered from the store alone.

``env active ip url``, ``ls -q``, ``ls --recorded``, ``status --recorded`` and the completion of names. It reads, it
calls nobody, and it imports sqlite3, os, sys, time and `machine.shell` only (a test asserts it). Whatever it cannot
answer in a line, errors included, it leaves to ``machine.cli`` by returning None.
"""

from __future__ import annotations

import os
import sys

# Commands whose arguments are names of machines, and the options of theirs that take a value.
_NAME_COMMANDS = (
    "config", "env", "inspect", "ip", "kill", "provision", "restart", "rm", "ssh", "start", "status", "stop", "url",
    "use", "version",
)  # fmt: skip
_VALUE_OPTIONS = ("--shell", "-t", "--timeout", "-o", "--output")


def main() -> int:
    """The ``pymachine`` command."""
    text = answer(sys.argv[1:], os.environ)
    if text is None:
        import gc

        from machine.cli import command_line

        code = command_line()
        gc.freeze()  # or Python looks through all of it for garbage once more, at the very end
        return code
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def answer(argv: list[str], environ: os._Environ[str]) -> str | None:
    """What to print for a command line, or None where the rest of pymachine has to look."""
    if "_PYMACHINE_COMPLETE" in environ:
        return _complete(environ)
    storage, rest = _storage(argv)
    if not rest:
        return None
    command = _COMMANDS.get(rest[0])
    if command is None:
        return None
    from machine.program import is_drop_in
    from machine.store.location import store_directory

    drop_in = is_drop_in()
    if drop_in and rest[0] == "env" and not {"-u", "--unset"} & set(rest):
        return None  # docker-machine dials the endpoint first
    directory = store_directory(storage, environ, drop_in=drop_in)
    return command(directory, rest[1:], environ)


def _storage(argv: list[str]) -> tuple[str | None, list[str]]:
    """The global ``-s/--storage-path``, and what follows; nothing follows when any other global option is given."""
    if argv[:1] in (["-s"], ["--storage-path"]) and len(argv) > 1:
        return argv[1], argv[2:]
    if argv and argv[0].startswith("--storage-path="):
        return argv[0].partition("=")[2], argv[1:]
    return None, argv


def _rows(directory: str, sql: str, parameters: tuple[str, ...] = ()) -> list[tuple[str, ...]] | None:
    """Rows of the store; None where there is none, or one of another version."""
    from machine.store.location import DATABASE

    path = os.path.join(directory, DATABASE)
    if not os.path.exists(path):
        return None
    try:
        import _sqlite3 as sqlite3  # what sqlite3 is made of, without the dates it could convert: a tenth of our time
    except ImportError:
        import sqlite3  # type: ignore[no-redef]

    from machine.store.schema import VERSION

    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    # A store that cannot be written has no shared memory file, and plain reading of a WAL database needs one.
    for mode in ("mode=ro", "immutable=1"):
        try:
            db = sqlite3.connect(f"file:{quoted}?{mode}", uri=True, timeout=10)
            try:
                if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                    return None
                return db.execute(sql, parameters).fetchall()
            finally:
                db.close()
        except sqlite3.Error:
            continue
    return None


def _one(directory: str, name: str) -> tuple[str, ...] | None:
    rows = _rows(
        directory, "SELECT name, url, address, state, route FROM machines WHERE name_key = ?", (name.casefold(),)
    )
    return rows[0] if rows else None


def _env(directory: str, arguments: list[str], environ: os._Environ[str]) -> str | None:
    name = shell = None
    unset = proxy = False
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word in ("-u", "--unset"):
            unset = True
        elif word == "--no-proxy":
            proxy = True
        elif word == "--shell" and rest:
            shell = rest.pop(0)
        elif word.startswith("--shell="):
            shell = word[8:]
        elif word.startswith("-") or name is not None:
            return None
        else:
            name = word
    from machine.shell import env

    windows = os.name == "nt"
    shell = shell or env.detect(dict(environ), windows=windows)
    if shell not in env.SHELLS or (unset and name):
        return None
    command = typed_command(environ)
    if unset:
        names = list(env.NAMES)
        if proxy:
            names.append(env.no_proxy(dict(environ), "")[0])
        return env.render_unset(names, shell, command)
    machine = _one(directory, name or "default")
    if machine is None or not machine[1] or machine[3] == "Stopped":
        return None
    files = os.path.join(directory, "machines", machine[0])
    pairs = env.variables(machine[0], machine[1], None if machine[4] == "plain" else files)
    if proxy:
        pairs.append(env.no_proxy(dict(environ), machine[2]))
    note = env.tunnel_note(machine[0], machine[4])
    return env.render(pairs, shell, command, windows=windows, note=note)


def typed_command(environ: os._Environ[str]) -> str:
    """This command line as it can be typed again: by name alone where the name is found on the PATH."""
    program = sys.argv[0]
    name = os.path.basename(program)
    for place in environ.get("PATH", "").split(os.pathsep):
        if os.access(os.path.join(place, name), os.X_OK):
            program = name
            break
    if " " in program or "\\" in program:
        program = f'"{program}"'
    return " ".join([program, *[_quoted(word) for word in sys.argv[1:]]])


def _quoted(word: str) -> str:
    """A word as it was typed: shells take what means something to them, as a blank in the store's path, from quotes."""
    if word and not [char for char in word if char in " \t\n\"'$`;&|<>()*?[]{}~#!"]:
        return word
    if os.name == "nt":
        return f'"{word}"'
    return "'" + word.replace("'", "'\\''") + "'"


def _active(directory: str, arguments: list[str], environ: os._Environ[str]) -> str | None:
    host = environ.get("DOCKER_HOST")
    if arguments or not host:
        return None
    from machine.shell.listing import has_endpoint

    rows = _rows(directory, "SELECT name, state FROM machines WHERE url = ? ORDER BY name", (host,))
    names = [row[0] for row in rows or () if has_endpoint(row[1])]
    if not names:
        return None
    told = environ.get("DOCKER_MACHINE_NAME", "")
    return (told if told in names else names[0]) + "\n"


def _column(number: int, directory: str, arguments: list[str]) -> str | None:
    if any(word.startswith("-") for word in arguments):
        return None
    lines = []
    for name in arguments or ["default"]:
        machine = _one(directory, name)
        if machine is None or not machine[number] or (number == 1 and machine[3] == "Stopped"):
            return None
        lines.append(machine[number] + "\n")
    return "".join(lines)


def _ip(directory: str, arguments: list[str], environ: os._Environ[str]) -> str | None:
    return _column(2, directory, arguments)


def _url(directory: str, arguments: list[str], environ: os._Environ[str]) -> str | None:
    if len(arguments) > 1 and _speaks_otherwise():  # docker-machine takes one
        return None
    return _column(1, directory, arguments)


def _ls(directory: str, arguments: list[str], environ: os._Environ[str]) -> str | None:
    if arguments in (["-q"], ["--quiet"]):
        rows = _rows(directory, "SELECT name FROM machines ORDER BY name")  # in the order of their bytes
        return None if rows is None else "".join([row[0] + "\n" for row in rows])
    if arguments != ["--recorded"] or _speaks_otherwise():
        return None
    rows = _rows(directory, "SELECT name, driver, state, state_at, url, engine, error FROM machines")
    if rows is None:
        return None
    import time

    from machine.shell.listing import HEADERS, age, aligned, docker_version, has_endpoint, natural_key

    now = time.time()
    host = environ.get("DOCKER_HOST")
    rows.sort(key=lambda row: natural_key(row[0]))
    lines: list[tuple[str, ...]] = [HEADERS]
    for name, driver, state, at, url, engine, error in rows:
        shown = url if url and has_endpoint(state) else ""
        active = "*" if shown and shown == host else "-"
        state = f"{state} ({age(now - float(at))} ago)"
        lines.append((name, active, driver, state, shown, "", docker_version(engine), " ".join((error or "").split())))
    return aligned(lines)


def _names(directory: str) -> list[str] | None:
    """Every name, in the order of ``ls``."""
    rows = _rows(directory, "SELECT name FROM machines")
    if rows is None:
        return None
    from machine.shell.listing import natural_key

    return sorted([row[0] for row in rows], key=natural_key)


def _status(directory: str, arguments: list[str], environ: os._Environ[str]) -> str | None:
    names = [word for word in arguments if word != "--recorded"]
    if len(names) == len(arguments) or len(names) > 1 or any(word.startswith("-") for word in names):
        return None
    if _speaks_otherwise():
        return None
    machine = _one(directory, names[0] if names else "default")
    return machine[3] + "\n" if machine else None


def _speaks_otherwise() -> bool:
    """Whether states have docker-machine's words, which the rest of pymachine knows."""
    from machine.program import is_drop_in

    return is_drop_in()


def _complete(environ: os._Environ[str]) -> str | None:
    """Names of machines, in the form that click's completion scripts read; the rest is click's."""
    style = environ["_PYMACHINE_COMPLETE"]
    words = environ.get("COMP_WORDS", "").split()[1:]
    if style == "fish_complete":  # it hands over the word itself, which may stand in the words as well
        prefix = environ.get("COMP_CWORD", "")
        if prefix and words and words[-1] == prefix:
            words.pop()
    elif style in ("bash_complete", "zsh_complete"):
        try:
            position = int(environ.get("COMP_CWORD", "")) - 1
        except ValueError:
            return None
        prefix = words[position] if 0 <= position < len(words) else ""
        words = words[:position]
    else:
        return None
    storage, words = _storage(words)
    if not words or words[0] not in _NAME_COMMANDS or prefix.startswith("-") or words[-1] in _VALUE_OPTIONS:
        return None
    from machine.store.location import store_directory

    names = [name for name in _names(store_directory(storage, environ)) or () if name.startswith(prefix)]
    form = "plain\n{}\n_\n" if style == "zsh_complete" else "plain,{}\n"
    return "".join([form.format(name) for name in names])


_COMMANDS = {"env": _env, "active": _active, "ip": _ip, "url": _url, "ls": _ls, "status": _status}
