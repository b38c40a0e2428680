# One image, two programs: /app/homeserver.mjs and /app/operator.mjs. `npm run bundle` makes dist/app; `npm run image` does both.
# BASE is any image with Node 24 at /usr/local/bin/node; nothing else of it is used, not even a shell.
ARG BASE=docker.io/library/node:24-bookworm-slim
FROM ${BASE}
ENV NODE_ENV=production
# What a process keeps beyond what it uses: docs/decisions/0024-homeserver-memory.md. Flags on a command line win over NODE_OPTIONS.
ENV MALLOC_ARENA_MAX=1 NODE_OPTIONS=--max-semi-space-size=4
WORKDIR /app
# Which of the bundles below dist.
ARG APP=dist/app
COPY ${APP}/ /app/
# What the compiler makes of the bundles is kept in the image, for this user and these flags: less memory, quicker starts.
RUN ["/usr/local/bin/node", "-e", "fs.mkdirSync('/app/compiled'); fs.chownSync('/app/compiled', 10001, 10001)"]
ENV NODE_COMPILE_CACHE=/app/compiled
USER 10001:10001
RUN ["/usr/local/bin/node", "--max-semi-space-size=1", "--optimize-for-size", "--single-threaded-gc", "--v8-pool-size=1", "--jitless", "/app/operator.mjs", "--help"]
RUN ["/usr/local/bin/node", "/app/homeserver.mjs", "check-config", "--help"]
ENTRYPOINT ["/usr/local/bin/node"]
CMD ["/app/homeserver.mjs", "--help"]
