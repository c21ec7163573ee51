/** `warrenctl top`: everything at a glance, again and again. */
import { setTimeout } from 'node:timers/promises'
import type { Json, ManagementClient } from './management-client.js'
import type { Terminal } from './terminal.js'
import { topView } from './views.js'

const INTERVAL_MS = 2000
/** Clients that are shown: those with the most traffic. */
const ROWS = 20
const CLEAR_SCREEN = '\x1b[H\x1b[2J'

/** Shows it `once`, or until the process ends. */
export async function top(
  client: ManagementClient,
  terminal: Terminal,
  { json, once }: { readonly json: boolean; readonly once: boolean },
): Promise<void> {
  let before: { summary: Json; at: number } | undefined
  for (;;) {
    const summary = await client.ask('GET', '/summary')
    const at = performance.now()
    const clients = await client.ask('GET', `/clients?sort=-bytes_in&limit=${ROWS}`)
    const seconds = before === undefined ? 0 : (at - before.at) / 1000
    if (json) terminal.write(`${JSON.stringify(summary)}\n`)
    else
      terminal.write(
        (terminal.isTerminal && !once ? CLEAR_SCREEN : '') +
          topView(summary, before?.summary, seconds, clients),
      )
    before = { summary, at }
    if (once) return
    await setTimeout(INTERVAL_MS)
  }
}
