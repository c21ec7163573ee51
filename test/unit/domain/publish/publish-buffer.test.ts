import { expect } from 'chai'
import fc from 'fast-check'
import { type BufferedMessage, PublishBuffer } from '../../../../src/domain/publish/publish-buffer.js'

type Message = BufferedMessage<string>

let lastRecord = 0

/** A message that is told from others by its record. */
function message(size = 10, expiresAt = Infinity): Message {
  return { bytes: new Uint8Array(size), origin: 'a client', expiresAt, record: ++lastRecord }
}

const records = (messages: readonly Message[]): (number | undefined)[] => messages.map(({ record }) => record)

function takeAll(buffer: PublishBuffer<string>, now = 0): Message[] {
  const taken: Message[] = []
  for (let next = buffer.takeNext(now); next !== undefined; next = buffer.takeNext(now)) taken.push(next)
  return taken
}

/** A buffer with room and `count` messages in it. */
function filled(count: number): { buffer: PublishBuffer<string>; messages: Message[] } {
  const buffer = new PublishBuffer<string>({ maxMessages: 1000, maxBytes: 1_000_000 })
  const messages = Array.from({ length: count }, () => message())
  for (const each of messages) buffer.append(each)
  return { buffer, messages }
}

describe('PublishBuffer', () => {
  describe('accepting', () => {
    it('is off when it may hold no message', () => {
      const buffer = new PublishBuffer<string>({ maxMessages: 0, maxBytes: 1000 })
      expect([buffer.isEnabled, buffer.hasRoomFor(0), buffer.append(message())]).to.deep.equal([
        false,
        false,
        false,
      ])
      expect(new PublishBuffer<string>({ maxMessages: 1, maxBytes: 0 }).isEnabled).to.equal(true)
    })

    it('takes as many messages as it may hold, and keeps them when it refuses more', () => {
      const buffer = new PublishBuffer<string>({ maxMessages: 2, maxBytes: 1000 })
      const [first, second, third] = [message(), message(), message()]
      expect([first, second, third].map((each) => buffer.append(each))).to.deep.equal([true, true, false])
      expect([buffer.length, buffer.bytes]).to.deep.equal([2, 20])
      expect(records(takeAll(buffer))).to.deep.equal(records([first, second]))
    })

    it('takes as many bytes as it may hold', () => {
      const buffer = new PublishBuffer<string>({ maxMessages: 10, maxBytes: 100 })
      expect(buffer.append(message(60))).to.equal(true)
      expect([buffer.hasRoomFor(40), buffer.hasRoomFor(41)]).to.deep.equal([true, false])
      expect([buffer.append(message(41)), buffer.append(message(40))]).to.deep.equal([false, true])
      expect([buffer.length, buffer.bytes]).to.deep.equal([2, 100])
    })

    it('counts what is under way, and has room again when it is confirmed', () => {
      const buffer = new PublishBuffer<string>({ maxMessages: 1, maxBytes: 1000 })
      buffer.append(message())
      buffer.takeNext(0)
      expect([buffer.length, buffer.underWay, buffer.hasRoomFor(1)]).to.deep.equal([1, 1, false])
      buffer.confirm(1, false)
      expect([buffer.length, buffer.underWay, buffer.hasRoomFor(1)]).to.deep.equal([0, 0, true])
    })

    it('takes a message back that was accepted before, even when it is full', () => {
      const buffer = new PublishBuffer<string>({ maxMessages: 1, maxBytes: 10 })
      const [first, second] = [message(), message(500)]
      buffer.append(first)
      buffer.restore(second)
      expect([buffer.length, buffer.bytes]).to.deep.equal([2, 510])
      expect(records(takeAll(buffer))).to.deep.equal(records([first, second]))
    })

    it('copies a small message out of the large chunk that it came in', () => {
      const buffer = new PublishBuffer<string>({ maxMessages: 10, maxBytes: 100_000 })
      const chunk = Uint8Array.from({ length: 65_536 }, (_, at) => at)
      const small = { ...message(), bytes: chunk.subarray(100, 200) }
      const large = { ...message(), bytes: chunk.subarray(0, 16_384) }
      buffer.append(small)
      buffer.append(large)
      const [first, second] = takeAll(buffer)
      expect(first).to.deep.equal(small)
      expect(first.bytes.buffer.byteLength).to.equal(100)
      expect(second.bytes.buffer).to.equal(chunk.buffer)
    })
  })

  describe('draining', () => {
    it('sends in the order of acceptance, also what is accepted meanwhile', () => {
      const { buffer, messages } = filled(2)
      const first = buffer.takeNext(0)!
      const late = message()
      buffer.append(late)
      expect(records([first, ...takeAll(buffer)])).to.deep.equal(records([...messages, late]))
      expect([buffer.length, buffer.underWay]).to.deep.equal([3, 3])
    })

    it('lets a message go only when the broker has confirmed it', () => {
      const { buffer, messages } = filled(5)
      takeAll(buffer)
      expect(records(buffer.confirm(4, false))).to.deep.equal(records([messages[3]]))
      expect(records(buffer.confirm(4, true))).to.deep.equal(records(messages.slice(0, 3)))
      expect([buffer.length, buffer.underWay, buffer.bytes]).to.deep.equal([1, 1, 10])
    })

    it('takes no notice of a confirm for what was not sent, or was confirmed', () => {
      const { buffer } = filled(3)
      buffer.takeNext(0)
      buffer.takeNext(0)
      buffer.confirm(1, false)
      for (const tag of [0, 1, 3, 99]) expect(buffer.confirm(tag, false)).to.deep.equal([])
      for (const tag of [0, 1, 3, 99]) expect(buffer.confirm(tag, true)).to.deep.equal([])
      expect([buffer.length, buffer.underWay, buffer.bytes]).to.deep.equal([2, 1, 20])
    })

    it('sends what was not confirmed again, in order and first, when the channel is lost', () => {
      const { buffer, messages } = filled(6)
      for (let i = 0; i < 4; i++) buffer.takeNext(0)
      buffer.confirm(2, false)
      buffer.rewind()
      expect([buffer.length, buffer.underWay]).to.deep.equal([5, 0])
      const [first, , ...rest] = messages
      expect(records(takeAll(buffer))).to.deep.equal(records([first, ...rest]))
    })

    it('counts confirms from 1 again after that', () => {
      const { buffer, messages } = filled(3)
      takeAll(buffer)
      buffer.confirm(1, false)
      buffer.rewind()
      expect(buffer.confirm(2, true)).to.deep.equal([])
      takeAll(buffer)
      expect(records(buffer.confirm(1, false))).to.deep.equal(records([messages[1]]))
    })

    it('survives being interrupted again and again', () => {
      const { buffer, messages } = filled(50)
      for (let round = 0; round < 49; round++) {
        for (let i = 0; i <= round % 3; i++) buffer.takeNext(0)
        expect(records(buffer.confirm(1, true))).to.deep.equal(records([messages[round]]))
        buffer.rewind()
      }
      expect(records(takeAll(buffer))).to.deep.equal(records([messages[49]]))
    })
  })

  describe('expiry', () => {
    it('does not send what has expired, and says what that was', () => {
      const buffer = new PublishBuffer<string>({ maxMessages: 10, maxBytes: 1000 })
      const [early, lasting, late] = [message(1, 100), message(2), message(3, 200)]
      for (const each of [early, lasting, late]) buffer.append(each)
      expect(records(takeAll(buffer, 100))).to.deep.equal(records([lasting, late]))
      expect(records(buffer.takeExpired())).to.deep.equal(records([early]))
      expect(buffer.takeExpired()).to.deep.equal([])
      expect([buffer.length, buffer.bytes]).to.deep.equal([2, 5])
    })

    it('does not count what has expired among the confirms', () => {
      const buffer = new PublishBuffer<string>({ maxMessages: 10, maxBytes: 1000 })
      const [first, expired, last] = [message(), message(10, 5), message()]
      for (const each of [first, expired, last]) buffer.append(each)
      takeAll(buffer, 5)
      expect(records(buffer.confirm(2, false))).to.deep.equal(records([last]))
    })

    it('looks again at what is to be sent again', () => {
      const buffer = new PublishBuffer<string>({ maxMessages: 10, maxBytes: 1000 })
      const expiring = message(10, 100)
      buffer.append(expiring)
      expect(records(takeAll(buffer, 99))).to.deep.equal(records([expiring]))
      buffer.rewind()
      expect(takeAll(buffer, 100)).to.deep.equal([])
      expect(records(buffer.takeExpired())).to.deep.equal(records([expiring]))
    })

    it('makes room at the front when asked to', () => {
      const buffer = new PublishBuffer<string>({ maxMessages: 2, maxBytes: 1000 })
      buffer.append(message(10, 100))
      buffer.append(message(10, 100))
      buffer.expire(99)
      expect(buffer.hasRoomFor(1)).to.equal(false)
      buffer.expire(100)
      expect([buffer.hasRoomFor(1), buffer.length, buffer.bytes]).to.deep.equal([true, 0, 0])
      expect(buffer.takeExpired()).to.have.length(2)
    })
  })

  describe('a message that the broker refuses', () => {
    it('leaves without harm to the others', () => {
      const { buffer, messages } = filled(3)
      takeAll(buffer)
      expect(buffer.takeRefused(2)).to.equal(messages[1])
      expect([buffer.length, buffer.bytes]).to.deep.equal([2, 20])
      buffer.rewind()
      expect(records(takeAll(buffer))).to.deep.equal(records([messages[0], messages[2]]))
    })

    it('is not confirmed any more', () => {
      const { buffer, messages } = filled(3)
      takeAll(buffer)
      buffer.takeRefused(2)
      expect(records(buffer.confirm(3, true))).to.deep.equal(records([messages[0], messages[2]]))
    })

    it('is one that was sent', () => {
      const { buffer } = filled(1)
      takeAll(buffer)
      expect(buffer.takeRefused(7)).to.equal(undefined)
      expect(buffer.takeRefused(1)).not.to.equal(undefined)
      expect(buffer.takeRefused(1)).to.equal(undefined)
    })
  })

  it('gives everything away in order, what is under way first, and has room for all again', () => {
    const { buffer, messages } = filled(4)
    buffer.takeNext(0)
    buffer.takeNext(0)
    buffer.confirm(1, false)
    expect(records(buffer.takeAll())).to.deep.equal(records(messages.slice(1)))
    expect([buffer.length, buffer.bytes, buffer.underWay]).to.deep.equal([0, 0, 0])
    const next = message()
    buffer.append(next)
    expect([records(takeAll(buffer)), records(buffer.confirm(1, false))]).to.deep.equal([
      records([next]),
      records([next]),
    ])
  })

  it('takes its acceptance back only for what waits still', () => {
    const { buffer, messages } = filled(4)
    buffer.takeNext(0)
    buffer.withdraw(new Set([messages[0], messages[2]].map(({ record }) => record!)))
    expect([buffer.length, buffer.bytes]).to.deep.equal([3, 30])
    buffer.rewind()
    expect(records(takeAll(buffer))).to.deep.equal(records([messages[0], messages[1], messages[3]]))
  })
})

/** A PublishBuffer as simple as can be. */
class Model {
  waiting: Message[] = []
  taken: (Message | undefined)[] = []
  expired: Message[] = []

  constructor(readonly limits: { maxMessages: number; maxBytes: number }) {}

  get inside(): Message[] {
    return [...this.taken.filter((each) => each !== undefined), ...this.waiting]
  }

  get bytes(): number {
    return this.inside.reduce((sum, each) => sum + each.bytes.length, 0)
  }

  append(message: Message): boolean {
    const fits =
      this.inside.length < this.limits.maxMessages &&
      this.bytes + message.bytes.length <= this.limits.maxBytes
    if (fits) this.waiting.push(message)
    return fits
  }

  takeNext(now: number): Message | undefined {
    for (;;) {
      const next = this.waiting.shift()
      if (next === undefined) return undefined
      if (next.expiresAt > now) {
        this.taken.push(next)
        return next
      }
      this.expired.push(next)
    }
  }

  confirm(tag: number, multiple: boolean): Message[] {
    if (tag > this.taken.length) return []
    const confirmed: Message[] = []
    for (let i = multiple ? 0 : tag - 1; i < tag; i++) {
      const each = this.taken[i]
      if (each !== undefined) confirmed.push(each)
      if (i >= 0) this.taken[i] = undefined
    }
    return confirmed
  }

  rewind(): void {
    this.waiting = this.inside
    this.taken = []
  }

  takeRefused(tag: number): Message | undefined {
    const message = this.taken[tag - 1]
    if (message !== undefined) this.taken[tag - 1] = undefined
    return message
  }
}

describe('PublishBuffer, whatever happens in whatever order', () => {
  const tag = fc.integer({ min: 0, max: 12 })
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('append' as const),
        size: fc.integer({ min: 1, max: 40 }),
        life: fc.constantFrom(1, 3, 10, Infinity),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('take' as const), count: fc.integer({ min: 1, max: 6 }) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('confirm' as const), tag, multiple: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('rewind' as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('refuse' as const), tag }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const), size: fc.nat(40) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), time: fc.nat(4) }) },
  )
  const limits = fc.record({
    maxMessages: fc.integer({ min: 0, max: 20 }),
    maxBytes: fc.integer({ min: 0, max: 500 }),
  })

  it('keeps order, loses nothing, doubles nothing, and counts right', () => {
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 120 }), (limits, steps) => {
        const buffer = new PublishBuffer<string>(limits)
        const model = new Model(limits)
        const accepted: Message[] = []
        const left: Message[] = []
        let now = 0
        for (const step of steps) {
          switch (step.do) {
            case 'append': {
              const each = message(step.size, now + step.life)
              const isAccepted = model.append(each)
              expect(buffer.hasRoomFor(step.size)).to.equal(isAccepted)
              expect(buffer.append(each)).to.equal(isAccepted)
              if (isAccepted) accepted.push(each)
              break
            }
            case 'restore': {
              const each = message(step.size)
              buffer.restore(each)
              model.waiting.push(each)
              accepted.push(each)
              break
            }
            case 'take':
              for (let i = 0; i < step.count; i++)
                expect(buffer.takeNext(now)?.record).to.equal(model.takeNext(now)?.record)
              break
            case 'confirm': {
              const confirmed = buffer.confirm(step.tag, step.multiple)
              expect(records(confirmed)).to.deep.equal(records(model.confirm(step.tag, step.multiple)))
              left.push(...confirmed)
              break
            }
            case 'rewind':
              buffer.rewind()
              model.rewind()
              break
            case 'refuse': {
              const refused = buffer.takeRefused(step.tag)
              expect(refused?.record).to.equal(model.takeRefused(step.tag)?.record)
              if (refused !== undefined) left.push(refused)
              break
            }
            case 'wait':
              now += step.time
              break
          }
          const expired = buffer.takeExpired()
          expect(records(expired)).to.deep.equal(records(model.expired))
          model.expired = []
          left.push(...expired)
          expect([buffer.length, buffer.bytes, buffer.underWay]).to.deep.equal([
            model.inside.length,
            model.bytes,
            model.taken.filter((each) => each !== undefined).length,
          ])
        }
        buffer.rewind()
        const rest = takeAll(buffer, -1)
        expect(records([...left, ...rest]).sort()).to.deep.equal(records(accepted).sort())
      }),
      { numRuns: 500 },
    )
  })
})
