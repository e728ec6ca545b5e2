"""Executes the cells of one notebook in a kernel of its own, and writes down how each goes."""

from __future__ import annotations

import ast
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_core.paths import jupyter_path
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, v4, writes
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager

from agentnb.errors import AgentNBError, CellFailed, ExecutionError, KernelDied
from agentnb.jobs import once
from agentnb.jobs.attempt import Attempt, kernel_folder
from agentnb.jobs.cells import Stored, first_line, is_code, is_once, numbers_of
from agentnb.jobs.guard import ProcessGroup

_SAVE_SECONDS = 1.0
_COUNTED = frozenset({"stream", "display_data", "execute_result"})
_REASONS = {"PolicyDenied": "policy", "ExecutionTimeout": "timed_out"}
_DISMISS_SECONDS = 5.0


class Manager(NotebookExecutionManager):  # type: ignore[misc]
    """papermill's record in the notebook; it says nothing of a cell but what has happened to it."""

    def __init__(self, nb: NotebookNode, attempt: Attempt, **options: Any) -> None:
        super().__init__(nb, **options)
        self._attempt = attempt
        self._saved = 0.0

    def save(self, **_: Any) -> None:
        """Write the notebook: at once where it is asked for, at most once a second while cells begin."""
        if self._attempt.output is not None:
            self._attempt.output.save(writes(self.nb))
        else:
            super().save()
        self._saved = time.monotonic()

    def cell_start(self, cell: NotebookNode, cell_index: int | None = None, **_: Any) -> None:
        """Mark a cell as begun."""
        cell.metadata.papermill.update(start_time=self.now().isoformat(), status=self.RUNNING, exception=False)
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self.save()

    def cell_complete(self, cell: NotebookNode, cell_index: int | None = None, **_: Any) -> None:
        """Mark a cell as ended."""
        mark = cell.metadata.papermill
        end = self.now()
        mark.update(end_time=end.isoformat())
        if self._attempt.output is None and self.pbar:
            self.pbar.update(1)
        if mark["status"] != self.FAILED:
            mark["status"] = self.COMPLETED
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self.save()

    def notebook_complete(self, **_: Any) -> None:
        """Mark the notebook as ended; cells that were never reached stay pending."""
        self.end_time = self.now()
        self.nb.metadata.papermill.update(end_time=self.end_time.isoformat(), duration=(self.end_time - self.start_time).total_seconds())
        self.cleanup_pbar()
        self.save()


class JobClient(PapermillNotebookClient):  # type: ignore[misc]
    """A client of the kernel that counts what is put out, and keeps to a job's limits."""

    def __init__(self, manager: Manager, attempt: Attempt, **options: Any) -> None:
        super().__init__(manager, timeout=None, **options)
        self._attempt = attempt
        self._left = 0
        self._cut = 0

    def run(self) -> None:
        """Execute the notebook.

        Raises:
            CellFailed: A cell raised.
            KernelDied: The kernel ended by itself, or did not start.
            AgentNBError: The job was stopped; the cause.
        """
        with tempfile.TemporaryDirectory(prefix=kernel_folder(self._attempt.journal.run.id), ignore_cleanup_errors=True) as folder:
            self._run_within(Path(folder))

    def _run_within(self, folder: Path) -> None:
        attempt = self._attempt
        self.reset_execution_trackers()
        attempt.guard.check()
        self.km = self.create_kernel_manager()
        self.km.kernel_spec_manager = KernelSpecManager(parent=self.km, kernel_dirs=_kernel_folders())
        self._connect_by_files(folder)
        try:
            self._start({**attempt.environment})
            with attempt.guard.over(ProcessGroup(self.km.provisioner.pid)):
                self.start_new_kernel_client()
                self._execute_cells()
                info = self.wait_for_reply(self.kc.kernel_info())
                self.nb.metadata["language_info"] = info["content"]["language_info"]
                self.set_widgets_metadata()
                self._dismiss()
        except (DeadKernelError, CellTimeoutError, RuntimeError) as error:
            attempt.guard.check()
            raise KernelDied(self._died(error)) from None
        finally:
            if self.km is not None:
                self.shutdown_kernel = "immediate"
                self._cleanup_kernel()

    def _dismiss(self) -> None:
        """Have the kernel end by itself: one that has nothing to do complains of being interrupted, as Jupyter begins to end one."""
        self.kc.shutdown()
        deadline = time.monotonic() + _DISMISS_SECONDS
        while run_sync(self.km.is_alive)() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._cleanup_kernel()

    def _connect_by_files(self, folder: Path) -> None:
        """Have the kernel talk over sockets in a folder of this user: of ports, another process may be quicker to take one."""
        if os.name == "posix":
            self.km.transport, self.km.ip, self.km.connection_file = "ipc", str(folder / "k"), str(folder / "k.json")

    def _start(self, environment: dict[str, str]) -> None:
        try:
            self.start_new_kernel(env={**os.environ, **environment})
        except NoSuchKernel as error:
            raise ExecutionError(
                f"the kernel {error.name!r} is not installed here: `jupyter kernelspec list` shows those that are; "
                "name one with kernel: in the job, or -k"
            ) from None

    def _died(self, error: Exception) -> str:
        process = getattr(getattr(self.km, "provisioner", None), "process", None)
        code = process.poll() if process is not None else None
        how = f"killed by signal {-code}" if code and code < 0 else f"exit code {code}" if code is not None else str(error)
        return f"the kernel died ({how}): it may have run out of memory, or a library crashed; the output shows how far it came"

    def _execute_cells(self) -> None:
        attempt, numbers = self._attempt, numbers_of(self.nb.cells)
        total = sum(is_code(cell) for cell in self.nb.cells)
        for index, cell in enumerate(list(self.nb.cells)):
            self.nb_man.cell_start(cell, index)
            try:
                if is_code(cell):
                    self._execute_one(cell, index, numbers[index], total)
            finally:
                self.nb_man.cell_complete(cell, index)
        attempt.guard.check()

    def _execute_one(self, cell: NotebookNode, index: int, number: int, total: int) -> None:
        """Execute a cell between the events that it begins and ends with."""
        attempt, name = self._attempt, _name(number)
        about: dict[str, Any] = {
            "cell": number,
            "cell_id": cell.get("id", ""),
            "attempt": attempt.number,
            "source": first_line(cell),
            "cells": total,
        }
        kept: dict[str, Any] = {"once": {"begun": True}} if is_once(cell) else {}
        stored = attempt.past.stored.get(number) if kept else None
        journal, started = attempt.journal, time.monotonic()
        if stored is None:
            journal.note(journal.event("job.cell_started", "running", step_id=name, **about, **kept))
        try:
            with attempt.guard.cell(name, attempt.cell_timeout):
                about |= self._restore(cell, stored) if stored is not None else self._run(cell, index, keep=bool(kept))
        except BaseException as error:
            failure = self._failure(cell, name, error)
            milliseconds = (time.monotonic() - started) * 1000
            note = journal.event("job.cell_failed", "failed", step_id=name, milliseconds=milliseconds, error=str(failure), **about, **kept)
            journal.note(note)
            if failure is error:
                raise
            raise failure from None
        milliseconds = (time.monotonic() - started) * 1000
        journal.note(journal.event("job.cell_completed", "completed", step_id=name, milliseconds=milliseconds, **about))

    def _run(self, cell: NotebookNode, index: int, *, keep: bool) -> dict[str, Any]:
        """Execute a cell; the fields that its last event is to have."""
        self._left, self._cut = self._attempt.max_output, 0
        self.execute_cell(cell, index)
        found: dict[str, Any] = {"output_left_out": self._cut} if self._cut else {}
        if keep:
            later = "\n".join(str(other.source) for other in self.nb.cells[index + 1 :] if is_code(other))
            found |= {"once": once.settled(self._captured(cell.source), later), "outputs": json.loads(json.dumps(cell.outputs))}
        return found

    def _captured(self, source: str) -> dict[str, Any]:
        """What a cell tagged ``once`` has assigned, as the kernel gives it."""
        message = self.kc.execute("", silent=True, store_history=False, user_expressions={"once": once.capturing(source)})
        try:
            reply = self.wait_for_reply(message)
            answer = reply["content"]["user_expressions"]["once"]
            if answer["status"] != "ok":
                return {"problem": f"{answer.get('ename')}: {answer.get('evalue')}"}
            found: dict[str, Any] = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
            return found
        except (KeyError, ValueError, SyntaxError, TypeError) as error:
            return {"problem": f"the kernel gave no values: {error}"}

    def _restore(self, cell: NotebookNode, stored: Stored) -> dict[str, Any]:
        """Give a cell's values back to the kernel instead of running it."""
        message = self.kc.execute(once.restoring(stored.values), silent=True, store_history=False)
        content = self.wait_for_reply(message)["content"]
        if content["status"] != "ok":
            raise ExecutionError(f"what the cell had assigned can't be restored: {content.get('ename')}: {content.get('evalue')}")
        cell.outputs = [NotebookNode(output) for output in stored.outputs]
        return {"once": {"values": dict(stored.values)}, "outputs": list(stored.outputs), "restored": True}

    def _failure(self, cell: NotebookNode, name: str, error: BaseException) -> BaseException:
        """What the job fails of, and the cell marked with it where the kernel hasn't done so."""
        self.nb_man.cell_exception(cell)
        cause = self._attempt.guard.cause
        if isinstance(error, CellExecutionError):
            reason: Any = _REASONS.get(error.ename, "error")
            return cause or CellFailed(name, error.ename, error.evalue, reason)
        if isinstance(error, DeadKernelError | CellTimeoutError | RuntimeError):
            error = cause or KernelDied(f"{name}: {self._died(error)}")
        if isinstance(error, AgentNBError) and cell.cell_type == "code":
            cell.outputs.append(
                v4.new_output("error", ename=type(error).__name__, evalue=str(error), traceback=[f"{type(error).__name__}: {error}"])
            )
        return error

    def output(self, outs: list[NotebookNode], msg: Mapping[str, Any], display_id: str, cell_index: int) -> Any:
        """Keep what a cell puts out, up to its limit; errors are always kept."""
        kind = msg["msg_type"]
        if kind not in _COUNTED:
            return super().output(outs, msg, display_id, cell_index)
        content = msg["content"]
        size = len(content["text"]) if kind == "stream" else len(json.dumps(content.get("data", {})))
        if size <= self._left:
            self._left -= size
            return super().output(outs, msg, display_id, cell_index)
        if not self._cut:
            self._note_cut(outs, msg, display_id, cell_index)
        self._cut += size - (self._left if kind == "stream" else 0)
        self._left = 0
        return None

    def _note_cut(self, outs: list[NotebookNode], msg: Mapping[str, Any], display_id: str, cell_index: int) -> None:
        if msg["msg_type"] == "stream" and self._left:
            shortened = {**msg, "content": {**msg["content"], "text": msg["content"]["text"][: self._left]}}
            super().output(outs, shortened, display_id, cell_index)
        limit = self._attempt.max_output
        outs.append(v4.new_output("stream", name="stderr", text=f"\n[output over {limit:,} characters is left out: raise max_output]\n"))

    def clear_output(self, outs: list[NotebookNode], msg: Mapping[str, Any], cell_index: int) -> None:
        """Forget what was put out, when the cell says so."""
        super().clear_output(outs, msg, cell_index)
        self._left = self._attempt.max_output


def _kernel_folders() -> list[str]:
    """Where kernelspecs are: as Jupyter has it, which would import IPython to learn of the last."""
    return [*jupyter_path("kernels"), str(Path(os.environ.get("IPYTHONDIR") or "~/.ipython").expanduser() / "kernels")]


def _name(number: int) -> str:
    return f"cell {number}" if number else "parameters"
