"""The engine: Dask, over processes of this machine, a cluster's batch system, or a scheduler that is there already.

Promises: every job that is given comes back, done or as the reason why not; a worker that dies, and what a job raises, costs a new
attempt on another worker, RETRIES of them. A job of a batch system that ends early is replaced. Of the jobs that wait, the one
with the highest priority begins first. A farm without a single worker for `wait` seconds is refused. Leaving the block ends what
runs on the workers.
Needs: dask-jobqueue's cluster classes need their batch system's commands. Workers must see the same files under the same paths.
Costs: a second to start; a few milliseconds a job. Dask's profiler and stealing are off: they would cost a tenth on two processors.
"""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import dask
import distributed

from shootdown.errors import InputError
from shootdown.regress import process

__all__ = ["BATCH", "RETRIES", "Done", "Farm", "Place"]

BATCH = {"slurm": "SLURMCluster", "lsf": "LSFCluster", "pbs": "PBSCluster", "sge": "SGECluster"}
"""Names of --farm: classes of dask-jobqueue."""
RETRIES = 2
START_SECONDS = 60
PAGE = "127.0.0.1:0"  # of Dask's own status page: any free port
BATCH_DEFAULTS: Mapping[str, Any] = {"cores": 1, "processes": 1, "memory": "4GB", "walltime": "04:00:00"}
SETTINGS = {
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-saturation": 1.0,  # a worker is given a job when it is free, not before
    "distributed.scheduler.allowed-failures": RETRIES,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.comm.retry.count": 3,
    "distributed.deploy.lost-worker-timeout": "5s",  # then its batch job counts as ended
}


@dataclass(frozen=True)
class Place:
    """Where jobs run. `kind`: "local", a name of BATCH, or a scheduler's address. `options`: of the cluster's class. `wait`:
    seconds until the first worker must be there."""

    jobs: int = 2
    kind: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    wait: float = 600.0


@dataclass(frozen=True)
class Done:
    """`error`: why there is no `value`."""

    key: Hashable
    value: Any = None
    error: str = ""


class _OnWorker(distributed.WorkerPlugin):  # type: ignore[misc, unused-ignore]
    """Ctrl-C reaches every process of a terminal; the runner alone decides what it means."""

    name = "shootdown"

    def setup(self, worker: Any) -> None:
        """The worker starts, or a regression comes to one that is there."""
        process.ready()
        with suppress(ValueError):  # not its process's main thread: the signal cannot reach it either
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def teardown(self, worker: Any) -> None:
        """The worker ends in good order."""
        process.stop()


class Farm(AbstractContextManager["Farm"]):
    """A place with its workers, as a block."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._cluster: Any = None
        self._client: Any = None
        self._settings: Any = None
        self._waiting: dict[Any, Hashable] = {}
        self._ended: Any = None
        self._given = 0

    def __enter__(self) -> Farm:
        for talker in ("distributed", "tornado", "asyncio"):  # what ends early says so here, and nobody needs to know
            logging.getLogger(talker).setLevel(logging.CRITICAL)
        self._settings = dask.config.set(SETTINGS)
        try:
            self._cluster = _cluster(self._place)
            target = self._place.kind if self._cluster is None else self._cluster
            self._client = distributed.Client(target, timeout=START_SECONDS, set_as_default=False)
            self._client.register_plugin(_OnWorker())
            self._client.wait_for_workers(1, timeout=self._place.wait)
        except TimeoutError:
            self.__exit__(None, None, None)
            raise InputError(
                f"--farm {self._place.kind}: no worker came within {self._place.wait:g} s",
                "the batch system's queue says why; --farm-wait waits longer",
            ) from None
        except (OSError, ValueError, RuntimeError) as error:
            self.__exit__(None, None, None)
            raise InputError(f"--farm {self._place.kind}: {_words(error)}", "is it there, and are its commands on PATH?") from None
        self._ended = distributed.as_completed(loop=self._client.loop)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(Exception):  # whatever is gone already needs no ending
            if self._waiting:
                self._client.cancel(list(self._waiting), force=True)
                self._client.run(process.stop, wait=self._cluster is not None, on_error="ignore")
        for part in (self._client, self._cluster):
            with suppress(Exception):
                if part is not None:
                    part.close(timeout=10)
        if self._settings is not None:
            self._settings.__exit__(None, None, None)

    def submit(self, key: Hashable, first: int, job: Callable[..., Any], *arguments: Any) -> None:
        """Give a job; of those that wait, the one with the largest `first` begins next."""
        self._given += 1
        future = self._client.submit(job, *arguments, key=("regress", self._given), pure=False, retries=RETRIES, priority=first)
        self._waiting[future] = key
        self._ended.add(future)

    def finished(self) -> Iterator[Done]:
        """What has been given, as it ends; more may be given meanwhile."""
        while self._waiting:
            future = next(self._ended)
            key = self._waiting.pop(future)
            try:
                yield Done(key, future.result())
            except Exception as error:
                yield Done(key, error=_words(error))


def _cluster(place: Place) -> Any:
    """A cluster of our own; None for a scheduler that is there."""
    if place.kind == "local":
        return distributed.LocalCluster(
            n_workers=place.jobs,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,  # what takes memory is the simulators, and they are not the worker's
            dashboard_address=PAGE,
            silence_logs=logging.CRITICAL,
            local_directory=tempfile.gettempdir(),
        )
    if place.kind not in BATCH:
        return None
    import dask_jobqueue  # noqa: PLC0415 - only for a batch system

    options: dict[str, Any] = {**BATCH_DEFAULTS, "python": sys.executable, **_typed(place.options)}
    kind = getattr(dask_jobqueue, BATCH[place.kind])
    cluster = kind(**options, scheduler_options={"dashboard_address": PAGE})
    cluster.adapt(minimum_jobs=place.jobs, maximum_jobs=place.jobs)  # a number that is kept, whatever becomes of single jobs
    return cluster


def _typed(options: Mapping[str, str]) -> dict[str, Any]:
    """Numbers as numbers, lists where a name asks for one (job_extra_directives and its like)."""
    return {
        name: int(value) if value.isdigit() else value.split(",") if name.endswith(("_directives", "_prologue", "_args")) else value
        for name, value in options.items()
    }


def _words(error: BaseException) -> str:
    """In a line."""
    if isinstance(error, distributed.scheduler.KilledWorker):
        return f"its worker died {RETRIES + 1} times"
    return f"{' '.join(str(error).split()) or 'no reason given'} ({type(error).__name__})"
