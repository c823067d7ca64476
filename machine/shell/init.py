"""``shell-init``: a shell function that can change the shell it runs in, and a segment for its prompt.

``pymachine use NAME`` sets the variables of ``env NAME`` here and now, ``use -`` goes back, ``use --unset`` clears
them; everything else is handed to the command itself.
"""

from __future__ import annotations

SHELLS = ("bash", "zsh", "fish")

_POSIX = r"""@PROGRAM@() {
    if [ "${1-}" != use ]; then
        command @PROGRAM@ "$@"
        return
    fi
    shift
    local name=${1-} said
    case $name in
        "" | -h | --help)
            echo "usage: @PROGRAM@ use NAME | use - | use --unset"
            [ -n "$name" ]
            return ;;
        -u | --unset)
            said=$(command @PROGRAM@ env --shell @SHELL@ --unset) || return ;;
        -)
            if [ -z "${PYMACHINE_PREVIOUS-}" ]; then
                echo "@PROGRAM@ use: no machine was used before in this shell" >&2
                return 1
            fi
            said=$(command @PROGRAM@ env --shell @SHELL@ "$PYMACHINE_PREVIOUS") || return ;;
        *)
            said=$(command @PROGRAM@ env --shell @SHELL@ "$@") || return ;;
    esac
    PYMACHINE_PREVIOUS=${DOCKER_MACHINE_NAME-}
    eval "$said"
    [ -z "${DOCKER_MACHINE_NAME-}" ] || echo "Using $DOCKER_MACHINE_NAME at $DOCKER_HOST"
}
# For your prompt: PS1='$(@PROGRAM@_ps1 "[%s] ")'"$PS1"
@PROGRAM@_ps1() {
    [ -z "${DOCKER_MACHINE_NAME-}" ] || printf -- "${1:- [%s]}" "$DOCKER_MACHINE_NAME"
}
"""

_FISH = r"""function @PROGRAM@
    if test "$argv[1]" != use
        command @PROGRAM@ $argv
        return
    end
    set -l name $argv[2]
    set -l said
    switch "$name"
        case '' -h --help
            echo "usage: @PROGRAM@ use NAME | use - | use --unset"
            test -n "$name"
            return
        case -u --unset
            set said (command @PROGRAM@ env --shell fish --unset); or return
        case -
            if test -z "$PYMACHINE_PREVIOUS"
                echo "@PROGRAM@ use: no machine was used before in this shell" >&2
                return 1
            end
            set said (command @PROGRAM@ env --shell fish $PYMACHINE_PREVIOUS); or return
        case '*'
            set said (command @PROGRAM@ env --shell fish $argv[2..-1]); or return
    end
    set -g PYMACHINE_PREVIOUS "$DOCKER_MACHINE_NAME"
    for line in $said
        string match -q '#*' -- $line; or eval $line
    end
    test -z "$DOCKER_MACHINE_NAME"; or echo "Using $DOCKER_MACHINE_NAME at $DOCKER_HOST"
end
# For your prompt: call @PROGRAM@_ps1 in fish_prompt
function @PROGRAM@_ps1
    test -z "$DOCKER_MACHINE_NAME"; or printf '[%s] ' $DOCKER_MACHINE_NAME
end
"""


def render(shell: str, program: str) -> str:
    """What a shell evaluates at its start.

    Args:
        shell: one of `SHELLS`.
        program: the name of the command; also the function's.
    """
    text = _FISH if shell == "fish" else _POSIX
    return text.replace("@PROGRAM@", program).replace("@SHELL@", shell)
