# SPDX-License-Identifier: Apache-2.0
"""Which Debian mirror this machine uses, read from its own apt configuration."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class MirrorError(Exception):
    """No Debian mirror or no archive key is known on this machine."""


def find() -> str:
    """The URI of a Debian mirror: PERIPLEX_LAB_MIRROR, else the one that this machine's apt uses."""
    chosen = os.environ.get("PERIPLEX_LAB_MIRROR")
    if chosen:
        return chosen.rstrip("/")
    if shutil.which("apt-get") is None:
        raise MirrorError("apt-get is not installed: the lab takes its guests from Debian packages")
    candidates = _from_index_targets() or _from_source_files()
    if not candidates:
        raise MirrorError(
            "apt on this machine has no Debian mirror configured: name one in PERIPLEX_LAB_MIRROR")
    return candidates[0]


def keyring() -> Path:
    """Debian's archive keyring; part of every Debian, a package on Debian's children."""
    if not KEYRING.exists():
        raise MirrorError(f"{KEYRING} is missing: install the package debian-archive-keyring")
    return KEYRING


def _from_index_targets() -> list[str]:
    shown = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)",
         "Created-By: Packages"], capture_output=True, text=True, check=False)
    found = []
    for line in shown.stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[:3] == ["Debian", "Debian", "main"]:
            found.append(words[3].rstrip("/"))
    return found


def _from_source_files() -> list[str]:
    """Both formats of sources.list(5), for a machine on which `apt-get update` has not run yet."""
    etc = Path("/etc/apt")
    files = [etc / "sources.list", *sorted(etc.glob("sources.list.d/*"))]
    pattern = re.compile(r"^(?:deb\s+(?:\[[^]]*\]\s+)?|URIs:\s*)(\S+?/debian)/?(?:\s|$)", re.M)
    return [uri for file in files if file.is_file()
            for uri in pattern.findall(file.read_text(encoding="utf-8", errors="replace"))]
