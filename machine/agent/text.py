"""Text from elsewhere (a package manager, a certificate, a peer) before it goes to a journal, a terminal or a wire."""


def printable(text: str, limit: int = 500) -> str:
    """One line of at most ``limit`` characters, without control characters or surrogates."""
    shown = "".join(character if character.isprintable() else " " for character in text[: 4 * limit])
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
