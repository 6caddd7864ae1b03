"""Write core/unicode_tables.py from the files of the Unicode Consortium: `scripts/unicode_tables.py FOLDER`.

FOLDER holds DerivedAge.txt, DerivedCoreProperties.txt, PropertyValueAliases.txt, Scripts.txt and ScriptExtensions.txt
of https://www.unicode.org/Public/UCD/latest/ucd/, and confusables.txt of
https://www.unicode.org/Public/security/latest/.

The skeletons of usernames are stored. So a new table needs a migration that makes them again, as 0003 does.
"""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

TABLES = Path(__file__).resolve().parents[1] / "src" / "veche" / "core" / "unicode_tables.py"
OLDEST = (14, 0)  # the Unicode of the oldest Python that Veche runs on: every Python treats these code points alike

HEAD = '''"""What Unicode says about the code points of names. Written by scripts/unicode_tables.py; do not edit.

Only code points that Unicode {age} has, so that a name is a name on every Python that Veche runs on.
The license of the data is in LICENSE.unicode.
"""

'''
SCRIPTS = '''\
# Of Unicode {version}. By the scripts that use a code point (ISO 15924; Zyyy is common, Zinh inherited): the
# ranges, in hexadecimal. A code point that is in none of them is not assigned.
SCRIPTS = """
{lines}
"""

'''
IGNORABLE = '''\
# Default_Ignorable_Code_Point: what shows nothing where it is not supported. Unassigned ones too.
IGNORABLE = """
{lines}
"""

'''
CONFUSABLES = '''\
# Of UTS 39 {version}. After =: the code points that look like what is before it. A code point that is not here
# looks like its NFKD form.
CONFUSABLES = """
{lines}
"""
'''


def rows(path: Path) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the first and the last code point of each line, and its other fields."""
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        code, *fields = (field.strip() for field in line.partition("#")[0].split(";"))
        if found := re.fullmatch(r"([0-9A-F]+)(?:\.\.([0-9A-F]+))?", code):
            yield int(found[1], 16), int(found[2] or found[1], 16), fields


def version(path: Path) -> str:
    found = re.search(r"(?:-|Version: )(\d+\.\d+)\.\d+", path.read_text(encoding="utf-8-sig")[:400])
    assert found, f"{path} does not say its version"
    return found[1]


def assigned(folder: Path) -> set[int]:
    return {
        char
        for first, last, fields in rows(folder / "DerivedAge.txt")
        if tuple(map(int, fields[0].split("."))) <= OLDEST
        for char in range(first, last + 1)
    }


def scripts(folder: Path, known: set[int]) -> Iterator[str]:
    aliases = {}
    for line in (folder / "PropertyValueAliases.txt").read_text(encoding="utf-8").splitlines():
        fields = [field.strip() for field in line.split(";")]
        if fields[0] == "sc":
            aliases[fields[2]] = fields[1]
    of: dict[int, str] = {}
    for name in ("Scripts.txt", "ScriptExtensions.txt"):  # the second says more about some code points of the first
        for first, last, fields in rows(folder / name):
            used_by = " ".join(sorted(aliases.get(each, each) for each in fields[0].split()))
            of |= dict.fromkeys(range(first, last + 1), used_by)
    ranges: defaultdict[str, list[list[int]]] = defaultdict(list)
    for char in sorted(known & of.keys()):
        if ranges[of[char]] and ranges[of[char]][-1][1] == char - 1:
            ranges[of[char]][-1][1] = char
        else:
            ranges[of[char]].append([char, char])
    for used_by, found in sorted(ranges.items()):
        yield f"{used_by}={' '.join(map(span, found))}"


def span(ends: list[int]) -> str:
    first, last = ends
    return f"{first:X}" if first == last else f"{first:X}-{last:X}"


def ignorable(folder: Path) -> Iterator[str]:
    found = [
        [first, last]
        for first, last, fields in rows(folder / "DerivedCoreProperties.txt")
        if fields[0] == "Default_Ignorable_Code_Point"
    ]
    joined: list[list[int]] = []
    for first, last in sorted(found):
        if joined and joined[-1][1] == first - 1:
            joined[-1][1] = last
        else:
            joined.append([first, last])
    yield " ".join(map(span, joined))


def confusables(folder: Path, known: set[int]) -> Iterator[str]:
    looks = {
        chr(char): "".join(chr(int(code, 16)) for code in fields[0].split())
        for char, _, fields in rows(folder / "confusables.txt")
        if char in known and unicodedata.normalize("NFD", chr(char)) == chr(char)
    }
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for char, look in looks.items():
        parts = unicodedata.normalize("NFKD", char)
        if parts == char or unicodedata.normalize("NFD", "".join(looks.get(part, part) for part in parts)) != look:
            alike[look].append(char)
    for look, chars in sorted(alike.items()):
        yield f"{' '.join(f'{ord(char):X}' for char in look)}={' '.join(f'{ord(char):X}' for char in sorted(chars))}"


def filled(entries: Iterator[str]) -> str:
    return "\n".join(wrap("; ".join(entries), 118, break_long_words=False, break_on_hyphens=False))


def main(folder: Path) -> None:
    known = assigned(folder)
    text = HEAD.format(age=".".join(map(str, OLDEST)))
    text += SCRIPTS.format(version=version(folder / "Scripts.txt"), lines=filled(scripts(folder, known)))
    text += IGNORABLE.format(lines=filled(ignorable(folder)))
    text += CONFUSABLES.format(version=version(folder / "confusables.txt"), lines=filled(confusables(folder, known)))
    TABLES.write_text(text, encoding="ascii")
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", str(TABLES)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
