# SPDX-License-Identifier: Apache-2.0
"""usbredir both ways: ours at QEMU's own `usb-redir`, and devices of Debian's usbredirect in a machine."""

from __future__ import annotations

import json
import os
import subprocess
import time
import unittest
import unittest.mock

from lab import counted_sound, evdev, image, initramfs, usb_view, workstation
from lab.boot import linux
from lab.case import GuestCase, count, essential
from lab.controller import EHCI, UHCI
from lab.counted_sound import RATE
from lab.guest import Guest
from lab.image import MIB
from lab.keyboard import US_KEYS
from lab.qemu import module_environment
from lab.relay import Relay
from lab.remote_case import RemoteCase, serving
from lab.workstation import USBREDIR_PORT, Workstation

ALSA = "ALSA_CONFIG_PATH=/tmp/asound.conf"
FORMAT = "-D card -t raw -f S16_LE -r 48000 -c 2"
DISK, KEYBOARD = "46f4:0001", "0627:0001"  # QEMU's
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Exported(GuestCase):
    """Each test boots a guest of QEMU's own hardware with one peripheral that we serve."""

    def setUp(self) -> None:
        super().setUp()
        self.port = workstation.free_port()

    def serve(self, specification: str) -> subprocess.Popen[bytes]:
        return self.enterContext(serving("usbredir", self.scratch, self.port, specification))

    def boot_qemu(self, contents: initramfs.Contents = initramfs.BASIC, controller: str = "qemu-xhci") -> Guest:
        arguments = ["-device", json.dumps({"driver": controller, "id": "usb"}),
                     "-chardev", f"socket,id=redir,host=127.0.0.1,port={self.port},reconnect-ms=200",
                     "-device", json.dumps({"driver": "usb-redir", "chardev": "redir", "bus": "usb.0"})]
        self.enterContext(unittest.mock.patch.dict(os.environ, module_environment()))
        guest = self.enterContext(Guest(self.id().rpartition(".")[2], linux(contents), arguments))
        self.addCleanup(self._keep_evidence, guest)
        return guest

    def check_disk(self, settings: str, driver: str, controller: str = "qemu-xhci") -> None:
        disk = image.filled(self.scratch / "disk.img", 16 * MIB)
        self.serve(f"storage,image={disk},{settings}")
        guest = self.boot_qemu(initramfs.STORAGE, controller)
        name = usb_view.wait_disk(guest, 16 * MIB)
        device = usb_view.usb_device(guest, name)
        self.assertEqual(usb_view.interface_driver(guest, device), driver)
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 60).split()[0], image.sha256(disk))
        guest.check(f"dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null; "
                    f"dd if=/tmp/data of=/dev/{name} bs=1M seek=5 oflag=direct 2>/dev/null; sync", 60)
        self.assertEqual(disk.read_bytes()[5 * MIB:9 * MIB], guest.read_file("/tmp/data", 60))
        self.assert_healthy(guest)

    def test_a_superspeed_disk_is_read_and_written(self) -> None:
        self.check_disk("speed=super", "usb-storage")

    def test_a_high_speed_disk_is_read_and_written_behind_ehci(self) -> None:
        self.check_disk("speed=high", "usb-storage", "usb-ehci")

    def test_an_attached_scsi_disk_uses_streams(self) -> None:
        self.check_disk("transport=uas", "uas")

    def test_typed_text_arrives_whole_and_a_keyboard_goes_and_comes_with_its_server(self) -> None:
        text = "The quick brown fox jumps over 13 lazy dogs. " * count(2, 10)
        guest = None
        for _ in range(count(2, 10)):
            with serving("usbredir", self.scratch, self.port, "keyboard,speed=high") as server:
                guest = guest or self.boot_qemu()
                usb_view.wait_devices(guest, 1)
                recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard"))
                assert server.stdin is not None
                server.stdin.write(text.encode())
                server.stdin.flush()
                self.assertEqual(evdev.typed(recorder.wait_quiet(len(text) * 4)), text)
            usb_view.wait_devices(guest, 0)
        assert guest is not None
        self.assert_healthy(guest)

    def test_a_sound_card_plays_and_records(self) -> None:
        played = self.scratch / "played.wav"
        source = counted_sound.write_wav(self.scratch / "source.wav", 20 * RATE)
        self.serve(f"sound,playback={played},capture={source},speed=full")
        guest = self.boot_qemu(initramfs.SOUND)
        self.assertIn("usb", usb_view.sound_card(guest))
        guest.check("printf 'pcm.card { type hw card 0 }\\n' >/tmp/asound.conf; dd if=/dev/urandom bs=4 count=96000 "
                    f"2>/dev/null >/tmp/noise; {ALSA} aplay -q {FORMAT} /tmp/noise", 30)
        noise = guest.read_file("/tmp/noise", 60)
        self.assertIn(noise[40000:80000], played.read_bytes())
        guest.check(f"{ALSA} arecord -q {FORMAT} -d 2 /tmp/heard", 30)
        heard = guest.read_file("/tmp/heard", 60)
        self.assertEqual(len(heard), 2 * RATE * counted_sound.FRAME_BYTES)
        self.assertGreater(max(run.frames for run in counted_sound.runs(heard)), RATE // 4)


class Imported(RemoteCase):
    """A machine, a workstation with Debian's usbredirect, and a network between them."""

    def redirect(self, vendor_product: str, *devices: str) -> Workstation:
        """A workstation whose usbredirect offers this device."""
        name = f"workstation-{self.id().rpartition('.')[2]}"
        ws = self.enterContext(Workstation(devices, initramfs.USBREDIRECT, [USBREDIR_PORT], name))
        self.addCleanup(self._keep_evidence, ws.guest)
        ws.redirect(vendor_product)
        return ws


class ImportedDisk(Imported):
    """The workstation's disk in the machine."""

    size = 8 * MIB
    bus = "xhci.0"

    @essential
    def test_a_redirected_disk_carries_checksummed_data_both_ways(self) -> None:
        disk = image.filled(self.scratch / "disk.img", self.size)
        ws = self.redirect(DISK, *workstation.disk("disk", disk, self.bus))
        relay = self.enterContext(Relay(("127.0.0.1", ws.port(USBREDIR_PORT)), rtt=0.002))
        hardware = self.machine()
        guest = self.boot(hardware, initramfs.STORAGE)
        warning = self.attach_remote(hardware, "disk", "usbredir", host=f"127.0.0.1:{relay.port}")
        self.assertIn("neither encrypted nor authenticated", warning)
        name = usb_view.wait_disk(guest, self.size)
        device = usb_view.usb_device(guest, name)
        self.assertEqual(usb_view.speed(guest, device), self.controller.megabits)
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 120).split()[0], image.sha256(disk))
        half = self.size // 2
        guest.check(f"dd if=/dev/{name} of=/dev/{name} bs=64k count={half >> 16} seek={half >> 16} conv=notrunc "
                    f"iflag=fullblock 2>/dev/null; sync", 120)
        self.assertGreater(hardware.counters("disk")["0x81"]["bytes"], self.size // 2)
        hardware.detach("disk")
        usb_view.wait_no_disk(guest)
        written = disk.read_bytes()
        self.assertEqual(written[:half], written[half:], "the first half, copied by the machine's guest")
        self.assert_healthy(guest)


class ImportedDiskOnEhci(ImportedDisk, controller=EHCI):
    """A high-speed disk."""

    bus = "ehci.0"


class ImportedKeyboard(Imported):
    """The workstation's keyboard in the machine."""

    @essential
    def test_keys_arrive_at_50_ms_until_the_server_ends(self) -> None:
        ws = self.redirect(KEYBOARD, *workstation.keyboard())
        relay = self.enterContext(Relay(("127.0.0.1", ws.port(USBREDIR_PORT)), rtt=0.05))
        hardware = self.machine()
        guest = self.boot(hardware)
        self.attach_remote(hardware, "kbd", "usbredir", host=f"127.0.0.1:{relay.port}")
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard"))
        text = LETTERS * count(1, 10)
        for letter in text:
            for down in (True, False):
                ws.press(US_KEYS[letter].qcode, down=down)
                time.sleep(0.01)  # usb-kbd keeps 16 events and gives one in 8 ms
        # Each report is MSC_SCAN, KEY and SYN.
        self.assertEqual(evdev.typed(recorder.wait_quiet(len(text) * 6)), text)
        ws.guest.check("killall usbredirect")
        self.assertIn("lost", self.wait_gone(hardware, "kbd"))
        usb_view.wait_devices(guest, 0)
        self.assert_healthy(guest)


class ImportedKeyboardOnUhci(ImportedKeyboard, controller=UHCI):
    """A high-speed keyboard behind a controller that knows only full speed."""


if __name__ == "__main__":
    unittest.main()
