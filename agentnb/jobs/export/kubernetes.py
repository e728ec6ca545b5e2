"""CronJobs of Kubernetes, the volume of their store and outputs, and the file from which their image is built."""

from __future__ import annotations

import re
from typing import Any

from agentnb.errors import ConfigurationError
from agentnb.jobs.documents import WRITABLE
from agentnb.jobs.export.plan import HEADER, Plan, Unit, distinct
from agentnb.jobs.export.times import fields_of, five
from agentnb.workflows.documents.editing import dump

_OVERLAP = {"skip": "Forbid", "queue": "Forbid", "parallel": "Allow", "replace": "Replace"}
_CLAIM = "agentnb-data"
_USER = 1000
_FOLDER = "/work"
"""Where the project lies in the image."""


def files(plan: Plan) -> dict[str, str]:
    """``Containerfile``, its ignore file, and one manifest with everything else."""
    if plan.options.bucket and not plan.options.bucket.startswith(WRITABLE):
        raise ConfigurationError(f"--set bucket={plan.options.bucket}: write {', '.join(WRITABLE)}")
    distinct((unit.job for unit in plan.units), _name)
    documents = [*([] if plan.options.bucket else [_claim(plan)]), *(_cron_job(plan, unit) for unit in plan.units)]
    return {
        "Containerfile": _containerfile(plan),
        "Containerfile.dockerignore": f".agentnb\n.venv\n.git\nagentnb.env\n{plan.place}/runs\n",
        "agentnb-jobs.yaml": f"# {HEADER}\n" + "---\n".join(map(dump, documents)),
    }


def _containerfile(plan: Plan) -> str:
    bucket = {"s3": "boto3", "gs": "gcsfs", "abs": "azure-storage-blob azure-identity"}.get(plan.options.bucket.partition("://")[0], "")
    extra = f"RUN pip install --no-cache-dir {bucket}\n" if bucket else ""
    return (
        f"# {HEADER}\n# Build it in {plan.project.name}: podman build -t {plan.options.image} -f PATH/TO/Containerfile .\n"
        f"FROM python:{plan.options.python}-slim\n"
        f"RUN useradd --create-home --uid {_USER} agentnb\n"
        f"RUN {plan.options.install}\n{extra}"
        f"WORKDIR {_FOLDER}\n"
        f"COPY --chown={_USER}:{_USER} . {_FOLDER}\n"
        f"ENV AGENTNB_STORE=/data/store AGENTNB_CACHE=/data/cache HOME=/data IPYTHONDIR=/tmp/ipython\n"
        f"USER {_USER}\n"
        'ENTRYPOINT ["python", "-m", "agentnb"]\n'
    )


def _claim(plan: Plan) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": _CLAIM, "namespace": plan.options.namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": plan.options.storage}}},
    }


def _cron_job(plan: Plan, unit: Unit) -> dict[str, Any]:
    if not unit.cron:
        raise ConfigurationError(f"{unit.job.name} has no schedule: give it schedule: {{cron: …}}")
    spec, schedule = unit.spec, unit.spec.schedule
    assert schedule is not None  # noqa: S101
    deadline = schedule.grace if schedule.misfire == "skip" else 3600.0
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(plan, unit)],
        "volumes": [
            {"name": "data", **({"emptyDir": {}} if plan.options.bucket else {"persistentVolumeClaim": {"claimName": _CLAIM}})},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    work: dict[str, Any] = {
        "backoffLimit": 0,
        "ttlSecondsAfterFinished": 86_400,
        "template": {"metadata": {"labels": _labels(unit)}, "spec": pod},
    }
    if spec.job_timeout and not unit.after:
        work["activeDeadlineSeconds"] = int(spec.job_timeout) + 120
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": _name(unit.job.name), "namespace": plan.options.namespace, "labels": _labels(unit)},
        "spec": {
            "schedule": five(fields_of(unit.cron, unit.job.name), unit.job.name),
            "timeZone": unit.timezone,
            "concurrencyPolicy": _OVERLAP[spec.overlap],
            "startingDeadlineSeconds": max(int(deadline), 60),
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 5,
            "jobTemplate": {"metadata": {"labels": _labels(unit)}, "spec": work},
        },
    }


def _container(plan: Plan, unit: Unit) -> dict[str, Any]:
    place = f"{plan.options.bucket.rstrip('/')}/" if plan.options.bucket else "/data/runs/"
    words = ["jobs", "run", unit.job.name, "--dir", f"{_FOLDER}/{plan.place}", "--output", place]
    words += ["--downstream"] if unit.after else []
    environment: list[dict[str, Any]] = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": plan.options.secret, "key": name}}} for name in unit.secrets()
    ]
    return {
        "name": "job",
        "image": plan.options.image,
        "imagePullPolicy": "IfNotPresent",
        "args": words,
        **({"env": environment} if environment else {}),
        "resources": _resources(unit),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }


def _resources(unit: Unit) -> dict[str, Any]:
    """Requests and limits; the limit of memory leaves room for the process beside the kernel."""
    wanted = [job.spec.resources for job in unit.all]
    cpu = max((found.cpu or 1.0 for found in wanted), default=1.0)
    memory = max((found.memory or 2_000_000_000 for found in wanted), default=0)
    gpu = max((found.gpu or 0 for found in wanted), default=0)
    found: dict[str, Any] = {
        "requests": {"cpu": f"{cpu * 1000:.0f}m", "memory": f"{memory // 1_000_000}M"},
        "limits": {"memory": f"{memory // 1_000_000 + 500}M"},
    }
    if gpu:
        found["limits"]["nvidia.com/gpu"] = gpu
    return found


def _labels(unit: Unit) -> dict[str, str]:
    return {"app.kubernetes.io/name": "agentnb", "app.kubernetes.io/component": "job", "agentnb/job": unit.job.name[:63].rstrip("_.-")}


def _name(name: str) -> str:
    """A name of Kubernetes: lower-case letters, digits and hyphens, at most 52, since a job's pods add to it."""
    return f"agentnb-{re.sub(r'[^a-z0-9-]+', '-', name.lower())}"[:52].rstrip("-")
