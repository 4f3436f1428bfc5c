"""The worker pools of this process: one for each settings, shared by all judges that have them."""

import os
import threading
import weakref
from typing import Any

from codefeedback_env.judge.pool import PoolSettings, WorkerPool

_pools: dict[PoolSettings, WorkerPool] = {}
_pools_lock = threading.Lock()


def _renew_lock_after_fork() -> None:
    """Another thread of the parent may have held the lock when it forked."""
    global _pools_lock
    _pools_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock_after_fork)


def pool_for(settings: PoolSettings) -> WorkerPool:
    """This process's pool with these settings, started or connected to where need be."""
    with _pools_lock:
        return _pool_for(settings)


def add_user(settings: PoolSettings, user: object) -> "weakref.finalize[Any, Any]":
    """Keep the pool until ``user`` is garbage or its finalizer is called."""
    with _pools_lock:
        _pool_for(settings).num_users += 1
    return weakref.finalize(user, _remove_user, settings, os.getpid())


def _pool_for(settings: PoolSettings) -> WorkerPool:
    pool = _pools.get(settings)
    if pool is None:
        pool = WorkerPool(settings)
    elif pool.pid != os.getpid():
        pool.abandon()
        pool = WorkerPool(settings, pool.connectors)
    _pools[settings] = pool
    return pool


def _remove_user(settings: PoolSettings, pid: int) -> None:
    if pid != os.getpid():
        return  # a forked child's copy of the user; the pool there ends with the child
    with _pools_lock:
        pool = _pools.get(settings)
        if pool is None or pool.pid != os.getpid():
            return
        pool.num_users -= 1
        if pool.num_users > 0:
            return
        del _pools[settings]
    pool.close()
