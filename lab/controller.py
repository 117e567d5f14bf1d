# SPDX-License-Identifier: Apache-2.0
"""The kinds of USB controller that a guest can have, and what its own drivers make of them."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Controller:
    """One kind."""

    name: str  # for `periplex-machine --controller`
    pci_class: str  # as sysfs shows it
    driver: str  # Linux's PCI driver
    ports: int  # for devices of any speed, at once
    speed: str  # the fastest, in words of `periplex`
    megabits: str  # the same in words of sysfs


UHCI = Controller("uhci", "0x0c0300", "uhci_hcd", 2, "full", "12")
EHCI = Controller("ehci", "0x0c0320", "ehci-pci", 6, "high", "480")
XHCI = Controller("xhci", "0x0c0330", "xhci_hcd", 4, "super", "5000")
CONTROLLERS = {controller.name: controller for controller in (UHCI, EHCI, XHCI)}
SPEEDS = {"full": "12", "high": "480", "super": "5000"}  # `periplex`'s words in those of sysfs


def default_controller() -> Controller:
    """What PERIPLEX_CONTROLLER names: uhci, ehci or xhci (the default)."""
    choice = os.environ.get("PERIPLEX_CONTROLLER", "xhci")
    if choice not in CONTROLLERS:
        raise ValueError(f"PERIPLEX_CONTROLLER is {choice!r}; it must be one of {', '.join(CONTROLLERS)}")
    return CONTROLLERS[choice]
