# SPDX-License-Identifier: Apache-2.0
"""Peripherals of ours in a guest of QEMU's own hardware: QEMU's `usb-redir` on `qemu-xhci` is the other side."""

from __future__ import annotations

import json
import os
import subprocess
import unittest
import unittest.mock
from pathlib import Path

from lab import evdev, image, initramfs, usb_view
from lab.boot import linux
from lab.case import GuestCase, count
from lab.guest import Guest
from lab.image import MIB
from lab.qemu import module_environment

ALSA = "ALSA_CONFIG_PATH=/tmp/asound.conf"
FORMAT = "-D card -t raw -f S16_LE -r 48000 -c 2"
SERVER = Path(os.environ.get("PERIPLEX_BUILD", "build/release/bin")) / "usbredir_serve"


class Served:
    """One device behind a Unix socket."""

    def __init__(self, socket: Path, what: str, speed: str) -> None:
        self.socket = socket
        self._child = subprocess.Popen([SERVER, socket, what, speed], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True, bufsize=1)

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *error: object) -> None:
        self._child.communicate("quit\n", timeout=20)

    def say(self, line: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def hear(self, expected: str) -> str:
        """The next line that begins with `expected`."""
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if line.startswith(expected):
                return line.strip()
        raise AssertionError(f"the server ended before it said {expected}")

    def save(self, path: Path) -> bytes:
        self.say(f"save {path}")
        self.hear("saved")
        return path.read_bytes()


class UsbRedir(GuestCase):
    """Each test boots a guest with one device that we serve."""

    def serve(self, what: str, speed: str = "super", contents: initramfs.Contents = initramfs.BASIC,
              controller: str = "qemu-xhci") -> tuple[Served, Guest]:
        socket = self.scratch / "redir"
        served = self.enterContext(Served(socket, what, speed))
        for _ in range(100):
            if socket.exists():
                break
            subprocess.run(["sleep", "0.05"], check=True)
        arguments = ["-device", json.dumps({"driver": controller, "id": "usb"}),
                     "-chardev", f"socket,id=redir,path={socket},reconnect-ms=200",
                     "-device", json.dumps({"driver": "usb-redir", "chardev": "redir", "bus": "usb.0", "debug": 3})]
        self.enterContext(unittest.mock.patch.dict(os.environ, module_environment()))
        guest = Guest(self.id().rpartition(".")[2], linux(contents), arguments)
        self.enterContext(guest)
        self.addCleanup(self._keep_evidence, guest)
        served.hear("connected")
        return served, guest

    def check_disk(self, kind: str, speed: str, driver: str, controller: str = "qemu-xhci") -> None:
        disk = image.filled(self.scratch / "disk.img", 16 * MIB)
        served, guest = self.serve(f"{kind}:{disk}", speed, initramfs.STORAGE, controller)
        name = usb_view.wait_disk(guest, 16 * MIB)
        device = usb_view.usb_device(guest, name)
        self.assertEqual(usb_view.interface_driver(guest, device), driver)
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 60).split()[0], image.sha256(disk))
        guest.check(f"dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null; "
                    f"dd if=/tmp/data of=/dev/{name} bs=1M seek=5 oflag=direct 2>/dev/null; sync", 60)
        written = guest.check("sha256sum </tmp/data").split()[0]
        after = served.save(self.scratch / "after.img")
        (self.scratch / "part").write_bytes(after[5 * MIB:9 * MIB])
        self.assertEqual(image.sha256(self.scratch / "part"), written)
        self.assert_healthy(guest)

    def test_a_superspeed_disk_is_read_and_written(self) -> None:
        self.check_disk("storage", "super", "usb-storage")

    def test_a_high_speed_disk_is_read_and_written_behind_ehci(self) -> None:
        self.check_disk("storage", "high", "usb-storage", "usb-ehci")

    def test_an_attached_scsi_disk_uses_streams(self) -> None:
        self.check_disk("uas", "super", "uas")

    def test_typed_text_arrives_whole_and_a_keyboard_goes_and_comes(self) -> None:
        text = "The quick brown fox jumps over 13 lazy dogs. " * count(2, 10)
        served, guest = self.serve("keyboard", "high")
        for _ in range(count(2, 10)):
            recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard"))
            served.say(f"type {text}")
            self.assertEqual(served.hear("typed"), "typed: yes")
            self.assertEqual(evdev.typed(recorder.wait_quiet(len(text) * 4)), text)
            served.say("unplug")
            usb_view.wait_devices(guest, 0)
            served.say("plug")
            usb_view.wait_devices(guest, 1)
        self.assert_healthy(guest)

    def test_a_sound_card_plays_and_records(self) -> None:
        served, guest = self.serve("sound", "full", initramfs.SOUND)
        self.assertIn("usb", usb_view.sound_card(guest))
        guest.check("printf 'pcm.card { type hw card 0 }\\n' >/tmp/asound.conf; dd if=/dev/urandom bs=4 count=96000 "
                    f"2>/dev/null >/tmp/noise; {ALSA} aplay -q {FORMAT} /tmp/noise", 30)
        noise = guest.read_file("/tmp/noise")
        played = served.save(self.scratch / "played")
        self.assertGreater(len(played), len(noise) * 9 // 10)
        self.assertIn(noise[40000:80000], played)
        guest.check(f"{ALSA} arecord -q {FORMAT} -d 2 /tmp/heard", 30)
        self.assertEqual(int(guest.check("stat -c %s /tmp/heard")), 2 * 48000 * 4)


if __name__ == "__main__":
    unittest.main()
