/** Queue and consumer requests on the load's channel. */
import { methodFrame, shortString, u16, u32, u8 } from '../wire/encoding.js'
import { Method } from '../wire/method.js'
import { CHANNEL } from './load-connection.js'

/** Durable, since brokers from 4.3 on deny transient queues that aren't exclusive. */
export function queueDeclare(queue: string): Buffer {
  const durable = 2
  return methodFrame(CHANNEL, Method.QueueDeclare, u16(0), shortString(queue), u8(durable), u32(0))
}

export function queueDelete(queue: string): Buffer {
  return methodFrame(CHANNEL, Method.QueueDelete, u16(0), shortString(queue), u8(0))
}

export function basicQos(prefetch: number): Buffer {
  return methodFrame(CHANNEL, Method.BasicQos, u32(0), u16(prefetch), u8(0))
}

export function basicConsume(queue: string, { noAck }: { noAck: boolean }): Buffer {
  const fields = [u16(0), shortString(queue), shortString('bench'), u8(noAck ? 2 : 0), u32(0)]
  return methodFrame(CHANNEL, Method.BasicConsume, ...fields)
}
