# SPDX-License-Identifier: Apache-2.0
"""Two machines at once, each with a worker of its own."""

from lab import evdev, image, usb_view
from lab.case import GuestCase
from lab.image import MIB


class TwoMachines(GuestCase):
    """Neither sees, feels or outlives the other."""

    def setUp(self) -> None:
        super().setUp()
        self.sides = []
        for number, size in ((1, 8 * MIB), (2, 12 * MIB)):
            hardware = self.hardware(f"vm{number}")
            disk = image.filled(self.scratch / f"disk{number}.img", size, seed=number)
            hardware.attach_storage("disk", disk)
            hardware.attach("keyboard", "kbd")
            self.sides.append((hardware, self.boot(hardware, memory=384), disk))

    def test_each_machine_sees_only_its_own_disk(self) -> None:
        for _, guest, disk in self.sides:
            name = usb_view.wait_disk(guest, disk.stat().st_size)
            self.assertEqual(usb_view.disks(guest), [name])
        for _, guest, disk in self.sides:  # both read while the other one does, too
            guest.check("(sha256sum </dev/sda >/tmp/sum; echo done >/tmp/done) &")
        for _, guest, disk in self.sides:
            guest.until("cat /tmp/done", 60)
            self.assertEqual(guest.check("cat /tmp/sum").split()[0], image.sha256(disk))
            self.assert_healthy(guest)

    def test_keys_arrive_only_where_they_are_typed(self) -> None:
        recorders = [evdev.Recorder(guest, evdev.find_node(guest, "keyboard"))
                     for _, guest, _ in self.sides]
        self.sides[0][0].type_text("first", "kbd")
        self.sides[1][0].type_text("second", "kbd")
        self.assertEqual([evdev.typed(r.wait_quiet(10)) for r in recorders], ["first", "second"])

    def test_unplugging_from_one_leaves_the_other_alone(self) -> None:
        (first, one, _), (_, two, disk) = self.sides
        usb_view.wait_disk(one)
        usb_view.wait_disk(two)
        first.detach("disk")
        usb_view.wait_no_disk(one)
        two.check("echo 3 >/proc/sys/vm/drop_caches")
        self.assertEqual(two.check("sha256sum </dev/sda", 60).split()[0], image.sha256(disk))
        self.assert_healthy(two)
