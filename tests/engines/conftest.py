"""A PostgreSQL of our own and one Spark session, each started once where a test first asks.

Without their programs these tests are left out, and under CI=true they fail: a run of CI that
left them out would be no run of them. Tests that ask for Spark belong to one group, so that one of
several processes starts it and the others do not (`--dist loadgroup`).
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

_DEBIAN = Path("/usr/lib/postgresql")
_SECONDS = 60


def absent(what):
    """Leave a test out for want of a program, but never in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; CI must have it", pytrace=False)
    pytest.skip(what)


def _program(name):
    newest = sorted(_DEBIAN.glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or (str(newest[0]) if newest else None)


class Cluster:
    """A PostgreSQL on a socket in a private folder, run by a user who may do nothing else.

    PostgreSQL refuses to run as root, so that root hands it over to ``nobody``.
    """

    def __init__(self):
        programs = {name: _program(name) for name in ("initdb", "postgres", "pg_isready")}
        if not all(programs.values()):
            absent("PostgreSQL is not installed (Debian: postgresql-15)")
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="dpsynth-pg-", dir="/tmp"))
        self._as = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._run("initdb", "-A", "trust", "-U", "dpsynth", "-E", "UTF8", "--locale=C.UTF-8",
                  "--no-sync", "-D", str(self.folder / "data"))  # fmt: skip
        with (self.folder / "log").open("wb") as log:
            self._server = subprocess.Popen(
                [programs["postgres"], "-D", str(self.folder / "data"), "-k", str(self.folder),
                 "-F", "-h", "", "-c", "max_connections=30", "-c", "shared_buffers=16MB"],
                cwd="/", env={"LC_ALL": "C.UTF-8"}, stdout=subprocess.DEVNULL, stderr=log,
                **self._as,
            )  # fmt: skip
        self._wait()

    def _run(self, name, *arguments):
        done = subprocess.run(
            [self._programs[name], *arguments], cwd="/", env={"LC_ALL": "C.UTF-8"},
            capture_output=True, check=False, **self._as,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode(errors="replace")

    def _wait(self):
        until = time.monotonic() + _SECONDS
        while subprocess.run(
            [self._programs["pg_isready"], "-q", "-h", str(self.folder)], check=False
        ).returncode:
            assert self._server.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "PostgreSQL did not start"
            time.sleep(0.05)

    @property
    def url(self):
        return f"postgresql://dpsynth@/postgres?host={self.folder}"

    @property
    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def stop(self):
        self._server.send_signal(2)  # SIGINT: end the sessions, then yourself
        try:
            self._server.wait(_SECONDS)
        finally:
            self._server.kill()
            shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster():
    """A running PostgreSQL."""
    pytest.importorskip("psycopg") if os.environ.get("CI") != "true" else __import__("psycopg")
    running = Cluster()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """The one Spark session of a run of the tests: ``local[2]``."""
    if shutil.which("java") is None:
        absent("Java is not installed (Debian: openjdk-17-jre-headless)")
    if os.environ.get("CI") != "true":
        pytest.importorskip("pyspark")
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    made = (
        SparkSession.builder.master("local[2]")
        .appName("dpsynth-tests")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.memory", "1g")
        .config("spark.local.dir", str(folder))
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "Europe/Berlin")
        .config("spark.driver.extraJavaOptions", f"-Dderby.system.home={folder} -XX:+UseSerialGC")
        .getOrCreate()
    )
    made.sparkContext.setLogLevel("OFF")
    yield made
    made.stop()
