"""A real S3 server for tests: ``weed server -s3`` on loopback, with keys, ready when it works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, STDOUT

import urllib3
from minio import Minio
from minio.error import MinioException

from tests.support.ports import find_free_port

START_TIMEOUT_S = 90.0
START_TRIES = 3
ACCESS_KEY = "hall-test-access"
SECRET_KEY = "hall-test-secret"


@dataclass
class SeaweedServer:
    """A server that can be stopped hard and started again on the same data."""

    folder: Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.ports['s3']}"

    def blobs_url(self, bucket: str) -> str:
        return f"s3://{self.endpoint}/{bucket}"

    def start(self) -> None:
        weed = Path(sys.executable).parent / "weed"
        ports = self.ports
        with (self.folder / "weed.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(weed), "server", f"-dir={self.folder}", "-ip=127.0.0.1",
                    "-ip.bind=127.0.0.1", "-s3", f"-s3.config={self.folder / 's3.json'}",
                    f"-s3.port={ports['s3']}", f"-s3.port.grpc={ports['s3_grpc']}",
                    f"-master.port={ports['master']}", f"-master.port.grpc={ports['master_grpc']}",
                    f"-volume.port={ports['volume']}", f"-volume.port.grpc={ports['volume_grpc']}",
                    f"-filer.port={ports['filer']}", f"-filer.port.grpc={ports['filer_grpc']}",
                    # Listeners nobody asked for have fixed ports and end a second server.
                    "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
                    "-master.volumeSizeLimitMB=64", "-volume.max=500",
                    # Their ports are the same for every server on the machine.
                    "-s3.port.iceberg=0", "-s3.port.lance=0",
                ],
                stdout=log, stderr=STDOUT, stdin=DEVNULL, cwd=self.folder, start_new_session=True,
                env={**os.environ, "HOME": str(self.folder)},
            )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        """A listening port is not enough: the volumes come later. Only a round trip counts."""
        http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(2.0))
        client = Minio(
            self.endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=False,
            region="us-east-1", http_client=http,
        )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        error: Exception | None = None
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            try:
                self._round_trip(client)
            except (MinioException, urllib3.exceptions.HTTPError, OSError) as failure:
                error = failure
                time.sleep(0.2)
            else:
                http.clear()
                return
        tail = (self.folder / "weed.log").read_text(errors="replace")[-2000:]
        raise AssertionError(f"the S3 server did not come up: {error!r}\n{tail}")

    @staticmethod
    def _round_trip(client: Minio) -> None:
        import io

        if not client.bucket_exists("ready-check"):
            client.make_bucket("ready-check")
        client.put_object("ready-check", "probe", io.BytesIO(b"ready"), 5)
        response = client.get_object("ready-check", "probe")
        try:
            assert response.read() == b"ready"
        finally:
            response.close()
            response.release_conn()

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


@contextmanager
def run_seaweed(folder: Path) -> Iterator[SeaweedServer]:
    """Run a server below ``folder``; killed at the end."""
    identity = {
        "name": "hall",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    names = [
        "s3", "s3_grpc", "master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc",
    ]  # fmt: skip
    server = _start_on_free_ports(folder, names)
    try:
        yield server
    finally:
        server.kill()


def _start_on_free_ports(folder: Path, names: list[str]) -> SeaweedServer:
    """Start it; when somebody took one of its eight ports first, try others."""
    for attempt in range(START_TRIES):
        server = SeaweedServer(folder, {name: find_free_port() for name in names})
        try:
            server.start()
        except AssertionError:
            has_exited = server.process is not None and server.process.poll() is not None
            server.kill()
            if attempt + 1 == START_TRIES or not has_exited:
                raise
        else:
            return server
    raise AssertionError("unreachable")
