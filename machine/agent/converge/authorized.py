"""The machine's own SSH key: one marked line in one account's ``authorized_keys``, and nothing else of that file.

All of it happens as that account, in a child: a link it has put in the way leads no further than it could go itself.
"""

from __future__ import annotations

import json
import os
import pwd
import re

from machine.agent.errors import Failed
from machine.agent.host import Host, sync_directory

TYPE_CHECKING = False  # `typing` would cost a converge with nothing to do 4 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_KEY = re.compile(r"(ssh-[a-z0-9@.-]+|ecdsa-sha2-[a-z0-9@.-]+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]+=*\Z")


def ensure(
    host: Host, wanted: dict[str, Any], mark: str, remembered: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The line is there, once, with this key.

    Args:
        wanted: ``user`` and ``key`` (type and base64).
        mark: what tells our line from all others; its comment.
        remembered: what an earlier call returned first.

    Returns:
        What to remember, and what was changed, for people.

    Raises:
        Failed: ``login``: no such account, not a key, or its files cannot be written.
    """
    user, key = str(wanted["user"]), " ".join(str(wanted["key"]).split()[:2])
    if not _KEY.match(key) or not str(wanted["key"]).isprintable():
        raise Failed("login", "what should be allowed to log in is not a public key")
    changed = []
    if remembered.get("user", user) != user:  # another account from now on: the key must not stay with the old one
        changed = [f"removed {line}" for line in _leave(host, mark, remembered)]
        remembered = {}
    done = _as_user(host, user, lambda home: _add(home, f"{key} {mark}", mark))
    path = done.pop("path")
    changed += [f"{path}: one line, marked {mark}"] if done.pop("changed") else []
    created = {name: True for name in ("file", "directory") if done[name] or remembered.get(name)}
    return {"user": user, **created}, changed


def remove(host: Host, mark: str, remembered: dict[str, Any]) -> list[str]:
    """Our line is gone, and what we had made for it if nothing else is in it; what was removed."""
    user = remembered.get("user")
    if not user:
        return []
    done = _as_user(host, user, lambda home: _drop(home, mark, remembered))
    return list(done["removed"])


def _leave(host: Host, mark: str, remembered: dict[str, Any]) -> list[str]:
    try:
        pwd.getpwnam(str(remembered["user"]))
    except KeyError:
        return []  # and its home with it
    return remove(host, mark, remembered)


def forget_files(host: Host, user: str, names: tuple[str, ...]) -> None:
    """Files of an account's home are gone, whoever made them.

    Raises:
        Failed: ``login``: they cannot be removed.
    """

    def unlink(home: str) -> dict[str, Any]:
        for name in names:
            try:
                os.unlink(os.path.join(home, name))
            except (FileNotFoundError, NotADirectoryError):
                pass
        return {}

    _as_user(host, user, unlink)


def _add(home: str, line: str, mark: str) -> dict[str, Any]:
    directory = os.path.join(home, ".ssh")
    path = os.path.realpath(os.path.join(directory, "authorized_keys"))
    made_directory = not os.path.isdir(directory)
    if made_directory:
        os.mkdir(directory, 0o700)
    try:
        with open(path, "rb") as file:
            before = file.read()
        mode, made_file = os.stat(path).st_mode & 0o777, False
    except FileNotFoundError:
        before, mode, made_file = b"", 0o600, True
    ours = [number for number, text in enumerate(before.split(b"\n")) if _is_marked(text, mark)]
    lines = before.split(b"\n")
    if len(ours) == 1 and lines[ours[0]] == line.encode():
        return {"path": path, "changed": False, "file": False, "directory": made_directory}
    if ours:
        lines[ours[0]] = line.encode()
        for number in reversed(ours[1:]):
            del lines[number]
        after = b"\n".join(lines)
    else:
        after = before + (b"" if not before or before.endswith(b"\n") else b"\n") + line.encode() + b"\n"
    _replace(path, after, mode)
    return {"path": path, "changed": True, "file": made_file, "directory": made_directory}


def _drop(home: str, mark: str, remembered: dict[str, Any]) -> dict[str, Any]:
    directory = os.path.join(home, ".ssh")
    path = os.path.realpath(os.path.join(directory, "authorized_keys"))
    removed = []
    try:
        with open(path, "rb") as file:
            before = file.read()
    except FileNotFoundError:
        before = None
    if before is not None:
        lines = [text for text in before.split(b"\n") if not _is_marked(text, mark)]
        after = b"\n".join(lines)
        if after != before:
            removed.append(f"{path}: one line, marked {mark}")
            _replace(path, after, os.stat(path).st_mode & 0o777)
        if remembered.get("file") and not after.strip():
            os.unlink(path)
            removed.append(path)
    if remembered.get("directory"):
        try:
            os.rmdir(directory)
            removed.append(directory)
        except OSError:
            pass  # something else is in it by now, or it is gone
    return {"removed": removed}


def _is_marked(line: bytes, mark: str) -> bool:
    return line.split()[-1:] == [mark.encode()]


def _replace(path: str, data: bytes, mode: int) -> None:
    temporary = f"{path}.pymachine"
    try:
        os.unlink(temporary)
    except FileNotFoundError:
        pass
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(descriptor, mode)
        file.flush()
        os.fsync(descriptor)
    os.replace(temporary, path)
    sync_directory(os.path.dirname(path))


def _as_user(host: Host, user: str, action: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Run ``action(home)`` in a child that is that account, and return the dict it gives."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise Failed("login", f"the host has no account {user!r}") from None
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            if os.geteuid() == 0 and account.pw_uid != 0:
                os.initgroups(user, account.pw_gid)
                os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
                os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
            os.umask(0o077)
            answer = action(host.path(account.pw_dir))
        except BaseException as error:  # noqa: BLE001 (told to the parent; the child must end here)
            answer = {"error": str(error)}
        try:
            os.write(writer, json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    try:
        answer = json.loads(data)
    except ValueError:
        answer = {"error": "the child ended without a word"}
    if "error" in answer:
        raise Failed("login", f"the authorized_keys of {user} cannot be changed", answer["error"])
    return dict(answer)
