"""`kubectl actions` typed in this process, which is a second quicker than a process of its own."""

import io
from contextlib import redirect_stderr, redirect_stdout

import pytest

from controller.cli.main import app
from harness.stage import Stage


def actions(stage: Stage, *arguments: str, user: str | None = None) -> tuple[int, str, str]:
    """`kubectl actions -n NAMESPACE ...` as a user, or the administrator: exit code, output, errors."""
    config = stage.cluster.kubeconfig_of(user) if user else stage.cluster.kubeconfig
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        app(["-n", stage.namespace, "--kubeconfig", str(config), *arguments])
    return int(end.value.code or 0), out.getvalue(), err.getvalue()
