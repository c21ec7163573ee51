/** AMQP's reply codes (AMQP 0-9-1, 1.4) and the errors that carry them. */

/** Reply codes with the names that RabbitMQ writes in front of its texts. */
export const REPLY_NAMES: Readonly<Record<number, string>> = {
  311: 'CONTENT_TOO_LARGE',
  312: 'NO_ROUTE',
  313: 'NO_CONSUMERS',
  320: 'CONNECTION_FORCED',
  402: 'INVALID_PATH',
  403: 'ACCESS_REFUSED',
  404: 'NOT_FOUND',
  405: 'RESOURCE_LOCKED',
  406: 'PRECONDITION_FAILED',
  501: 'FRAME_ERROR',
  502: 'SYNTAX_ERROR',
  503: 'COMMAND_INVALID',
  504: 'CHANNEL_ERROR',
  505: 'UNEXPECTED_FRAME',
  506: 'RESOURCE_ERROR',
  530: 'NOT_ALLOWED',
  540: 'NOT_IMPLEMENTED',
  541: 'INTERNAL_ERROR',
}

export const REPLY_SUCCESS = 200
export const CONNECTION_FORCED = 320
export const ACCESS_REFUSED = 403
export const NOT_FOUND = 404
export const RESOURCE_LOCKED = 405
export const PRECONDITION_FAILED = 406
export const FRAME_ERROR = 501
export const SYNTAX_ERROR = 502
export const COMMAND_INVALID = 503
export const CHANNEL_ERROR = 504
export const UNEXPECTED_FRAME = 505
export const RESOURCE_ERROR = 506
export const NOT_ALLOWED = 530
export const NOT_IMPLEMENTED = 540
export const INTERNAL_ERROR = 541

const SOFT = new Set([311, 312, 313, 403, 404, 405, 406])

/** An error as AMQP reports it: a value, not an exception. */
export interface AmqpError {
  readonly code: number
  /** What the peer is shown; at most 255 bytes are sent. */
  readonly text: string
  /** The method at fault: class id in the high, method id in the low 16 bits; 0 for none. */
  readonly methodId: number
  /** Whether it ends the channel alone or the whole connection. */
  readonly scope: 'channel' | 'connection'
}

/** An error with RabbitMQ's form of text, `NAME - text`, and the scope that AMQP gives the code. */
export function amqpError(code: number, text: string, methodId = 0): AmqpError {
  const name = REPLY_NAMES[code]
  return {
    code,
    text: name === undefined ? text : `${name} - ${text}`,
    methodId,
    scope: SOFT.has(code) ? 'channel' : 'connection',
  }
}

/** An error that ends the connection and whose text stands as it is: what another peer said, or Warren's own words. */
export function connectionError(code: number, text: string, methodId = 0): AmqpError {
  return { code, text, methodId, scope: 'connection' }
}
