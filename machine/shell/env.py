"""``env``: assignments that a shell evaluates, to the letter as docker-machine prints them (commands/env.go).

Standard library only, and little of it: the hot path prints with this.
"""

from __future__ import annotations

SHELLS = ("bash", "cmd", "dash", "emacs", "fish", "ksh", "powershell", "pwsh", "sh", "tcsh", "zsh")

# shell: (set, unset, comment); {k} is the name and {v} the value, escaped
_POSIX = ('export {k}="{v}"', "unset {k}", "#")
_FORMS = {
    "fish": ('set -gx {k} "{v}";', "set -e {k};", "#"),
    "powershell": ('$Env:{k} = "{v}"', "Remove-Item Env:\\\\{k}", "#"),
    "pwsh": ('$Env:{k} = "{v}"', "Remove-Item Env:\\\\{k}", "#"),
    "cmd": ("SET {k}={v}", "SET {k}=", "REM"),
    "tcsh": ('setenv {k} "{v}";', "unsetenv {k};", ":"),
    "emacs": ('(setenv "{k}" "{v}")', '(setenv "{k}" nil)', ";;"),
}
_HINTS = {
    "fish": "eval ({})",
    "powershell": "& {} | Invoke-Expression",
    "pwsh": "& {} | Invoke-Expression",
    "cmd": "\t@FOR /f \"tokens=*\" %i IN ('{}') DO @%i",
    "tcsh": "eval `{}`",
    "emacs": '(with-temp-buffer (shell-command "{}" (current-buffer)) (eval-buffer))',
}
_ESCAPED = {
    "fish": '\\"$',
    "powershell": '`"$',
    "pwsh": '`"$',
    "emacs": '\\"',
}
# What does not survive the splitting of an unquoted substitution, or the quotes of any POSIX shell or tcsh.
_SPLIT = " \t*?\"'$`\\"
_PLAIN = "/._-:,+@="
_POSIX_ESCAPED = '\\"$`'

NAMES = ("DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME")


def variables(name: str, url: str, cert_path: str | None) -> list[tuple[str, str | None]]:
    """What a docker client needs to reach a machine, in docker-machine's order; None: unset, there is no TLS."""
    return list(zip(NAMES, ("1" if cert_path else None, url, cert_path, name), strict=True))


def no_proxy(environ: dict[str, str], address: str) -> tuple[str, str]:
    """The no_proxy variable with a machine's address in it; the lower-case name wins where it says something."""
    name = "no_proxy" if environ.get("no_proxy") else "NO_PROXY"
    current = environ.get(name, "")
    if address in current.split(","):
        return name, current
    return name, f"{current},{address}" if current else address


def render(
    pairs: list[tuple[str, str | None]], shell: str, command: str, *, windows: bool = False, note: str = ""
) -> str:
    """The whole output of ``env``: the assignments and the hint how to use them.

    Args:
        pairs: names and values; None: unset it.
        shell: one of `SHELLS`; anything else is taken for a POSIX shell.
        command: the command line that prints this.
        windows: the client is Windows, and docker-compose there wants to be told.
        note: one more line for people, as a comment.
    """
    set_form, unset_form, comment = _FORMS.get(shell, _POSIX)
    if windows:
        pairs = [*pairs, ("COMPOSE_CONVERT_WINDOWS_PATHS", "true")]
    # First, and ended: an unquoted `eval $(…)` makes one line of all, and what follows is not to be unset as well.
    ended = unset_form if unset_form.endswith(";") or shell in _FORMS else unset_form + ";"
    lines = [ended.format(k=name) for name, value in pairs if value is None]
    lines += [set_form.format(k=name, v=_escaped(value, shell)) for name, value in pairs if value is not None]
    if note:
        lines.append(f"{comment} {note}")
    return "\n".join([*lines, hint(shell, command)]) + "\n"


def tunnel_note(name: str, route: str) -> str:
    """What must be said of a machine whose endpoint is at a tunnel's end; empty for any other."""
    return "" if route != "ssh" else f"Reached through SSH only: keep `pymachine tunnel {name}` running."


def render_unset(names: list[str], shell: str, command: str) -> str:
    """The whole output of ``env --unset``."""
    _, unset_form, _ = _FORMS.get(shell, _POSIX)
    return "\n".join([*(unset_form.format(k=name) for name in names), hint(shell, command)]) + "\n"


def hint(shell: str, command: str) -> str:
    """The two comment lines that say how to evaluate the output."""
    comment = _FORMS.get(shell, _POSIX)[2]
    how = _HINTS.get(shell, "eval $({})").format(command)
    return f"{comment} Run this command to configure your shell: \n{comment} {how}"


def detect(environ: dict[str, str], *, windows: bool = False) -> str | None:
    """The user's shell by its name, or None where nothing says."""
    path = environ.get("SHELL", "")
    if path:
        name = path.replace("\\", "/").rpartition("/")[2]
        return name.removesuffix(".exe")
    return "cmd" if windows else None


def _escaped(value: str, shell: str) -> str:
    if shell == "cmd":
        return "".join(f"^{char}" if char in "&|<>^" else char for char in value)
    if shell in _ESCAPED:
        mark = "`" if shell in ("powershell", "pwsh") else "\\"
        return "".join(mark + char if char in _ESCAPED[shell] else char for char in value)
    split = _SPLIT + "{" if shell == "tcsh" else _SPLIT
    if any(char in split for char in value) and "\n" not in value:
        return _printed(value, "`{}`" if shell == "tcsh" else "$({})")
    if shell == "tcsh":  # inside double quotes tcsh escapes nothing: leave them, quote the character, go on
        return "".join(f'"\\{char}"' if char in '"$`!\\' else char for char in value)
    return "".join("\\" + char if char in _POSIX_ESCAPED else char for char in value)


def _printed(value: str, substitution: str) -> str:
    """A value without a blank, a quote or a pattern in it: what an unquoted ``eval $(…)`` leaves as it is.

    docker-machine's own hint taught people to write it so; the shell then splits the output into words, and makes
    names of files of what looks like a pattern, before anything is evaluated.
    """
    octal = "".join(_octal(char) for char in value)
    if octal.startswith("-"):  # printf would take it for an option
        octal = f"\\{ord('-'):03o}{octal[1:]}"
    return substitution.format(f"printf '{octal}'")


def _octal(char: str) -> str:
    """One character in the words of printf(1)."""
    if char == "%":
        return "%%"
    return char if char.isalnum() or char in _PLAIN or not char.isascii() else f"\\{ord(char):03o}"
