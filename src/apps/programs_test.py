# SPDX-License-Identifier: Apache-2.0
"""Both programs together, without a guest. The directory of the built programs is in PERIPLEX_BUILD."""

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


class Programs(unittest.TestCase):
    """A machine with a disk and a keyboard, and the client."""

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="periplex-programs-"))
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.image = self.directory / "disk.img"
        self.image.write_bytes(bytes(1 << 20))
        self.runtime = self.directory / "run"
        self.control = self.runtime / "control.sock"
        self.machine = None

    def start(self, *arguments, umask=-1):
        """Starts the machine; returns the line that tells it is ready."""
        command = [BIN / "periplex-machine", "--runtime-dir", self.runtime, *arguments]
        self.machine = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        umask=umask)
        self.addCleanup(self.end)
        return self.machine.stdout.readline()

    def end(self, how=signal.SIGTERM):
        """Ends the machine; its exit status."""
        if self.machine.poll() is None:
            self.machine.send_signal(how)
        self.machine.communicate(timeout=PATIENCE)
        return self.machine.returncode

    def run_client(self, *words):
        command = [BIN / "periplex", "--control", self.control, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def client(self, *words):
        done = self.run_client(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def refused(self, *words, status=1):
        done = self.run_client(*words)
        self.assertEqual(done.returncode, status, done.stdout)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def devices(self):
        return json.loads(self.client("--json", "list"))["devices"]

    def test_peripherals_come_and_go(self):
        ready = self.start("--name", "vm7", "--attach", f"storage,id=disk,image={self.image},removable=true")
        self.assertIn("vm7 is ready", ready)
        self.assertIn(f'"path":"{self.runtime}/xhci.sock"', ready)
        self.client("attach", "keyboard,id=kbd")
        self.assertIn("port", self.client("attach", "tablet"))
        self.assertEqual([d["id"] for d in self.devices()], ["disk", "kbd", "tablet1"])
        self.assertEqual(self.devices()[0]["size"], 1 << 20)
        self.client("detach", "kbd")
        self.assertEqual([d["id"] for d in self.devices()], ["disk", "tablet1"])
        table = self.client("list")
        self.assertIn("disk     storage", table)
        self.assertIn("1 MiB, removable", table)

    @unittest.skipIf(os.environ.get("PERIPLEX_SANITIZE"), "what is built with a sanitizer is not confined")
    def test_a_worker_has_given_up_what_it_does_not_need(self):
        self.start("--attach", f"storage,id=disk,image={self.image}")
        self.client("list")
        status = Path(f"/proc/{self.machine.pid}/status").read_text()
        self.assertIn("NoNewPrivs:\t1\n", status)
        self.assertIn("Seccomp:\t2\n", status)
        for thread in Path(f"/proc/{self.machine.pid}/task").iterdir():
            self.assertIn("Seccomp:\t2\n", (thread / "status").read_text())
        self.assertIn("is confined: no-new-privileges, no-inspection, system-calls", self.run_client("doctor").stdout)
        self.assertEqual(self.end(), 0)
        self.assertFalse(self.runtime.exists())

    def test_a_machine_has_the_controllers_that_it_is_told_to_have(self):
        ready = json.loads(self.start("--json", "--controller", "uhci", "--controller", "ehci,name=usb2,ports=4",
                                      "--xhci", "usb3-ports=1"))
        controllers = {c["name"]: c for c in ready["machine"]["controllers"]}
        self.assertEqual(list(controllers), ["uhci", "usb2-companion1", "usb2-companion2", "usb2", "xhci"])
        self.assertEqual(controllers["usb2-companion2"]["companion_of"], "usb2")
        self.assertEqual(controllers["xhci"]["ports"], {"usb2": 4, "usb3": 1})
        for name, controller in controllers.items():
            self.assertEqual(controller["socket"], str(self.runtime / f"{name}.sock"))
            self.assertTrue((self.runtime / f"{name}.sock").is_socket())
        devices = [json.loads(word) for word in ready["qemu"]["arguments"] if word.startswith("{")]
        self.assertEqual([d.get("addr") for d in devices], [None, "1a.0", "1a.1", "1a.7", None])
        for specification in ("keyboard", "keyboard,controller=usb2", f"storage,image={self.image}"):
            self.client("attach", specification)
        self.assertEqual([(d["controller"], d["speed"]) for d in self.devices()],
                         [("uhci", "full"), ("usb2", "full"), ("xhci", "super")])
        self.assertIn("those of usb2", self.refused("attach", "mouse,controller=usb2-companion1"))
        self.assertEqual(self.end(), 0)
        self.assertFalse(self.runtime.exists())

    def test_a_disk_is_as_fast_as_its_controller(self):
        self.start("--controller", "uhci", "--attach", f"storage,image={self.image}")
        self.assertEqual(self.devices()[0]["speed"], "full")
        self.client("attach", "mouse,speed=high")
        self.assertEqual([self.devices()[1][key] for key in ("speed", "port_speed")], ["high", "full"])
        self.assertIn("all ports for full speed are taken", self.refused("attach", "keyboard"))

    def test_a_serial_port_ends_in_a_terminal(self):
        link = self.runtime / "tty"
        self.start("--attach", f"serial,id=line,link={link}")
        first = self.devices()[0]["terminal"]
        self.assertEqual(os.readlink(link), first["path"])
        self.assertIn("its other end is /dev/pts/", self.client("attach", "serial,id=second"))
        self.assertNotEqual(self.devices()[1]["terminal"]["path"], first["path"])
        self.assertFalse(first["open"])
        with open(link, "r+b", buffering=0):
            self.assertTrue(self.devices()[0]["terminal"]["open"])
        self.assertFalse(self.devices()[0]["terminal"]["open"])
        self.assertIn("something else", self.refused("attach", f"serial,link={self.image}"))
        self.client("detach", "line")
        self.assertFalse(link.is_symlink())
        self.assertEqual(self.end(), 0)
        self.assertFalse(self.runtime.exists())

    def test_a_sound_card_gets_its_files(self):
        played = self.directory / "played.wav"
        self.start("--attach", f"sound,id=card,playback={played}")
        self.assertEqual(self.devices()[0]["playback"], str(played))
        self.client("detach", "card")
        self.assertEqual(played.read_bytes()[:4], b"RIFF")
        self.client("attach", f"sound,id=both,playback={self.directory / 'other.wav'},capture={played}")
        self.assertIn("no WAV file", self.refused("attach", f"sound,capture={self.image}"))
        self.assertIn("cannot open", self.refused("attach", "sound,capture=/nonexistent.wav"))

    def test_media_go_out_and_in(self):
        self.start("--attach", f"storage,id=disk,image={self.image},removable=true")
        self.client("eject", "disk")
        self.assertFalse(self.devices()[0]["medium"])
        self.client("insert", "disk", str(self.image))
        self.assertTrue(self.devices()[0]["medium"])
        self.assertIn("periplex eject disk", self.refused("insert", "disk", str(self.image)))
        self.client("eject", "disk", "--force")

    def test_an_image_in_use_is_not_attached_again(self):
        self.start("--attach", f"storage,id=disk,image={self.image}")
        self.assertIn("in use already", self.refused("attach", f"storage,image={self.image}"))
        self.client("detach", "disk")
        self.client("attach", f"storage,image={self.image}")

    def serve(self, *specifications, protocol="usbip"):
        """Starts `periplex serve`; the port where it listens."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        words = [word for specification in specifications for word in ("--attach", specification)]
        self.server = subprocess.Popen([BIN / "periplex", "--json", "serve", protocol, "--listen", f"127.0.0.1:{port}", *words],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.server.communicate)
        self.addCleanup(self.server.terminate)
        ready = json.loads(self.server.stdout.readline())
        self.assertEqual(ready["listen"], f"127.0.0.1:{port}")
        return port

    def wait_state(self, state):
        """The only device, once it has this state."""
        deadline = time.monotonic() + PATIENCE
        while (device := self.devices()[0])["state"] != state and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(device["state"], state)
        return device

    def test_what_one_computer_serves_another_attaches(self):
        port = self.serve(f"storage,id=stick,image={self.image}", "keyboard,id=kbd")
        shown = json.loads(self.client("--json", "browse", "usbip", f"127.0.0.1:{port}"))["devices"]
        self.assertEqual([(d["busid"], d["speed"]) for d in shown], [("1-1", "super"), ("1-2", "full")])
        self.start("--attach", f"usbip,id=far,host=127.0.0.1:{port},busid=1-1")
        device = self.wait_state("plugged")
        self.assertEqual((device["kind"], device["controller"], device["speed"], device["busid"]),
                         ("usbip", "xhci", "super", "1-1"))
        self.assertIn("1-1 at 127.0.0.1", self.client("list"))
        self.assertIn("in use by somebody else", self.refused("attach", f"usbip,host=127.0.0.1:{port},busid=1-1"))
        self.assertIn("has no 7-7", self.refused("attach", f"usbip,host=127.0.0.1:{port},busid=7-7"))
        done = self.run_client("attach", f"usbip,id=kbd,host=127.0.0.1:{port},busid=1-2")
        self.assertIn("neither encrypted nor authenticated", done.stderr)
        self.assertIn("kbd is in port", done.stdout)
        self.client("detach", "kbd")
        self.assertIn("is not here", self.refused("eject", "far"))
        self.server.terminate()
        self.server.wait(PATIENCE)
        self.assertIn("lost", self.wait_state("gone")["why"])
        self.client("detach", "far")
        self.assertIn("nobody listens on port", self.refused("attach", f"usbip,host=127.0.0.1:{port},busid=1-1"))
        self.assertEqual(self.devices(), [])
        self.assertEqual(self.end(), 0)

    def test_a_device_that_is_served_over_usbredir_is_attached_again_and_again(self):
        port = self.serve(f"storage,id=stick,image={self.image},speed=high", protocol="usbredir")
        where = f"usbredir,id=far,host=127.0.0.1:{port}"
        self.start("--attach", where)
        device = self.wait_state("plugged")
        self.assertEqual((device["kind"], device["controller"], device["speed"], device["host"]),
                         ("usbredir", "xhci", "high", f"127.0.0.1:{port}"))
        self.assertIn(f"127.0.0.1:{port}: plugged", self.client("list"))
        for _ in range(3):
            self.client("detach", "far")
            done = self.run_client("attach", where)
            self.assertIn("neither encrypted nor authenticated", done.stderr)
            self.assertIn("far is in port", done.stdout)
        self.server.terminate()
        self.server.wait(PATIENCE)
        self.assertIn("lost", self.wait_state("gone")["why"])
        self.client("detach", "far")
        self.assertIn("usbredirect --device", self.refused("attach", where))
        self.assertEqual(self.end(), 0)

    def test_serving_says_what_is_wrong(self):
        self.assertIn("use storage", self.refused("serve", "usbip", "--attach", "printer"))
        self.assertIn("somewhere else already", self.refused("serve", "usbip", "--attach", "usbip,host=h,busid=1-1"))
        self.assertIn("no ADDRESS:PORT", self.refused("serve", "usbip", "--listen", "h:x", "--attach", "mouse"))
        self.assertIn("is required", self.refused("serve", "usbip", status=2))
        self.assertIn("somewhere else already", self.refused("serve", "usbredir", "--attach", "usbredir,host=h"))
        self.assertIn("no ADDRESS:PORT", self.refused("serve", "usbredir", "--listen", "h:x", "--attach", "mouse"))
        self.assertIn("is required", self.refused("serve", "usbredir", status=2))

    def test_input_says_that_nobody_listens(self):
        self.start("--attach", "keyboard,id=kbd", "--attach", "tablet")
        self.assertIn("no driver in the guest uses kbd", self.refused("type", "hello"))
        self.assertIn("no driver", self.refused("key", "ctrl+alt+delete", "--to", "kbd"))
        self.assertIn("no driver", self.refused("pointer", "move", "1", "2"))
        self.assertIn("there is no mouse", self.refused("pointer", "by", "-1", "2"))
        self.assertIn("no key for", self.refused("type", "\u00e4"))

    def test_errors_say_what_to_do(self):
        self.start()
        self.assertIn("periplex list", self.refused("detach", "nobody"))
        self.assertIn("truncate -s", self.refused("attach", f"storage,image={self.directory}/none.img"))
        self.assertIn("use storage, keyboard, tablet", self.refused("attach", "printer"))
        self.assertIn("--help", self.refused("nonsense", status=2))
        error = json.loads(self.refused("--json", "eject", "nobody"))
        self.assertEqual(sorted(error), ["advice", "error"])

    def test_without_a_machine_every_command_says_so(self):
        for words in (["list"], ["detach", "x"], ["type", "x"], ["stats"], ["args", "qemu"]):
            self.assertIn("is periplex-machine running?", self.refused(*words))

    def test_arguments_for_every_monitor(self):
        self.start()
        path = str(self.runtime / "xhci.sock")
        qemu = json.loads(self.client("--json", "args", "qemu", "--memory", "4G"))["arguments"]
        self.assertEqual(json.loads(qemu[-1])["socket"]["path"], path)
        self.assertIn("memory-backend-memfd,id=ram,size=4G,share=on", qemu)
        self.assertIn("<access mode='shared'/>", self.client("args", "libvirt"))
        self.assertEqual(self.client("args", "cloud-hypervisor").strip(),
                         f"--memory size=2G,shared=on --user-device socket={path}")
        self.assertIn("like 512M", self.refused("args", "qemu", "--memory", "lots"))

    def test_statistics_and_captures(self):
        self.start("--attach", "keyboard,id=kbd")
        self.assertEqual(json.loads(self.client("stats", "--json"))["controllers"][0]["messages"], 0)
        self.assertIn("MESSAGES", self.client("stats"))
        metrics = self.client("stats", "--prometheus")
        self.assertIn('periplex_controller_messages_total{machine="vm1",controller="xhci"} 0\n', metrics)
        self.assertEqual(json.loads(self.client("stats", "--prometheus", "--json"))["metrics"].splitlines()[0],
                         metrics.splitlines()[0])
        capture = self.directory / "usb.pcapng"
        self.client("capture", "start", str(capture))
        self.assertIn("being written", self.refused("capture", "start", str(self.directory / "other")))
        self.assertIn("0 packets", self.client("capture", "stop"))
        self.assertEqual(capture.read_bytes()[:4], b"\n\r\r\n")

    def test_the_doctor_examines_a_machine(self):
        self.start()
        done = self.run_client("--json", "doctor", "--qemu", "/nonexistent/qemu")
        self.assertEqual(done.returncode, 1)
        findings = {f["check"]: f for f in json.loads(done.stdout)["findings"]}
        self.assertEqual(findings["qemu"]["state"], "problem")
        self.assertEqual(findings["machine"]["state"], "ok")
        self.assertEqual(findings["client"]["state"], "note")
        self.assertTrue(findings["client"]["advice"])

    def test_the_doctor_likes_a_good_qemu(self):
        qemu = self.directory / "qemu"
        qemu.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'QEMU emulator version 10.1.0'\nexit 0\n")
        qemu.chmod(0o755)
        self.start()
        findings = json.loads(self.run_client("--json", "doctor", "--qemu", str(qemu)).stdout)["findings"]
        self.assertEqual(findings[0]["state"], "ok")

    def test_completion_asks_the_machine_for_ids(self):
        self.start("--attach", "keyboard,id=kbd")
        script = self.client("completion", "bash")
        words = ["periplex", "--control", str(self.control), "detach", "k"]
        probe = (script + "\nCOMP_WORDS=(" + " ".join(words) + ")\nCOMP_CWORD=4\n_periplex\n"
                 'echo "${COMPREPLY[@]}"\n')
        done = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, timeout=PATIENCE, check=True,
                              env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"})
        self.assertEqual(done.stdout.strip(), "kbd")

    def test_a_configuration_file_describes_a_machine(self):
        file = self.directory / "vm.toml"
        file.write_text(f'name = "vm9"\n[[peripheral]]\nkind = "storage"\nid = "disk"\nimage = "{self.image.name}"\n'
                        'readonly = true\n[[peripheral]]\nkind = "mouse"\n')
        ready = json.loads(self.start("--config", str(file), "--attach", "keyboard", "--json"))
        self.assertTrue(ready["ready"])
        self.assertEqual(ready["machine"]["name"], "vm9")
        self.assertEqual([d["kind"] for d in self.devices()], ["storage", "mouse", "keyboard"])

    def test_sockets_are_private_unless_told_otherwise_and_go_at_the_end(self):
        self.start("--socket-mode", "0666")
        self.assertEqual((self.runtime / "xhci.sock").stat().st_mode & 0o777, 0o666)
        self.assertEqual(self.control.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.end(signal.SIGINT), 0)
        self.assertFalse(self.runtime.exists())

    def mode(self):
        return self.runtime.stat().st_mode & 0o7777

    def test_the_runtime_directory_has_its_mode_whatever_it_was_and_the_umask(self):
        self.start("--socket-owner", str(os.getuid()), umask=0o077)
        self.assertEqual(self.mode(), 0o711)
        self.end()
        self.runtime.mkdir(mode=0o755)
        self.start()
        self.assertEqual(self.mode(), 0o700)

    def test_a_directory_with_other_files_keeps_its_mode(self):
        self.runtime.mkdir()
        self.runtime.chmod(0o755)
        (self.runtime / "other").touch()
        self.start()
        self.assertEqual(self.mode(), 0o755)

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a directory of another user")
    def test_the_directory_of_another_user_is_refused(self):
        self.runtime.mkdir()
        os.chown(self.runtime, 65534, -1)
        self.start()
        self.machine.wait(PATIENCE)
        self.assertEqual(self.machine.returncode, 1)
        self.assertIn("belongs to another user", self.machine.stderr.read())

    def test_a_second_machine_of_the_same_name_is_refused(self):
        self.start()
        second = subprocess.run([BIN / "periplex-machine", "--runtime-dir", self.runtime], capture_output=True, text=True,
                                timeout=PATIENCE, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn("--name", second.stderr)
        self.assertEqual(self.devices(), [])

    def test_what_cannot_be_started_says_why(self):
        for arguments, status in ((["--attach", "printer"], 2), (["--attach", "storage,image=/nonexistent"], 1),
                                  (["--config", "/nonexistent.toml"], 2), (["--nonsense"], 2)):
            done = subprocess.run([BIN / "periplex-machine", "--runtime-dir", self.runtime, *arguments],
                                  capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertEqual(done.returncode, status, arguments)
            self.assertTrue(done.stderr.startswith("periplex-machine: "), done.stderr)
            self.assertFalse(self.control.exists())

    def test_an_idle_machine_is_small_and_sleeps(self):
        self.start("--attach", f"storage,image={self.image}", "--attach", "keyboard", "--attach", "tablet")
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self.machine.pid}/status").read_text().splitlines())
        self.assertEqual(int(status["Threads"]), 1)
        if not os.environ.get("PERIPLEX_SANITIZE"):
            self.assertLess(int(status["VmRSS"].split()[0]), 16 * 1024)

    def test_garbage_on_the_control_socket_harms_nobody(self):
        self.start()
        for garbage in (b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n" * 50, b"POST /v1/type HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.control))
                client.sendall(garbage)
        self.assertEqual(self.devices(), [])


if __name__ == "__main__":
    unittest.main()
