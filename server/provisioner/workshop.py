"""What the work on a job needs, handed in by the composition root."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final
from uuid import UUID

import uuid_utils.compat as uuids

from pyk8s.wire.cluster import Cluster, Step
from server.drivers.base import AttemptSpec, Driver, DriverError, Explanation
from server.drivers.kind_output import plan
from server.errors import StartFailed
from server.secrets import Sealer
from server.store.access import WayIn
from server.store.attempts import Attempt
from server.store.database import Database
from server.templates import is_tuned

_STEP_SECONDS: Final[Mapping[Step, float]] = MappingProxyType(
    {
        Step.NODE_IMAGE: 900,  # may be a pull over a slow line
        Step.CONTROL_PLANE: 420,  # kubeadm itself gives up after 4 minutes
        Step.WORKERS: 300,
        Step.NODE_READY: 180,  # kind waits 2 minutes
    }
)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """After how many seconds a create is given up."""

    steps: Mapping[Step, float] = field(default_factory=lambda: _STEP_SECONDS)
    step: float = 180
    """For a step that is not in `steps`."""
    silence: float = 180
    """Between two lines while no step is going on; within a step kind says nothing."""
    between: float = 900
    """Between two steps, however much is said meanwhile."""
    finish: float = 120
    delete: float = 180
    grace: float = 5
    """Between TERM and KILL."""

    def times(self, factor: float) -> "Deadlines":
        """Give all of them, so many times as long."""
        return Deadlines(
            steps={step: seconds * factor for step, seconds in self.steps.items()},
            step=self.step * factor,
            silence=self.silence * factor,
            between=self.between * factor,
            finish=self.finish * factor,
            delete=self.delete * factor,
            grace=self.grace * factor,
        )

    def of(self, step: Step | None) -> float:
        """How long this step, or the silence between steps, may last."""
        return self.silence if step is None else self.steps.get(step, self.step)


def plan_of(cluster: Cluster) -> tuple[Step, ...]:
    """List the steps that creating a cluster takes."""
    return plan(
        control_planes=cluster.control_planes,
        workers=cluster.workers,
        is_tuned=is_tuned(cluster.template, cluster.control_planes + cluster.workers),
    )


@dataclass(frozen=True, slots=True)
class Workshop:
    """Shared by all jobs of a worker."""

    database: Database
    driver: Driver
    sealer: Sealer
    attempts_dir: Path
    host_id: UUID
    log_cap_bytes: int
    deadlines: Deadlines = field(default_factory=Deadlines)
    new_id: Callable[[], UUID] = uuids.uuid7
    runners: set[int] = field(default_factory=set)
    """Process ids of the runners that this process started and has not seen end."""

    def directory(self, attempt: Attempt) -> Path:
        """Where the files of an attempt are."""
        return self.attempts_dir / str(attempt.id)

    def kubeconfig_of(self, way: WayIn) -> str:
        """Open the administrator's kubeconfig of a cluster.

        Raises:
            DriverError: it was sealed with another key.
        """
        try:
            return self.sealer.open(way.sealed_kubeconfig).decode()
        except StartFailed as error:
            raise DriverError(
                Explanation(
                    code="kubeconfig_unreadable",
                    title="The kubeconfig of the cluster cannot be read",
                    cause=error.detail,
                    fix=error.fix or "",
                )
            ) from error

    def spec(self, cluster: Cluster, attempt: Attempt) -> AttemptSpec:
        """Say what an attempt is to bring about."""
        return AttemptSpec(
            attempt_id=attempt.id,
            cluster_id=cluster.id,
            directory=self.directory(attempt),
            kubernetes_version=cluster.kubernetes_version,
            control_planes=cluster.control_planes,
            workers=cluster.workers,
            template=cluster.template,
            labels=cluster.labels,
        )
