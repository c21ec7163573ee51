/** What every Metrics promises, held against the real one and the tests' own. */
import 'reflect-metadata'
import { expect } from 'chai'
import { BothMetrics } from '../../src/adapters/metrics/both-metrics.js'
import { PrometheusMetrics } from '../../src/adapters/metrics/prometheus-metrics.js'
import type { Metrics } from '../../src/application/ports/metrics.js'
import { RecordingMetrics } from '../support/recording-metrics.js'

interface Subject {
  readonly metrics: Metrics
  /** How often something was told, by the name of the call and its label. */
  count(name: string): Promise<number>
  /** The sum of what was measured. */
  seconds(name: string): Promise<number>
}

const SERIES: Readonly<Record<string, string>> = {
  'clientRefused:client_limit': 'warren_clients_refused_total{reason="client_limit"}',
  'clientRefused:timeout': 'warren_clients_refused_total{reason="timeout"}',
  'clientClosed:504': 'warren_client_errors_total{code="504"}',
  handshakeDone: 'warren_handshake_duration_seconds_count',
  'dialled:connected': 'warren_upstream_dial_duration_seconds_count{outcome="connected"}',
  'dialled:failed': 'warren_upstream_dial_duration_seconds_count{outcome="failed"}',
  unexpectedError: 'warren_unexpected_errors_total',
  upstreamLost: 'warren_upstreams_lost_total',
  'reconnectTried:connected': 'warren_pool_reconnects_total{outcome="connected"}',
  'keptMessages:replayed': 'warren_kept_messages_total{event="replayed"}',
  'keptMessages:set_aside': 'warren_kept_messages_total{event="set_aside"}',
  'reconnectTried:failed': 'warren_pool_reconnects_total{outcome="failed"}',
}

function prometheusSubject(metrics = new PrometheusMetrics()): Subject {
  const read = async (series: string): Promise<number> => {
    const line = (await metrics.render()).split('\n').find((text) => text.startsWith(`${series} `))
    return line === undefined ? 0 : Number(line.slice(series.length))
  }
  return {
    metrics,
    count: (name) => read(SERIES[name]),
    seconds: (name) => read(SERIES[name].replace('_count', '_sum')),
  }
}

function recordingSubject(): Subject {
  const metrics = new RecordingMetrics()
  return {
    metrics,
    count: (name) => Promise.resolve(metrics.count(name)),
    seconds: (name) => Promise.resolve((metrics.durations.get(name) ?? []).reduce((a, b) => a + b, 0)),
  }
}

/** Both of them must have heard it. */
function bothSubject(): Subject {
  const [scraped, other] = [new PrometheusMetrics(), recordingSubject()]
  const first = prometheusSubject(scraped)
  const agreed = async (what: 'count' | 'seconds', name: string): Promise<number> => {
    const [one, another] = [await first[what](name), await other[what](name)]
    expect(one).to.equal(another)
    return one
  }
  return {
    metrics: new BothMetrics(scraped, other.metrics),
    count: (name) => agreed('count', name),
    seconds: (name) => agreed('seconds', name),
  }
}

for (const [name, create] of Object.entries({
  PrometheusMetrics: () => prometheusSubject(),
  BothMetrics: bothSubject,
  RecordingMetrics: recordingSubject,
})) {
  describe(`Metrics: ${name}`, () => {
    let subject: Subject

    beforeEach(() => {
      subject = create()
    })

    it('counts refusals by reason, and closed clients by code', async () => {
      subject.metrics.clientRefused('client_limit')
      subject.metrics.clientRefused('client_limit')
      subject.metrics.clientRefused('timeout')
      subject.metrics.clientClosed(504)
      expect(await subject.count('clientRefused:client_limit')).to.equal(2)
      expect(await subject.count('clientRefused:timeout')).to.equal(1)
      expect(await subject.count('clientClosed:504')).to.equal(1)
      expect(subject.metrics.refusals).to.include({ client_limit: 2, timeout: 1 })
      expect(subject.metrics.refusals.admission ?? 0).to.equal(0)
    })

    it('times handshakes, and dials by outcome', async () => {
      subject.metrics.handshakeDone(0.5)
      subject.metrics.handshakeDone(1.5)
      subject.metrics.dialled(0.25, true)
      subject.metrics.dialled(10, false)
      expect(await subject.count('handshakeDone')).to.equal(2)
      expect(await subject.seconds('handshakeDone')).to.equal(2)
      expect(await subject.seconds('dialled:connected')).to.equal(0.25)
      expect(await subject.seconds('dialled:failed')).to.equal(10)
    })

    it('counts what becomes of messages that are kept', async () => {
      subject.metrics.keptMessages('replayed', 3)
      subject.metrics.keptMessages('replayed', 2)
      subject.metrics.keptMessages('set_aside', 1)
      expect(await subject.count('keptMessages:replayed')).to.equal(5)
      expect(await subject.count('keptMessages:set_aside')).to.equal(1)
    })

    it('counts bugs', async () => {
      expect(await subject.count('unexpectedError')).to.equal(0)
      subject.metrics.unexpectedError()
      subject.metrics.unexpectedError()
      expect(await subject.count('unexpectedError')).to.equal(2)
    })

    it('counts losses, and attempts to reconnect by outcome', async () => {
      subject.metrics.upstreamLost()
      subject.metrics.reconnectTried(false)
      subject.metrics.reconnectTried(true)
      for (const what of ['upstreamLost', 'reconnectTried:connected', 'reconnectTried:failed'])
        expect(await subject.count(what)).to.equal(1)
    })
  })
}
