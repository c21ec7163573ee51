/** Connection.Close and Channel.Close, which have the same arguments, as the errors that they carry. */
import type { Frame } from './frame.js'
import * as id from './method-ids.js'
import { argumentsOf } from './method-layout.js'
import * as method from './methods.js'
import type { AmqpError } from './reply-codes.js'

/** The error in a Close of either kind, code and text unchanged. Throws MalformedBytes. */
export function readClose(frame: Frame): AmqpError {
  const { replyCode, replyText, classId, methodId } = argumentsOf(method.ConnectionClose, frame)
  return {
    code: replyCode,
    text: replyText,
    methodId: (classId << 16) | methodId,
    scope: frame.methodId === id.CHANNEL_CLOSE ? 'channel' : 'connection',
  }
}
