"""A real Kubernetes control plane as ordinary processes on the loopback interface.

It is for development and for tests of anything that talks to Kubernetes. It knows nothing of the
operator and imports nothing of it. Start with `localcluster.controlplane.ControlPlane`, or with
`python -m localcluster --help`.

This file stays empty of imports: the supervisor is started as `python -m localcluster.supervisor`,
and each import here would make every start slower.
"""
