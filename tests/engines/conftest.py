"""A PostgreSQL of our own and one Spark session, each started once where a test first asks.

Without their programs these tests are left out, and under CI=true they fail: a run of CI that
left them out would be no run of them. Tests that ask for Spark belong to one group, so that one of
several processes starts it and the others do not (`--dist loadgroup`).
"""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

_DEBIAN = Path("/usr/lib/postgresql")
_SECONDS = 60
_JAVA = 17


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
def java():
    """Java 17 or newer, which Spark 4 needs."""
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if program is None or not Path(program).is_file():
        absent("Java is not installed (Debian: openjdk-17-jre-headless)")
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "([0-9]+)', told)
    if found is None or int(found[1]) < _JAVA:
        absent("Java is older than 17 (Debian: openjdk-17-jre-headless)")
    if os.environ.get("CI") != "true":
        pytest.importorskip("pyspark")
    return program


@pytest.fixture(scope="session")
def spark(tmp_path_factory, java):
    """The one Spark session of a run of the tests: ``local[2]``, quick to begin.

    For tables of a few rows almost all of Spark's time is its own start: so Java compiles once
    and lightly, and expressions are interpreted (``compiled`` has them compiled, as Spark does by
    itself). A time without a zone stays one, as it does when Spark reads it from Parquet.
    """
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    lightly = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
    made = (
        SparkSession.builder.master("local[2]")
        .appName("dpsynth-tests")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.extraJavaOptions", f"-Dderby.system.home={folder} {lightly}")
        .config("spark.local.dir", str(folder))
        .config("spark.default.parallelism", "1")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.session.timeZone", "Europe/Berlin")
        .config("spark.sql.timestampType", "TIMESTAMP_NTZ")
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
        .getOrCreate()
    )
    made.sparkContext.setLogLevel("OFF")
    yield made
    made.stop()


@pytest.fixture
def compiled(spark):
    """The same session, with expressions compiled and partitions as Spark has them by itself."""
    ours = {
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.shuffle.partitions": "3",
        "spark.sql.codegen.wholeStage": "true",
        "spark.sql.codegen.factoryMode": "FALLBACK",
    }
    before = {name: spark.conf.get(name) for name in ours}
    for name, value in ours.items():
        spark.conf.set(name, value)
    yield spark
    for name, value in before.items():
        spark.conf.set(name, value)
