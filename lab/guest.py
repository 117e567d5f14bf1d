# SPDX-License-Identifier: Apache-2.0
"""A guest: one QEMU process, its console, its monitor, and a shell in it when it runs our init.

A guest is a context manager. Everything it does has a deadline, its three connections are socket
pairs (nothing in the file system), and QEMU dies with the `with` block or with this process.
The transcript stays in the log directory when the block ends by an exception.
"""

from __future__ import annotations

import base64
import os
import shlex
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import process
from lab.boot import Boot, accelerator
from lab.channel import Channel, ChannelTimeout, Restarted
from lab.console import Console, tail
from lab.qemu import find_qemu
from lab.qmp import Qmp

class GuestError(Exception):
    """The guest did not do what the lab needs of it."""


class CommandFailed(GuestError):
    """A command in the guest ended with a status other than 0."""


class Guest:
    """One virtual machine."""

    def __init__(self, name: str, boot: Boot, arguments: Sequence[str] = (), memory: int = 512,
                 processors: int = 1, boot_timeout: float = 90.0) -> None:
        """`name` names the transcript; `arguments` are added to QEMU's; `memory` is in MiB."""
        self.name = name
        self.boot = boot
        self._arguments = list(arguments)
        self._memory = memory
        self._processors = processors
        self._boot_timeout = boot_timeout
        self.boot_seconds = 0.0
        self._keep = bool(os.environ.get("PERIPLEX_LAB_KEEP_LOGS"))

    def __enter__(self) -> Self:
        logs = Path(os.environ.get("PERIPLEX_LAB_LOGS", "build/lab-logs"))
        logs.mkdir(parents=True, exist_ok=True)
        self.transcript = logs / f"{self.name}.console.log"
        self.stderr = logs / f"{self.name}.qemu.log"
        self.stderr.write_bytes(b"")
        started = time.monotonic()
        self._start()
        try:
            self.qmp = Qmp(self._monitor)
            if self.boot.has_shell:
                self.wait_ready()
        except BaseException as error:
            self._end(keep=True)
            raise GuestError(f"{self.name} did not start: {error}\n{self._evidence()}") from error
        self.boot_seconds = time.monotonic() - started
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._end(keep=kind is not None)

    def _start(self) -> None:
        ours, theirs = zip(*(socket.socketpair() for _ in range(3)))
        console, self._monitor, agent = ours
        command = [str(find_qemu().program), "-nodefaults", "-no-user-config", "-display", "none",
                   "-name", self.name, *accelerator(),
                   "-smp", str(self._processors), "-m", f"{self._memory}M",
                   "-object", f"memory-backend-memfd,id=ram,size={self._memory}M,share=on",
                   "-machine", "q35,memory-backend=ram",
                   "-chardev", f"socket,id=console,fd={theirs[0].fileno()}",
                   "-serial", "chardev:console",
                   "-chardev", f"socket,id=monitor,fd={theirs[1].fileno()}",
                   "-qmp", "chardev:monitor"]
        if self.boot.has_shell:
            command += ["-chardev", f"socket,id=agent,fd={theirs[2].fileno()}",
                        "-device", "virtio-serial-pci",
                        "-device", "virtserialport,chardev=agent,name=lab.agent"]
        command += [*self.boot.arguments, *self._arguments]
        self.stderr.write_text(shlex.join(command) + "\n")
        self._child = process.start(command, self.stderr,
                                    tuple(end.fileno() for end in theirs))
        for end in theirs:
            end.close()
        self.console = Console(console, self.transcript)
        self._channel = Channel(agent)

    def _end(self, keep: bool) -> None:
        process.stop(self._child)
        for connection in (self._monitor, self._channel, self.console):
            connection.close()
        if not keep and not self._keep:
            self.transcript.unlink(missing_ok=True)
            self.stderr.unlink(missing_ok=True)

    def keep_logs(self) -> None:
        """Keeps the transcript of a guest that ends in good order; for a test that failed."""
        self._keep = True

    @property
    def qemu_pid(self) -> int:
        """QEMU's process id (its CPU time is what a benchmark wants)."""
        return self._child.pid

    def wait_ready(self, timeout: float | None = None) -> None:
        """Waits until the guest's init says that it listens; again after a reboot."""
        try:
            self._channel.wait_ready(timeout or self._boot_timeout)
        except ChannelTimeout as error:
            raise GuestError(f"{self.name} is not ready: {error}\n{self._evidence()}") from None

    def restart(self, script: str = "reboot -f", timeout: float | None = None) -> None:
        """Runs a script that restarts the guest, and waits until the guest listens again."""
        try:
            self._channel.restart(script, timeout or self._boot_timeout)
        except ChannelTimeout as error:
            raise GuestError(f"{self.name} did not restart: {error}\n{self._evidence()}") from None

    def press_reset(self) -> None:
        """Resets the machine from outside and waits until the guest listens again."""
        self._channel.expect_restart()
        self.qmp.system_reset()
        self.wait_ready()

    def run(self, script: str, timeout: float = 30.0) -> tuple[int, str]:
        """Runs a shell script in the guest: its exit status, and its output with errors."""
        status, output = self.run_raw(script, timeout)
        return status, output.decode(errors="replace")

    def run_raw(self, script: str, timeout: float = 30.0) -> tuple[int, bytes]:
        """Like `run`, for output that is not text."""
        try:
            return self._channel.run(script, timeout)
        except (ChannelTimeout, Restarted) as error:
            raise GuestError(f"{self.name}: {error}\nin: {script}\n{self._evidence()}") from None

    def check(self, script: str, timeout: float = 30.0) -> str:
        """Runs a script that must succeed; its output without the last newline."""
        status, output = self.run(script, timeout)
        if status != 0:
            raise CommandFailed(f"{self.name}: status {status} from: {script}\n{output}"
                                f"--- console:\n{tail(self.console.text())}")
        return output.rstrip("\n")

    def read_file(self, path: str, timeout: float = 60.0) -> bytes:
        """A file of the guest."""
        status, data = self.run_raw(f"cat {shlex.quote(path)}", timeout)
        if status != 0:
            raise CommandFailed(f"{self.name}: {data.decode(errors='replace')}")
        return data

    def write_file(self, path: str, data: bytes) -> None:
        """Makes a file of the guest, of some hundred KiB at most: the guest's shell reads it byte by byte."""
        self.check(f": >{shlex.quote(path)}")
        for start in range(0, len(data), 1 << 16):
            encoded = base64.b64encode(data[start:start + (1 << 16)]).decode()
            self.check(f"base64 -d >>{shlex.quote(path)} <<END\n{encoded}\nEND")

    def until(self, script: str, timeout: float = 20.0, pause: float = 0.1) -> str:
        """Repeats a script until it succeeds; its output then."""
        deadline = time.monotonic() + timeout
        while True:
            status, output = self.run(script, timeout)
            if status == 0:
                return output.rstrip("\n")
            if time.monotonic() > deadline:
                raise GuestError(f"{self.name}: {timeout:g} s passed without success of: {script}\n"
                                 f"{output}{self._evidence()}")
            time.sleep(pause)

    def wait_for(self, pattern: str, timeout: float = 20.0, since: int = 0) -> str:
        """Waits for a pattern on the serial console; the text that matched."""
        return self.console.wait_for(pattern, timeout, since).group(0)

    def ended(self) -> bool:
        """Whether QEMU has ended by itself."""
        return self._child.poll() is not None

    def wait_ended(self, timeout: float = 30.0) -> None:
        """Returns when QEMU has ended by itself."""
        self._child.wait(timeout)

    def _evidence(self) -> str:
        said = self.stderr.read_text(errors="replace").splitlines()[1:]
        return "\n".join([f"--- QEMU (status {self._child.poll()}):", *said[-10:],
                          f"--- console ({self.transcript}):", tail(self.console.text())])


if __name__ == "__main__":
    from lab.boot import main
    raise SystemExit(main())
