# What runs: the packages that the lock file names, and nothing that builds or tests.
FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src src
RUN npm run build && rm dist/.tsbuildinfo

# What node:24-bookworm-slim is itself made of, so that the binary finds the libraries that it was given there; without
# npm, Yarn and what they bring. Debian mends it until June 2028, longer than Node.js 24 lives. The other choice was
# distroless: its nodejs24-debian12 is built no more, and its nodejs24-debian13 has a Node.js other than the one above.
# Of certificates it has none: those of authorities, for rediss:// and JWT_JWKS_URL, come in the binary.
FROM debian:bookworm-slim
COPY --from=dependencies /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
# Readable to the user below, whatever the umask was that they were checked out with.
COPY --chmod=644 package.json LICENSE ./

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="realtime-fanout" \
      org.opencontainers.image.description="Redis PUBLISH in, Server-Sent Events out: one shared subscription, many clients" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="debian:bookworm-slim"

ENV NODE_ENV=production
# To whom nothing belongs. A number, because Kubernetes (runAsNonRoot) does not believe a name.
USER 65532:65532
EXPOSE 3001
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
  CMD ["node", "--eval", "fetch('http://127.0.0.1:' + (process.env.OPS_PORT || process.env.PORT || 3001) + '/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# The command line of the package is dist/cli/main.js, in the place of this.
ENTRYPOINT ["node"]
CMD ["dist/server.js"]
