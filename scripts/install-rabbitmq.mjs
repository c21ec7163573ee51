/**
 * Makes sure that a rabbitmq-server is installed. A program of its own, so that a signal waits for the package manager's
 * current step and everything that ensureRabbitMq() changed for the installation is put back.
 */
import { ensureRabbitMq } from './rabbitmq-server.mjs'

process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))
process.on('SIGHUP', () => process.exit(129))

try {
  ensureRabbitMq()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
