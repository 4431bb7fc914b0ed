# One image for the API, the workers and the command line; what runs is the command.
#
#   docker build -t vitrine .
#   docker build -t vitrine --build-arg TORCH_INDEX_URL=<index of CPU wheels> .   (smaller: no CUDA libraries)
#   docker build -t vitrine --build-arg BASE_IMAGE=<mirror>/python:3.11-slim .
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
# Index of PyTorch wheels, e.g. the one with CPU builds; empty: whatever pip is set up with (CUDA builds on Linux).
ARG TORCH_INDEX_URL=""
# Index of all other packages; empty: pip's own. (pip reads the variable itself, and passes over an empty one.)
ARG PIP_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/vitrine
WORKDIR /src
COPY constraints.txt ./
# torch first, in a layer of its own: it is most of the image and seldom changes. Both come from one index, because a
# CPU torch does not import beside a CUDA torchvision.
RUN if [ -n "$TORCH_INDEX_URL" ]; then \
        /opt/vitrine/bin/pip install -c constraints.txt --index-url "$TORCH_INDEX_URL" torch torchvision; \
    else \
        /opt/vitrine/bin/pip install -c constraints.txt torch torchvision; \
    fi
COPY pyproject.toml README.md LICENSE ./
COPY configs configs
COPY indexer indexer
COPY workers workers
COPY search_api search_api
RUN /opt/vitrine/bin/pip install -c constraints.txt ".[heic,openvino,tracing]"

FROM ${BASE_IMAGE}
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin vitrine \
    && mkdir /data /models /feeds \
    && chown vitrine:vitrine /data /models
COPY --from=build /opt/vitrine /opt/vitrine
ENV PATH=/opt/vitrine/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VITRINE_DATA_DIR=/data \
    VITRINE_MODEL_CACHE_DIR=/models \
    HF_HOME=/models/hub
USER 10001
WORKDIR /data
VOLUME ["/data", "/models"]
EXPOSE 8000
CMD ["python", "-m", "search_api"]
