"""This process's connection to a Ray cluster, and how many workers have room there."""

import logging
import os
import socket
from collections.abc import Mapping

import ray

from codefeedback_env.errors import SandboxUnavailableError

OWN_OBJECT_STORE_BYTES = 256 << 20  # of a cluster started here: it holds problems only
REACH_S = 5.0
_LOG = logging.getLogger(__name__)
_has_connected = False
"""Whether the connection is of our making, so ours to end."""


def connect(address: str | None) -> None:
    """Connect, unless this process is connected already; see ``RayJudge`` for addresses.

    Raises:
        SandboxUnavailableError: there is no cluster.
    """
    global _has_connected
    if ray.is_initialized():
        return
    address = address or os.environ.get("RAY_ADDRESS")
    try:
        if address is None:
            _connect_here()
        else:
            _check_that_it_answers(address)
            ray.init(address=address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = "on this machine" if address is None else f"at {address!r}"
        raise SandboxUnavailableError(f"no Ray cluster {where}: {error}") from error
    _has_connected = True


def disconnect() -> None:
    """End the connection if ``connect`` opened it, and with it a cluster started for it."""
    global _has_connected
    if _has_connected and ray.is_initialized():
        ray.shutdown()
    _has_connected = False


def connection() -> str | None:
    """Which connection this is, None without one; most calls of Ray would then open one."""
    return ray.get_runtime_context().get_job_id() if ray.is_initialized() else None


def num_places(resources: Mapping[str, float]) -> int:
    """How many workers fit into the cluster when nothing else runs there.

    Args:
        resources: what each takes besides a CPU.

    Raises:
        SandboxUnavailableError: none.
    """
    total = ray.cluster_resources()
    needs = {"CPU": 1.0, **resources}
    found = min(int(total.get(name, 0.0) / need) for name, need in needs.items())
    if found < 1:
        raise SandboxUnavailableError(
            f"the Ray cluster has no room for a judge worker, which takes {needs}: it has "
            f"{ {name: total.get(name, 0.0) for name in needs} }. Add nodes with CPUs; where an "
            "autoscaler is to start them, say how many workers with num_workers=."
        )
    return found


def describe_cpus() -> str:
    """How many CPUs are free, for messages."""
    total, free = ray.cluster_resources(), ray.available_resources()
    return f"{free.get('CPU', 0):g} of the {total.get('CPU', 0):g} CPUs of the Ray cluster are free"


def _connect_here() -> None:
    try:
        ray.init(address="auto")
    except ConnectionError:
        _LOG.info("no Ray cluster runs on this machine; starting one")
        ray.init(
            address="local", include_dashboard=False, object_store_memory=OWN_OBJECT_STORE_BYTES
        )


def _check_that_it_answers(address: str) -> None:
    """Ray itself would go on trying for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return  # "auto" and other words
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()
    except OSError as error:
        raise ConnectionError(f"nothing answers there ({error})") from error
