"""A guided tour on a Kubernetes of its own: `make demo`. Exit code 1 if anything did not do as said.

Starts a local control plane and the operator in a temporary folder, plays the scenes of hack/scenes.py, stops all.
"""

import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from hack.installation import NotInstalled
from hack.narration import Narrator
from hack.scenes import SCENES, Scene
from hack.stage import NotAsSaid, Stage, stage
from localcluster.errors import LocalClusterError

INTERRUPTED = 130


def main() -> int:
    """Plays the demo; the exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    narrator = Narrator()
    begun = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="action-operator-demo-") as folder:
            narrator.title("Action Operator: operational actions as Kubernetes resources")
            with stage(Path(folder), narrator) as ready:
                for scene in SCENES:
                    narrator.scene(scene.__doc__ or scene.__name__)
                    _play(scene, ready)
    except (NotAsSaid, NotInstalled, LocalClusterError, OSError) as error:
        narrator.failed(str(error))
        return 1
    except KeyboardInterrupt:
        narrator.failed("interrupted; nothing is left running")
        return INTERRUPTED
    narrator.console.print()
    seconds = time.monotonic() - begun
    narrator.title(f"All {narrator.scenes} scenes went as said, in {seconds:.0f} s; nothing is left running.")
    narrator.text("Next: `make up` leaves a cluster and the operator running for you to try; then README.md, docs/.")
    return 0


def _play(scene: Scene, ready: Stage) -> None:
    try:
        scene(ready)
    except (LookupError, StopIteration) as error:
        raise NotAsSaid(f"something that should be there is missing: {error!r}") from error


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
