"""Standard output belongs to an answer: what a library prints, from Python or from C, goes to stderr.

Compiled code writes to file descriptor 1, where replacing ``sys.stdout`` does not reach. `CommandOutput`
takes the descriptor for a command as long as it runs; `kept_off_stdout` takes it for the moment in which a
library, used from anybody's Python, makes an object that greets.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from types import TracebackType
from typing import Any, Self, TextIO, cast

STDOUT, STDERR = 1, 2

_PATIENCE = 1.0
"""Seconds that another thread's `print` waits at most for a greeting to be over."""

_turn = threading.RLock()
"""Held by whoever has file descriptor 1 point elsewhere: who takes it in turn gives back what he found."""


# --- a moment ------------------------------------------------------------------------------------


@contextmanager
def descriptors_in_turn() -> Iterator[None]:
    """Let no other thread point file descriptor 1 elsewhere, while inside.

    For calls into libraries that point it elsewhere themselves.
    """
    with _turn:
        yield


@contextmanager
def kept_off_stdout() -> Iterator[None]:
    """Send to stderr what compiled code writes to standard output, while inside.

    The descriptor is the whole process's, so one thread at a time is inside, and only for a moment: what
    other threads print in Python meanwhile waits and then goes where it should. What they write past
    ``sys.stdout`` just then is on stderr; nothing is dropped.
    """
    with _turn, _printing_held_back():
        try:
            found = os.dup(STDOUT)
        except OSError:  # closed: nothing that is written to it goes anywhere
            yield
            return
        try:
            _flush_c_stdout()
            _point_stdout_at_stderr()
            yield
        finally:
            _flush_c_stdout()
            os.dup2(found, STDOUT)
            os.close(found)


@contextmanager
def _printing_held_back() -> Iterator[None]:
    """Let other threads that print through ``sys.stdout`` wait, if it is file descriptor 1."""
    stream = sys.stdout
    if not _is_on_stdout(stream):
        yield
        return
    waiting = _waiting_room(stream)
    with waiting.closed():
        sys.stdout = cast(TextIO, waiting)
        try:
            _flush(stream)  # else what was printed before would follow the descriptor
            yield
        finally:
            if cast(Any, sys.stdout) is waiting:
                sys.stdout = stream
    _flush(stream)


class _WaitingRoom:
    """A stream in all but that other threads' writes wait while it is closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._door = stream, threading.RLock()

    @contextmanager
    def closed(self) -> Iterator[None]:
        with self._door:
            yield

    @contextmanager
    def _entered(self) -> Iterator[None]:
        # Not for ever: whoever has closed the door may be waiting for a lock of ours, in a destructor.
        entered = self._door.acquire(timeout=_PATIENCE)
        try:
            yield
        finally:
            if entered:
                self._door.release()

    def write(self, text: str) -> int:
        with self._entered():
            return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        with self._entered():
            self._stream.writelines(lines)

    def flush(self) -> None:
        with self._entered():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@cache
def _waiting_room(stream: TextIO) -> _WaitingRoom:
    """Return the waiting room of a stream: one for ever, since Python's `print` does not hold its stream.

    A thread that is printing into one that nobody holds any more would crash the process.
    """
    return _WaitingRoom(stream)


# --- a command's whole life -----------------------------------------------------------------------


class CommandOutput:
    """Standard output, kept for a command's answer.

    Between `begin` and `end` file descriptor 1 is stderr, for this process and those it starts, and
    ``sys.stdout`` writes to a private copy of what it was. Where ``sys.stdout`` is not file descriptor 1,
    as in tests and notebooks, it stays as it is.

    Attributes
    ----------
    borrowed : bool
        Whether ``sys.stdout`` is somebody else's, so that the process is too.
    trouble : OSError or None
        Why the answer could not be written, if it could not. A reader who has gone away, as ``head`` does,
        is no trouble: the rest of the answer is dropped.
    """

    def __init__(self) -> None:
        self.borrowed = False
        self._found: TextIO | None = None
        self._copy = -1
        self._answer: _Answer | None = None

    @property
    def trouble(self) -> OSError | None:
        """Return why the answer could not be written, if it could not."""
        return None if self._answer is None else self._answer.trouble

    def begin(self) -> Self:
        """Take standard output; what Python has printed before is written first."""
        _open_standard_descriptors()
        self._found = found = sys.stdout
        self.borrowed = found is not None and not _is_on_stdout(found)
        if found is not None:
            _flush(found)
        self._copy = os.dup(STDOUT)
        _point_stdout_at_stderr()
        if not self.borrowed:
            self._answer = sys.stdout = _Answer(self._copy, found)
        return self

    def finish(self) -> None:
        """Write what is left of the answer."""
        if self._answer is not None:
            self._answer.flush()

    def end(self) -> None:
        """Give standard output back; what compiled code has not written yet goes to stderr."""
        self.finish()
        _flush_c_stdout()
        if self._answer is not None:
            if self._found is not None:
                _flush(self._found)
            sys.stdout = cast(TextIO, self._found)
        os.dup2(self._copy, STDOUT)
        os.close(self._copy)

    def __enter__(self) -> Self:
        """Begin."""
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, whatever happened inside."""
        self.end()


class _Answer(io.TextIOWrapper):
    """A text stream on a file descriptor of its own that survives a reader who goes away."""

    def __init__(self, descriptor: int, like: TextIO | None) -> None:
        super().__init__(
            open(descriptor, "wb", closefd=False),  # noqa: SIM115 - it stays open
            encoding=getattr(like, "encoding", None),
            errors=getattr(like, "errors", None),
            line_buffering=getattr(like, "line_buffering", False),
            write_through=getattr(like, "write_through", False),
        )
        self._descriptor = descriptor
        self.trouble: OSError | None = None

    def write(self, text: str) -> int:
        """Write text; if that cannot be, the rest of the answer goes nowhere."""
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered; if that cannot be, the rest of the answer goes nowhere."""
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)
            super().flush()

    def _give_up(self, error: OSError) -> None:
        gone = {errno.EPIPE, errno.EINVAL} if sys.platform == "win32" else {errno.EPIPE}
        if error.errno not in gone:
            self.trouble = error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._descriptor, inheritable=False)
        os.close(nowhere)


# --- descriptors ----------------------------------------------------------------------------------


def _is_on_stdout(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.fileno() == STDOUT
    except (AttributeError, OSError, ValueError):  # no file, or closed
        return False


def _flush(stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # a reader who has gone away, a closed stream
        stream.flush()


def _open_standard_descriptors() -> None:
    """Open those of 0, 1 and 2 that are closed, on nothing; else the next file would be one of them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, descriptor)
            if nowhere != descriptor:
                os.close(nowhere)


def _point_stdout_at_stderr() -> None:
    try:
        os.dup2(STDERR, STDOUT)
    except OSError:  # stderr is closed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, STDOUT)
        os.close(nowhere)


def _flush_c_stdout() -> None:
    """Write what C's stdio has buffered for standard output (and nothing else: ``fflush(NULL)`` may wait)."""
    found = _c_stdout()
    if found is not None:
        library, stream = found
        library.fflush(stream)


@cache
def _c_stdout() -> tuple[Any, Any] | None:
    """Return the C library and its standard output, if they can be found here."""
    try:
        if sys.platform == "win32":
            library = ctypes.CDLL("ucrtbase")
            library.__acrt_iob_func.restype = ctypes.c_void_p
            return library, ctypes.c_void_p(library.__acrt_iob_func(STDOUT))
        library = ctypes.CDLL(None)
        name = "__stdoutp" if sys.platform == "darwin" else "stdout"
        return library, ctypes.c_void_p.in_dll(library, name)
    except (OSError, AttributeError, ValueError):
        return None
