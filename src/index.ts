/** What other programs may import of Warren; everything else may change at any time. */
export { createWarren, type Adapters, type Addresses, type Warren } from './composition/create-warren.js'
export { SystemClock } from './adapters/clock/system-clock.js'
export { ConfigurationError } from './adapters/config/configuration-error.js'
export { loadSettings, type LoadedSettings, type SettingsInput } from './adapters/config/load-settings.js'
export { FileJournal } from './adapters/journal/file-journal.js'
export { WinstonLogger, type WinstonLoggerOptions } from './adapters/logging/winston-logger.js'
export { PrometheusMetrics } from './adapters/metrics/prometheus-metrics.js'
export { NetByteStream } from './adapters/net/net-byte-stream.js'
export { NetDialer } from './adapters/net/net-dialer.js'
export { NetListener } from './adapters/net/net-listener.js'
export type { ByteStream, ByteStreamHandler } from './application/ports/byte-stream.js'
export type { Clock, Timer } from './application/ports/clock.js'
export type { CredentialSource } from './application/ports/credential-source.js'
export type { Dialer, Endpoint } from './application/ports/dialer.js'
export {
  JournalFull,
  JournalError,
  type AsideNote,
  type Journal,
  type JournalPool,
  type JournalRecord,
} from './application/ports/journal.js'
export type { Arrival, BoundAddress, Doorkeeper, Listener } from './application/ports/listener.js'
export type { LogLevels } from './application/ports/log-levels.js'
export type { LogFields, Logger } from './application/ports/logger.js'
export type { KeptMessageEvent, MetricsSink, RefusalReason } from './application/ports/metrics.js'
export type { ShutdownReport } from './application/proxy.js'
export type { LogLevel, Settings } from './application/settings.js'
export { Credentials } from './domain/credentials.js'
