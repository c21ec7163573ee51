/** Puts Warren together: which adapter stands behind which port. */
import 'reflect-metadata'
import { Container } from 'inversify'
import { SystemClock } from '../adapters/clock/system-clock.js'
import { createSaltedHash } from '../adapters/crypto/salted-hash.js'
import { NetDialer } from '../adapters/net/net-dialer.js'
import { NetListener } from '../adapters/net/net-listener.js'
import { AcceptedLogins } from '../application/accepted-logins.js'
import { Admission } from '../application/admission.js'
import { BrokerProfile } from '../application/broker-profile.js'
import { Heartbeats } from '../application/heartbeats.js'
import { identifiers } from '../application/identifiers.js'
import { Limits } from '../application/limits.js'
import { PoolDirectory } from '../application/pool-directory.js'
import type { Logger } from '../application/ports/logger.js'
import type { Product } from '../application/product.js'
import { Proxy } from '../application/proxy.js'
import { Quarantine } from '../application/quarantine.js'
import type { Settings } from '../application/settings.js'
import { Trials } from '../application/trials.js'
import { UnfinishedBytes } from '../application/unfinished-bytes.js'
import { UpstreamConnector } from '../application/upstream-connector.js'

/** What is decided before anything can be put together. */
export interface Given {
  readonly settings: Settings
  readonly logger: Logger
  readonly product: Product
}

/** A container from which `identifiers.Proxy` can be had. Tests rebind ports before they ask for it. */
export function createContainer({ settings, logger, product }: Given): Container {
  const container = new Container({ defaultScope: 'Singleton' })
  container.bind(identifiers.Settings).toConstantValue(settings)
  container.bind(identifiers.Logger).toConstantValue(logger)
  container.bind(identifiers.Product).toConstantValue(product)
  container.bind(identifiers.Random).toConstantValue(Math.random)
  container.bind(identifiers.Clock).to(SystemClock)
  container.bind(identifiers.Dialer).to(NetDialer)
  container.bind(identifiers.Listener).to(NetListener)
  container.bind(identifiers.Heartbeats).to(Heartbeats)
  container.bind(identifiers.BrokerProfile).to(BrokerProfile)
  container.bind(identifiers.UpstreamConnector).to(UpstreamConnector)
  container.bind(identifiers.Limits).to(Limits)
  container.bind(identifiers.Admission).to(Admission)
  container.bind(identifiers.SecretHash).toConstantValue(createSaltedHash())
  container.bind(identifiers.AcceptedLogins).to(AcceptedLogins)
  container.bind(identifiers.Trials).to(Trials)
  container.bind(identifiers.Quarantine).to(Quarantine)
  container.bind(identifiers.UnfinishedBytes).to(UnfinishedBytes)
  container.bind(identifiers.PoolDirectory).to(PoolDirectory)
  container.bind(identifiers.Proxy).to(Proxy)
  return container
}
