"""Run a command where the loopback interface lacks what it usually has."""

import shutil
import subprocess

import pytest

from workshop.paths import ROOT

ONLY_IPV6 = "ip link set lo up; ip addr del 127.0.0.1/8 dev lo"
NO_LOOPBACK = "true"


def run_in_network(network: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run *command* in a network of its own, which *network* sets up.

    The test is skipped on machines that allow no such network.
    """
    unshare = ["unshare", "--net"]
    if (
        shutil.which("unshare") is None
        or shutil.which("ip") is None
        or subprocess.run([*unshare, "true"], check=False).returncode != 0
    ):
        pytest.skip("this machine makes no network namespace")
    return subprocess.run(
        [*unshare, "sh", "-c", f'{network}; exec "$0" "$@"', *command],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
