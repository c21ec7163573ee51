/** The certificates that Warren shows and believes in: what is to be known of them, and how they are replaced. */
import { inject, injectable } from 'inversify'
import { isoTime } from '../../domain/calendar.js'
import { judgeValidity } from '../../domain/policy/certificate-validity.js'
import { identifiers } from '../identifiers.js'
import {
  CertificateError,
  type CertificateSettings,
  type CertificateStore,
  type CertificateUse,
} from '../ports/certificate-store.js'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'

/** A certificate as operators see it. */
export interface CertificateView {
  readonly use: CertificateUse
  readonly name: string
  /** As ISO 8601 has it. */
  readonly expires: string
  /** Why somebody should do something about it; null when nobody has to. */
  readonly warning: string | null
}

const USES: Readonly<Record<CertificateUse, string>> = {
  listener: 'the certificate of the listener',
  upstream_client: 'the certificate that is shown to the broker',
  listener_ca: 'a CA of client certificates',
  upstream_ca: "a CA of the broker's certificate",
}

/** Watches over the dates, and replaces what has changed while Warren runs. */
@injectable()
export class Certificates {
  readonly #store: CertificateStore
  readonly #clock: Clock
  readonly #logger: Logger

  constructor(
    @inject(identifiers.CertificateStore) store: CertificateStore,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Logger) logger: Logger,
  ) {
    this.#store = store
    this.#clock = clock
    this.#logger = logger
  }

  /** All that are in use, for people: those that Warren shows first. */
  views(): CertificateView[] {
    const now = this.#clock.wallTime()
    return this.#store.inUse.map(({ use, name, ...dates }) => ({
      use,
      name,
      expires: isoTime(dates.notAfter),
      warning: judgeValidity(dates, now) ?? null,
    }))
  }

  /** Which of them somebody should do something about, and why: one line each. */
  warnings(): string[] {
    return this.views().flatMap(({ use, name, warning }) =>
      warning === null ? [] : [`${USES[use]} (${name}) ${warning}`],
    )
  }

  /** Tells the log what is in use, and what is wrong with it. */
  announce(): void {
    const views = this.views()
    if (views.length === 0) return
    const shown = views.filter(({ use }) => use === 'listener' || use === 'upstream_client')
    this.#logger.info('certificates loaded', {
      certificates: shown.map(({ use, name, expires }) => ({ use, name, expires })),
      authorities: views.length - shown.length,
    })
    for (const warning of this.warnings()) this.#logger.warn(warning)
  }

  /**
   * Reads everything anew, validates it, and uses it for connections that are made from then on; those that are open stay. When any of
   * it can't be used, nothing changes, and it returns why.
   */
  reload(settings: CertificateSettings): string | undefined {
    const before = this.#store.inUse.map(({ fingerprint }) => fingerprint).join()
    try {
      this.#store.load(settings)
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error
      this.#logger.error('certificates not reloaded: those that were in use stay', { reason: error.message })
      return error.message
    }
    if (this.#store.inUse.map(({ fingerprint }) => fingerprint).join() !== before) this.announce()
    return undefined
  }
}
