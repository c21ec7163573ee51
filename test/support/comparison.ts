/** Tables of rude scripts, each played against RabbitMQ and against Warren with neighbours beside it: same words, same end. */
import { expect } from 'chai'
import { type Conversation, type Script, converse } from './conversation.js'
import { type Neighbourhood, promise } from './neighbourhood.js'

export interface ErrorRow extends Script {
  readonly name: string
  /** What RabbitMQ answers; several where its versions differ. 0 for no error. */
  readonly code: number | readonly number[]
  /** How RabbitMQ answers otherwise, and why Warren doesn't follow: then only Warren is asked. */
  readonly differs?: string
  /** Why Warren can't keep the promise yet. */
  readonly pending?: string | undefined
}

/** One test for each row. */
export function promiseRows(neighbourhood: () => Neighbourhood, rows: readonly ErrorRow[]): void {
  /** What RabbitMQ takes its time for, asked all at once. */
  const asked = new Map<ErrorRow, Promise<Conversation>>()
  before(() => {
    const { port } = neighbourhood().broker
    for (const row of rows) if (row.lingers === true) asked.set(row, converse(port, row))
    for (const answer of asked.values()) answer.catch(() => undefined)
  })
  for (const row of rows) {
    const codes = [row.code].flat()
    const answer = codes[0] === 0 ? 'no error' : `${codes.join(' or ')} for the ${row.reach}`
    const title = `${row.name}: ${answer}`
    promise(title, () => compare(neighbourhood(), row, codes, asked.get(row)), row.pending)
  }
}

async function compare(
  place: Neighbourhood,
  row: ErrorRow,
  codes: readonly number[],
  asked: Promise<Conversation> | undefined,
): Promise<void> {
  const isComparable = row.differs === undefined
  const direct = isComparable ? await (asked ?? converse(place.broker.port, row)) : undefined
  if (direct !== undefined) expect(codes, `RabbitMQ: ${direct.said.join('; ')}`).to.include(direct.code)
  await place.tidy()
  const through = await place.endure((visit) => converse(visit.port, row))
  expect(codes, `Warren: ${through.said.join('; ')}`).to.include(through.code)
  if (direct !== undefined) expect(through.said).to.deep.equal(direct.said)
}
