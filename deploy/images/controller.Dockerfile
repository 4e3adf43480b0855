# The image of the controller. From the repository's root, with BuildKit:
#
#   docker build -f deploy/images/controller.Dockerfile -t farebox-controller .
#
# The base is only built with: Python, its libraries and certificates are copied from it, and
# nothing else is in the image. Give PYTHON_IMAGE with a digest to get the same image again.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
# The time of every file, in seconds; that of the commit is a good one.
ARG SOURCE_DATE_EPOCH=0
WORKDIR /source
COPY LICENSE README.md pyproject.toml requirements.lock ./
COPY controller controller
COPY farebox farebox
COPY sidecar sidecar
COPY tools/image tools/image
RUN ["python3", "-m", "tools.image", "controller", "/image"]

FROM scratch
LABEL org.opencontainers.image.title="farebox-controller" \
      org.opencontainers.image.description="Farebox's ledger and policy: lends every sidecar a slice of the budgets." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /image/ /
ENV PATH=/usr/bin HOME=/tmp
USER 15001:15001
WORKDIR /var/lib/farebox
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/farebox-controller"]
# For engines that look at it; Kubernetes has probes of its own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/opt/farebox/bin/python", "-IBm", "farebox.runtime.health", "127.0.0.1:7448"]
