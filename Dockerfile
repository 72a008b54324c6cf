# Operator, router, classifier and simulated provider in one image: `docker build -t fairlead .`, or `make image` where there is
# no registry. docs/image.md says what is in it and what it weighs.

# Any image of Debian with CPython 3.11 and venv. Pin it by digest where you build for others.
ARG BASE=python:3.11-slim-bookworm

# Wheels that are there already: `--build-context wheels=DIR` puts a folder in the place of this stage. Else pip fetches them.
FROM scratch AS wheels

FROM ${BASE} AS packages
# Bytecode without times in it, and the same constants each time: the same files give the same layers.
ENV PYTHONHASHSEED=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/fairlead
COPY requirements/build.txt requirements/image.txt /requirements/
# --no-deps: the list is complete, and leaves out on purpose what requirements/image.without names.
RUN --mount=type=bind,from=wheels,target=/wheels \
    if ls /wheels/*.whl >/dev/null 2>&1; then set -- --no-index --find-links=/wheels; else set --; fi \
 && set -- --require-hashes --only-binary=:all: --no-deps --no-compile "$@" \
 && /build/bin/pip --quiet install "$@" -r /requirements/build.txt \
 && /build/bin/pip --quiet --python /opt/fairlead/bin/python install "$@" -r /requirements/image.txt
# Tests, type stubs, and a second copy of ONNX Runtime for programs in C: 40 MB that nothing here loads.
RUN cd /opt/fairlead/lib/python3.11/site-packages \
 && rm -rf onnxruntime/capi/libonnxruntime.so.* \
 && find . -depth \( -type d \( -name tests -o -name test \) -o -name '*.pyi' \) -exec rm -rf {} + \
 && python3 -m compileall -q --invalidation-mode unchecked-hash .

FROM packages AS fairlead
COPY . /source
RUN cd /source \
 && /build/bin/pip --quiet wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /build/bin/pip --quiet --python /opt/fairlead/bin/python install --no-deps --no-index --find-links=/dist --no-compile \
    --root=/only fairlead \
 && cd /only/opt/fairlead/lib/python3.11/site-packages \
 && python3 -m compileall -q --invalidation-mode unchecked-hash .

FROM ${BASE}
# No pip, nothing that gains rights, and a name for the user.
RUN rm -rf /usr/local/bin/pip* /usr/local/bin/wheel /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip \
           /usr/lib/python3*/ensurepip /usr/share/python-wheels \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && echo 'fairlead:x:65532:65532::/tmp:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'fairlead:x:65532:' >> /etc/group
# Bytecode of the standard library, which some bases come without and nobody could write later: the root is read-only then.
RUN python3 -c 'import compileall, importlib.util, os, py_compile; \
    os.path.exists(importlib.util.cache_from_source(os.__file__)) or compileall.compile_dir(os.path.dirname(os.__file__), \
    quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)'
COPY --from=packages /opt/fairlead /opt/fairlead
COPY --from=fairlead /only/opt/fairlead /opt/fairlead
ENV PATH=/opt/fairlead/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 65532:65532
# Of `serve`, `classifier` and `simulate`. The port of metrics and decisions, 9090, is for nobody outside.
EXPOSE 3003 5001 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["fairlead"]
CMD ["--help"]
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Fairlead" \
      org.opencontainers.image.description="A Kubernetes-native router for large language models" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
