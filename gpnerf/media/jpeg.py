"""Finds the end of the photograph in a JPEG file, to tell cut files from files with appended data.

Phones append a video (motion photos) or a second JPEG (brightness maps) to the photograph. Appended data and
embedded thumbnails can hold the bytes of any marker. So markers are followed from segment to segment, and not
searched for.
"""

from __future__ import annotations

import re

START = b"\xff\xd8"
SCAN, END = 0xDA, 0xD9
# Markers without a length: TEM and the restart markers.
BARE = {0x01, *range(0xD0, 0xD8)}
# FF 00 is a data byte of a scan; in FF FF, the marker begins one byte later.
MARKER = re.compile(rb"\xff[^\x00\xff]")
MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# Markers that may follow a scan: tables, the next scan, comments, the end. Any other one is foreign data.
AFTER_SCAN = {0xC4, SCAN, END, *range(0xDB, 0xDE), *range(0xE0, 0xF0), 0xFE}


def photograph(data: bytes) -> bytes | None:
    """Returns the file up to its end marker; None if it is cut off, without an end marker after its scans."""
    position, scanned = len(START), False
    while match := (MARKER_IN_SCAN if scanned else MARKER).search(data, position):
        marker, position = data[match.start() + 1], match.end()
        if scanned and marker not in AFTER_SCAN:
            return None
        if marker == END:
            return data[:position] if scanned else None
        if marker not in BARE:
            position += int.from_bytes(data[position : position + 2], "big")
        scanned |= marker == SCAN
    return None
