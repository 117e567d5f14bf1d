# SPDX-License-Identifier: Apache-2.0
"""A guest that writes its disk and reads it back, all the time, with every byte checked there and in the image."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lab.guest import Guest

CHUNK = 256 << 10

# Past the guest's page cache both ways, so that the disk itself answers.
_SCRIPT = b"""
disk=$1; chunks=$2; i=0
while [ ! -e /run/traffic/stop ]; do
    place=$((i % chunks * 4))
    dd if=/dev/urandom of=/run/traffic/chunk bs=64k count=4 2>/dev/null
    dd if=/run/traffic/chunk of=$disk bs=64k seek=$place conv=notrunc oflag=direct 2>/run/traffic/said ||
        { echo "write $i: $(cat /run/traffic/said)" >/run/traffic/failed; exit; }
    written=$(sha256sum </run/traffic/chunk | cut -d' ' -f1)
    dd if=$disk of=/run/traffic/chunk bs=64k skip=$place count=4 iflag=direct 2>/run/traffic/said ||
        { echo "read $i: $(cat /run/traffic/said)" >/run/traffic/failed; exit; }
    back=$(sha256sum </run/traffic/chunk | cut -d' ' -f1)
    [ $written = $back ] || { echo "round $i: other bytes come back" >/run/traffic/failed; exit; }
    echo "$((i % chunks)) $written" >>/run/traffic/done
    i=$((i+1))
done
touch /run/traffic/ended
"""


class DiskTraffic:
    """Rounds of 256 KiB, written and read back, over the first `size` bytes of a guest's disk; from construction on."""

    def __init__(self, guest: Guest, disk: str, size: int) -> None:
        """`disk`: such as sda."""
        self._guest = guest
        guest.check("rm -rf /run/traffic; mkdir /run/traffic; : >/run/traffic/done")
        guest.write_file("/run/traffic/script", _SCRIPT)
        guest.check(f"sh /run/traffic/script /dev/{disk} {size // CHUNK} >/run/traffic/shell 2>&1 &")

    def rounds(self) -> int:
        """How many there were."""
        return int(self._guest.check("grep -c . /run/traffic/done || true"))

    def wait(self, rounds: int, timeout: float) -> None:
        """Returns when there were so many more."""
        wanted = self.rounds() + rounds
        self._guest.until(f"[ -e /run/traffic/failed ] || [ $(grep -c . /run/traffic/done) -ge {wanted} ]", timeout)
        self._check_failed()

    def stop(self, image: Path, timeout: float = 60.0) -> int:
        """Ends it; what was written last must be in the image at the far end. How many rounds there were."""
        self._guest.check("touch /run/traffic/stop")
        self._guest.until("[ -e /run/traffic/ended ] || [ -e /run/traffic/failed ]", timeout)
        self._check_failed()
        done = [line.split() for line in self._guest.check("cat /run/traffic/done").splitlines()]
        content = image.read_bytes()
        for place, digest in {int(place): digest for place, digest in done}.items():
            there = hashlib.sha256(content[place * CHUNK:(place + 1) * CHUNK]).hexdigest()
            assert there == digest, f"chunk {place} of {image} is not what the guest has written last"
        return len(done)

    def wait_failed(self, timeout: float) -> str:
        """What went wrong, once something has: the disk was pulled, say."""
        return self._guest.until("cat /run/traffic/failed", timeout)

    def _check_failed(self) -> None:
        said = self._guest.check("cat /run/traffic/failed /run/traffic/shell 2>/dev/null || true")
        assert not said, f"{self._guest.name}: {said}"
