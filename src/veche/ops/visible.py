"""Shows text that other people wrote, in a terminal and in a log, without letting it act on them."""


def visible(text: str) -> str:
    r"""Return a text letter for letter, in which every character that cannot be seen is written as an escape.

    Control characters, line breaks, bidirectional and zero-width characters and lone surrogates become `\x1b`,
    `\u202e` and the like. So a text can neither move the cursor nor start a line of its own.
    """
    return text if text.isprintable() else "".join(char if char.isprintable() else _escape(char) for char in text)


def visible_lines(text: str) -> str:
    """Return the same, but keep the line breaks."""
    return "\n".join(map(visible, text.split("\n")))


def cut(text: str, longest: int) -> str:
    """Return a text, cut to `longest` characters and an ellipsis."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
