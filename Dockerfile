# Two images from one build: `docker build --target server .` and `--target agent`.
# The agent needs the host's processes and BPF:
#   docker run --privileged --pid=host --network=host IMAGE --server http://127.0.0.1:7070
FROM docker.io/library/node:20-bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends clang make libbpf-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

# Only what runs: no compiler, no sources, no development packages.
FROM docker.io/library/node:20-bookworm-slim AS runtime
WORKDIR /opt/everflame
COPY --from=build /src/package.json ./
COPY --from=build /src/bin ./bin
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
ENV NODE_ENV=production

FROM runtime AS agent
RUN apt-get update \
 && apt-get install -y --no-install-recommends libbpf1 \
 && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["bin/everflame", "agent"]

FROM runtime AS server
RUN mkdir -p /var/lib/everflame && chown node:node /var/lib/everflame
USER node
VOLUME /var/lib/everflame
ENV EVERFLAME_DATA_DIR=/var/lib/everflame
EXPOSE 7070
# Listens on loopback unless told otherwise: use --network=host, or, behind something that
# authenticates, pass --http-address 0.0.0.0:7070 --insecure.
ENTRYPOINT ["bin/everflame", "server"]
