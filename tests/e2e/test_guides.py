"""The commands of the quick start, of every guide and of the pages on operations, typed as they stand there."""

import shutil
from collections.abc import Iterator

import pytest
from harness.guides import ROOT, run, running, shown, typed

DOCS = ROOT / "docs"
PAGES = [DOCS / "quick-start.md", *sorted((DOCS / "guides").glob("*.md")), *sorted((DOCS / "operations").glob("*.md"))]
GUIDES = {page.stem: page for page in PAGES if shown(page.read_text())}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, hook_port: int) -> Iterator[dict[str, str]]:
    """One playground for all of them: each guide takes back what it did."""
    yield from running(tmp_path_factory.mktemp("guides") / "playground")


def left(shell: dict[str, str]) -> str:
    """What a guide must leave as it was."""
    told = run(
        shell,
        "kubectl get apol,at,asch -A -o name; kubectl get serviceaccount,role,rolebinding,configmap -n shop -o name;"
        "kubectl get clusterrolebinding -o name; kubectl config get-contexts -o name;"
        "kubectl get deployment checkout -n shop -o jsonpath='{.spec.replicas}';"
        "kubectl get nodes -o jsonpath='{.items[*].spec.unschedulable}'",
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def words(said: dict[str, str], command: str) -> str:
    """What the only command that begins so has said."""
    (found,) = [text for name, text in said.items() if name.startswith(command)]
    return found


def quick_start(said: dict[str, str]) -> None:
    assert "spec.replicas  2 -> 6" in words(said, "kubectl actions describe")
    assert "scale-checkout-undo Succeeded" in words(said, "kubectl actions undo")
    assert "action-runner" in words(said, "kubectl actions policy explain")


def approve(said: dict[str, str]) -> None:
    assert "sre-approves" in words(said, "kubectl actions who-can")
    assert "ap/sale-checkout" in words(said, "kubectl actions pending")
    assert "has all approvals it needs" in words(said, "kubectl actions approve")
    assert words(said, "kubectl actions wait too-many").endswith("exit code 11\n")
    assert "sale-checkout-undo Succeeded" in words(said, "kubectl actions undo")


def retry(said: dict[str, str]) -> None:
    assert words(said, "kubectl actions watch").endswith("exit code 10\n")
    described = words(said, "kubectl actions describe")
    assert described.count("RetryScheduled") == 2
    assert "RetryExhausted" in described
    assert "too few replicas" in words(said, "kubectl actions wait aw/open-the-sale")
    assert "open-the-sale-retry Succeeded" in words(said, "kubectl actions retry")


def undo(said: dict[str, str]) -> None:
    assert words(said, "kubectl get deployment checkout") == "2"
    assert "replicas: 2" in words(said, "kubectl actions undo five-checkouts -o yaml")
    assert "make-room-undo Succeeded" in words(said, "kubectl actions undo aw/make-room")
    assert words(said, "kubectl actions wait aw/release-2-5").endswith("exit code 10\n")


def schedule(said: dict[str, str]) -> None:
    assert words(said, "kubectl actions wait scale-down-tonight").endswith("exit code 13\n")
    assert "condition met" in words(said, "kubectl wait --for=condition=Succeeded aw")
    assert "holidays" in words(said, "kubectl actions policy explain")


def write_an_action_type(said: dict[str, str]) -> None:
    assert "INFO -> DEBUG" in words(said, "kubectl actions describe")
    assert words(said, "kubectl get configmap") == "DEBUG"
    assert words(said, "kubectl actions wait shout").endswith("exit code 10\n")


def agents(said: dict[str, str]) -> None:
    assert words(said, "kubectl actions approve more-checkouts --yes --context release-agent").endswith(
        "exit code 16\n"
    )
    assert words(said, "kubectl actions halt").endswith("exit code 4\n")
    for command in ("kubectl create --context", "kubectl scale", "kubectl patch"):
        assert words(said, command) == "refused\n"
    assert "has all approvals it needs" in words(said, "kubectl actions approve more-checkouts --yes --context carol")
    assert "more-checkouts Succeeded" in words(said, "kubectl actions wait")


def stop_everything(said: dict[str, str]) -> None:
    for command in ("kubectl actions mode", "kubectl actions policy explain"):
        assert "kubectl-actions-halt" in words(said, command)
    assert words(said, "kubectl actions wait restart-checkout").endswith("exit code 13\n")
    assert [text for name, text in said.items() if "can-i" in name] == ["no\n", "yes\n"]


def upgrade(said: dict[str, str]) -> None:
    assert "serverside-applied" in words(said, "kubectl apply --server-side -f crds")
    assert "condition met" in words(said, "kubectl wait --for=condition=Ready at --all")


def backup_and_restore(said: dict[str, str]) -> None:
    kept = words(said, "kubectl get actionpolicies")
    assert "actionpolicy.actionoperator.dev/shop" in kept
    assert "actionproposal" not in kept
    assert "ActionProposal/shop/" in words(said, "jq ")


def move_to_another_cluster(said: dict[str, str]) -> None:
    (printed,) = [text for name, text in said.items() if "| jq" in name]
    assert '"mode": "Execute"' in printed
    assert "resourceVersion" not in printed


SAYS = {
    "quick-start": quick_start, "approve": approve, "retry": retry, "undo": undo, "schedule": schedule,
    "write-an-action-type": write_an_action_type, "agents": agents,
    "stop-everything": stop_everything, "upgrade": upgrade, "backup-and-restore": backup_and_restore,
    "move-to-another-cluster": move_to_another_cluster,
}  # fmt: skip


def test_every_guide_is_typed() -> None:
    assert set(GUIDES) == set(SAYS)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SAYS)
def test_every_command_of_the_guide_works(shell: dict[str, str], name: str) -> None:
    if "jq" in GUIDES[name].read_text() and not shutil.which("jq"):
        pytest.skip("jq is not installed")
    before = left(shell)
    SAYS[name](typed(shell, GUIDES[name].read_text()))
    assert left(shell) == before
