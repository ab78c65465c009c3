"""Who does the work of a parallel stage: this process, processes of this machine, or dask."""

from darktrigger.executors.base import HERE, Executor, Here
from darktrigger.executors.config import ExecutorConfig, SiteConfig
from darktrigger.executors.opening import open_executor

__all__ = ["HERE", "Executor", "ExecutorConfig", "Here", "SiteConfig", "open_executor"]
