"""A member of a fleet and an etcd that wants certificates. Skipped without etcd.
Environment: see watch_case.py."""

import os
import shutil
import tempfile
import unittest

import etcd_cluster
from cameras import skip_all
from certificates import Authority
from watch_case import Watch, WatchTest

if not etcd_cluster.is_installed():
    skip_all("etcd (package etcd-server) is not installed")


class Certificates(WatchTest):
    @classmethod
    def setUpClass(cls):
        """The etcd has a second URL, over HTTP, for the test itself."""
        cls.certificates = tempfile.mkdtemp(prefix="vitgate-test-")
        cls.addClassCleanup(shutil.rmtree, cls.certificates)
        cls.authority = Authority(cls.certificates, "authority")
        cls.stranger = Authority(cls.certificates, "stranger")
        server, cls.own = cls.authority.sign("server"), cls.authority.sign("own")
        cls.foreign = cls.stranger.sign("foreign")
        os.chmod(cls.own, 0o600)
        os.chmod(cls.foreign, 0o600)
        port = etcd_cluster.free_ports(1)[0]
        cls.url = f"https://127.0.0.1:{port}"
        cls.cluster = cls.enterClassContext(etcd_cluster.Cluster(1, [
            "--cert-file", server, "--key-file", server, "--client-cert-auth",
            "--trusted-ca-file", cls.authority.path], more_url=cls.url))

    def node(self, **keys):
        keys = {"etcd": self.url, "node": "a", "lease": 2, "capacity": 1, **keys}
        return Watch(self.write("a.conf", "[fleet]\n" + "".join(
            f"{key.replace('_', '-')}={value}\n" for key, value in keys.items())))

    def check_refused(self, pattern, **keys):
        """It tries again for ever, says so once, and ends when it is told to."""
        with self.node(**keys) as watch:
            watch.message(pattern)
            watch.status_where(lambda status: not status["fleet"]["member"]
                               and status["fleet"]["last_error"])
        cannot = [line for line in watch.messages.lines if "etcd cannot be used" in line]
        self.assertLessEqual(len(cannot), 2, cannot)  # the connection may break before TLS says why

    def test_a_certificate_of_an_unknown_authority_is_refused(self):
        self.check_refused("its certificate is not trusted")
        self.check_refused("its certificate is not trusted", ca_file=self.stranger.path)

    def test_an_etcd_that_wants_a_certificate_gets_none_or_a_wrong_one(self):
        self.check_refused("etcd cannot be used.*127.0.0.1", ca_file=self.authority.path)
        self.check_refused("etcd cannot be used.*127.0.0.1", ca_file=self.authority.path,
                           certificate=self.foreign, key=self.foreign)

    def test_with_the_right_certificates_it_is_a_member(self):
        with self.node(ca_file=self.authority.path, certificate=self.own, key=self.own) as watch:
            watch.status_where(lambda status: status["fleet"]["member"])
        self.assertEqual(self.cluster.gateway().read("/vitgate/default/nodes/"), {})

    def test_http_where_etcd_speaks_https(self):
        self.check_refused("etcd cannot be used.*http://127", etcd=self.url.replace("https", "http"))


if __name__ == "__main__":
    unittest.main()
