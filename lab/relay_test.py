# SPDX-License-Identifier: Apache-2.0
"""The relay delays as it says, keeps every byte, and cuts."""

import socket
import threading
import time
import unittest

from lab.relay import Relay


class Echo:
    """A server that sends back what it gets."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self.listening.getsockname()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    @staticmethod
    def _echo(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                pass


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """Sends `data` from another thread and receives as much."""
    threading.Thread(target=connection.sendall, args=(data,), daemon=True).start()
    got = bytearray()
    while len(got) < len(data):
        got += connection.recv(65536)
    return bytes(got)


class DatagramEcho:
    """A server that sends datagrams back."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            data, sender = self.socket.recvfrom(65536)
            self.socket.sendto(data, sender)


class RelayTest(unittest.TestCase):
    """Against a server that echoes."""

    def setUp(self) -> None:
        self.echo = Echo()
        self.addCleanup(self.echo.listening.close)

    def _connect(self, relay: Relay) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", relay.port), 10)
        self.addCleanup(connection.close)
        return connection

    def test_datagrams_have_a_delay_and_losses_of_their_own(self) -> None:
        DatagramEcho(self.echo.address[1])
        with Relay(self.echo.address, datagrams=True) as relay:
            ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
            for number, end in enumerate(ends):
                self.addCleanup(end.close)
                end.settimeout(5)
                end.connect(("127.0.0.1", relay.port))
                end.send(b"%d" % number)
            self.assertEqual([end.recv(10) for end in ends], [b"0", b"1"])
            relay.path.delay = 10.0
            relay.datagrams.delay = 0.05
            started = time.monotonic()
            ends[0].send(b"x")
            self.assertEqual(ends[0].recv(10), b"x")
            self.assertTrue(0.1 <= time.monotonic() - started < 5)
            relay.datagrams.loss = 1.0
            ends[0].settimeout(0.3)
            ends[0].send(b"x")
            self.assertRaises(TimeoutError, ends[0].recv, 10)

    def test_a_round_trip_takes_as_long_as_it_should(self) -> None:
        with Relay(self.echo.address, rtt=0.05) as relay:
            connection = self._connect(relay)
            exchange(connection, b"first")
            started = time.monotonic()
            self.assertEqual(exchange(connection, b"x"), b"x")
            self.assertGreaterEqual(time.monotonic() - started, 0.05)

    def test_delay_does_not_cap_the_rate(self) -> None:
        data = bytes(range(256)) * (16 << 10)
        with Relay(self.echo.address, rtt=0.1) as relay:
            started = time.monotonic()
            self.assertEqual(exchange(self._connect(relay), data), data)
            self.assertLess(time.monotonic() - started, 5.0)

    def test_a_cap_is_a_cap(self) -> None:
        with Relay(self.echo.address, rate=200e3) as relay:
            started = time.monotonic()
            exchange(self._connect(relay), bytes(100_000))
            self.assertGreaterEqual(time.monotonic() - started, 0.45)

    def test_cut_connections_are_broken_and_new_ones_work(self) -> None:
        with Relay(self.echo.address) as relay:
            connection = self._connect(relay)
            exchange(connection, b"x")
            self.assertEqual(relay.cut(), 2)
            try:
                self.assertEqual(connection.recv(1), b"")
            except ConnectionError:
                pass
            self.assertEqual(exchange(self._connect(relay), b"y"), b"y")

    def test_the_cap_is_that_of_all_connections_together(self) -> None:
        with Relay(self.echo.address, rate=200e3) as relay:
            started = time.monotonic()
            both = [threading.Thread(target=exchange, args=(self._connect(relay), bytes(50_000))) for _ in range(2)]
            for each in both:
                each.start()
            for each in both:
                each.join()
            self.assertGreaterEqual(time.monotonic() - started, 0.45)

    def test_while_it_fails_nobody_gets_through(self) -> None:
        with Relay(self.echo.address) as relay:
            connection = self._connect(relay)
            exchange(connection, b"x")
            relay.fail(0.5)
            for broken in (connection, self._connect(relay)):
                try:
                    self.assertEqual(broken.recv(1), b"")
                except ConnectionError:
                    pass
            time.sleep(0.6)
            self.assertEqual(exchange(self._connect(relay), b"y"), b"y")

    def test_what_is_forgotten_stays_open_and_carries_nothing(self) -> None:
        with Relay(self.echo.address) as relay:
            connection = self._connect(relay)
            exchange(connection, b"x")
            relay.forget()
            connection.sendall(b"lost")
            connection.settimeout(0.3)
            with self.assertRaises(TimeoutError):
                connection.recv(1)
            self.assertEqual(exchange(self._connect(relay), b"y"), b"y")

    def test_the_target_sees_the_address_that_was_chosen(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as target, Relay(target.getsockname()) as relay:
            relay.path.source = "127.0.0.9"
            self._connect(relay)
            accepted, address = target.accept()
            accepted.close()
            self.assertEqual(address[0], "127.0.0.9")


if __name__ == "__main__":
    unittest.main()
