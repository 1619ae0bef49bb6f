"""Which tests stay on one worker of pytest-xdist: those of a file, or of files that share more than a cluster."""

from xdist.scheduler import LoadFileScheduling

_SHARED = {
    "the port of the examples": (
        "tests/e2e/test_action_examples.py",
        "tests/e2e/test_demo.py",
        "tests/e2e/test_guides.py",
        "tests/e2e/test_guides_restore.py",
        "tests/e2e/test_readme.py",
    ),
    "a real node": ("tests/node/test_image.py", "tests/node/test_node.py", "tests/node/test_operator.py"),
    "API servers without the rest": (
        "tests/api/test_admission_enforcement.py",
        "tests/api/test_cli_doctor.py",
        "tests/api/test_cli_logs.py",
        "tests/api/test_kinds_in_kubectl.py",
        "tests/api/test_rbac_roles.py",
        "tests/api/test_schema_rules.py",
        "tests/api/test_stored_objects.py",
    ),
}
_TOGETHER = {file: shared for shared, files in _SHARED.items() for file in files}


class ByWhatIsShared(LoadFileScheduling):
    """Files in the order of their names, each to the next worker that is free."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return _TOGETHER.get(file, file)
