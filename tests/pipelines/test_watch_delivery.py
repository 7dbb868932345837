"""How vitgate-watch delivers messages over MQTT when confirmations are late, out of order or lost,
and when the broker refuses it.

Environment: see watch_case.py.
"""

import os
import signal
import threading
import unittest

from mqtt_relay import CONNACK, PUBACK, PUBLISH, Relay
from test_watch_mqtt import Broker, MqttTest, Subscriber, make_passwords
from watch_case import Watch

IN_FLIGHT = 20  # the program sends so many messages before the first must be confirmed


class Withheld:
    """For a relay: withholds the broker's packets of one kind until release()."""

    def __init__(self, kind):
        self.kind, self.packets, self.open = kind, [], False

    def __call__(self, connection, packet):
        if packet.kind != self.kind or self.open:
            return [packet]
        self.packets.append((connection, packet))
        return []

    def release(self, relay):
        with relay.changed:
            self.open = True
            for connection, packet in self.packets:
                connection.client.sendall(packet.bytes)

    def stop_before_release(self, relay, watch):
        """Stops the program, and releases the packets half a second later."""
        watch.process.send_signal(signal.SIGTERM)
        timer = threading.Timer(0.5, self.release, [relay])
        timer.start()
        watch.wait()
        timer.join()


class Confirmations(MqttTest):
    def lines(self):
        """Returns the log's lines as they are published."""
        with open(self.log, "rb") as file:
            return file.read().splitlines()

    def delivered(self):
        """Returns the number of messages that the spool counts as delivered."""
        with open(os.path.join(self.path("spool"), "acked"), encoding="ascii") as file:
            return int(file.read())

    def watch(self, relay):
        return Watch(self.configure({"yard": self.endless()}, self.mqtt(relay)))

    def test_messages_lost_on_the_way_are_sent_again(self):
        """The connection breaks twice, after ten messages that do not reach the broker."""
        def lose(connection, packet):
            if packet.kind != PUBLISH or connection.number >= 2:
                return [packet]
            if len(connection.published) == 10:
                connection.close()
            return []

        with Broker(self) as broker, Subscriber(broker) as subscriber, Relay(broker, lose) as relay:
            with self.watch(relay) as watch:
                relay.wait_for(lambda: len(relay.connections) == 3)
                watch.status_where(lambda s: s["mqtt"]["connected"] and s["mqtt"]["queued"] < 5)
            subscriber.wait_for('"ended"')
            messages = [message for _, message in subscriber.messages()]
        self.assertEqual(messages, self.read_log())
        first, second, third = (connection.published[:10] for connection in relay.connections)
        self.assertEqual(first, second)
        self.assertEqual(first, third)

    def test_confirmations_may_come_in_any_order(self):
        held = []

        def reverse(connection, packet):
            """Passes the first 60 confirmations on 20 at a time, the last one first."""
            if packet.kind != PUBACK or len(connection.published) > 3 * IN_FLIGHT:
                return [packet]
            held.insert(0, packet)
            return [held.pop(0) for _ in range(IN_FLIGHT)] if len(held) == IN_FLIGHT else []

        with Broker(self) as broker, Relay(broker, to_client=reverse) as relay:
            path = self.configure({"yard": {"url": self.clip(frames=100)}}, self.mqtt(relay))
            with Watch(path) as watch:
                watch.wait()
        self.assertEqual(relay.connections[0].published, self.lines())
        self.assertEqual(self.delivered(), len(self.lines()))

    def test_a_confirmation_is_not_one_for_the_messages_before_it(self):
        """All messages but the first are confirmed; then the connection breaks."""
        held = []

        def keep_first(connection, packet):
            if packet.kind == PUBACK and connection.number == 0 and not held:
                held.append(packet)
                return []
            return [packet]

        with Broker(self) as broker, Relay(broker, to_client=keep_first) as relay:
            with self.watch(relay) as watch:
                relay.wait_for(lambda: relay.connections
                               and len(relay.connections[0].published) == IN_FLIGHT)
                watch.more_frames("yard", 5)
                self.assertEqual(self.delivered(), 0)
                self.assertEqual(len(relay.connections[0].published), IN_FLIGHT)
                relay.connections[0].close()
                watch.status_where(lambda s: s["mqtt"]["connected"] and s["mqtt"]["queued"] < 5)
        first, second = (connection.published for connection in relay.connections)
        self.assertEqual(first, second[:IN_FLIGHT])
        self.assertEqual(second, self.lines())

    def test_after_a_reload_unconfirmed_messages_are_sent_again(self):
        held = Withheld(PUBACK)
        cameras = {"yard": self.endless()}
        with Broker(self) as broker, Relay(broker, to_client=held) as relay:
            with Watch(self.configure(cameras, self.mqtt(relay))) as watch:
                relay.wait_for(lambda: len(held.packets) == IN_FLIGHT)
                held.open = True
                self.configure(cameras, self.mqtt(relay, **{"retry-most": 0.4}))
                watch.reload()
                watch.status_where(lambda s: s["mqtt"]["connected"] and s["mqtt"]["queued"] < 5)
        self.assertEqual(len(relay.connections[0].published), IN_FLIGHT)
        self.assertEqual(relay.connections[1].published, self.lines())

    def test_the_program_waits_for_the_last_confirmations(self):
        held = Withheld(PUBACK)
        with Broker(self) as broker, Relay(broker, to_client=held) as relay:
            with self.watch(relay) as watch:
                relay.wait_for(lambda: len(held.packets) == IN_FLIGHT)
                watch.status_where(lambda s: s["mqtt"]["queued"] > IN_FLIGHT + 5)
                held.stop_before_release(relay, watch)
        self.assertEqual(relay.connections[0].published, self.lines())
        self.assertEqual(self.delivered(), len(self.lines()))

    def test_the_program_waits_for_the_connection(self):
        """It ends before the broker has answered."""
        held = Withheld(CONNACK)
        with Broker(self) as broker, Relay(broker, to_client=held) as relay:
            with self.watch(relay) as watch:
                relay.wait_for(lambda: held.packets)
                watch.more_frames("yard", 3)
                held.stop_before_release(relay, watch)
        self.assertEqual(relay.connections[0].published, self.lines())
        self.assertEqual(self.delivered(), len(self.lines()))

    def test_the_program_does_not_wait_long_for_confirmations(self):
        """After two seconds it leaves the messages for its next start."""
        held = Withheld(PUBACK)
        with Broker(self) as broker, Relay(broker, to_client=held) as relay:
            with self.watch(relay) as watch:
                relay.wait_for(lambda: len(held.packets) == IN_FLIGHT)
            # It would say so if it had to leave without its connection's thread.
            self.assertNotIn("cannot be stopped", "\n".join(watch.messages.lines))
            self.assertEqual(self.delivered(), 0)
            held.open = True
            with self.watch(relay) as watch:
                watch.status_where(lambda s: s["mqtt"]["connected"] and s["mqtt"]["queued"] < 5)
        self.assertEqual(relay.connections[1].published, self.lines())


class Refusal(MqttTest):
    def test_a_broker_that_refuses_is_not_asked_again_soon(self):
        self.write("secret", "eve:wrong\n", 0o600)
        with Broker(self, *make_passwords(self)) as broker, Relay(broker) as relay:
            keys = {"credentials-file": "secret", "retry-most": 60}
            path = self.configure({"yard": self.endless()}, self.mqtt(relay, **keys))
            with Watch(path) as watch:
                watch.message("MQTT broker .*: the connection was refused")
                watch.more_frames("yard", 15)  # by then three short waits would be over
        self.assertEqual(len(relay.connections), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
