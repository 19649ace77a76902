"""Executors of many scenarios: any `concurrent.futures.Executor`.

By default processes on this machine, one solver thread each; or the workers of a Dask scheduler that
runs already, on this machine or on a cluster. Processes are started fresh (not forked), so that no
solver's state is shared, and end by themselves if the one that started them is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

from agora.data.checks import InputError

_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in _LIBRARIES}
"""Environment of a worker, set before its libraries are loaded."""

CONNECT_SECONDS = 10
"""Time within which a scheduler has to answer."""

_WORK = "agora.runners.sweeps.work"


class Engine:
    """An executor, and how many pieces of work it does at once (its width); `renew` may put another there."""

    def __init__(self, executor: Executor, width: int) -> None:
        self.executor, self.width = executor, width

    def renew(self) -> None:
        """Make ready to go on after a piece of work was lost: here the executor is as good as before."""

    def stop(self) -> None:
        """Stop at once; work that has not begun is dropped."""
        self.executor.shutdown(wait=False, cancel_futures=True)


class _AtOnce(Executor):
    """Does what it is given at once, in this process: for a debugger, or where none can be started."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Processes(Engine):
    """Processes on this machine."""

    def __init__(self, workers: int) -> None:
        super().__init__(_pool(workers), workers)

    def renew(self) -> None:
        """Start new processes."""
        self.stop()
        self.executor = _pool(self.width)

    def stop(self) -> None:
        """Stop at once, the processes too."""
        processes = list((getattr(self.executor, "_processes", None) or {}).values())
        super().stop()
        for process in processes:
            process.kill()


def _pool(workers: int) -> ProcessPoolExecutor:
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([_WORK])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when the parent does, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: Any) -> None:
    parent.join()
    os._exit(1)


class Dask(Engine):
    """The workers of a Dask scheduler; work of a worker that dies is given to another."""

    def __init__(self, address: str) -> None:
        allowed = "the address of a running Dask scheduler, such as tcp://127.0.0.1:8786"
        try:
            from distributed import Client as client_class
        except ImportError:
            raise InputError("--scheduler", address, "left out, or agora[cluster] be installed") from None
        try:
            self.client: Any = cast(Any, client_class)(address, timeout=CONNECT_SECONDS, set_as_default=False)
            self.client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except (OSError, ValueError, TimeoutError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError("--scheduler", address, f"{allowed}, with a worker ({reason})") from None
        width = sum(self.client.nthreads().values())
        super().__init__(self.client.get_executor(pure=False, retries=3), width)

    def stop(self) -> None:
        """Drop what has not begun, and leave the scheduler as it was found."""
        self.executor.shutdown(wait=False)
        self.client.close()


@contextmanager
def engine(workers: int | None = None, scheduler: str | None = None) -> Iterator[Engine]:
    """Give an engine: Dask if a scheduler is named, else `workers` processes (one a core unless given).

    With no worker at all, 0, the work is done in this process.

    Raises
    ------
    InputError
        For a bad number of workers, both a number and a scheduler, or a scheduler that does not answer.
    """
    if workers is not None and workers < 0:
        raise InputError("--workers", workers, "a whole number >= 1, or 0 for this process alone")
    if workers is not None and scheduler is not None:
        raise InputError("--workers", workers, "left out where --scheduler is given")
    if workers == 0:
        yield Engine(_AtOnce(), 1)
        return
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    made: Engine | None = None
    try:
        made = Dask(scheduler) if scheduler is not None else Processes(workers or cores())
        yield made
    finally:
        if made is not None:
            made.stop()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def cores() -> int:
    """Return the number of cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
