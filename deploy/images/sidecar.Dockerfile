# The image of the sidecar. From the repository's root, with BuildKit:
#
#   docker build -f deploy/images/sidecar.Dockerfile -t farebox-sidecar .
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
RUN ["python3", "-m", "tools.image", "sidecar", "/image"]

FROM scratch
LABEL org.opencontainers.image.title="farebox-sidecar" \
      org.opencontainers.image.description="Farebox beside a workload: each LLM call on the cheapest sufficient model, within its budget." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /image/ /
ENV PATH=/usr/bin HOME=/tmp FAREBOX_JOURNAL=/var/lib/farebox/journal
USER 15002:15002
WORKDIR /var/lib/farebox
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/farebox-sidecar"]
# For engines that look at it; Kubernetes has probes of its own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/opt/farebox/bin/python", "-IBm", "farebox.runtime.health", "127.0.0.1:15003"]
