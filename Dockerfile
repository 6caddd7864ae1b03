# The image of Veche: `docker build --tag veche .`. docs/deploy.md says how to run it.
ARG PYTHON=python:3.13-slim-bookworm

FROM ${PYTHON} AS build
ENV UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1 UV_NO_PROGRESS=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY tools.lock requirements.lock ./
# uv first, then all packages. Each is checked against its hash, and nothing is compiled.
RUN python3 -m pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes --target /build/tools -r tools.lock
RUN /build/tools/bin/uv venv --quiet --python python3 /opt/veche/.venv \
    && /build/tools/bin/uv pip sync --quiet --python /opt/veche/.venv/bin/python --require-hashes --only-binary :all: \
       --compile-bytecode requirements.lock
COPY pyproject.toml README.md LICENSE LICENSE.unicode LICENSE.zxcvbn ./
COPY src src
RUN /build/tools/bin/uv pip install --quiet --python /opt/veche/.venv/bin/python --no-deps --no-build-isolation \
    --compile-bytecode .

FROM ${PYTHON}
RUN groupadd --gid 10001 veche \
    && useradd --uid 10001 --gid veche --no-create-home --home-dir /srv/veche --shell /usr/sbin/nologin veche \
    && install -d -o veche -g veche -m 700 /srv/veche/data
COPY --from=build /opt/veche /opt/veche
COPY deploy/container /opt/veche/container
# The root file system may be read-only: all that changes is in /srv/veche/data.
ENV PATH=/opt/veche/.venv/bin:$PATH \
    PYTHONPATH=/opt/veche/container/alias \
    PYTHONDONTWRITEBYTECODE=1 \
    VECHE_CONTAINER=1 \
    VECHE_BIND=0.0.0.0:8000,0.0.0.0:3000,0.0.0.0:8080
WORKDIR /srv/veche
VOLUME /srv/veche/data
USER 10001:10001
EXPOSE 8000 3000 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-I", "/opt/veche/container/health.py"]
ENTRYPOINT ["veche"]
CMD ["serve"]
