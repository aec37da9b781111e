# The stream, the nightly job and the demo: docker build -t fink-al . && docker run --rm fink-al demo
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless procps \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/fink-al
COPY pyproject.toml setup.py constraints.txt README.md LICENSE ./
COPY fink_al fink_al
COPY bin bin
COPY conf conf
COPY data data
RUN pip install --no-cache-dir -c constraints.txt setuptools \
    && pip install --no-cache-dir --no-build-isolation -c constraints.txt '.[all]'
RUN useradd --create-home fink-al
USER fink-al
WORKDIR /home/fink-al
RUN python -m fink_al.jars && python -m fink_al.features && python -m fink_al.models
ENTRYPOINT ["fink-al"]
