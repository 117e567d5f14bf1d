# SPDX-License-Identifier: Apache-2.0
"""The base of whole-guest tests: scratch space, hardware, guests, evidence on failure."""

from __future__ import annotations

import os
import shutil
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lab import initramfs, usb_view
from lab.boot import Boot, linux
from lab.controller import Controller, default_controller
from lab.guest import Guest
from lab.hardware import UsbHardware, chosen


def count(short: int, full: int) -> int:
    """How often a test repeats: PERIPLEX_COUNTS is `short` (the default) or `full`."""
    choice = os.environ.get("PERIPLEX_COUNTS", "short")
    if choice not in ("short", "full"):
        raise ValueError(f"PERIPLEX_COUNTS is {choice!r}; it must be short or full")
    return short if choice == "short" else full


Test = TypeVar("Test", bound=Callable[..., None])


def essential(test: Test) -> Test:
    """Marks a test that runs on every controller that its class has a subclass for, with short counts, too."""
    setattr(test, "essential", True)
    return test


class GuestCase(unittest.TestCase):
    """Everything that a test enters through this class ends with the test.

    `class DiskOnUhci(Disk, controller=UHCI)` is the tests of `Disk` on another controller. With short counts it has
    only those marked `essential`: `make check` shows that the controller does the same as the others, `make soak` how
    well.
    """

    longMessage = True
    controller: Controller

    def __init_subclass__(cls, controller: Controller | None = None, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        cls.controller = controller or getattr(cls, "controller", None) or default_controller()
        if controller is None or count(0, 1):
            return
        for name in unittest.TestLoader().getTestCaseNames(cls):
            if not hasattr(getattr(cls, name), "essential"):
                setattr(cls, name, None)  # what cannot be called is no test

    def setUp(self) -> None:
        # In memory where possible, so that no disk of this machine takes part in a result.
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.scratch = Path(tempfile.mkdtemp(prefix="periplex-test-", dir=place))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self._guests: list[Guest] = []

    def hardware(self, name: str = "vm1") -> UsbHardware:
        """A running controller without devices."""
        return self.enterContext(chosen(name, self.controller))

    def boot(self, hardware: UsbHardware, contents: initramfs.Contents = initramfs.BASIC,
             boot: Boot | None = None, extra: str = "", memory: int = 512) -> Guest:
        """A guest with `hardware`: Linux with `contents` and kernel options `extra`, or `boot`."""
        name = self.id().rpartition(".")[2]
        guest = Guest(f"{name}-{hardware.controller.name}-{hardware.name}", boot or linux(contents, extra=extra),
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

    def has_failed(self) -> bool:
        """Whether the test that runs has failed already; for evidence."""
        # unittest tells nobody but its result.
        result = getattr(getattr(self, "_outcome", None), "result", None)
        bad = [*getattr(result, "errors", []), *getattr(result, "failures", [])]
        return any(self in (test, getattr(test, "test_case", None)) for test, _ in bad)

    def _keep_evidence(self, guest: Guest) -> None:
        if self.has_failed():
            guest.keep_logs()
            print(f"\ntranscript of the failed test: {guest.transcript}", flush=True)
