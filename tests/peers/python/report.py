"""Prints one line a check, `ok NAME` or `FAIL NAME why`, and ends the process with the verdict."""

import asyncio
import os
import sys
import threading


class Report:
    """Counts checks. The whole script ends with status 1 when `limit` seconds have passed."""

    def __init__(self, limit):
        self.failed = 0
        timer = threading.Timer(limit, self._too_late, [limit])
        timer.daemon = True
        timer.start()

    @staticmethod
    def _too_late(limit):
        print(f"FAIL timeout not finished after {limit} s", flush=True)
        os._exit(1)

    def check(self, name, passed, why=""):
        if passed:
            print(f"ok {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL {name} {why}", flush=True)

    def equal(self, name, found, expected):
        self.check(name, found == expected, f"found {brief(found)}, expected {brief(expected)}")

    async def run(self, name, step, limit=60):
        """Runs one coroutine; whatever it raises is a failed check."""
        try:
            await asyncio.wait_for(step, limit)
        except Exception as error:  # noqa: BLE001 - every error is a finding
            self.check(name, False, f"{type(error).__name__}: {error}")

    def finish(self):
        sys.stdout.flush()
        os._exit(1 if self.failed else 0)


def brief(value):
    text = repr(value)
    return text if len(text) < 80 else f"{text[:60]}… ({len(value)} long)"
