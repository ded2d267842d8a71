"""Names the format of a file that cannot be read, by its first bytes, and the format to save it in."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import NamedTuple

from gpnerf.system.errors import DataError

# Suffixes of photographs, in lower case.
PHOTOGRAPH_SUFFIXES = (".png", ".jpg", ".jpeg")
# Enough for all marks below.
FIRST_BYTES = 64
COPY = "copy the file again from its source"
# Kind of file -> remedy: the format in which it can be read.
FORMS = {
    "image": "save it as an 8-bit PNG or JPEG",
    "depth": "save it as a 16-bit PNG in units such as millimetres, or as an .npy array in metres",
    "semantic": "save the ids as an 8-bit or 16-bit PNG",
    "instance": "save the ids as an 8-bit or 16-bit PNG",
    "mask": "save it as an 8-bit PNG, 0 for the pixels to leave out",
}


class Format(NamedTuple):
    """A file format. remedy: what the user can do; "" if the file must be saved in a format of FORMS."""

    name: str
    remedy: str = ""


DAMAGED_PNG = Format("a PNG that is cut off or damaged", COPY)
DAMAGED_JPEG = Format("a JPEG that is cut off or damaged", COPY)
POINTER = Format("a git-LFS pointer in place of the file", "fetch the file itself with `git lfs pull`")
WEB_PAGE = Format("a web page, such as a failed download leaves", "download the file itself")
RAW = Format("a camera's raw photograph")
# First bytes -> format. TIFF and WebP are read, except for variants that cannot be decoded.
MARKS = {
    b"\x89PNG\r\n\x1a\n": DAMAGED_PNG,
    b"\xff\xd8": DAMAGED_JPEG,
    b"version https://git-lfs": POINTER,
    b"\x76\x2f\x31\x01": Format("an OpenEXR file"),
    b"\x93NUMPY": Format("an .npy array"),
    b"PK\x03\x04": Format("a zip archive, such as .npz"),
    b"\x1f\x8b": Format("a gzip archive"),
    b"\x89HDF\r\n": Format("an HDF5 file"),
    b"GIF8": Format("a GIF"),
    b"PF\n": Format("a PFM file"),
    b"Pf\n": Format("a PFM file"),
    b"#?RADIANCE": Format("a Radiance HDR file"),
    b"8BPS": Format("a Photoshop file"),
    b"%PDF": Format("a PDF"),
    b"\xff\x0a": Format("a JPEG XL file"),
    b"\0\0\0\x0cJXL ": Format("a JPEG XL file"),
    b"\0\0\0\x0cjP  ": Format("a JPEG 2000 file"),
    b"FUJIFILMCCD-RAW": RAW,
    b"IIRO": RAW,
    b"IIRS": RAW,
    b"IIU\0": RAW,
    b"II+\0": Format("a BigTIFF file"),
    b"MM\0+": Format("a BigTIFF file"),
    b"II*\0": Format("a TIFF that cannot be decoded"),
    b"MM\0*": Format("a TIFF that cannot be decoded"),
}
TIFF = (b"II*\0", b"MM\0*")
# Refused even if some version of a library can decode them, or reads their header.
NEVER_READ = (b"\x76\x2f\x31\x01", b"PF\n", b"Pf\n", b"GIF8", b"\x89HDF")
# Suffixes of raw photographs that are stored as a TIFF: a decoder would read only their small preview.
RAW_SUFFIXES = {".dng", ".nef", ".nrw", ".cr2", ".arw", ".sr2", ".srw", ".pef", ".3fr", ".iiq", ".raw"}
# Brands of ISO media files, stored behind the length and the name of the first box.
BRANDS = {
    b"avif": "an AVIF photograph",
    b"avis": "an AVIF photograph",
    b"crx ": RAW.name,
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "a HEIC photograph"),
    **dict.fromkeys((b"mif1", b"msf1"), "a HEIF photograph"),
}


def is_never_read(name: str, head: bytes) -> bool:
    """Whether a file is refused even if a library can decode it."""
    return head.startswith(NEVER_READ) or _is_raw(name, head)


def _is_raw(name: str, head: bytes) -> bool:
    """Whether a file is a camera's raw photograph that is stored as a TIFF."""
    return head.startswith(TIFF) and PurePath(name).suffix.lower() in RAW_SUFFIXES


def unreadable(source: str, kind: str, head: bytes, size: int) -> DataError:
    """Returns the error that refuses a file of `size` bytes that begins with `head`.

    kind: what the file should hold, a key of FORMS.
    """
    found = _format(source, head)
    if found is None:
        found = Format(f"{size} bytes that cannot be decoded as one" if size else "an empty file", COPY)
    remedy = found.remedy or FORMS[kind]
    return DataError(f"{source}: expected an image, found {found.name}; {remedy}.")


def _format(source: str, head: bytes) -> Format | None:
    if _is_raw(source, head):
        return RAW
    if head[4:8] == b"ftyp":
        return Format(BRANDS.get(head[8:12], "a video"))
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format("a WebP file that cannot be decoded")
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return WEB_PAGE
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), None)


def is_lossy(path: Path) -> bool:
    """Whether a file is a JPEG or a lossy WebP, whatever its suffix; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head.startswith(b"\xff\xd8") or (head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8 ")
