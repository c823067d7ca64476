"""docker-machine's words for states (libmachine/state/state.go), and ours in them.

Under its own name pymachine says what it knows; scripts that call ``docker-machine`` know eight words and no other.
"""

from __future__ import annotations

from machine.model import State

# Its numbers are their places.
WORDS = ("", "Running", "Paused", "Saved", "Stopped", "Stopping", "Starting", "Error", "Timeout")

IN_ITS_WORDS = {
    State.CREATING: "Starting",
    State.STARTING: "Starting",
    State.RUNNING: "Running",
    State.STOPPING: "Stopping",
    State.STOPPED: "Stopped",
    State.PREEMPTED: "Stopped",  # the provider took it and may give it back
    State.GONE: "Error",  # as its amazonec2 says of an instance that is terminated
    State.ERROR: "Error",
    State.UNKNOWN: "Timeout",  # nobody answered; "Stopped", which its generic says then, would be a guess
}


def its_word(state: State, *, given: bool = False) -> str:
    """What docker-machine calls a state.

    Args:
        given: the machine is somebody else's endpoint, of which its driver none always says that it runs.
    """
    return "Running" if given and state is State.UNKNOWN else IN_ITS_WORDS[state]


def its_number(state: State) -> int:
    """The number behind that word."""
    return WORDS.index(IN_ITS_WORDS[state])
