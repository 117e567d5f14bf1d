# SPDX-License-Identifier: Apache-2.0
"""periplexd with its gate and a worker, without a guest; the seat is Python's own TLS and the bytes of docs/protocol.md.

The directory of the built programs is in PERIPLEX_BUILD."""

import base64
import hashlib
import json
import os
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

BIN = Path(os.environ["PERIPLEX_BUILD"])
PATIENCE = 30.0
LONGEST = 150  # seconds that a test may take
HELLO, WELCOME, REFUSE, PING, PONG, SYNC, OFFER, OPEN, ENROL, ENROLLED = 1, 2, 3, 5, 6, 7, 0x10, 0x12, 0x20, 0x21
NOT_ALLOWED = 7
VERSION = 1  # of vfio-user: the first message
HOLD = 20  # seconds that a peripheral of a seat is held


def frame(kind, payload):
    return struct.pack("<BBHI", kind, 0, len(payload), 0) + payload


def text(value):
    return bytes([len(value)]) + value.encode()


STICK = bytes([1, 3]) + struct.pack("<HH", 0x951, 0x1666) + bytes([8, 6, 0x50, 0]) + text("usb:1-2") + text("Stick") + text("E0")


class Seat:
    """One connection to a gate."""

    def __init__(self, port, protocol, credentials=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([protocol])
        if credentials is not None:
            context.load_cert_chain(*credentials)
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), PATIENCE))
        self.socket.settimeout(PATIENCE)
        self.heard = []
        self.over = False

    def send(self, data):
        self.socket.sendall(data)

    def take(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def hear(self):
        kind, _flags, length, _channel = struct.unpack("<BBHI", self.take(8))
        payload = self.take(length)
        if kind == PING:
            self.send(frame(PONG, payload))
        else:
            self.heard.append((kind, payload))

    def frame(self):
        while not self.heard:
            self.hear()
        return self.heard.pop(0)

    def serve(self):
        """Takes what has come: who does not answer is taken for lost."""
        try:
            while not self.over and (self.socket.pending() or select.select([self.socket], [], [], 0)[0]):
                self.hear()
        except (EOFError, OSError):
            self.over = True

    def close(self):
        self.socket.close()


class Host(unittest.TestCase):
    """A host with one machine, and seats that come to it."""

    def setUp(self):
        signal.signal(signal.SIGALRM, self.too_long)
        signal.alarm(LONGEST)
        self.addCleanup(signal.alarm, 0)
        self.seats = []
        self.directory = Path(tempfile.mkdtemp(prefix="periplex-host-"))
        self.addCleanup(shutil.rmtree, self.directory, True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.configuration = self.directory / "host.toml"
        self.configuration.write_text(f"""
state-dir = "state"
runtime-dir = "run"
[gate]
name = "host"
listen = "127.0.0.1:{self.port}"
[[machine]]
name = "vm1"
start = true
[[binding]]
seat = "desk-*"
machine = "vm1"
""")
        self.logs = (self.directory / "log").open("w+")
        self.addCleanup(self.logs.close)
        self.addCleanup(self.end_all)
        self.start_daemon()

    def start_daemon(self):
        # What it starts outlives it, perhaps, and says what it says at the same places.
        self.daemon = subprocess.Popen([BIN / "periplexd", "--config", self.configuration], stdout=subprocess.PIPE,
                                       stderr=self.logs, text=True)
        self.addCleanup(self.daemon.stdout.close)
        while (line := self.daemon.stdout.readline()) != "periplexd is ready\n":
            self.assertNotEqual(line, "", self.log)

    @property
    def log(self):
        return (self.directory / "log").read_text()

    def end_all(self):
        """Nothing of a test that has failed stays."""
        self.end()
        for name in ("periplex-machine", "periplex-gate"):
            for process in self.processes(name):
                os.kill(process, signal.SIGKILL)

    @staticmethod
    def too_long(_signal, _frame):
        raise TimeoutError(f"the test takes longer than {LONGEST} s")

    def end(self):
        if self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
        try:
            return self.daemon.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            return self.daemon.wait()

    def run_daemon(self, *words):
        return subprocess.run([BIN / "periplexd", "--config", self.configuration, *words], capture_output=True,
                              text=True, timeout=PATIENCE, check=True).stdout.strip()

    def client(self, *words):
        with subprocess.Popen([BIN / "periplex", "--control", self.directory / "run/vm1/control.sock", "--json", *words],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
            try:
                self.wait(lambda: client.poll() is not None, f"periplex {words}")
            finally:
                client.kill()
            output, errors = client.communicate()
        self.assertEqual(client.returncode, 0, errors)
        return json.loads(output)

    def state(self):
        try:
            return json.loads((self.directory / "run/gate.json").read_text())["state"]
        except FileNotFoundError:
            return {"seats": [], "machines": []}

    def wait(self, done, what):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for seat in self.seats:
                seat.serve()
            if done():
                return
            time.sleep(0.05)
        self.fail(f"{what}: {self.state()}")

    def processes(self, name):
        """Those of this test: what they write goes to its log, wherever they have come from."""
        found = []
        for one in Path("/proc").iterdir():
            try:
                if one.name.isdigit() and (one / "comm").read_text().strip() == name[:15] \
                        and (one / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z" and self.is_ours(one, name):
                    found.append(int(one.name))
            except OSError:
                continue
        return found

    def is_ours(self, process, name):
        if name == "periplex-machine":
            return str(self.directory) in (process / "cmdline").read_text()
        return (process / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(self.daemon.pid)

    def enrol(self, token):
        """Sends ENROL; the answer's type and payload, and the key that was made."""
        key = self.directory / "seat.key"
        request = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                                  "-keyout", key, "-subj", "/CN=whatever"], capture_output=True, check=True).stdout
        decoded = base64.b32decode(token.replace("-", "").upper())
        self.assertEqual(decoded[0], 1)
        self.assertEqual(hashlib.sha256(decoded[:33]).digest()[:2], decoded[33:])
        authority = ssl.PEM_cert_to_DER_cert((self.directory / "state/authority.pem").read_text())
        self.assertEqual(hashlib.sha256(authority).digest()[:16], decoded[17:33])
        seat = Seat(self.port, "periplex-enrol/1")
        self.addCleanup(seat.close)
        self.assertEqual(seat.socket.selected_alpn_protocol(), "periplex-enrol/1")
        seat.send(frame(ENROL, b"PPXE" + struct.pack("<H", 1) + decoded[1:17] + struct.pack("<H", len(request)) + request))
        return *seat.frame(), key

    def begin(self, credentials):
        """A session on one lane; the answer's type and payload."""
        seat = Seat(self.port, "periplex-link/1", credentials)
        self.addCleanup(seat.close)
        seat.send(frame(HELLO, b"PPXL" + struct.pack("<HHIIBBBBII", 1, 1, 0, 0, 0, 0, 1, 0, 1 << 18, 1 << 22) + bytes(40) +
                        text("python")))
        answer = seat.frame()
        self.seats.append(seat)
        return seat, *answer

    def pair(self, name="desk-7"):
        token = self.run_daemon("invite", name)
        kind, payload, key = self.enrol(token)
        self.assertEqual(kind, ENROLLED, payload)
        length = struct.unpack_from("<H", payload)[0]
        certificate = self.directory / "seat.pem"
        certificate.write_bytes(payload[2:2 + length])
        return token, (certificate, key)

    def lend_a_keyboard(self):
        """A seat with a keyboard, which is in the machine as "keys", beside a local one."""
        token = self.run_daemon("invite", "desk-7")
        state = self.directory / "seat"
        subprocess.run([BIN / "periplex-seat", "join", token, "--gate", f"127.0.0.1:{self.port}", "--state", state],
                       capture_output=True, timeout=PATIENCE, check=True)
        seat = subprocess.Popen([BIN / "emulated_seat", state], stdout=subprocess.PIPE, stderr=self.logs, text=True)
        self.addCleanup(seat.stdout.close)
        self.addCleanup(seat.wait)
        self.addCleanup(seat.kill)
        self.client("attach", "keyboard,id=local")
        self.client("attach", f"seat,id=keys,peripheral=desk-7/{seat.stdout.readline().strip()}")
        self.wait(lambda: self.shown("keys")["state"] == "plugged", "it is plugged in")

    def shown(self, peripheral):
        return next(one for one in self.client("list")["devices"] if one["id"] == peripheral)

    def monitor(self):
        """A connection to the controller, as a machine's monitor has one."""
        connection = socket.socket(socket.AF_UNIX)
        self.addCleanup(connection.close)
        connection.connect(str(self.directory / "run/vm1/xhci.sock"))
        capabilities = b"{}\0"
        connection.sendall(struct.pack("<HHIIIHH", 0, VERSION, 20 + len(capabilities), 0, 0, 0, 1) + capabilities)
        self.assertGreater(len(connection.recv(4096)), 20)
        return connection

    def follow_until_plugged(self, port):
        """Held it may be, but not unplugged; the time that takes is bounded."""
        states = []

        def plugged():
            shown = self.shown("keys")
            states.append(shown["state"])
            self.assertIn(shown["state"], ("plugged", "held"))
            self.assertEqual(shown["port"], port)
            return "held" in states and shown["state"] == "plugged"

        begun = time.monotonic()
        self.wait(plugged, "it is back")
        self.assertLess(time.monotonic() - begun, HOLD)

    def test_a_worker_goes_on_without_periplexd_and_the_next_one_takes_it_on(self):
        self.wait(lambda: self.state()["machines"] == [{"name": "vm1", "worker": True}], "the worker is there")
        self.lend_a_keyboard()
        monitor = self.monitor()
        worker, gate, port = self.processes("periplex-machine"), self.processes("periplex-gate"), self.shown("keys")["port"]
        self.daemon.kill()
        self.daemon.wait()
        self.wait(lambda: not Path(f"/proc/{gate[0]}").exists(), "the gate ends with its parent")
        self.wait(lambda: self.shown("keys")["state"] == "held", "the seat's keyboard is held")
        self.client("attach", "mouse,id=another")
        self.client("detach", "local")
        self.assertEqual(self.processes("periplex-machine"), worker)
        self.start_daemon()
        self.follow_until_plugged(port)
        self.assertEqual(self.processes("periplex-machine"), worker)
        self.assertIn("the worker of vm1 was running already", self.log)
        self.assertRaises(BlockingIOError, monitor.recv, 1, socket.MSG_DONTWAIT)
        # From now on it is looked after as any other.
        os.kill(worker[0], signal.SIGKILL)
        self.wait(lambda: self.processes("periplex-machine") not in ([], worker), "the worker is started again")
        self.wait(lambda: self.state()["machines"] == [{"name": "vm1", "worker": True}], "it listens")
        self.daemon.kill()
        self.daemon.wait()
        self.start_daemon()
        self.assertEqual(self.end(), 0, self.log)
        self.assertEqual(self.processes("periplex-machine"), [])
        self.assertFalse((self.directory / "run/vm1/control.sock").exists())

    def test_a_gate_that_is_killed_leaves_what_seats_have_lent_where_it_is(self):
        self.wait(lambda: self.state()["machines"] == [{"name": "vm1", "worker": True}], "the worker is there")
        self.lend_a_keyboard()
        worker, gate, port = self.processes("periplex-machine"), self.processes("periplex-gate"), self.shown("keys")["port"]
        os.kill(gate[0], signal.SIGKILL)
        self.follow_until_plugged(port)
        self.assertEqual(self.processes("periplex-machine"), worker)
        self.assertNotEqual(self.processes("periplex-gate"), gate)

    def reload(self, text, said="the configuration has been read again"):
        """The daemon reads another file."""
        before = self.log.count(said)
        self.configuration.write_text(text)
        self.daemon.send_signal(signal.SIGHUP)
        self.wait(lambda: self.log.count(said) > before, said)

    def lent_stick(self):
        """A seat whose stick the machine has."""
        _token, credentials = self.pair()
        seat, kind, _payload = self.begin(credentials)
        self.assertEqual(kind, WELCOME)
        seat.send(frame(OFFER, STICK) + frame(SYNC, b""))
        self.client("attach", "seat,id=stick,peripheral=desk-7/usb:1-2")
        self.wait(lambda: self.stick() == "attached", "it is attached")
        return seat

    def stick(self):
        return next((p["state"] for s in self.state()["seats"] for p in s["peripherals"]), None)

    def test_a_new_configuration_changes_what_it_changes_and_nothing_else(self):
        text = self.configuration.read_text()
        seat = self.lent_stick()
        opened = sum(kind == OPEN for kind, _payload in seat.heard)
        vm1, gate = self.processes("periplex-machine"), self.processes("periplex-gate")
        self.reload(text + '[[machine]]\nname = "vm2"\nstart = true\n')
        self.wait(lambda: {"name": "vm2", "worker": True} in self.state()["machines"], "the new machine's worker is there")
        vm2 = [one for one in self.processes("periplex-machine") if one not in vm1]
        self.assertEqual(len(vm2), 1)
        self.reload(text)
        self.wait(lambda: self.processes("periplex-machine") == vm1, "the worker of a machine that is gone ends")
        self.wait(lambda: self.state()["machines"] == [{"name": "vm1", "worker": True}], "the machine is gone")
        self.assertEqual((self.processes("periplex-gate"), self.stick()), (gate, "attached"))
        self.assertEqual(sum(kind == OPEN for kind, _payload in seat.heard), opened, "it was not opened again")

    def test_what_seats_may_is_read_again(self):
        text = self.configuration.read_text()
        self.lent_stick()
        self.reload(text.replace('"desk-*"', '"other-*"'))
        self.wait(lambda: self.stick() == "offered", "no binding allows it any more")
        self.reload(text)
        self.wait(lambda: self.stick() == "attached", "it is allowed again")
        self.reload(text + '[[limit]]\nseat = "desk-*"\nperipherals = 0\n')
        self.wait(lambda: self.stick() == "wanted", "its seat may lend nothing")
        self.reload(text)
        self.wait(lambda: self.stick() == "attached", "there is no limit any more")

    def test_a_configuration_with_a_mistake_changes_nothing(self):
        text = self.configuration.read_text()
        self.lent_stick()
        workers = self.processes("periplex-machine")
        lines = len(text.splitlines())
        for mistake, why in (("colour = 3\n", 'host.toml:1: "colour" is not known'),
                             (text + "[[machine]]\nname = 7\n", f'host.toml:{lines + 2}: "name" is not known'),
                             (text + "[[binding\n", f"host.toml:{lines + 1}: "),
                             (text + '[[binding]]\nmachine = "vm9"\n', '"vm9", which there is not')):
            self.reload(mistake, "nothing has changed: ")
            self.assertIn(why, self.log.rsplit("nothing has changed: ", 1)[1])
        self.configuration.unlink()
        self.daemon.send_signal(signal.SIGHUP)
        self.wait(lambda: self.log.count("nothing has changed") == 5, "a file that is gone is a mistake, too")
        self.assertEqual((self.processes("periplex-machine"), self.stick()), (workers, "attached"))
        self.reload(text)

    def test_what_counts_only_from_a_start_on_is_said(self):
        text = self.configuration.read_text()
        self.wait(lambda: self.state()["machines"] == [{"name": "vm1", "worker": True}], "the worker is there")
        worker = self.processes("periplex-machine")
        (self.directory / "vm1.toml").write_text("spin-us = 10\n")
        self.reload(text.replace("start = true", 'start = true\nconfig = "vm1.toml"'))
        self.assertIn("vm1 goes on as it was started", self.log)
        self.reload(text.replace('name = "host"', 'name = "other"'))
        self.assertIn("[gate] count from the next start of periplexd on", self.log)
        self.assertEqual(self.processes("periplex-machine"), worker)

    def test_what_is_settled_about_peripherals_goes_to_workers(self):
        self.wait(lambda: self.state()["machines"] == [{"name": "vm1", "worker": True}], "the worker is there")
        worker = self.processes("periplex-machine")
        self.reload(self.configuration.read_text() +
                    '[[peripheral]]\nperipheral = "desk-*/*"\nreadonly = true\nname = "Red, round"\n')
        self.assertIn("under [[peripheral]] counts from each worker's next start on", self.log)
        self.assertEqual(self.processes("periplex-machine"), worker)
        os.kill(worker[0], signal.SIGKILL)
        self.wait(lambda: self.processes("periplex-machine") not in ([], worker), "the worker is started again")
        words = Path(f"/proc/{self.processes('periplex-machine')[0]}/cmdline").read_text().split("\0")
        self.assertEqual(words[words.index("--preset") + 1], "desk-*/*,name=Red,, round,readonly=true")
        self.wait(lambda: self.state()["machines"] == [{"name": "vm1", "worker": True}], "it takes that")

    def test_there_is_one_periplexd_for_a_runtime_directory(self):
        second = subprocess.run([BIN / "periplexd", "--config", self.configuration], capture_output=True, text=True,
                                timeout=PATIENCE, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another periplexd runs here", second.stderr)

    def test_a_seat_is_let_in_and_what_it_offers_is_there(self):
        self.wait(lambda: self.state()["machines"] == [{"name": "vm1", "worker": True}], "the worker is there")
        _token, credentials = self.pair()
        self.assertIn("desk-7", self.run_daemon("seats"))
        seat, kind, _payload = self.begin(credentials)
        self.assertEqual(kind, WELCOME)
        seat.send(frame(OFFER, STICK) + frame(SYNC, b""))
        self.wait(lambda: any(s["peripherals"] for s in self.state()["seats"]), "the offer is shown")
        shown = self.state()["seats"][0]
        self.assertEqual((shown["name"], shown["agent"]), ("desk-7", "python"))
        self.assertEqual([(p["id"], p["state"], p["machine"]) for p in shown["peripherals"]], [("usb:1-2", "offered", "vm1")])
        attached = self.client("attach", "seat,id=stick,peripheral=desk-7/usb:1-2")
        self.assertEqual((attached["state"], attached["peripheral"]), ("connecting", "desk-7/usb:1-2"))
        # SYNC comes with the greeting, OPEN because the worker waits.
        kinds = [seat.frame()[0]]
        while kinds[-1] != OPEN:
            kinds.append(seat.frame()[0])
        self.wait(lambda: self.state()["seats"][0]["peripherals"][0]["state"] == "attached", "it is attached")
        self.client("detach", "stick")
        self.wait(lambda: self.state()["seats"][0]["peripherals"][0]["state"] == "offered", "it is let go")

    def test_a_token_is_good_once(self):
        token, _credentials = self.pair()
        kind, payload, _key = self.enrol(token)
        self.assertEqual((kind, struct.unpack_from("<H", payload)[0]), (REFUSE, NOT_ALLOWED))
        self.end()
        self.assertIn("the token is not taken", self.log)

    def test_a_seat_that_is_forgotten_is_put_out(self):
        _token, credentials = self.pair()
        seat, kind, _payload = self.begin(credentials)
        self.assertEqual(kind, WELCOME)
        self.run_daemon("forget", "desk-7")
        self.daemon.send_signal(signal.SIGHUP)
        self.wait(lambda: not self.state()["seats"], "it is put out")
        _seat, kind, payload = self.begin(credentials)
        self.assertEqual((kind, struct.unpack_from("<H", payload)[0]), (REFUSE, NOT_ALLOWED))

    @staticmethod
    def status(process):
        """What the kernel says of a process: /proc/PID/status."""
        return dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines() if ":\t" in line)

    @unittest.skipIf(os.environ.get("PERIPLEX_SANITIZE"), "what is built with a sanitizer is not confined")
    def test_the_gate_has_given_up_what_it_does_not_need(self):
        self.wait(lambda: self.state().get("in_force"), "the gate tells how it is confined")
        gate, = self.processes("periplex-gate")
        status = self.status(gate)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16)), ("1", "2", 0))
        self.assertIn("system-calls", self.state()["in_force"])
        if os.geteuid() == 0:
            self.assertNotIn("0", status["Uid"].split() + status["Gid"].split())
            self.assertEqual(status["Groups"].split(), [])
            self.assertEqual(os.listdir(f"/proc/{gate}/root"), [])
            self.assertIn("own-user", self.state()["in_force"])
        limits = Path(f"/proc/{gate}/limits").read_text().splitlines() if os.geteuid() == 0 else []
        for line in limits:
            if line.startswith(("Max core file size", "Max processes", "Max locked memory")):
                self.assertEqual(line.split()[-3:-1], ["0", "0"], line)

    def test_what_ends_is_started_again_and_all_ends_in_order(self):
        self.wait(lambda: self.state()["machines"] == [{"name": "vm1", "worker": True}], "the worker is there")
        for name in ("periplex-gate", "periplex-machine"):
            old = self.processes(name)
            self.assertEqual(len(old), 1, name)
            os.kill(old[0], signal.SIGKILL)
            self.wait(lambda: self.processes(name) not in ([], old), f"{name} is started again")
        _token, credentials = self.pair()
        self.assertEqual(self.begin(credentials)[1], WELCOME)
        self.wait(lambda: self.state()["machines"] == [{"name": "vm1", "worker": True}], "the worker is there again")
        self.assertEqual(self.end(), 0, self.log)
        self.assertFalse((self.directory / "run/gate.json").exists())
        self.assertEqual((self.directory / "state/authority.key").stat().st_mode & 0o777, 0o600)


if __name__ == "__main__":
    unittest.main()
