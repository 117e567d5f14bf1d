# SPDX-License-Identifier: Apache-2.0
"""A USB controller with devices, from Periplex or from QEMU itself: the same calls for both.

Tests and benchmarks are written against `UsbHardware`, so that they run against the peer, too.
"""

from __future__ import annotations

import abc
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.controller import Controller, default_controller
from lab.guest import Guest

POINTER_RANGE = 32767  # absolute positions are 0 … POINTER_RANGE on both axes


class UsbHardware(abc.ABC):
    """One controller. Enter it, start a guest with `arguments()`, `connect()` that guest.

    Where a call takes a `speed` (`full`, `high`, `super`), None means what a device of that kind has by nature.
    """

    name: str
    controller: Controller

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        return None

    @abc.abstractmethod
    def arguments(self) -> list[str]:
        """What QEMU is started with."""

    def connect(self, guest: Guest) -> None:
        """Tells the hardware which guest it is in; before any call below."""

    @abc.abstractmethod
    def attach_storage(self, identifier: str, image: Path, *, readonly: bool = False, removable: bool = False,
                       uas: bool = False, speed: str | None = None) -> None:
        """Plugs a disk with a raw image; may come before the guest starts."""

    @abc.abstractmethod
    def attach(self, kind: str, identifier: str, *, speed: str | None = None) -> None:
        """Plugs a `keyboard`, `tablet` or `mouse`; may come before the guest starts."""

    @abc.abstractmethod
    def attach_serial(self, identifier: str) -> None:
        """Plugs a serial port, whose other end is `terminal`; may come before the guest starts."""

    @abc.abstractmethod
    def terminal(self, identifier: str) -> Path:
        """The pseudo-terminal behind a serial port."""

    @abc.abstractmethod
    def attach_sound(self, identifier: str, *, playback: Path | None = None, capture: Path | None = None,
                     speed: str | None = None) -> None:
        """Plugs a sound card that plays into one WAV file and records from another; before the guest starts."""

    @abc.abstractmethod
    def detach(self, identifier: str) -> None:
        """Pulls a device, whatever the guest does with it."""

    @abc.abstractmethod
    def eject(self, identifier: str) -> None:
        """Takes the medium out of a removable disk; the disk stays."""

    @abc.abstractmethod
    def type_text(self, text: str, identifier: str) -> None:
        """Presses and releases the keys of a US keyboard that give `text`, in order."""

    @abc.abstractmethod
    def move_pointer(self, x: int, y: int, identifier: str) -> None:
        """Moves the tablet to an absolute position."""

    @abc.abstractmethod
    def click(self, button: str, identifier: str) -> None:
        """Presses and releases `left`, `middle` or `right`."""

    @abc.abstractmethod
    def leds(self, identifier: str) -> set[str]:
        """Which of num_lock, caps_lock, scroll_lock the guest has lit."""

    @abc.abstractmethod
    def counters(self, identifier: str) -> dict[str, dict[str, int]]:
        """What each endpoint of a device has done, by its address: `{"0x02": {"requests": 4, …}, …}`."""


def chosen(name: str = "vm1", controller: Controller | None = None) -> UsbHardware:
    """The hardware that PERIPLEX_HARDWARE names: `periplex` (the default) or the peer, `qemu`."""
    from lab.periplex_hardware import PeriplexHardware  # pylint: disable=import-outside-toplevel
    from lab.qemu_hardware import QemuHardware  # pylint: disable=import-outside-toplevel
    kinds = {"periplex": PeriplexHardware, "qemu": QemuHardware}
    choice = os.environ.get("PERIPLEX_HARDWARE", "periplex")
    if choice not in kinds:
        raise ValueError(f"PERIPLEX_HARDWARE is {choice!r}; it must be one of {', '.join(kinds)}")
    return kinds[choice](name, controller or default_controller())
