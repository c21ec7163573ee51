# syntax=docker/dockerfile:1
# RabbitMQ's image with Node.js added: the integration suite starts private nodes from the rabbitmq-server that it finds.
ARG NODE_VERSION=22
ARG RABBITMQ_VERSION=4.1

FROM node:${NODE_VERSION}-bookworm-slim AS node

FROM rabbitmq:${RABBITMQ_VERSION}
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
  && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
  && install --directory --owner rabbitmq --group rabbitmq /warren
WORKDIR /warren
USER rabbitmq
COPY --chown=rabbitmq:rabbitmq package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY --chown=rabbitmq:rabbitmq . .
# The image's entrypoint would start a broker of its own.
ENTRYPOINT ["npm", "test", "--silent", "--"]
HEALTHCHECK NONE
