// Types of client-packages.mjs, which stays plain JavaScript because it runs before npm install.

/** The clients of other languages, and other tools. */
export type ClientName =
  | 'php-amqp'
  | 'php-amqplib'
  | 'pika'
  | 'kombu'
  | 'celery'
  | 'amqp-tools'
  | 'librabbitmq'
  | 'chromium'
  | 'promtool'
  | 'curl, jq and bc'

/** The command of Debian's package, also where another of that name comes first on the path. */
export function systemCommand(name: string): string

/** Why the tests of a client can't run here, or undefined where it is installed. */
export function missingClient(name: ClientName): string | undefined

/** Installs the missing clients where that is possible, and says which are left out. */
export function installClients(): void
