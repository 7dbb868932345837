"""Makes certificates with openssl, for the tests in this folder."""

import hashlib
import shutil
import ssl
import subprocess

from cameras import skip_all

if not shutil.which("openssl"):
    skip_all("no openssl")

KEY = "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """Signs certificates. self.path is its own one."""

    def __init__(self, folder, name):
        self.folder, self.path, self.key = folder, f"{folder}/{name}.pem", f"{folder}/{name}.key"
        openssl("req", "-x509", *KEY, "-keyout", self.key, "-out", self.path, "-subj",
                f"/CN={name}", "-days", "2")

    def sign(self, name, host="IP:127.0.0.1", dates=("-days", "2")):
        """Returns the path of a PEM file with a certificate and its key.

        host: as in subjectAltName; dates: openssl's arguments
        """
        path = f"{self.folder}/{name}"
        with open(f"{path}.ext", "w", encoding="ascii") as file:
            file.write(f"subjectAltName={host}\n")
        openssl("req", *KEY, "-keyout", f"{path}.key", "-out", f"{path}.csr", "-subj",
                f"/CN={name}")
        openssl("x509", "-req", "-in", f"{path}.csr", "-CA", self.path, "-CAkey", self.key,
                *dates, "-extfile", f"{path}.ext", "-out", f"{path}.crt")
        with open(f"{path}.pem", "w", encoding="ascii") as file:
            for part in f"{path}.crt", f"{path}.key":
                with open(part, encoding="ascii") as source:
                    file.write(source.read())
        return f"{path}.pem"


def expired_dates():
    """Returns the arguments for a certificate that has expired. OpenSSL before 3.4 does not know
    dates; later ones refuse negative days."""
    options = subprocess.run(["openssl", "x509", "-help"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, encoding="utf-8", check=True).stdout
    if "-not_after" in options:
        return "-not_before", "20200101000000Z", "-not_after", "20200102000000Z"
    return "-days", "-1"


def fingerprint(path):
    """Returns the SHA-256 of the first certificate in a PEM file, as people write it."""
    with open(path, encoding="ascii") as file:
        text = file.read()
    end = "-----END CERTIFICATE-----"
    der = ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERT"):text.index(end) + len(end)])
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())
