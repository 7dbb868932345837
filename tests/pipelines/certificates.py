"""Certificates for servers that the tests start, made by openssl."""

import os
import subprocess

from cameras import LIMIT

CONFIG = """
[ca]
default_ca = authority
[authority]
database = {name}.index
serial = {name}.serial
new_certs_dir = .
default_md = sha256
policy = policy
copy_extensions = copy
[policy]
commonName = supplied
"""
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
EXPIRED = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"]


class Authority:
    """A certificate authority. file: its certificate"""

    def __init__(self, folder, name="authority"):
        self.folder, self.name, self.file = folder, name, os.path.join(folder, name + ".pem")
        for end, text in ("conf", CONFIG.format(name=name)), ("index", ""):
            with open(os.path.join(folder, f"{name}.{end}"), "w", encoding="ascii") as file:
                file.write(text)
        self.openssl("req", "-x509", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem",
                     "-subj", f"/CN={name}", "-days", "2")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, timeout=LIMIT,
                       stdin=subprocess.DEVNULL, capture_output=True)

    def sign(self, name, host="localhost", expired=False):
        """Makes a key and a certificate for a host. Returns the paths of both files, certificate
        first."""
        self.openssl("req", "-new", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr",
                     "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}")
        self.openssl("ca", "-batch", "-notext", "-create_serial", "-config", f"{self.name}.conf",
                     "-cert", f"{self.name}.pem", "-keyfile", f"{self.name}.key",
                     "-in", f"{name}.csr", "-out", f"{name}.pem",
                     *(EXPIRED if expired else ["-days", "2"]))
        return [os.path.join(self.folder, f"{name}.{end}") for end in ("pem", "key")]
