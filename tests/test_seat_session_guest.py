# SPDX-License-Identifier: Apache-2.0
"""The whole way: QEMU's devices in a workstation, its agent, the gate, a worker, and a machine's own drivers."""

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab import evdev, image, initramfs, usb_view, workstation
from lab.boot import linux, with_built
from lab.case import GuestCase
from lab.guest import Guest
from lab.image import MIB
from lab.keyboard import US_KEYS
from lab.machine import program
from lab.periplex_hardware import PeriplexHardware
from lab.relay import Relay
from lab.workstation import HOST, Workstation

SIZE = 8 * MIB
RULES = b"[[rule]]\naction = 'allow'\nonly-interface-classes = [3]\n[[rule]]\naction = 'allow'\nonly-interface-classes = [8]\n"
AGENT = "periplex-seat run --config /run/rules.toml --state /run/seat"


class SeatSession(GuestCase):
    """One host with one machine, and a workstation that is a seat."""

    def setUp(self) -> None:
        super().setUp()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        streams = self.scratch / "streams.sock"
        self.host = self.scratch / "host.toml"
        self.host.write_text(f"""
state-dir = "state"
runtime-dir = "run"
[gate]
listen = "127.0.0.1:{port}"
[[machine]]
name = "vm1"
streams = "{streams}"
[[binding]]
seat = "desk"
machine = "vm1"
""")
        self.enterContext(self.manager())
        self.relay = self.enterContext(Relay(("127.0.0.1", port), rtt=0.01))
        self.machine = self.enterContext(PeriplexHardware("vm1", self.controller, ["--streams", str(streams)]))

    @contextmanager
    def manager(self) -> Iterator[None]:
        """periplexd with its gate."""
        with (self.scratch / "periplexd.log").open("wb") as log:
            daemon = subprocess.Popen([program("periplexd"), "--config", self.host], stdout=subprocess.PIPE, stderr=log)
        assert daemon.stdout is not None
        try:
            self.assertEqual(daemon.stdout.readline(), b"periplexd is ready\n",
                             (self.scratch / "periplexd.log").read_text())
            yield
        finally:
            daemon.terminate()
            daemon.wait(30)
            daemon.stdout.close()

    def workstation(self, *devices: str) -> Workstation:
        """A paired workstation whose agent runs."""
        boot = with_built(linux(initramfs.SEAT), [program("periplex-seat")], self.scratch)
        ws = self.enterContext(Workstation(devices, forwards=(), name="seat", boot=boot))
        self.addCleanup(self._keep_evidence, ws.guest)
        ws.guest.check("ln -s /usr/bin/udevadm /run/systemd-udevd && /run/systemd-udevd --daemon")
        ws.guest.write_file("/run/rules.toml", RULES)
        token = subprocess.run([program("periplexd"), "--config", self.host, "invite", "desk"], capture_output=True,
                               text=True, check=True).stdout.strip()
        said = ws.guest.check(f"periplex-seat join {token} --gate {HOST}:{self.relay.port} --state /run/seat", 60)
        self.assertIn("desk", said)
        ws.guest.check(f"{AGENT} >/run/agent.log 2>&1 & echo $! >/run/agent.pid")
        return ws

    def identifier(self, guest: Guest, interface_class: int) -> str:
        """What the seat calls its device."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            shown = json.loads(guest.check("periplex-seat list --json --config /run/rules.toml"))["peripherals"]
            for one in shown:
                if one.get("interface_classes") == [interface_class]:
                    return one["id"]
            time.sleep(0.1)
        self.fail(guest.check("periplex-seat list"))

    def attach(self, identifier: str, peripheral: str) -> None:
        """A machine waits for it."""
        self.machine.machine.cli("attach", f"seat,id={identifier},peripheral=desk/{peripheral}")

    def state(self) -> dict[str, tuple[str, str]]:
        """State and reason of each peripheral, as the gate shows it."""
        seats = json.loads((self.scratch / "run/gate.json").read_text())["state"]["seats"]
        return {one["id"]: (one["state"], one["why"]) for seat in seats for one in seat["peripherals"]}

    def cutting(self, pause: float) -> threading.Event:
        """Cuts all connections again and again, until the event is set."""
        end = threading.Event()

        def work() -> None:
            while not end.wait(pause):
                self.relay.cut()

        thread = threading.Thread(target=work)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(end.set)
        return end

    def test_keys_arrive_exactly_once_though_the_network_is_cut(self) -> None:
        ws = self.workstation(*workstation.keyboard())
        guest = self.boot(self.machine)
        self.attach("kbd", self.identifier(ws.guest, 3))
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard", 60))
        end = self.cutting(1.0)
        text = "thequickbrownfoxjumpsoverthelazydog"
        for letter in text:
            qcode = US_KEYS[letter].qcode
            ws.press(qcode, down=True)
            ws.press(qcode, down=False)
            time.sleep(0.1)
        end.set()
        self.assertEqual(evdev.typed(recorder.wait_quiet(len(text) * 6, 60)), text)
        ws.guest.check("periplex-seat status")
        self.assert_healthy(guest)

    def test_a_disk_is_read_and_written_though_the_network_is_cut_and_given_back(self) -> None:
        content = image.filled(self.scratch / "disk.img", SIZE)
        ws = self.workstation(*workstation.disk("disk", content, "xhci.0"))
        usb_view.wait_disk(ws.guest, SIZE)
        guest = self.boot(self.machine)
        peripheral = self.identifier(ws.guest, 8)
        self.attach("disk", peripheral)
        name = usb_view.wait_disk(guest, SIZE, 60)
        self.assertEqual(usb_view.disks(ws.guest), [], "this computer does not have it now")
        end = self.cutting(1.5)
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 120).split()[0], image.sha256(content))
        half = SIZE // 2
        guest.check(f"dd if=/dev/{name} of=/dev/{name} bs=64k count={half >> 16} seek={half >> 16} conv=notrunc "
                    f"iflag=fullblock 2>/dev/null; sync", 120)
        end.set()
        self.machine.detach("disk")
        usb_view.wait_no_disk(guest)
        usb_view.wait_disk(ws.guest, SIZE)
        ws.guest.check("sync")
        written = content.read_bytes()
        self.assertEqual(written[:half], written[half:])
        self.assert_healthy(guest)

    def test_what_is_pulled_is_unplugged_and_what_is_taken_back_comes_back(self) -> None:
        content = image.filled(self.scratch / "disk.img", SIZE)
        ws = self.workstation(*workstation.disk("disk", content, "xhci.0"), *workstation.keyboard())
        usb_view.wait_disk(ws.guest, SIZE)
        guest = self.boot(self.machine)
        disk, keyboard = self.identifier(ws.guest, 8), self.identifier(ws.guest, 3)
        self.attach("disk", disk)
        self.attach("kbd", keyboard)
        usb_view.wait_disk(guest, SIZE, 60)
        evdev.find_node(guest, "keyboard", 60)
        ws.guest.check(f"periplex-seat take-back {disk}")
        usb_view.wait_no_disk(guest)
        usb_view.wait_disk(ws.guest, SIZE)
        ws.guest.check(f"periplex-seat offer {disk}")
        usb_view.wait_disk(guest, SIZE, 60)
        ws.guest.qmp.execute("device_del", {"id": "kbd"})
        guest.until("! grep -qi keyboard /proc/bus/input/devices || ! grep -q QEMU /proc/bus/input/devices", 30)
        self.assertNotIn(keyboard, self.state())
        ws.guest.check("kill $(cat /run/agent.pid); while kill -0 $(cat /run/agent.pid) 2>/dev/null; do sleep 0.1; done")
        usb_view.wait_no_disk(guest)
        usb_view.wait_disk(ws.guest, SIZE)
        self.assert_healthy(ws.guest)
