"""Cases of the types that call what is outside of the cluster."""

from harness.catalogue.case import Case, Json, Scene


def put(scene: Scene) -> Json:
    return {"method": "PUT", "url": f"{scene.hook.url}/{scene.name}", "body": {"state": "drained"}}


def received(scene: Scene) -> list[object]:
    """The bodies of different operations: a repeated one is the same request."""
    return list({request.key: request.body for request in scene.hook.seen(f"/{scene.name}")}.values())


CASES = (
    Case(
        "http-request",
        parameters=put,
        look=received,
        before=[],
        after=[{"state": "drained"}],
        outputs={"status": 200},
        bad={"method": "TRACE", "url": "ftp://127.0.0.1/", "port": 1},
        faults=("parameters.method: must be one of", "parameters.url", "parameters.port"),
        effects=0,
        calls=1,
    ),
)
