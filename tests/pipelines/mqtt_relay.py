"""Stands between vitgate-watch and a real MQTT broker, and withholds what a test wants withheld.

Retained messages and their confirmations pass."""

import dataclasses
import socket
import struct
import threading

CONNACK, PUBLISH, PUBACK = 2, 3, 4


@dataclasses.dataclass
class Packet:
    kind: int
    bytes: bytes  # all of the packet
    payload: bytes = b""  # of PUBLISH
    number: bytes = b""  # of PUBLISH with QoS 1, and of PUBACK
    retained: bool = False


def read_exactly(stream, length):
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


def read_packet(stream):
    """Reads a packet of MQTT 3.1.1. Raises EOFError at the end of the stream."""
    data = read_exactly(stream, 1)
    length = shift = 0
    while True:
        byte = read_exactly(stream, 1)
        data += byte
        length |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            break
    body = read_exactly(stream, length)
    kind = data[0] >> 4
    if kind != PUBLISH:
        return Packet(kind, data + body, number=body[:2])
    topic_length, = struct.unpack(">H", body[:2])
    start = 2 + topic_length
    end = start + (2 if data[0] & 0x06 else 0)
    return Packet(kind, data + body, body[end:], body[start:end], bool(data[0] & 1))


class Connection:
    """A client's connection. number: 0 for the first; published: the payloads that the client has
    sent, whether or not they were passed on."""

    def __init__(self, relay, number, client):
        self.relay, self.number, self.published = relay, number, []
        self.client, self.retained = client, set()
        self.broker = socket.create_connection(("127.0.0.1", relay.broker_port))
        self.threads = [threading.Thread(target=self.pass_on, args=arguments, daemon=True)
                        for arguments in ((client, self.broker, relay.to_broker),
                                          (self.broker, client, relay.to_client))]
        for thread in self.threads:
            thread.start()

    def pass_on(self, source, target, choose):
        try:
            with source.makefile("rb") as stream:
                while True:
                    packet = read_packet(stream)
                    with self.relay.changed:
                        chosen = [packet] if self.is_retained(packet, source) else choose(self, packet)
                        self.relay.changed.notify_all()
                    for each in chosen:
                        target.sendall(each.bytes)
        except (EOFError, OSError):
            self.close()

    def is_retained(self, packet, source):
        """Returns whether it is a retained message of the client, or the confirmation of one."""
        if packet.kind == PUBLISH and source is self.client:
            (self.retained.add if packet.retained else self.retained.discard)(packet.number)
            if not packet.retained:
                self.published.append(packet.payload)
            return packet.retained
        return packet.kind == PUBACK and source is not self.client and packet.number in self.retained

    def close(self):
        for end in self.client, self.broker:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is closed already
                pass


class Relay:
    """Passes packets on until the end of a with-block.

    to_broker, to_client: called with the connection and a packet; returns the packets to pass on
    now. Without it, all are passed on.
    """

    def __init__(self, broker, to_broker=None, to_client=None):
        self.broker_port = broker.port
        self.to_broker = to_broker or (lambda connection, packet: [packet])
        self.to_client = to_client or (lambda connection, packet: [packet])
        self.connections, self.changed = [], threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # the listener is closed
                return
            with self.changed:
                self.connections.append(Connection(self, len(self.connections), client))
                self.changed.notify_all()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for connection in self.connections:
            connection.close()
            for thread in connection.threads:
                thread.join()
            connection.client.close()
            connection.broker.close()

    def wait_for(self, wanted, limit=60):
        """Waits until wanted(), which is asked again after each packet and connection."""
        with self.changed:
            assert self.changed.wait_for(wanted, limit), "the relay waited in vain"
