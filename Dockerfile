# syntax=docker/dockerfile:1
FROM python:3.12.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
WORKDIR /src
# Dependencies first: this layer lasts until the lock file changes.
COPY requirements/runtime.txt requirements/
RUN /opt/venv/bin/pip install --require-hashes --requirement requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY worker worker
# The sample that `badge-worker demo` plays goes into the package.
COPY examples/events.jsonl examples/expected.json examples/
COPY config/badges.yaml config/
RUN /opt/venv/bin/pip install --no-deps .

FROM python:3.12.11-slim-bookworm
RUN groupadd --gid 10001 badge && \
    useradd --uid 10001 --gid badge --no-create-home --home-dir /tmp --shell /usr/sbin/nologin badge
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY config/badges.yaml config/
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
CMD ["badge-worker", "--help"]
