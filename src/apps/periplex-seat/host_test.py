# SPDX-License-Identifier: Apache-2.0
"""The program periplex-seat with a host: paired by a token, connected, and taken leave of. Nothing is lent here, as this
computer may have no peripherals; tests/test_seat_session_guest.py does that."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

BIN = Path(os.environ["PERIPLEX_BUILD"])
PATIENCE = 30.0


class SeatAndHost(unittest.TestCase):
    """A host without machines, and a seat that comes to it."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="periplex-seat-"))
        self.addCleanup(shutil.rmtree, self.directory, True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.host = self.directory / "host.toml"
        self.host.write_text(f"""
state-dir = "host-state"
runtime-dir = "host-run"
[gate]
listen = "127.0.0.1:{self.port}"
""")
        self.state = self.directory / "state"
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.directory), "XDG_CONFIG_HOME": str(self.directory)}
        self.start_host()

    def wait_status(self, wanted: str) -> None:
        """Until `periplex-seat status` says it."""
        deadline = time.monotonic() + PATIENCE
        while wanted not in (said := self.seat("status").stdout) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertIn(wanted, said)

    def start_host(self) -> None:
        self.daemon = subprocess.Popen([BIN / "periplexd", "--config", self.host], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, self.daemon)
        self.assertEqual(self.daemon.stdout.readline(), "periplexd is ready\n")

    def end(self, child: subprocess.Popen, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status."""
        if child.poll() is None:
            child.send_signal(how)
        child.communicate(timeout=PATIENCE)
        return child.returncode

    def invite(self, name: str = "desk") -> str:
        return subprocess.run([BIN / "periplexd", "--config", self.host, "invite", name], capture_output=True, text=True,
                              timeout=PATIENCE, check=True).stdout.strip()

    def seat(self, *words: object, status: int = 0) -> subprocess.CompletedProcess:
        done = subprocess.run([BIN / "periplex-seat", *map(str, words)], capture_output=True, text=True, timeout=PATIENCE,
                              check=False, env=self.environment)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def join(self, token: str, status: int = 0) -> str:
        done = self.seat("join", token, "--gate", f"127.0.0.1:{self.port}", "--state", self.state, status=status)
        return done.stdout + done.stderr

    def run_agent(self) -> subprocess.Popen:
        agent = subprocess.Popen([BIN / "periplex-seat", "run", "--state", self.state, "--name", "a computer"],
                                 stderr=subprocess.PIPE, text=True, env=self.environment)
        self.addCleanup(self.end, agent)
        return agent

    def seats(self) -> list[tuple[str, str, str]]:
        """What the gate has: name, agent and state of each."""
        try:
            shown = json.loads((self.directory / "host-run/gate.json").read_text())["state"]["seats"]
        except FileNotFoundError:
            return []
        return [(one["name"], one["agent"], one["state"]) for one in shown]

    def wait(self, wanted: list[tuple[str, str, str]]) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.seats() != wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.seats(), wanted)

    def test_a_token_pairs_and_the_agent_connects_again_and_again(self) -> None:
        self.assertIn("desk", self.join(self.invite()))
        self.assertEqual({file.stat().st_mode & 0o777 for file in self.state.iterdir()}, {0o600})
        self.assertEqual(self.state.stat().st_mode & 0o777, 0o700)
        connected = [("desk", "a computer", "connected")]
        agent = self.run_agent()
        self.wait(connected)
        self.assertIn(f"connected to 127.0.0.1:{self.port}", self.seat("status").stdout)
        self.wait_status("datagrams: used")
        self.end(self.daemon)
        self.start_host()
        self.wait(connected)
        self.wait_status("datagrams: used")
        self.seat("take-back", "usb:0000:0000:nothing", status=1)
        self.assertEqual(self.end(agent), 0)
        self.wait([])
        self.seat("status", status=1)

    def test_datagrams_can_be_switched_off(self) -> None:
        self.end(self.daemon)
        self.host.write_text(self.host.read_text() + "datagrams = false\n")
        self.start_host()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", self.port))
        self.join(self.invite())
        self.run_agent()
        self.wait([("desk", "a computer", "connected")])
        self.wait_status("datagrams: the host takes none")

    def test_a_token_is_good_once_and_the_pairing_that_was_there_stays(self) -> None:
        token = self.invite()
        self.join(token)
        before = {file.name: file.read_text() for file in self.state.iterdir()}
        self.assertIn("not paired", self.join(token, status=1))
        self.assertEqual({file.name: file.read_text() for file in self.state.iterdir()}, before)
        self.join(self.invite("other"))
        after = {file.name: file.read_text() for file in self.state.iterdir()}
        self.assertEqual(after["key.pem"], before["key.pem"])
        self.assertNotEqual(after["certificate.pem"], before["certificate.pem"])

    def test_a_token_of_another_host_leads_to_nobody(self) -> None:
        token = self.invite()
        self.end(self.daemon)
        shutil.rmtree(self.directory / "host-state")
        self.start_host()
        self.assertIn("not the host that made the token", self.join(token, status=1))
        self.assertFalse((self.state / "certificate.pem").exists())

    def test_mistakes_are_told(self) -> None:
        self.assertIn("no token", self.join("nonsense", status=2))
        self.assertIn("--gate", self.seat("join", self.invite(), "--state", self.state, status=2).stderr)
        self.assertIn("not been paired", self.seat("run", "--state", self.state, status=1).stderr)


if __name__ == "__main__":
    unittest.main()
