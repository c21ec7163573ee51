// Types of rabbitmq-server.mjs, which stays plain JavaScript because it runs before npm install.

/** The sbin directory of the installed rabbitmq-server (RABBITMQ_SBIN goes first), or undefined. */
export function findRabbitMq(): string | undefined

/** As findRabbitMq, but installs the distribution's package where that is possible, and throws where it is not. */
export function ensureRabbitMq(): string
