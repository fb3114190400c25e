# envstream: all parts of it are one image; the command says which. See docker-compose.yml.

FROM python:3.12.12-slim-bookworm AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Everything the lock names is fetched and its hash checked; only what the program needs is then installed
# from these files: the test tools of the lock stay behind.
COPY requirements.lock ./
RUN pip download --quiet --require-hashes --only-binary :all: --dest /wheels -r requirements.lock
COPY pyproject.toml README.md envstream.py ./
COPY schemas ./schemas
COPY standards ./standards
COPY streams ./streams
COPY agents ./agents
COPY desk ./desk
COPY districts ./districts
RUN python -m venv /opt/envstream \
 && /opt/envstream/bin/pip install --quiet --no-index --find-links /wheels --upgrade setuptools \
 && /opt/envstream/bin/pip install --quiet --no-index --find-links /wheels --no-build-isolation . \
 && /opt/envstream/bin/pip uninstall --quiet --yes setuptools pip

FROM python:3.12.12-slim-bookworm
LABEL org.opencontainers.image.title="envstream" org.opencontainers.image.description="环境监测数据流水线"
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin envstream \
 && install -d -o envstream /run/envstream
COPY --from=build /opt/envstream /opt/envstream
ENV PATH=/opt/envstream/bin:$PATH PYTHONUNBUFFERED=1
USER envstream
WORKDIR /tmp
ENTRYPOINT ["envstream"]
CMD ["--help"]
