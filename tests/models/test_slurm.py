"""Tests the Slurm script of models/many-machines.md on a Slurm of its own: one node on this machine.

Needs root, and Debian's slurm-wlm with munge; skipped otherwise.
Usage: test_slurm.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import random_model
from ranks_case import VITGATE, why_not

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "models/many-machines.md"
PROGRAMS = "slurmctld", "slurmd", "sbatch", "sinfo", "scontrol", "scancel", "munged"
LIMIT = 60  # seconds
LOSSES = 1e-4  # relative, as in test_ranks.py
PATH = os.environ["PATH"] + ":/usr/sbin"
TASKS = 2


def find_fault():
    """Returns why the test cannot run, or None."""
    if why_not():
        return why_not()
    if os.geteuid():
        return "it needs root"
    missing = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    if missing:
        return f"{', '.join(missing)} missing (packages slurm-wlm and munge)"
    return None


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Slurm:
    """A controller, a node and their munge in a folder, until the end of a with-block."""

    def __init__(self, folder):
        self.folder, self.daemons = folder, []
        self.config = f"{folder}/slurm.conf"
        self.environment = dict(os.environ, SLURM_CONF=self.config, PATH=PATH,
                                VITGATE_CPU_MASK="fast-bf16", OMPI_ALLOW_RUN_AS_ROOT="1",
                                OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                                OMPI_MCA_btl_vader_single_copy_mechanism="none",
                                PMIX_MCA_gds="hash")

    def configure(self):
        host = socket.gethostname()
        for name in "state", "spool":
            os.mkdir(f"{self.folder}/{name}")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={self.folder}/munge/socket
CryptoType=crypto/munge
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/slurmd.pid
SlurmctldLogFile={self.folder}/slurmctld.log
SlurmdLogFile={self.folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=pmix
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={TASKS} State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=10 State=UP
""")
        os.chmod(self.config, 0o644)

    def start_munge(self):
        folder = f"{self.folder}/munge"
        os.mkdir(folder, 0o755)
        with open(f"{folder}/key", "wb") as file:
            file.write(os.urandom(128))
        os.chmod(f"{folder}/key", 0o400)
        self.start(["munged", "--foreground", "--force", f"--socket={folder}/socket",
                    f"--key-file={folder}/key", f"--pid-file={folder}/pid",
                    f"--log-file={folder}/log", f"--seed-file={folder}/seed"], "munged")
        self.wait(lambda: os.path.exists(f"{folder}/socket"), "munge's socket")

    def start(self, command, name):
        with open(f"{self.folder}/{name}.out", "wb") as log:
            self.daemons.append(subprocess.Popen(command, env=self.environment, stdout=log,
                                                 stderr=log, stdin=subprocess.DEVNULL))

    def wait(self, condition, what, seconds=LIMIT):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.logs()}")
            time.sleep(0.1)

    def logs(self):
        logs = sorted(pathlib.Path(self.folder).glob("slurm*.log"))
        return "\n".join(f"{log}:\n{log.read_text()[-1500:]}" for log in logs)

    def ask(self, *command):
        return subprocess.run(command, env=self.environment, capture_output=True, text=True,
                              timeout=LIMIT, check=False)

    def __enter__(self):
        try:
            self.configure()
            self.start_munge()
            self.start(["slurmctld", "-D", "-f", self.config], "slurmctld")
            self.start(["slurmd", "-D", "-f", self.config], "slurmd")
            self.wait(lambda: self.ask("sinfo", "-h", "-o", "%T").stdout.strip() == "idle",
                      "the node is idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in reversed(self.daemons):
            try:
                daemon.wait(LIMIT)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def submit(self, script):
        """Returns the job's number."""
        run = self.ask("sbatch", "--parsable", "--output", f"{self.folder}/job-%j.out", script)
        if run.returncode:
            raise AssertionError(run.stderr + self.logs())
        return run.stdout.strip()

    def state(self, job):
        return re.search(r"JobState=(\w+)", self.ask("scontrol", "show", "job", job).stdout)[1]

    def wait_for_job(self, job):
        """Returns the state in which the job ended, and what it printed."""
        self.wait(lambda: self.state(job) not in ("PENDING", "RUNNING", "CONFIGURING",
                                                  "COMPLETING"), "the job ends")
        out = pathlib.Path(f"{self.folder}/job-{job}.out").read_text(encoding="utf-8")
        return self.state(job), out


@unittest.skipIf(find_fault(), find_fault())
class SlurmTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vitgate-slurm-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        self.teacher, self.pictures = self.path("teacher.safetensors"), self.path("pictures")
        random_model.write_teacher(self.teacher)
        random_model.write_pictures(self.pictures, 60)
        self.slurm = Slurm(self.path("slurm"))
        os.mkdir(self.slurm.folder)
        self.enterContext(self.slurm)

    def path(self, name):
        return os.path.join(self.folder, name)

    def script(self, out, *more, steps=20, mpi="pmix"):
        """Writes the page's script with the paths and sizes of the test. Returns its path."""
        lines = re.search(r"^ {4}#!/bin/sh\n(?:(?: {4}.*)?\n)+", PAGE.read_text(encoding="utf-8"),
                          re.M)[0]
        text = "".join(line[4:] or "\n" for line in lines.splitlines(True))
        for before, after in (("--nodes=8 --ntasks-per-node=1 --cpus-per-task=16",
                               f"--nodes=1 --ntasks-per-node={TASKS} --cpus-per-task=1"),
                              ("--time=04:00:00", "--time=5"), ("--mpi=pmix", f"--mpi={mpi}"),
                              (" vitgate ", f" {VITGATE} "),
                              ("--threads 16", "--threads 1"), ("--batch-size 512", "--batch-size 8"),
                              ("/data/teacher.safetensors", self.teacher),
                              ("/data/photographs.tar", self.pictures),
                              ("--steps 20000", f"--steps {steps}"),
                              ("-o /shared/student.safetensors",
                               " ".join(["-o", self.path(out), "--name n", *more]))):
            self.assertIn(before, text)
            text = text.replace(before, after)
        with open(self.path("job.sh"), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path("job.sh")

    def losses(self, out):
        with open(self.path(out) + ".training/log.jsonl", encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        return [line["loss"] for line in lines if "loss" in line], \
            [line["sums"] for line in lines if "sums" in line]

    def test_the_recipe_gives_the_losses_of_one_process(self):
        state, text = self.slurm.wait_for_job(self.slurm.submit(self.script("shared")))
        self.assertEqual(state, "COMPLETED", text + self.slurm.logs())
        subprocess.run([VITGATE, "compress", "--threads", "1", "--batch-size", "8", "--teacher",
                        self.teacher, "--data", self.pictures, "--target", "0.5", "--steps", "20",
                        "-o", self.path("one"), "--name", "n"], env=self.slurm.environment,
                       check=True, capture_output=True, timeout=LIMIT)
        (shared, sums), (one, _) = self.losses("shared"), self.losses("one")
        self.assertEqual([each["ranks"] for each in sums], [TASKS])
        self.assertEqual(len(shared), len(one))
        self.assertTrue(one)
        for loss, wanted in zip(shared, one):
            self.assertAlmostEqual(loss, wanted, delta=LOSSES * wanted)

    def start_long_job(self, out, *more):
        """Returns the number of a job that has taken some steps."""
        job = self.slurm.submit(self.script(out, *more, steps=100000))
        log = pathlib.Path(self.path(out) + ".training/log.jsonl")
        before = log.read_text(encoding="utf-8").count('"loss"') if log.exists() else 0
        self.slurm.wait(lambda: self.slurm.state(job) not in ("PENDING", "RUNNING")
                        or (log.exists()
                            and log.read_text(encoding="utf-8").count('"loss"') > before), "steps")
        return job

    def test_a_job_whose_time_is_over_goes_on_when_it_is_submitted_again(self):
        """Slurm sends the signal of the script to the ranks"""
        job = self.start_long_job("out")
        self.slurm.ask("scancel", "--signal=USR1", job)
        state, text = self.slurm.wait_for_job(job)
        self.assertEqual(state, "FAILED", text)
        step = re.search(r"stopped after step (\d+) of 100000; continue with --resume", text)[1]
        again = self.start_long_job("out", "--resume", self.path("out.training"))
        self.slurm.ask("scancel", "--signal=USR1", again)
        _, text = self.slurm.wait_for_job(again)
        self.assertIn(f"resumed after step {step}", text)

    def test_a_rank_that_dies_ends_the_job(self):
        job = self.start_long_job("out")
        pids = subprocess.run(["pgrep", "-f", f"^{VITGATE} compress .* {self.path('out')} "],
                              capture_output=True, text=True, check=True).stdout.split()
        self.assertEqual(len(pids), TASKS)
        os.kill(int(pids[1]), signal.SIGKILL)
        state, text = self.slurm.wait_for_job(job)
        self.assertEqual(state, "FAILED", text)
        self.assertRegex(text, r"task \d: Killed")
        self.assertTrue(os.path.exists(self.path("out.training/checkpoint.safetensors")))

    def test_ranks_that_slurm_does_not_connect_do_not_do_the_work_several_times(self):
        state, text = self.slurm.wait_for_job(self.slurm.submit(self.script("out", mpi="none")))
        self.assertEqual(state, "FAILED", text)
        self.assertEqual(text.count(f"{TASKS} processes were started together, but nothing connects "
                                    "them; start them with mpirun or with srun --mpi=pmix"), 1, text)
        self.assertFalse(os.path.exists(self.path("out")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
