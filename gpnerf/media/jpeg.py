"""Where the photograph in a JPEG file ends: cut files are told from those with something behind the end.

Phones append a film (motion photos) or a second JPEG (brightness maps) to the photograph. The bytes of
those hold every pair of bytes by chance, and so do thumbnails in front of it: marks are followed, not
searched for.
"""

from __future__ import annotations

import re

START = b"\xff\xd8"
SCAN, END = 0xDA, 0xD9
# Marks without a length: TEM and the restart marks.
BARE = {0x01, *range(0xD0, 0xD8)}
# Inside a scan FF 00 is a byte of it, and FF FF begins the mark one byte later.
MARK = re.compile(rb"\xff[^\x00\xff]")
MARK_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# What may follow a scan: tables, the next scan, notes, the end. Any other mark tells of foreign bytes.
AFTER_SCAN = {0xC4, SCAN, END, *range(0xDB, 0xDE), *range(0xE0, 0xF0), 0xFE}


def photograph(data: bytes) -> bytes | None:
    """The file up to its end mark; None where it is cut off: no end follows its scans."""
    position, scanned = len(START), False
    while match := (MARK_IN_SCAN if scanned else MARK).search(data, position):
        mark, position = data[match.start() + 1], match.end()
        if scanned and mark not in AFTER_SCAN:
            return None
        if mark == END:
            return data[:position] if scanned else None
        if mark not in BARE:
            position += int.from_bytes(data[position : position + 2], "big")
        scanned |= mark == SCAN
    return None
