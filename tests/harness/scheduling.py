"""Which tests stay on one worker of pytest-xdist: those of a file, or of files that share more than a cluster."""

from xdist.scheduler import LoadFileScheduling

TOGETHER = {
    "tests/e2e/test_action_examples.py": "the port of the examples",
    "tests/e2e/test_demo.py": "the port of the examples",
    "tests/e2e/test_guides.py": "the port of the examples",
    "tests/e2e/test_guides_restore.py": "the port of the examples",
    "tests/e2e/test_readme.py": "the port of the examples",
    "tests/node/test_image.py": "a real node",
    "tests/node/test_node.py": "a real node",
    "tests/node/test_operator.py": "a real node",
}


class ByWhatIsShared(LoadFileScheduling):
    """Files in the order of their names, each to the next worker that is free."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return TOGETHER.get(file, file)
