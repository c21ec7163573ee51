/** Installs the clients of other languages for the integration tests. A program of its own, as install-rabbitmq.mjs is. */
import { installClients } from './client-packages.mjs'

process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))
process.on('SIGHUP', () => process.exit(129))

installClients()
