/** The order of events that RabbitMQ promises on a channel, and how two worlds are compared by it. */
import type { Event, Place } from './side.js'

/** What came, by place. */
export type Transcript = ReadonlyMap<Place, readonly Event[]>

/** `stepwise`: one command at a time, so all there is has its order. `pipelined`: some of it is a matter of chance. */
export type Style = 'stepwise' | 'pipelined'

/** Events of a channel whose order among each other counts. */
interface Lanes {
  /** Deliveries and Consume-Ok come from queues, everything else from the channel itself: which of the two is first may be chance. */
  readonly deliveries: string[]
  readonly others: string[]
  /**
   * The channel hears of a queue's end like of any process': after the answer to its Queue.Delete, but before or
   * after those to what was asked for next.
   */
  readonly cancels: string[]
  /** In a pipeline a confirm comes when it likes, and may stand for several. */
  readonly confirmed: string[]
}

function lanesOf(events: readonly Event[], style: Style): Lanes {
  const lanes: Lanes = { deliveries: [], others: [], cancels: [], confirmed: [] }
  const isConfirm = ({ name }: Event): boolean => name === 'basic.ack' || name === 'basic.nack'
  const isAnswered = style === 'stepwise' && events.some(({ name }) => name === 'queue.delete-ok')
  for (const event of events) {
    if (event.name === 'basic.cancel' && !isAnswered) lanes.cancels.push(describe(event))
    else if (event.name === 'basic.deliver' || event.name === 'basic.consume-ok')
      lanes.deliveries.push(describe(event))
    else if (style === 'stepwise') lanes.others.push(describe(event))
    else if (!isConfirm(event)) lanes.others.push(describe(withoutCounts(event)))
  }
  // A channel that is closed may leave messages unconfirmed.
  const isClosed = events.some(({ name }) => name.startsWith('channel.close'))
  if (style === 'pipelined' && !isClosed) lanes.confirmed.push(...confirmedBy(events.filter(isConfirm)))
  return { ...lanes, others: sortCancels(lanes.others), cancels: lanes.cancels.sort() }
}

/** Queue.Declare overtakes publishes on their way to the queue. */
function withoutCounts(event: Event): Event {
  return event.name === 'queue.declare-ok' ? { ...event, args: { queue: event.args['queue'] } } : event
}

function confirmedBy(events: readonly Event[]): string[] {
  const tags = new Map<number, string>()
  for (const { name, args } of events) {
    const last = args['deliveryTag'] as number
    for (let tag = args['multiple'] === true ? 1 : last; tag <= last; tag++)
      if (!tags.has(tag)) tags.set(tag, `${name} ${tag}`)
  }
  return [...tags].sort(([one], [other]) => one - other).map(([, line]) => line)
}

/** RabbitMQ cancels the consumers of a deleted queue in the order of their tags, of which it has made up some itself. */
function sortCancels(lines: string[]): string[] {
  const isCancel = (line: string): boolean => line.startsWith('basic.cancel ')
  const sorted: string[] = []
  for (let at = 0; at < lines.length;) {
    let end = at + 1
    if (isCancel(lines[at])) while (end < lines.length && isCancel(lines[end])) end++
    sorted.push(...lines.slice(at, end).sort())
    at = end
  }
  return sorted
}

/** One event in one line. */
export function describe({ name, args, content }: Event): string {
  const fields = JSON.stringify(args, (_, value: unknown) =>
    Buffer.isBuffer(value) ? value.toString() : value,
  )
  if (content === undefined) return `${name} ${fields}`
  return `${name} ${fields} ${JSON.stringify(content.properties)} "${content.body}"`
}

/** How far two transcripts agree. */
export type Comparison = 'equal' | 'behind' | 'different'

/** Whether `warren` has received what `direct` has; `behind` if it may still come to that. */
export function compareTranscripts(direct: Transcript, warren: Transcript, style: Style): Comparison {
  let result: Comparison = 'equal'
  for (const place of new Set([...direct.keys(), ...warren.keys()])) {
    const expected = lanesOf(direct.get(place) ?? [], style)
    const received = lanesOf(warren.get(place) ?? [], style)
    for (const lane of ['deliveries', 'others'] as const) {
      const want = expected[lane]
      const got = received[lane]
      if (got.length > want.length || got.some((line, at) => line !== want[at])) return 'different'
      if (got.length < want.length) result = 'behind'
    }
    for (const lane of ['cancels', 'confirmed'] as const)
      if (received[lane].join() !== expected[lane].join() && result === 'equal') result = 'behind'
  }
  return result
}

/** For people: what came where. */
export function formatTranscript(transcript: Transcript): string {
  const lines = [...transcript].flatMap(([place, events]) =>
    events.map((event) => `    ${place} ${describe(event)}`),
  )
  return lines.length === 0 ? '    nothing' : lines.join('\n')
}
