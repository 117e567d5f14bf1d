# SPDX-License-Identifier: Apache-2.0
"""The base of whole-guest tests: scratch space, hardware, guests, evidence on failure."""

from __future__ import annotations

import os
import shutil
import tempfile
import unittest
from pathlib import Path

from lab import initramfs, usb_view
from lab.boot import Boot, linux
from lab.guest import Guest
from lab.hardware import UsbHardware, chosen


def count(short: int, full: int) -> int:
    """How often a test repeats: PERIPLEX_COUNTS is `short` (the default) or `full`."""
    choice = os.environ.get("PERIPLEX_COUNTS", "short")
    if choice not in ("short", "full"):
        raise ValueError(f"PERIPLEX_COUNTS is {choice!r}; it must be short or full")
    return short if choice == "short" else full


class GuestCase(unittest.TestCase):
    """Everything that a test enters through this class ends with the test."""

    longMessage = True

    def setUp(self) -> None:
        # In memory where possible, so that no disk of this machine takes part in a result.
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.scratch = Path(tempfile.mkdtemp(prefix="periplex-test-", dir=place))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self._guests: list[Guest] = []

    def hardware(self, name: str = "vm1") -> UsbHardware:
        """A running controller without devices."""
        return self.enterContext(chosen(name))

    def boot(self, hardware: UsbHardware, contents: initramfs.Contents = initramfs.BASIC,
             boot: Boot | None = None, extra: str = "", memory: int = 512) -> Guest:
        """A guest with `hardware`: Linux with `contents` and kernel options `extra`, or `boot`."""
        name = self.id().rpartition(".")[2]
        guest = Guest(f"{name}-{hardware.name}", boot or linux(contents, extra=extra),
                      hardware.arguments(), memory)
        self.enterContext(guest)
        self.addCleanup(self._keep_evidence, guest)  # runs before the guest ends
        hardware.connect(guest)
        self._guests.append(guest)
        return guest

    def assert_healthy(self, guest: Guest, since: int = 0) -> None:
        """The guest's kernel had nothing to complain about, and QEMU runs."""
        self.assertFalse(guest.ended(), "QEMU ended")
        self.assertEqual(usb_view.complaints(guest, since), [], "kernel messages of the guest")

    def _keep_evidence(self, guest: Guest) -> None:
        # unittest tells nobody but its result whether a test failed.
        result = getattr(getattr(self, "_outcome", None), "result", None)
        bad = [*getattr(result, "errors", []), *getattr(result, "failures", [])]
        if any(self in (test, getattr(test, "test_case", None)) for test, _ in bad):
            guest.keep_logs()
            print(f"\ntranscript of the failed test: {guest.transcript}", flush=True)
