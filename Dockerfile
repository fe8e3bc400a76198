# Latchkey's image: Node, the production packages and the source, and what both make together. Built in CI
# without an engine (test/deploy/image.tools.ts). Pin the bases by digest where you build for production:
#   --build-arg BUILD_IMAGE=node:24.21.0-bookworm@sha256:…
#   --build-arg RUNTIME_IMAGE=node:24.21.0-bookworm-slim@sha256:…
# With --build-arg RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12 there is no shell in it either: nothing
# here needs one.
ARG BUILD_IMAGE=docker.io/library/node:24.21.0-bookworm
ARG RUNTIME_IMAGE=docker.io/library/node:24.21.0-bookworm-slim

# Of the image's own processor, as are the runtime's files. Nothing is run in it.
FROM ${BUILD_IMAGE} AS target

# Of the building machine's processor: nothing has to be emulated for an image of another one.
FROM --platform=${BUILDPLATFORM} ${BUILD_IMAGE} AS packages
ARG TARGETARCH
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# argon2 brings a compiled form for every processor along; no package of ours needs its install script.
RUN npm ci --omit=dev --ignore-scripts --no-progress
# And once more for processors with AVX2, which let more people in a second; the server finds out whether it
# works.
COPY native native
RUN native/build.sh "${TARGETARCH}"
# What nobody runs: types, maps, tests, other systems' compiled forms.
COPY scripts/slim-packages.sh ./
RUN ./slim-packages.sh node_modules "${TARGETARCH}"
# In a few files, which take less memory and start sooner (docs/decisions/bundle.md). Packages and source come
# along nevertheless: with what isn't code, what few starts read, and the licenses.
COPY scripts/bundle scripts/bundle
RUN npm ci --prefix scripts/bundle --ignore-scripts --no-progress
COPY bin bin
COPY src src
RUN node scripts/bundle/bundle.ts .
# What they compile to, so that no start has to; only for the building machine's own kind of processor.
COPY scripts/fill-compile-cache.ts scripts/
RUN node --no-maglev --hash-seed=1 --random-seed=1 --min-semi-space-size=256 --max-semi-space-size=256 \
      scripts/fill-compile-cache.ts "${TARGETARCH}" \
 && chmod -R a+rX compile-cache
# The command's name on the PATH.
RUN mkdir -p on-path/usr/bin \
 && ln -s /app/bin/latchkey.js on-path/usr/bin/latchkey

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG RUNTIME_IMAGE
# That of RUNTIME_IMAGE: scanners tell by it when the base has a newer one.
ARG BASE_DIGEST=
LABEL org.opencontainers.image.title="Latchkey" \
      org.opencontainers.image.description="An OAuth 2.0 token server for first-party apps" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.vendor="The Latchkey project" \
      org.opencontainers.image.url="https://github.com/latchkey/latchkey" \
      org.opencontainers.image.source="https://github.com/latchkey/latchkey" \
      org.opencontainers.image.documentation="https://github.com/latchkey/latchkey/tree/main/docs" \
      org.opencontainers.image.base.name="${RUNTIME_IMAGE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
# The second folder is where distroless images keep Node.
# glibc keeps freed memory apart for each thread: without the second line every thread that ever hashed would
# hold on to a hash's 19 MiB. V8 would keep 64 MiB for what is young, the more the larger the machine.
ENV NODE_ENV=production \
    MALLOC_ARENA_MAX=1 \
    NODE_OPTIONS=--max-semi-space-size=8 \
    PATH=${PATH}:/nodejs/bin
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=packages /app/native/argon2 native/argon2
COPY --from=packages /app/bundle bundle
COPY --from=packages /app/compile-cache compile-cache
COPY --from=packages /app/on-path/ /
# bin/latchkey.js finds Node by it; it is missing in distroless images.
COPY --from=target /usr/bin/env /usr/bin/env
COPY package.json LICENSE ./
COPY bin bin
COPY src src
# A number, so that Kubernetes can see that it isn't root.
USER 65532:65532
EXPOSE 3000 3001
STOPSIGNAL SIGTERM
# Node is process 1 and takes the signals itself. No HEALTHCHECK: /livez and /readyz on the management port
# are for the probes. The flag is that of bin/latchkey.js and of the compile cache: Maglev, a compiler of
# V8, takes 25 MiB under load, which malloc seldom gives back.
ENTRYPOINT ["node", "--no-maglev", "/app/bin/latchkey.js"]
CMD ["serve"]
