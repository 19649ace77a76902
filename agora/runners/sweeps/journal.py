"""Finished rows on disk: one append-only journal a run, each line whole or ignored.

A line is ``checksum key outcome record``: the checksum (CRC-32, hex) covers the rest of the line, the
key says which scenario it is, the outcome is ``S`` (solved and certified), ``U`` (solved, not certified)
or ``F`` (failed), the record is JSON. A line that a kill or a full disk cut short fails its checksum and
is not there. Only one process writes a journal, each run has its own, and nothing written is ever
changed; so runs on one folder cannot harm each other, and what is on disk only grows.

The first line, with ``V`` for the outcome, says which code and versions write the journal; older journals
have none. Rows that other code has finished stay, but do not count.
"""

from __future__ import annotations

import json
import os
import secrets
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SOLVED, UNCERTIFIED, FAILED = b"S", b"U", b"F"
MADE_BY = b"V"
SYNC_SECONDS = 0.5
"""Time after which what was appended is forced from the system's memory onto the disk."""
SUFFIX = ".journal"


class NotWritten(OSError):
    """A finished row could not be written; those written before it are safe."""


def line(key: str, outcome: bytes, record: Mapping[str, Any]) -> bytes:
    """Return a row's line; JSON here also knows NaN and the infinities, as the tables do."""
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=True)
    body = key.encode("ascii") + b" " + outcome + b" " + text.encode("ascii") + b"\n"
    return f"{zlib.crc32(body):08x} ".encode("ascii") + body


@dataclass(frozen=True)
class Entry:
    """Where a finished row stands."""

    file: Path
    offset: int
    length: int
    outcome: bytes

    @property
    def good(self) -> bool:
        """Whether the row is solved and certified."""
        return self.outcome == SOLVED


class Journal:
    """The journal of one run, to which finished rows are appended; a context manager.

    Parameters
    ----------
    folder : Path
        The folder of the journals; made if it is not there.
    maker : mapping, optional
        Code and versions that finish the rows, for the first line.
    """

    def __init__(self, folder: Path, maker: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self._opening = b"" if maker is None else line("-", MADE_BY, maker)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        self.file = folder / f"{stamp}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._handle: int | None = None
        self._size = 0
        self._synced = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            try:
                self.sync()
            finally:
                os.close(self._handle)
                self._handle = None

    def append(self, lines: bytes) -> None:
        """Append whole lines.

        Raises
        ------
        NotWritten
            If they cannot be written; what was written of them is taken back.
        """
        lines = lines if self._size else self._opening + lines
        try:
            if self._handle is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
                self._handle = os.open(self.file, flags, 0o666)
                sync_folder(self.folder)
            left = memoryview(lines)
            while left:
                left = left[os.write(self._handle, left) :]
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self.sync()
        except OSError as error:
            if self._handle is not None:
                os.ftruncate(self._handle, self._size)
            raise NotWritten(error.errno, error.strerror, str(self.folder)) from error
        self._size += len(lines)

    def sync(self) -> None:
        """Force what was appended onto the disk."""
        if self._handle is not None:
            os.fsync(self._handle)
        self._synced = time.monotonic()


class Journals:
    """All journals of a folder: which rows are finished, and their records.

    A certified record of a key stands before one that is not, and that before a failed one; of equals
    the first read counts. `makers` says of each file which code wrote it; None: the file does not say.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        self.makers: dict[Path, dict[str, Any] | None] = {}
        self._read: dict[Path, int] = {}

    def refresh(self) -> None:
        """Read what was appended, here or by other runs, since the last look."""
        for file in sorted(self.folder.glob(f"*{SUFFIX}")):
            done = self._read.get(file, 0)
            if file.stat().st_size > done:
                self._read[file] = self._scan(file, done)

    def _scan(self, file: Path, offset: int) -> int:
        with file.open("rb") as stream:
            stream.seek(offset)
            for text in stream:
                if not text.endswith(b"\n"):  # cut short, or being written just now
                    return offset
                if offset == 0:
                    self.makers[file] = _maker(text)
                result = parse(text)
                if result is not None:
                    key, outcome = result
                    self._keep(key, Entry(file, offset, len(text), outcome))
                offset += len(text)
        return offset

    def _keep(self, key: str, entry: Entry) -> None:
        before = self.entries.get(key)
        rank = [SOLVED, UNCERTIFIED, FAILED].index
        if before is None or rank(entry.outcome) < rank(before.outcome):
            self.entries[key] = entry

    def records(self, keys: list[str]) -> Iterator[dict[str, Any] | None]:
        """Return the records of some keys in their order; None for one that is not there."""
        streams: dict[Path, Any] = {}
        try:
            for key in keys:
                entry = self.entries.get(key)
                if entry is None:
                    yield None
                    continue
                if entry.file not in streams:
                    streams[entry.file] = entry.file.open("rb")
                stream = streams[entry.file]
                stream.seek(entry.offset)
                yield json.loads(stream.read(entry.length).split(b" ", 3)[3])
        finally:
            for stream in streams.values():
                stream.close()


def parse(text: bytes) -> tuple[str, bytes] | None:
    """Return key and outcome of a line, or None if its checksum does not fit, or it is no row's."""
    key, outcome, _ = _parts(text)
    return (key.decode("ascii"), outcome) if outcome in (SOLVED, UNCERTIFIED, FAILED) else None


def _parts(text: bytes) -> tuple[bytes, bytes, bytes]:
    """Return key, outcome and record of a line, all empty if its checksum does not fit."""
    try:
        checksum, body = text.split(b" ", 1)
        if int(checksum, 16) == zlib.crc32(body):
            key, outcome, record = body.split(b" ", 2)
            return key, outcome, record
    except ValueError:
        pass
    return b"", b"", b""


def _maker(text: bytes) -> dict[str, Any] | None:
    """Return what a journal's first line says of the code that writes it, if it does."""
    _, outcome, record = _parts(text)
    if outcome != MADE_BY:
        return None
    maker: dict[str, Any] = json.loads(record)
    return maker


def sync_folder(folder: Path) -> None:
    """Force the folder's list of files onto the disk, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def draft_of(file: Path) -> Iterator[Path]:
    """Give a file to write, this run's own, that takes the place of `file` if all went well."""
    draft = file.with_name(f".{file.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield draft
        with draft.open("rb+") as stream:
            os.fsync(stream.fileno())
        draft.replace(file)
        sync_folder(file.parent)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(file: Path, content: bytes) -> None:
    """Write a file whole or not at all, and onto the disk."""
    with draft_of(file) as draft:
        draft.write_bytes(content)


# --- rows that other code has finished ---------------------------------------------------------------


def outdated_rows(
    journals: Journals, fingerprint: Mapping[str, Any], before: Mapping[str, Any]
) -> Counter[str]:
    """Count the finished rows of code, solvers or libraries other than these, by the code that finished them.

    Parameters
    ----------
    journals : Journals
        All journals of the folder, read.
    fingerprint : mapping
        Code and versions of this run.
    before : mapping
        The folder's manifest as this run has found it; it names the code of journals that do not.
    """
    rows = Counter(entry.file for entry in journals.entries.values())
    known = "code" in before and not _same_maker(before, fingerprint)
    counts: Counter[str] = Counter()
    for file, number in rows.items():
        maker = journals.makers[file]
        if maker is None or not _same_maker(maker, fingerprint):
            counts[_maker_name(maker or (before if known else {}), fingerprint)] += number
    return counts


def manifest_before(file: Path) -> dict[str, Any]:
    """Return the manifest of an earlier run, or nothing where there is none that can be read."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def outdated_caution(number: int, maker: str, folder: Path) -> str:
    """Return the caution about outdated rows."""
    rows = "1 row was" if number == 1 else f"{number} rows were"
    return (
        f"{rows} finished in {folder} by {maker}: what the dataset has of them is solved anew, and the "
        "journals are kept."
    )


def _same_maker(maker: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> bool:
    return all(maker.get(name) == value for name, value in fingerprint.items())


def _maker_name(maker: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> str:
    """Return the code that has finished a row, and what differs from the code here."""
    if not maker:
        return "an earlier version of Agora"
    theirs, ours = dict(maker.get("versions", {})), fingerprint["versions"]
    name = f"Agora {theirs.get('agora', 'of another version')}"
    if maker.get("code") != fingerprint["code"]:
        return f"{name} with other code"
    changed = [each for each in ours if each != "agora" and theirs.get(each) != ours[each]]
    changed += ["IPOPT"] if maker.get("ipopt") != fingerprint["ipopt"] else []
    return f"{name} with another version of {', '.join(changed)}" if changed else name
