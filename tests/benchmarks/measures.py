"""Ceilings of the machine, and peak memory of a process of its own."""

import ctypes
import gc
import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits


def sgemm_gflops(size=1024, seconds=1.0):
    """Return billions of operations a second of a float32 product, on one core."""
    random = np.random.default_rng(0)
    a, b = random.random((2, size, size), dtype=np.float32)
    out = np.empty_like(a)
    with threadpool_limits(limits=1, user_api="blas"):
        np.matmul(a, b, out=out)
        start, n_products = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            np.matmul(a, b, out=out)
            n_products += 1
        elapsed = time.perf_counter() - start
    return 2.0 * size**3 * n_products / elapsed / 1e9


def row_rates(n_rows=500_000, size=304, rounds=5):
    """Return GB/s of float32 rows that are copied in order and at random, on one core.

    The table is larger than the caches of most processors. What is written is not.
    """
    random = np.random.default_rng(0)
    table = random.random((n_rows, size), dtype=np.float32)
    out = np.empty((1000, size), dtype=np.float32)
    in_order = np.arange(n_rows).reshape(-1, 1000)
    orders = [in_order, random.permutation(n_rows).reshape(-1, 1000)]
    rates = []
    for order in orders * rounds:
        start = time.perf_counter()
        for rows in order:
            np.take(table, rows, axis=0, out=out, mode="clip")
        rates.append(table.nbytes / (time.perf_counter() - start) / 1e9)
    return np.median(rates[::2]), np.median(rates[1::2])


def _status(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/self/status has no {field}")


def peak_resident():
    """Return the largest resident memory of this process so far, in bytes."""
    if sys.platform == "linux":
        # `getrusage` may count memory of the process that started this one.
        return _status("VmHWM")
    # Bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class PeakMemory:
    """Context manager that measures by how much resident memory grows at its peak.

    On Linux the peak is reset at the start and unused memory given back to the
    system; elsewhere growth is seen only beyond the largest size before.

    Attributes
    ----------
    bytes : int
    """

    def __enter__(self):
        gc.collect()
        if sys.platform == "linux":
            # Of glibc alone; others have nothing of the kind.
            getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: 0)(0)
            Path("/proc/self/clear_refs").write_text("5")
        self._before = peak_resident()
        return self

    def __exit__(self, *exception):
        self.bytes = peak_resident() - self._before


class AnonymousMemory:
    """Context manager that measures by how much anonymous memory grows at its peak.

    Pages of mapped files do not count. A thread looks again and again, so peaks of a
    few milliseconds are missed. Linux only.

    Attributes
    ----------
    bytes : int
    """

    def __enter__(self):
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        self._before = self._peak = _status("RssAnon")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self):
        while not self._ended.wait(0.01):
            self._peak = max(self._peak, _status("RssAnon"))

    def __exit__(self, *exception):
        self._ended.set()
        self._thread.join()
        self.bytes = max(self._peak, _status("RssAnon")) - self._before


def in_fresh_process(module, *arguments):
    """Run ``python -m module`` and return what its last line says in JSON."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout.splitlines()[-1])
