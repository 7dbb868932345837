"""Retained messages of vitgate-watch: online and offline, states, and Home Assistant's discovery, whose
rules are those of its integration "mqtt". Environment: see watch_case.py."""

import json
import re
import subprocess
import unittest

from cameras import LIMIT, plain_environment
from test_watch_mqtt import PATH, Broker, MqttTest, Subscriber, start
from test_watch_program import run
from watch_case import Reader, Watch

try:
    import jinja2
except ImportError:
    jinja2 = None

# Of Home Assistant: discovery.py, schemas.py, and each platform's own file.
CONFIG_TOPIC = re.compile(r"homeassistant/(\w+)/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)/config")
COMMON = {"availability", "availability_mode", "device", "origin", "name", "unique_id", "state_topic",
          "value_template"}
PLATFORMS = {  # members, and which of them a platform requires
    "sensor": (COMMON | {"unit_of_measurement", "state_class"}, {"state_topic"}),
    "binary_sensor": (COMMON, {"state_topic"}),
    "event": (COMMON | {"event_types"}, {"state_topic", "event_types"}),
    "camera": (COMMON - {"state_topic", "value_template"} | {"topic"}, {"topic"}),
}
DEVICE = {"identifiers", "name", "manufacturer", "model", "sw_version"}


class Messages:
    """All messages of a broker, those that it has kept first."""

    def __init__(self, broker):
        self.broker = broker
        self.process = start("stdbuf", "-oL", "mosquitto_sub", *broker.address, "-t", "#",
                             "-q", "1", "-d", "-F", "%r|%t|%p")
        self.output = Reader(self.process.stdout)
        self.output.wait_for(lambda line: line.startswith("Subscribed"))

    def __enter__(self):
        return self

    __exit__ = Subscriber.__exit__

    def read(self):
        """Returns (kept, topic, payload) of each."""
        parts = [line.split("|", 2) for line in self.output.lines if re.match("[01][|]", line)]
        return [(kept == "1", topic, text) for kept, topic, text in parts]

    def wait_for(self, topic, part="", since=0):
        def wanted(line):
            return re.match("[01][|]", line) and line.split("|")[1] == topic and part in line
        self.output.wait_for(wanted, since)


def publish(broker, topic, text, *options):
    subprocess.run(["mosquitto_pub", *broker.address, "-t", topic, "-m", text, "-q", "1",
                    *options], check=True, timeout=LIMIT, env={**plain_environment(), "PATH": PATH})


def retained(broker):
    """Returns what the broker keeps, by topic."""
    with Messages(broker) as reader:
        publish(broker, "the/end", "")
        reader.wait_for("the/end")
        return {topic: text for kept, topic, text in reader.read() if kept}


class Discovery(MqttTest):
    def configure_looks(self, broker, cameras, **keys):
        path = self.configure(cameras, self.mqtt(broker, frames="none", **keys))
        with open(path, "a", encoding="utf-8") as file:
            if "yard" in cameras:
                file.write("[look gate]\ncamera=yard\nregion=0,0,50%,50%\n"
                           "threshold=0\nstate=true\n")
        return path

    def start(self, broker, **keys):
        cameras = {"front door": {**self.endless(), "labels": "class 2;class 3", "threshold": 0,
                                  "top-k": 10},
                   "yard": self.endless()}
        return self.configure_looks(broker, cameras, **keys)

    def test_online_and_offline(self):
        broker = Broker(self)
        with broker, Messages(broker) as messages:
            path = self.start(broker)
            with Watch(path) as watch:
                messages.wait_for("vitgate/status", "online")
                messages.wait_for("vitgate/yard/status", "online")
                kept = retained(broker)
                self.assertEqual((kept["vitgate/status"], kept["vitgate/yard/status"]),
                                 ("online", "online"))
            kept = retained(broker)
            self.assertEqual((kept["vitgate/status"], kept["vitgate/yard/status"]),
                             ("offline", "offline"))
            watch = Watch(path)
            watch.message("MQTT broker .*: connected")
            watch.more_frames("yard")
            since = len(messages.output.lines)
            watch.kill()
            # The broker's last will.
            messages.wait_for("vitgate/status", "offline", since)
            self.assertEqual(retained(broker)["vitgate/status"], "offline")

    def test_a_late_last_will_is_put_right(self):
        with Broker(self) as broker, Messages(broker) as messages:
            with Watch(self.start(broker)) as watch:
                watch.message("MQTT broker .*: connected")
                messages.wait_for("vitgate/status", "online")
                since = len(messages.output.lines)
                publish(broker, "vitgate/status", "offline", "-r")
                messages.wait_for("vitgate/status", "offline", since)
                messages.wait_for("vitgate/status", "online", since)

    def test_states_are_kept_by_the_broker(self):
        with Broker(self) as broker, Messages(broker) as messages:
            with Watch(self.start(broker)):
                messages.wait_for("vitgate/front door/state", "class 2")
                messages.wait_for("vitgate/yard/gate/state", '"state":"class')
                kept = retained(broker)
        whole, gate = (json.loads(kept[f"vitgate/{name}/state"]) for name in ("front door", "yard/gate"))
        self.assertEqual(set(whole), {"label", "score", "state", "present", "wall_clock"})
        self.assertEqual((whole["state"], gate["present"]), (None, []))
        self.assertLessEqual(whole["score"], 1)
        self.assertEqual(gate["state"], gate["label"])
        self.assertFalse([topic for topic in kept if topic.startswith("homeassistant")])

    def check_config(self, topic, config):
        """Checks a message by Home Assistant's rules."""
        component, node, _ = CONFIG_TOPIC.fullmatch(topic).groups()
        known, required = PLATFORMS[component]
        self.assertLessEqual(set(config), known, topic)
        self.assertGreaterEqual(set(config), required, topic)
        self.assertEqual(set(config["device"]), DEVICE)
        self.assertEqual(config["device"]["identifiers"], [node])
        self.assertEqual(set(config["origin"]), {"name", "sw_version"})
        self.assertTrue(config["unique_id"].startswith(node))
        self.assertEqual(config["availability_mode"], "all")
        self.assertEqual([set(entry) for entry in config["availability"]], [{"topic"}] * 2)
        self.assertEqual(config["availability"][0]["topic"], "vitgate/status")

    def read_configs(self, kept):
        configs = {topic: json.loads(text) for topic, text in kept.items()
                   if topic.startswith("homeassistant/")}
        for topic, config in configs.items():
            self.check_config(topic, config)
        ids = [config["unique_id"] for config in configs.values()]
        self.assertEqual(len(ids), len(set(ids)))
        return configs

    def test_home_assistant_finds_each_camera(self):
        with Broker(self) as broker, Messages(broker) as messages:
            with Watch(self.start(broker, **{"home-assistant": "true"})):
                messages.wait_for("vitgate/front door/state", "class 2")
                messages.wait_for("vitgate/yard/gate/state", '"state":"class')
                messages.wait_for("vitgate/yard/event", "connected")
                kept = retained(broker)
        configs = self.read_configs(kept)
        found = {(config["device"]["name"], topic.split("/")[1], config["name"])
                 for topic, config in configs.items()}
        self.assertEqual(found, {
            ("front door", "sensor", "label"), ("front door", "sensor", "score"),
            ("front door", "binary_sensor", "class 2"), ("front door", "binary_sensor", "class 3"),
            ("front door", "event", "event"),
            ("yard", "sensor", "gate label"), ("yard", "sensor", "gate score"),
            ("yard", "sensor", "gate state"), ("yard", "event", "event")})
        self.check_templates(configs, kept, messages)

    def test_home_assistant_gets_a_picture_of_the_last_event(self):
        with Broker(self) as broker:
            path = self.start(broker, **{"home-assistant": "true"})
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"[page]\nlisten=127.0.0.1:0\nfolder={self.path('page')}\n")
            if "built without" in run("--check", path).stderr:
                self.skipTest("built without the page")
            with Watch(path):
                def read(topic):
                    return subprocess.run(
                        ["mosquitto_sub", *broker.address, "-t", topic, "-C", "1", "-N"],
                        check=True, timeout=LIMIT, capture_output=True,
                        env={**plain_environment(), "PATH": PATH}).stdout
                picture = read("vitgate/front door/image")
                config = json.loads(read("homeassistant/camera/+/image/config"))
        self.assertEqual((picture[:2], picture[-2:]), (b"\xff\xd8", b"\xff\xd9"))
        self.assertRegex(config["topic"], "^vitgate/(front door|yard)/image$")
        self.assertLessEqual(set(config), PLATFORMS["camera"][0])

    def render(self, config, payload):
        """Renders as Home Assistant does."""
        template = jinja2.Environment().from_string(config["value_template"])
        return template.render(value=payload, value_json=json.loads(payload)).strip()

    def check_templates(self, configs, kept, messages):
        if not jinja2:
            self.skipTest("no jinja2 (package python3-jinja2)")
        events = [text for _, topic, text in messages.read() if topic.endswith("/event")]
        for config in configs.values():
            if "event_types" in config:
                for text in events:
                    event = json.loads(self.render(config, text))
                    self.assertIn(event["event_type"], config["event_types"])
                    self.assertEqual(event["stream_id"], json.loads(text)["stream_id"])
                continue
            state = json.loads(kept[config["state_topic"]])
            value = self.render(config, kept[config["state_topic"]])
            if config.get("unit_of_measurement") == "%":
                self.assertAlmostEqual(float(value), 100 * state["score"], delta=0.06)
            elif config["name"].startswith("class"):
                self.assertEqual(value, "ON" if config["name"] in state["present"] else "OFF")
            else:
                self.assertEqual(value, state[config["name"].split()[-1]])
            nothing = json.dumps({"label": None, "score": None, "state": None, "present": []})
            self.assertIn(self.render(config, nothing), ("None", "OFF"))

    def test_labels_of_any_text_are_compared_as_they_are(self):
        label = """it's "a" {{ b }} %} \\n c"""
        with Broker(self) as broker, Messages(broker) as messages:
            path = self.configure({"yard": {"url": "rtsp://127.0.0.1:1/"}},
                                  self.mqtt(broker, **{"home-assistant": "true"}))
            with open(path, "a", encoding="utf-8") as file:
                file.write("labels=" + label.replace("\\", "\\\\") + "\n")
            names = self.write("names", f"{label}\n" + "".join(f"other {i}\n" for i in range(9)))
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"model-labels={names}\n")
            with Watch(path):
                messages.wait_for("vitgate/yard/event", "waiting")
                configs = self.read_configs(retained(broker))
        config, = (c for t, c in configs.items() if "/binary_sensor/" in t)
        self.assertEqual(config["name"], label)
        if jinja2:
            for present, value in ([label], "ON"), (["a"], "OFF"):
                self.assertEqual(self.render(config, json.dumps({"present": present})), value)

    def test_cameras_that_leave_the_key_file_are_removed(self):
        with Broker(self) as broker, Messages(broker) as messages:
            path = self.start(broker, **{"home-assistant": "true"})
            with Watch(path) as watch:
                messages.wait_for("vitgate/front door/state", "class 2")
                messages.wait_for("vitgate/yard/gate/state")
                self.configure_looks(broker, {"front door": self.endless()},
                                     **{"home-assistant": "true"})
                self.assertIn("reloaded", watch.reload())
                messages.wait_for("vitgate/front door/status", "online")
            kept = retained(broker)
            self.assertFalse([topic for topic in kept if "yard" in topic], kept)
            # Those that leave while it does not run, too.
            self.configure_looks(broker, {"porch": self.endless()})
            with Watch(path):
                messages.wait_for("vitgate/porch/status", "online")
                messages.wait_for("vitgate/porch/state")
            kept = retained(broker)
            self.assertEqual(set(kept), {"vitgate/status", "vitgate/porch/status",
                                         "vitgate/porch/state"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
