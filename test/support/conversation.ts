/** What a server says to a script of frames until the end, so that Warren's words can be compared with RabbitMQ's. */
import {
  FrameType,
  decodeHeader,
  decodeMethod,
  describeMethod,
  WireClient,
  type Frame,
  type WireOptions,
} from './wire-client.js'

export interface Script {
  /** How far the error reaches: the server closes the connection, closes one channel, or says no ill word. */
  readonly reach: 'connection' | 'channel' | 'nobody'
  readonly options?: WireOptions
  /** RabbitMQ sends its Close only after 3 s and keeps the socket open for longer: the test doesn't wait for the end. */
  readonly lingers?: boolean
  /** Sends what is to be judged; channel 1 is open. What it reads itself isn't compared. */
  readonly act: (client: WireClient) => void | Promise<void>
}

/** How the server ended, as lines that can be compared: all that it said, by channels, connection last. */
export interface Conversation {
  readonly said: readonly string[]
  /** Reply code of the close; 0 when there was none. */
  readonly code: number
}

/** Plays the script against the server on `port`. The client answers Close as it should, and says goodbye itself if the server doesn't. */
export async function converse(port: number, script: Script): Promise<Conversation> {
  const client = await WireClient.connect(port, script.options)
  try {
    await client.openChannel(1)
    await script.act(client)
    return await listen(client, script)
  } finally {
    client.reset()
  }
}

/** Collects until the server has done what is expected of it. */
async function listen(client: WireClient, { reach, lingers = false }: Script): Promise<Conversation> {
  const said: [channel: number, text: string][] = []
  let code = 0
  // RabbitMQ owes no answer to what Connection.Close follows at once.
  if (reach === 'nobody') client.method(1, 'channel.flow', { active: true })
  for (;;) {
    const next = client.nextBusyFrame(undefined, `the end for the ${reach}`)
    const frame = await next.catch((error: Error) => {
      throw new Error(`${error.message} Before: ${said.map(([, text]) => text).join('; ')}`)
    })
    said.push([frame.channel || Infinity, describe(frame)])
    if (frame.type !== FrameType.method) continue
    const { name, args, channel } = decodeMethod(frame)
    if (name === 'channel.flow-ok') client.method(0, 'connection.close', { code: 200, text: 'bye' })
    if (name === 'channel.close') {
      code = (args as { code: number }).code
      client.method(channel, 'channel.close-ok')
      // The connection lives, and so does the channel's number. RabbitMQ 3.10 would take 30 s for Connection.Close here.
      if (reach === 'channel') client.method(channel, 'channel.open')
    } else if (name === 'connection.close') {
      code = (args as { code: number }).code
      client.method(0, 'connection.close-ok')
      break
    } else if (name === 'connection.close-ok' || (name === 'channel.open-ok' && reach === 'channel')) break
  }
  // After Close-Ok it is the client's turn to close the socket; after Close-Ok in answer to a Close, the server's.
  if (reach === 'connection' && !lingers) await client.closed
  said.sort(([a], [b]) => (a === b ? 0 : a - b))
  return { said: said.map(([, text]) => text), code }
}

function describe(frame: Frame): string {
  if (frame.type === FrameType.header) return `${frame.channel} header ${JSON.stringify(decodeHeader(frame))}`
  if (frame.type === FrameType.body) return `${frame.channel} body ${frame.payload.toString('latin1')}`
  if (frame.type !== FrameType.method) return `${frame.channel} frame of type ${frame.type}`
  const { classId, methodId, args } = decodeMethod(frame)
  const text = `${frame.channel} ${describeMethod(classId, methodId)} ${JSON.stringify(args)}`
  // Erlang breaks long terms into lines; how long they may be depends on what stands before them.
  return text.replace(/amq\.(gen|ctag)-[\w-]+/g, 'amq.$1-').replace(/\\n +/g, '')
}
