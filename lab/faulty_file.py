# SPDX-License-Identifier: Apache-2.0
"""A file with faults on demand: sectors that cannot be read, space that runs out, slow answers.

A FUSE file system with one file, served by a thread of this process. Needs root (it mounts) and
/dev/fuse. The mount lives in a mount namespace of this process and its children and dies with them.
Protocol: Linux, include/uapi/linux/fuse.h, version 7.31.
"""

from __future__ import annotations

import ctypes
import enum
import errno
import os
import stat
import struct
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_ROOT, _FILE = 1, 2
_MAX_WRITE = 1 << 20
_BLOCK = 4096
_ASYNC_READ, _BIG_WRITES, _ASYNC_DIO, _MAX_PAGES = 1 << 0, 1 << 5, 1 << 15, 1 << 22
_FOPEN_DIRECT_IO = 1
_CLONE_NEWNS, _MS_REC, _MS_PRIVATE, _MS_NOSUID_NODEV = 0x20000, 0x4000, 1 << 18, 6
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)
_unshared = False


class Op(enum.IntEnum):
    """`enum fuse_opcode`, as far as one file needs it."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    FSYNC = 20
    FLUSH = 25
    INIT = 26
    INTERRUPT = 36
    BATCH_FORGET = 42


_SILENT = {Op.FORGET, Op.INTERRUPT, Op.BATCH_FORGET}  # they have no answer


class FaultyFileError(Exception):
    """This machine lets us mount nothing."""


class FaultyFile:
    """A context manager; `path` is the file. The attributes may change at any time."""

    def __init__(self, size: int) -> None:
        self._data = bytearray(size)
        self._written: set[int] = set()  # blocks of _BLOCK bytes
        self.bad = range(0)  # bytes that cannot be read (EIO); writing mends nothing
        self.capacity = size  # bytes that can be written in all before ENOSPC
        self.delay = 0.0  # seconds before each read or write that comes from now on is answered
        self._delayed: dict[threading.Timer, tuple[Any, ...]] = {}
        self.syncs = 0  # how often fsync or fdatasync came

    def __enter__(self) -> Self:
        _enter_namespace()
        self._directory = Path(tempfile.mkdtemp(prefix="periplex-fuse-"))
        self._fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._fuse},rootmode=40000,user_id=0,group_id=0,allow_other"
        _check(_libc.mount(b"lab", bytes(self._directory), b"fuse", _MS_NOSUID_NODEV,
                           options.encode()), "mounting a FUSE file system")
        self._thread = threading.Thread(target=self._serve, name="fuse", daemon=True)
        self._thread.start()
        self.path = self._directory / "disk.img"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        _libc.umount2(bytes(self._directory), _MNT_DETACH)
        os.close(self._fuse)
        self._directory.rmdir()

    def contents(self) -> bytes:
        """All the bytes, faults aside."""
        return bytes(self._data)

    def fill(self, data: bytes) -> None:
        """Sets the contents from the start on, past all faults."""
        self._data[:len(data)] = data

    def recover(self) -> None:
        """No delay any more: neither for what comes, nor for what waits."""
        self.delay = 0.0
        for timer in list(self._delayed):
            self._answer_delayed(timer)

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self._fuse, _MAX_WRITE + 65536)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT):
                    continue
                return  # unmounted or closed
            _, operation, unique, node = struct.unpack_from("<IIQQ", request)
            if operation in (Op.READ, Op.WRITE) and self.delay:
                self._answer_later(operation, unique, node, request[40:])
            else:
                self._handle(operation, unique, node, request[40:])

    def _answer_later(self, *request: Any) -> None:
        timer = threading.Timer(self.delay, lambda: self._answer_delayed(timer))
        self._delayed[timer] = request
        timer.start()
        if not self.delay:
            self._answer_delayed(timer)  # `recover` has just been

    def _answer_delayed(self, timer: threading.Timer) -> None:
        timer.cancel()
        if request := self._delayed.pop(timer, None):  # whoever is first
            self._handle(*request)

    def _handle(self, operation: int, unique: int, node: int, body: bytes) -> None:
        if operation in _SILENT:
            return
        try:
            status, answer = 0, self._answer(operation, node, body)
        except OSError as error:
            status, answer = -(error.errno or errno.EIO), b""
        try:
            os.write(self._fuse, struct.pack("<IiQ", 16 + len(answer), status, unique) + answer)
        except OSError:
            pass  # the request was interrupted, or everything is being unmounted

    def _answer(self, operation: int, node: int, body: bytes) -> bytes:
        match operation:
            case Op.INIT:
                wanted = struct.unpack_from("<IIII", body)[3]
                flags = wanted & (_ASYNC_READ | _BIG_WRITES | _ASYNC_DIO | _MAX_PAGES)
                return struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 17, flags, 16, 12, _MAX_WRITE,
                                   1, _MAX_WRITE // 4096, 0, 0)
            case Op.LOOKUP:
                if node != _ROOT or body.rstrip(b"\0") != b"disk.img":
                    raise OSError(errno.ENOENT, "")
                return struct.pack("<QQQQII", _FILE, 0, 3600, 0, 0, 0) + self._attributes(_FILE)
            case Op.GETATTR | Op.SETATTR:  # nothing can be set
                return struct.pack("<QII", 0, 0, 0) + self._attributes(node)
            case Op.OPEN:
                return struct.pack("<QII", 0, _FOPEN_DIRECT_IO, 0)
            case Op.READ:
                _, offset, size = struct.unpack_from("<QQI", body)
                return self._read(offset, size)
            case Op.WRITE:
                _, offset, size = struct.unpack_from("<QQI", body)
                self._write(offset, body[40:40 + size])
                return struct.pack("<II", size, 0)
            case Op.STATFS:
                free = max(0, self.capacity // _BLOCK - len(self._written))
                return struct.pack("<QQQQQIII28x", len(self._data) // _BLOCK, free, free, 1, 0,
                                   _BLOCK, 255, _BLOCK)
            case Op.FSYNC:
                self.syncs += 1
                return b""
            case Op.RELEASE | Op.FLUSH:
                return b""
        raise OSError(errno.ENOSYS, "")

    def _read(self, offset: int, size: int) -> bytes:
        end = min(offset + size, len(self._data))
        if offset < self.bad.stop and self.bad.start < end:
            raise OSError(errno.EIO, "")
        return bytes(self._data[offset:end])

    def _write(self, offset: int, data: bytes) -> None:
        touched = set(range(offset // _BLOCK, (offset + len(data) - 1) // _BLOCK + 1))
        if len(self._written | touched) * _BLOCK > self.capacity:
            raise OSError(errno.ENOSPC, "")
        self._written |= touched
        self._data[offset:offset + len(data)] = data

    def _attributes(self, node: int) -> bytes:
        is_file = node == _FILE
        mode = stat.S_IFREG | 0o666 if is_file else stat.S_IFDIR | 0o755
        now = int(time.time())
        return struct.pack("<QQQQQQIIIIIIIIII", node, len(self._data) if is_file else 0,
                           len(self._written) * _BLOCK // 512, now, now, now, 0, 0, 0,
                           mode, 1, 0, 0, 0, _BLOCK, 0)


def _enter_namespace() -> None:
    global _unshared  # one mount namespace for the life of this process
    if _unshared:
        return
    if os.geteuid() != 0:
        raise FaultyFileError("this test mounts a faulty file system: run it as root")
    if not os.path.exists("/dev/fuse"):
        raise FaultyFileError("this test needs /dev/fuse (modprobe fuse)")
    _check(_libc.unshare(_CLONE_NEWNS), "making a mount namespace")
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "making mounts private")
    _unshared = True


def _check(result: int, what: str) -> None:
    if result != 0:
        raise FaultyFileError(f"{what} failed: {os.strerror(ctypes.get_errno())}")
