"""vitgate-watch with a real MQTT broker that stops and restarts. Environment: see watch_case.py."""

import collections
import json
import os
import re
import shutil
import socket
import subprocess
import unittest

from cameras import LIMIT, plain_environment, skip_all
from watch_case import Reader, Watch, WatchTest

# Debian installs the broker in a folder that is only in root's PATH.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
for program in "mosquitto", "mosquitto_sub", "mosquitto_passwd":
    if not shutil.which(program, path=PATH):
        skip_all(f"no {program} (packages mosquitto and mosquitto-clients)")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(*command):
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**plain_environment(), "PATH": PATH})


class Broker:
    """mosquitto, until the end of a with-block. It remembers its subscribers while stopped."""

    def __init__(self, test, *lines, port=None):
        self.port = port or free_port()
        # For its clients, on machines without the name localhost, too.
        self.address = "-h", "127.0.0.1", "-p", str(self.port)
        self.config = test.write("mosquitto.conf", "\n".join([
            f"listener {self.port} 127.0.0.1", "persistence true", "max_queued_messages 0",
            f"persistence_location {test.folder}/", "log_dest stderr",
            # As root it would become another user, who cannot read the test's folder.
            *(["user root"] if os.geteuid() == 0 else []),
            *(lines or ["allow_anonymous true"])]) + "\n")
        self.process = None

    def __enter__(self):
        self.process = start("mosquitto", "-c", self.config)
        self.log = Reader(self.process.stdout)
        self.log.wait_for(lambda line: "running" in line)
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        self.process.wait(LIMIT)
        self.log.thread.join(LIMIT)
        self.process.stdout.close()


def make_passwords(test):
    """Returns a broker's lines for one user, eve, with the password "a b"."""
    path = test.path("passwords")
    subprocess.run(["mosquitto_passwd", "-b", "-c", path, "eve", "a b"], check=True,
                   env={**plain_environment(), "PATH": PATH}, timeout=LIMIT)
    return "allow_anonymous false", f"password_file {path}"


class Subscriber:
    """mosquitto_sub with a persistent session, so that it misses nothing between two brokers."""

    def __init__(self, broker, topic="#", *options):
        self.process = start("stdbuf", "-oL", "mosquitto_sub", *broker.address, "-t", topic,
                             "-v", "-q", "1", "-c", "-i", "subscriber", "-d", *options)
        self.output = Reader(self.process.stdout)
        self.output.wait_for(lambda line: line.startswith("Subscribed"))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        self.process.wait(LIMIT)
        self.output.thread.join(LIMIT)
        self.process.stdout.close()

    def wait_for(self, part):
        return self.output.wait_for(lambda line: part in line and self.is_message(line))

    @staticmethod
    def is_message(line):
        """Frames and events; the others are retained."""
        return re.match("vitgate/[^/]*/(frame|event) ", line)

    def messages(self):
        """Returns (topic, object) of each message, without repetitions."""
        found = []
        for line in self.output.lines:
            topic, _, text = line.partition(" ")
            if self.is_message(line):
                message = topic, json.loads(text)
                if message not in found[-100:]:
                    found.append(message)
        return found


class MqttTest(WatchTest):
    def mqtt(self, broker, **keys):
        return {"host": "127.0.0.1", "port": broker.port, "spool": self.path("spool"),
                "frames": "all", "retry-least": 0.05, "retry-most": 0.3, **keys}

    def endless(self):
        """Returns a camera whose frames can be distinguished by their numbers."""
        return super().endless(frames=500)


class Delivery(MqttTest):
    def test_a_camera_that_cannot_be_reached_is_published(self):
        with Broker(self) as broker, Subscriber(broker) as subscriber:
            path = self.configure({"yard": {"url": "rtsp://127.0.0.1:1/"}}, self.mqtt(broker))
            with Watch(path):
                subscriber.wait_for('"waiting"')
            topic, event = subscriber.messages()[0]
        self.assertEqual((topic, event["attempts"]), ("vitgate/yard/event", 1))
        self.assertIn("connection refused", event["reason"])

    def test_frames_and_events_go_to_their_topics(self):
        with Broker(self) as broker, Subscriber(broker) as subscriber:
            path = self.configure({"yard": {"url": self.clip(frames=30), "labels": "class 2",
                                            "threshold": 0, "top-k": 10}}, self.mqtt(broker))
            with Watch(path) as watch:
                watch.wait()
            subscriber.wait_for('"ended"')
            messages = subscriber.messages()
        topics = collections.Counter(topic for topic, _ in messages)
        self.assertEqual(topics, {"vitgate/yard/frame": 30, "vitgate/yard/event": 4})
        self.assertEqual([m for _, m in messages], self.read_log())
        self.assertEqual(self.events(), ["connected", "appeared", "vanished", "ended"])

    def check_order(self, subscriber):
        """Checks that all lines of the log have arrived, in the same order."""
        self.assertEqual([message for _, message in subscriber.messages()], self.read_log())

    def test_messages_are_delivered_in_order_after_the_broker_returns(self):
        broker = Broker(self)
        with broker, Subscriber(broker) as subscriber:
            with Watch(self.configure({"yard": self.endless()}, self.mqtt(broker))) as watch:
                watch.message("MQTT broker .*: connected")
                subscriber.wait_for('"frame":10,')
                for _ in range(2):
                    broker.__exit__()
                    queued = watch.status_where(lambda s: not s["mqtt"]["connected"]
                                                and s["mqtt"]["queued"] > 20)
                    self.assertGreater(queued["cameras"][0]["frames_per_second"], 0)
                    broker.__enter__()
                    watch.status_where(lambda s: s["mqtt"]["connected"]
                                       and s["mqtt"]["queued"] < 5)
            subscriber.wait_for('"ended"')
            self.check_order(subscriber)

    def test_messages_survive_the_program(self):
        broker = Broker(self)
        # Frames of two runs could be identical, so each run has another camera name.
        first, second, third = ({name: self.endless()} for name in ("first", "second", "third"))
        with broker, Subscriber(broker) as subscriber:
            broker.__exit__()
            with Watch(self.configure(first, self.mqtt(broker))) as watch:
                watch.more_frames("first", 20)
            watch = Watch(self.configure(second, self.mqtt(broker)))
            watch.more_frames("second", 20)
            watch.kill()
            broker.__enter__()
            with Watch(self.configure(third, self.mqtt(broker))) as watch:
                watch.status_where(lambda s: s["mqtt"]["connected"] and s["mqtt"]["queued"] < 5
                                   and s["cameras"][0]["frames"] > 5)
            subscriber.wait_for(self.read_log()[-1]["wall_clock"])
        self.check_order(subscriber)

    def test_over_the_limit_the_oldest_are_dropped(self):
        broker = Broker(self)
        path = self.configure({"yard": {"url": self.clip(frames=300)}},
                              self.mqtt(broker, **{"spool-size": "32K"}))
        with Watch(path) as watch:
            watch.message("the spool has reached its limit; dropping the oldest messages")
            watch.wait()
        status = json.loads(watch.status.lines[-1])["mqtt"]
        self.assertLessEqual(status["queued_bytes"], 32768)
        self.assertEqual(status["queued"] + status["dropped"], 302)
        self.assertEqual(len(self.frames()), 300)

        self.configure({"yard": {"url": "rtsp://127.0.0.1:1/none"}}, self.mqtt(broker))
        with broker, Subscriber(broker) as subscriber, Watch(path):
            subscriber.wait_for('"ended"')
            messages = [message for _, message in subscriber.messages()]
        self.assertEqual(messages, self.read_log()[-len(messages):])


class Brokers(MqttTest):
    """A broker that cannot be used disturbs no camera."""

    def check(self, broker, message, **keys):
        path = self.configure({"yard": self.endless()}, self.mqtt(broker, **keys))
        with Watch(path) as watch:
            watch.message(message)
            watch.more_frames("yard", 20)

    def test_nobody_there(self):
        self.check(Broker(self), "MQTT broker 127.0.0.1:.*: Connection refused; messages wait on")

    def test_no_such_host(self):
        self.check(Broker(self), "MQTT broker no.such.host.invalid:.*; messages wait on disk",
                   host="no.such.host.invalid")

    def test_a_broker_that_never_answers(self):
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            self.check(Broker(self, port=deaf.getsockname()[1]), "the broker does not answer")

    def test_something_other_than_a_broker(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            broker = Broker(self, port=other.getsockname()[1])
            path = self.configure({"yard": self.endless()}, self.mqtt(broker))
            with Watch(path) as watch:
                client, _ = other.accept()
                client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                client.close()
                watch.message("MQTT broker .*; messages wait on disk")
                watch.more_frames("yard", 20)

    def test_credentials(self):
        self.write("secret", "eve:wrong\n", 0o600)
        with Broker(self, *make_passwords(self)) as broker:
            path = self.configure({"yard": self.endless()},
                                  self.mqtt(broker, **{"credentials-file": "secret"}))
            with Watch(path) as watch:
                watch.message("MQTT broker .*: the connection was refused: .*not authori")
                watch.more_frames("yard", 5)
                self.write("secret", "eve:a b\n", 0o600)
                watch.status_where(lambda s: s["mqtt"]["connected"] and s["mqtt"]["queued"] < 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
