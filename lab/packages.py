# SPDX-License-Identifier: Apache-2.0
"""Debian packages of any suite, resolved by apt and unpacked into the cache, installed nowhere.

apt itself resolves, downloads and verifies, with state, lists and archives of its own below the
cache, so neither the machine's package state nor its sources are touched and root is not needed.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from lab import cache, mirror

LISTS_STAY_FRESH = 12 * 3600  # seconds
_HOST_SETTINGS = re.compile(r"^Acquire::(http|https|ftp|Retries|ForceIPv[46]|Check-Valid-Until)\b")


class PackageError(Exception):
    """apt could not find, fetch or verify what was asked for."""


class Suites:
    """One or several Debian suites, searched together as apt would on a machine that uses them."""

    def __init__(self, *names: str) -> None:
        """`names`: suites such as "trixie", "trixie-backports"; the last one is preferred."""
        self.names = names
        self._state = cache.root() / "apt" / "+".join(names)

    def unpack(self, packages: Iterable[str],
               wanted: Callable[[str], bool] = lambda package: True) -> Path:
        """A directory with `packages` and their dependencies unpacked.

        `wanted(package name)` leaves dependencies out that the caller has no use for. It must
        depend on nothing but the names of the packages asked for.
        """
        packages = sorted(packages)
        name = f"packages/{'+'.join(self.names)}/{packages[0]}-{cache.key(packages)}"

        def fill(directory: Path) -> None:
            with cache.locked("apt-" + "+".join(self.names)):
                self._refresh_lists()
                archives = [a for a in self._resolve(packages) if wanted(a.split("_")[0])]
                self._download(archives, packages)
            cache.say(f"unpacking {len(archives)} packages for {' '.join(packages)}")
            for archive in archives:
                _run(["dpkg-deb", "-x", str(self._archives / archive), str(directory)])

        return cache.entry(name, fill)

    @property
    def _archives(self) -> Path:
        return self._state / "archives"

    def _apt(self, *arguments: str, directory: Path | None = None) -> str:
        command = ["apt-get", "--no-install-recommends", "-t", self.names[-1], *arguments]
        environment = os.environ | {"APT_CONFIG": str(self._state / "apt.conf"), "LC_ALL": "C"}
        return _run(command, environment, directory)

    def _refresh_lists(self) -> None:
        stamp = self._state / "refreshed"
        uri = mirror.find()
        if stamp.exists() and stamp.read_text() == uri \
                and time.time() - stamp.stat().st_mtime < LISTS_STAY_FRESH:
            return
        for part in ("lists/partial", "archives/partial", "nothing/partial", "preferences.d"):
            (self._state / part).mkdir(parents=True, exist_ok=True)
        (self._state / "status").touch()
        (self._state / "sources.list").write_text("".join(
            f"deb [signed-by={mirror.keyring()} arch=amd64] {uri} {suite} main\n"
            for suite in self.names))
        (self._state / "apt.conf").write_text(self._configuration())
        cache.say(f"asking the Debian mirror for {' and '.join(self.names)}")
        try:
            self._apt("-o", "APT::Update::Error-Mode=any", "update")
        except PackageError as error:
            raise PackageError(
                f"the Debian mirror of this machine did not give {' and '.join(self.names)}; "
                f"is there a network? (Another mirror: PERIPLEX_LAB_MIRROR)\n{error}") from None
        stamp.write_text(uri)

    def _configuration(self) -> str:
        """apt.conf: the machine's proxy and time-out settings, everything else our own."""
        dump = _run(["apt-config", "dump"])
        kept = [line for line in dump.splitlines() if _HOST_SETTINGS.match(line)]
        state = self._state
        return "\n".join([
            *kept,
            'APT::Architecture "amd64"; APT::Architectures { "amd64"; };',
            'APT::Sandbox::User "";',
            'Acquire::Languages "none";',
            'Debug::NoLocking "1";',
            'Dir::Etc::main "/dev/null"; Dir::Etc::parts "/dev/null";',
            f'Dir::Etc::sourcelist "{state}/sources.list"; Dir::Etc::sourceparts "/dev/null";',
            f'Dir::Etc::preferences "{state}/preferences";',
            f'Dir::Etc::preferencesparts "{state}/preferences.d";',
            f'Dir::State "{state}"; Dir::State::lists "{state}/lists";',
            f'Dir::State::status "{state}/status";',
            f'Dir::Cache "{state}"; Dir::Cache::archives "{state}/archives";', ""])

    def _resolve(self, packages: list[str]) -> list[str]:
        """File names of the archives that apt would install on an empty machine."""
        # From an empty archive directory: apt does not list what it already has.
        shown = self._apt("-o", f"Dir::Cache::archives={self._state}/nothing",
                          "install", "--print-uris", "-qq", "-y", *packages)
        return re.findall(r"^'[^']+' (\S+\.deb) ", shown, re.M)

    def _download(self, archives: list[str], packages: list[str]) -> None:
        missing = [a for a in archives if not (self._archives / a).exists()]
        if not missing:
            return
        cache.say(f"downloading {len(missing)} packages for {' '.join(packages)}")
        # `download` fetches exactly these, and verifies them as an installation would.
        self._apt("download", *(_as_argument(archive) for archive in missing),
                  directory=self._archives)


def _as_argument(archive: str) -> str:
    """`name_1%3a2.0_amd64.deb` as apt's `name=1:2.0`."""
    name, version, _ = archive.split("_")
    return f"{name}={version.replace('%3a', ':')}"


def _run(command: list[str], environment: dict[str, str] | None = None,
         directory: Path | None = None) -> str:
    try:
        done = subprocess.run(command, env=environment, cwd=directory, text=True, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True)
    except FileNotFoundError:
        raise PackageError(f"{command[0]} is not installed on this machine") from None
    if done.returncode != 0:
        raise PackageError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    return done.stdout
