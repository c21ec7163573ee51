/** On which ports the demonstration's Warren listens: the usual ones if they are free, or those that somebody wants. */
import { Failure } from './failure.js'

export const USUAL_PORT = 5673
const MANAGEMENT_OFFSET = 1000
const LARGEST_PORT = 65_535

export interface Ports {
  readonly port: number
  readonly management: number
}

/** The port if nobody listens on it; for 0, any that is free. */
export type FreePort = (port: number) => Promise<number | undefined>

/** Rejects with a {@link Failure} where the environment wants a port that can't be had. */
export async function choosePorts(
  env: Readonly<Record<string, string | undefined>>,
  freePort: FreePort,
): Promise<Ports> {
  const any = async (): Promise<number> => (await freePort(0))!
  const wanted = async (name: string): Promise<number | undefined> => {
    const text = env[name] ?? ''
    if (text === '' || text === 'auto') return undefined
    if (!/^\d+$/.test(text) || Number(text) > LARGEST_PORT)
      throw new Failure(`${name} must be a port from 0 to ${LARGEST_PORT}, not ${JSON.stringify(text)}.`)
    const port = await freePort(Number(text))
    if (port === undefined) throw new Failure(`${name}: something listens on port ${text} already.`)
    return port
  }
  const port = (await wanted('AMQP_LISTEN_PORT')) ?? (await freePort(USUAL_PORT)) ?? (await any())
  const above = port + MANAGEMENT_OFFSET
  const usual = async (): Promise<number> =>
    (above <= LARGEST_PORT ? await freePort(above) : undefined) ?? (await any())
  return { port, management: (await wanted('AMQP_MANAGEMENT_PORT')) ?? (await usual()) }
}
