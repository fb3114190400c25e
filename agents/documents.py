"""Tables that a command writes into a document, between two markers of its own."""

from __future__ import annotations


def put_between(document: str, begin: str, end: str, text: str, error: type[Exception]) -> str:
    """A document with another text between its markers.

    Args:
        document: has both markers on lines of their own.
        begin: the first marker.
        end: the second.
        text: whole lines.
        error: raised, with the cure, when a marker is missing.
    """
    before, first, rest = document.partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise error(f"no place for the table: write {begin} and {end} on lines of their own")
    return f"{before}{begin}\n{text}{end}{after}"
