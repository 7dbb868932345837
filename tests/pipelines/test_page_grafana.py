"""The Grafana dashboard names only metrics, and labels of them, that /metrics has. Environment: see
watch_case.py."""

import json
import os
import re
import unittest
import urllib.request

from cameras import LIMIT, PIPELINES
from watch_case import Watch, WatchTest


class Dashboard(WatchTest):
    def expressions(self):
        with open(os.path.join(PIPELINES, "watch/grafana.json"), encoding="utf-8") as file:
            dashboard = json.load(file)
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        names = [variable["definition"] for variable in dashboard["templating"]["list"]
                 if variable["type"] == "query"]
        return names + [target["expr"] for panel in dashboard["panels"]
                        for target in panel["targets"]]

    def metrics(self):
        """Returns the names of labels by the name of each metric."""
        path = self.configure({"yard": self.endless()},
                              {"host": "127.0.0.1", "port": 1, "spool": self.path("spool")})
        with open(path, "a", encoding="utf-8") as file:
            file.write("[page]\nlisten=127.0.0.1:0\n")
        with Watch(path) as watch:
            url = watch.message("page: http").split("page: ")[1]
            watch.more_frames("yard")
            with urllib.request.urlopen(url + "metrics", timeout=LIMIT) as answer:
                text = answer.read().decode()
        found = {}
        for name, labels in re.findall(r"(?m)^(\w+)(?:\{(.*)\})? ", text):
            found.setdefault(name, set()).update(re.findall(r"(\w+)=\"", labels))
        return found

    def test_every_metric_of_the_dashboard_is_there(self):
        metrics = self.metrics()
        expressions = self.expressions()
        self.assertGreater(len(expressions), 10)
        for expression in expressions:
            used = re.findall(r"(vitgate_\w+)(?:\{(.*?)\})?", expression)
            self.assertTrue(used, expression)
            for name, labels in used:
                self.assertIn(name, metrics, expression)
                self.assertLessEqual(set(re.findall(r"(\w+)=~", labels)), metrics[name], expression)


if __name__ == "__main__":
    unittest.main(verbosity=2)
