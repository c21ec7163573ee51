import { expect } from 'chai'
import { WorkersMetrics } from '../../../../src/adapters/workers/workers-metrics.js'
import type { Certificates } from '../../../../src/application/operations/certificates.js'
import type { Limits } from '../../../../src/application/operations/limits.js'
import type { ProcessSummary } from '../../../../src/application/ports/management.js'
import type { Question } from '../../../../src/application/ports/worker-processes.js'
import type { Overview } from '../../../../src/application/operations/overview.js'
import { type Summary } from '../../../../src/application/operations/overview.js'
import { identifiers } from '../../../../src/application/identifiers.js'
import { PrometheusMetrics } from '../../../../src/adapters/metrics/prometheus-metrics.js'
import { WorkersControls } from '../../../../src/application/workers/workers-controls.js'
import { WorkersReadiness } from '../../../../src/application/workers/workers-readiness.js'
import { WorkersSight } from '../../../../src/application/workers/workers-sight.js'
import { World } from '../../../support/fake-world.js'

type Answers = Partial<Record<Question, (about: unknown) => unknown>>

/** Workers that answer by a table; those without an answer are silent. */
class FakeCrew {
  isAccepting = true
  readonly answers: Record<number, Answers> = {}

  get workers(): {
    id: string
    pid: number
    state: 'ready'
    clients: number
    starts: number
    ageSeconds: number
  }[] {
    return Object.keys(this.answers).map((number) => ({
      id: `w${number}`,
      pid: 1,
      state: 'ready',
      clients: 0,
      starts: 1,
      ageSeconds: 1,
    }))
  }

  ask(number: number, question: Question, about?: unknown): Promise<unknown> {
    const answer = this.answers[number]?.[question]
    return answer === undefined
      ? Promise.reject(new Error(`there is no worker ${number}`))
      : Promise.resolve(answer(about))
  }

  async askAll(question: Question, about?: unknown): Promise<{ number: number; answer: unknown }[]> {
    const numbers = Object.keys(this.answers).map(Number)
    const answering = numbers.filter((number) => this.answers[number][question] !== undefined)
    return Promise.all(
      answering.map(async (number) => ({ number, answer: await this.ask(number, question, about) })),
    )
  }

  shutDown(): Promise<{ isClean: boolean }> {
    return Promise.resolve({ isClean: true })
  }
}

describe('the management of several workers', () => {
  let world: World
  let crew: FakeCrew
  let limits: Limits
  let certificates: Certificates
  let summary: Summary

  beforeEach(async () => {
    world = await World.start()
    crew = new FakeCrew()
    limits = world.container.get<Limits>(identifiers.Limits)
    certificates = world.container.get<Certificates>(identifiers.Certificates)
    summary = world.container.get<Overview>(identifiers.Overview).summary()
  })

  function createSight(): WorkersSight {
    return new WorkersSight(crew, {
      limits,
      clock: world.clock,
      product: { name: 'Warren', version: '1.2.3', platform: 'tests', host: 'burrow' },
      certificates,
      figures: { takeEventLoopLag: () => ({ p50: 0.1, p99: 0.2 }), residentBytes: 10, cpuSeconds: 1 },
      refusals: () => ({ client_limit: 5 }),
    })
  }

  function summaryWith(publishes: number, lag: number): ProcessSummary {
    return {
      ...summary,
      clients: { handshake: 0, open: 2, waiting: 1, closing: 0 },
      traffic: { ...summary.traffic, publishes },
      refusals: { timeout: 1 },
      process: {
        eventLoopLagP50Seconds: lag,
        eventLoopLagP99Seconds: lag,
        residentBytes: 100,
        cpuSeconds: 2,
      },
    }
  }

  it('sums up what workers have, and takes the worst of the event loops', async () => {
    crew.answers[1] = { summary: () => summaryWith(10, 0.5) }
    crew.answers[2] = { summary: () => summaryWith(20, 0) }
    const sum = await createSight().summary()
    expect(sum.clients).to.deep.equal({ handshake: 0, open: 4, waiting: 2, closing: 0 })
    expect(sum.traffic.publishes).to.equal(30)
    expect(sum.refusals).to.deep.equal({ timeout: 2, client_limit: 5 })
    expect(sum.process).to.deep.equal({
      eventLoopLagP50Seconds: 0.5,
      eventLoopLagP99Seconds: 0.5,
      residentBytes: 210,
      cpuSeconds: 5,
    })
  })

  it('never lets a total fall because a worker is silent or gone', async () => {
    const sight = createSight()
    crew.answers[1] = { summary: () => summaryWith(10, 0) }
    crew.answers[2] = { summary: () => summaryWith(20, 0) }
    await sight.summary()
    crew.answers[2] = {}
    expect((await sight.summary()).traffic.publishes).to.equal(30)
    sight.onFarewell(2, summaryWith(25, 0))
    sight.onGone(2)
    expect((await sight.summary()).traffic.publishes).to.equal(35)
    crew.answers[2] = { summary: () => summaryWith(1, 0) }
    expect((await sight.summary()).traffic.publishes).to.equal(36)
  })

  it('names everything by its worker', async () => {
    crew.answers[1] = { clients: () => [{ id: 'c1', pool: null }] }
    crew.answers[12] = { clients: () => [{ id: 'c1', pool: 'p3' }], pools: () => [{ id: 'p3' }] }
    const sight = createSight()
    expect(await sight.clients()).to.deep.equal([
      { id: 'w1-c1', pool: null },
      { id: 'w12-c1', pool: 'w12-p3' },
    ])
    expect(await sight.pools()).to.deep.equal([{ id: 'w12-p3' }])
  })

  it('has the worker do it whose client it is, and answers in the names of outside', async () => {
    crew.answers[2] = {
      operation: (about) => {
        const { operation, id } = about as { operation: string; id: string }
        return id === 'c1'
          ? { done: { client: id, remoteAddress: operation } }
          : { refused: 'unknown', reason: `there is no client ${id}` }
      },
    }
    const controls = new WorkersControls(crew, limits, world.settings)
    expect(await controls.killClient('w2-c1')).to.deep.equal({
      done: { client: 'w2-c1', remoteAddress: 'killClient' },
    })
    expect(await controls.killClient('w2-c9')).to.deep.equal({
      refused: 'unknown',
      reason: 'there is no client w2-c9',
    })
    for (const id of ['w7-c1', 'c1', 'w-c1'])
      expect(await controls.killClient(id)).to.have.property('refused', 'unknown')
  })

  it('retries what was set aside in all workers', async () => {
    const operation = (): object => ({ done: { retried: 2, waiting: 1, expired: 0 } })
    crew.answers[1] = { operation }
    crew.answers[2] = { operation }
    const controls = new WorkersControls(crew, limits, world.settings)
    expect(await controls.retryAside('all')).to.deep.equal({ done: { retried: 4, waiting: 2, expired: 0 } })
  })

  it('is ready as long as one worker is, and names those that are not', async () => {
    const readiness = new WorkersReadiness(crew, certificates)
    crew.answers[1] = { readiness: () => [] }
    crew.answers[2] = { readiness: () => ['broker unreachable: no route'] }
    expect(await readiness.reasons()).to.deep.equal([])
    expect(await readiness.warnings()).to.deep.equal(['worker 2: broker unreachable: no route'])
    crew.answers[1]['warnings'] = () => ['3 messages wait']
    expect(await readiness.warnings()).to.deep.equal([
      'worker 2: broker unreachable: no route',
      'worker 1: 3 messages wait',
    ])
    crew.answers[1] = {}
    expect(await readiness.reasons()).to.deep.equal([
      'worker 1: no answer',
      'worker 2: broker unreachable: no route',
    ])
    crew.isAccepting = false
    expect(await readiness.reasons()).to.deep.equal(['clients are not accepted'])
  })

  it('adds up the metrics, and keeps the counters of workers that are gone', async () => {
    const one = new PrometheusMetrics()
    const two = new PrometheusMetrics()
    for (const metrics of [one, two]) metrics.observe(world.container.get<Overview>(identifiers.Overview))
    one.clientRefused('timeout')
    two.clientRefused('timeout')
    two.handshakeDone(0.1)
    crew.answers[1] = { metrics: () => one.asData() }
    crew.answers[2] = { metrics: () => two.asData() }
    const metrics = new WorkersMetrics()
    metrics.observe(crew, () => 70)
    metrics.clientRefused('client_limit')
    const line = async (start: string): Promise<string | undefined> =>
      (await metrics.render(crew)).split('\n').find((text) => text.startsWith(start))
    expect(await line('warren_clients_refused_total{reason="timeout"}')).to.match(/ 2$/)
    expect(await line('warren_clients_refused_total{reason="client_limit"}')).to.match(/ 1$/)
    expect(await line('warren_client_limit')).to.match(/ 70$/)
    expect(await line('warren_workers{state="ready"}')).to.match(/ 2$/)
    expect(await line('warren_build_info')).to.match(/ 1$/)
    expect(await line('warren_accepting')).to.match(/ 1$/)
    delete crew.answers[2]
    metrics.onGone(2)
    expect(await line('warren_clients_refused_total{reason="timeout"}')).to.match(/ 2$/)
    expect(await line('warren_handshake_duration_seconds_count')).to.match(/ 1$/)
    const again = new PrometheusMetrics()
    again.clientRefused('timeout')
    crew.answers[2] = { metrics: () => again.asData() }
    expect(await line('warren_clients_refused_total{reason="timeout"}')).to.match(/ 3$/)
    metrics.onFarewell(2, await again.asData())
    metrics.onGone(2)
    delete crew.answers[2]
    expect(await line('warren_clients_refused_total{reason="timeout"}')).to.match(/ 3$/)
  })
})
