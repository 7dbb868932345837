"""Shared by tests of vitgate under mpirun."""

import os
import shutil
import subprocess
import tempfile
import time
import unittest

import random_model

VITGATE = os.environ.get("VITGATE", "vitgate")
MPIRUN = shutil.which("mpirun")
ENVIRONMENT = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMPI_MCA_rmaps_base_oversubscribe="1",
                   OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                   OMPI_MCA_btl_vader_single_copy_mechanism="none",
                   OMPI_MCA_mpi_yield_when_idle="1", OMPI_MCA_odls_base_sigkill_timeout="0")


def why_not():
    if not MPIRUN:
        return "there is no mpirun"
    if os.environ.get("VITGATE_MPI") == "0":
        return "this build has no MPI, or sanitizers, which report what MPI leaks"
    return None


class RanksCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if why_not():
            raise unittest.SkipTest(why_not())
        cls.shared = tempfile.mkdtemp(prefix="vitgate-test-")
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.teacher = os.path.join(cls.shared, "teacher.safetensors")
        random_model.write_teacher(cls.teacher)
        cls.pictures = os.path.join(cls.shared, "pictures")
        random_model.write_pictures(cls.pictures, 60)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vitgate-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def launch(self, n, arguments):
        return ([MPIRUN, "-n", str(n)] if n else []) + arguments

    def run_ranks(self, n, arguments, **environment):
        return subprocess.run(self.launch(n, arguments), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding="utf-8", timeout=120, check=False,
                              env=dict(ENVIRONMENT, **environment))

    def succeed(self, n, arguments, **environment):
        result = self.run_ranks(n, arguments, **environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def fail_with(self, parts, n, arguments):
        start = time.monotonic()
        result = self.run_ranks(n, arguments)
        self.assertNotEqual(result.returncode, 0)
        for part in [parts] if isinstance(parts, str) else parts:
            lines = [line for line in result.stderr.splitlines() if part in line]
            self.assertEqual(len(lines), 1, result.stderr)
        self.assertLess(time.monotonic() - start, 20)
        return result

    def bytes_of(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()
