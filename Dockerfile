# One image for every role: `api`, `worker`, or `serve` for both (the command says which).
# Written without a Docker engine at hand: its syntax was read with care, it has not been built.
FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The workspace, which brings no packages of its own.
COPY client/package.json client/
# It runs after the installation and removes what is never loaded.
COPY cli/prune-packages.mjs cli/
# `node` comes from npm for people's machines; here the image brings it.
RUN npm ci --omit=dev --loglevel=error \
 && rm -rf node_modules/node node_modules/.bin/node

FROM node:24-bookworm-slim
# All addresses: the start is refused without MUXI_TLS_CERT and MUXI_TLS_KEY, or MUXI_TRUSTED_PROXIES.
ENV NODE_ENV=production MUXI_HOST=0.0.0.0 MUXI_DATA_DIR=/data NODE_COMPILE_CACHE=/data/cache/node
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY . .
# Sound and speech; what npm brings for people who try muxi is a build of 2018, and stays out.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ffmpeg espeak-ng \
 && rm -rf /var/lib/apt/lists/*
RUN install -d -o node -g node -m 0700 /data
USER node
VOLUME /data
EXPOSE 5050
# Secrets are given at run time, never built in. Healthy means: the process answers; a worker has no port and is watched by its supervisor.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "if (process.env.MUXI_ROLE === 'worker') process.exit(0); fetch(`http://127.0.0.1:${process.env.MUXI_PORT || 5050}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "cli/muxi.mjs"]
CMD ["serve"]
