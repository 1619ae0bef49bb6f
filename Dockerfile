# The operator's image: docker build -t action-operator:0.1.0 .
# The base has to be Python 3.11 or newer, with pip; pin it by digest where images must be reproducible.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv --without-pip /opt/action-operator \
 && python -m pip --python /opt/action-operator/bin/python install --require-hashes -r requirements/run.txt \
 && python -m pip install --require-hashes -r requirements/build.txt
COPY hack/slim.py hack/
RUN python hack/slim.py /opt/action-operator
COPY pyproject.toml README.md LICENSE ./
COPY controller/ controller/
RUN python -m pip wheel --no-deps --no-index --no-build-isolation --wheel-dir dist . \
 && python -m pip --python /opt/action-operator/bin/python install --no-deps --no-index dist/*.whl
# Nothing can be written there later, so that Python would compile all modules at every start.
RUN /opt/action-operator/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/action-operator/lib

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/action-operator /opt/action-operator
# A uid that the cluster chooses has no entry in /etc/passwd; kopf asks for the name, the Kubernetes client for the home.
ENV USER=action-operator HOME=/ PATH=/opt/action-operator/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["action-operator"]
CMD ["run"]
