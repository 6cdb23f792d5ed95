"""Memory of this process, and a thread that records its peaks."""

from __future__ import annotations

import threading
from pathlib import Path


def memory():
    """Return the resident memory of this process in MB: anonymous, of files, and the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return {name: int(values[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile", "VmHWM")}


class Watch(threading.Thread):
    """Thread that records the peaks of anonymous and file-backed memory."""

    def __init__(self, interval=0.01):
        super().__init__(daemon=True)
        self.interval, self.done = interval, threading.Event()
        self.before = self.peaks = memory()

    def run(self):
        while not self.done.wait(self.interval):
            self.peaks = {name: max(value, self.peaks[name]) for name, value in memory().items()}

    def stop(self):
        self.done.set()
        self.join()
        now = memory()
        return {name: max(value, now[name]) for name, value in self.peaks.items()}
