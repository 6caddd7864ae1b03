"""What the older dialects show of a message that has more than a text."""

from veche.core.messages import Message

LINK = "/#file="
"""Where the page of this server gets a file, before the id of the file. It asks for a ticket."""


def text_with_files(message: Message) -> str:
    """Return the text of a message, and a line for each of its files: its name, and a link to the page."""
    references = message.references
    if references is None or not references.files:
        return message.text
    lines = [message.text] if message.text else []
    return "\n".join([*lines, *(f"{file.name}: {LINK}{file.id}" for file in references.files)])
