"""Read the images of a dataset in order, some ahead of the one that is asked for. Knows no models.

The readers are threads: decoding and averaging a file leave Python's lock, so that they run beside each other
and beside the network, and a dataset of any size is in memory once.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 32  # results that wait at most: what bounds the memory


def read_ahead(
    read: Callable[[Item], Result], items: Iterable[Item], workers: int = 0, ahead: int = AHEAD
) -> Iterator[Result]:
    """Do `map(read, items)` with up to `ahead` results in work or waiting. `workers` 0 is one per usable
    core.

    An error of `read` is raised at its place in the order.
    """
    workers = workers or len(os.sched_getaffinity(0))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="reader")
    waiting: deque[Future[Result]] = deque()
    # readers that silence a warning change a list that all threads share: it is put back when they are done
    with warnings.catch_warnings():
        try:
            for item in items:
                waiting.append(pool.submit(read, item))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
