/** The arguments of every method of AMQP 0-9-1 and of RabbitMQ's extensions (confirm, nack, exchange bind, update-secret, blocked). */
import * as id from './method-ids.js'
import { type MethodLayout, defineMethod } from './method-layout.js'

/** The class of what concerns the connection as a whole, on channel 0. */
export const CONNECTION_CLASS = 10
/** The class of messages. */
export const BASIC_CLASS = 60

export const ConnectionStart = defineMethod('connection.start', id.CONNECTION_START, 'server', {
  versionMajor: 'octet',
  versionMinor: 'octet',
  serverProperties: 'table',
  mechanisms: 'longstr',
  locales: 'longstr',
})
export const ConnectionStartOk = defineMethod('connection.start_ok', id.CONNECTION_START_OK, 'client', {
  clientProperties: 'table',
  mechanism: 'shortstr',
  response: 'longstr',
  locale: 'shortstr',
})
export const ConnectionSecure = defineMethod('connection.secure', id.CONNECTION_SECURE, 'server', {
  challenge: 'longstr',
})
export const ConnectionSecureOk = defineMethod('connection.secure_ok', id.CONNECTION_SECURE_OK, 'client', {
  response: 'longstr',
})
export const ConnectionTune = defineMethod('connection.tune', id.CONNECTION_TUNE, 'server', {
  channelMax: 'short',
  frameMax: 'long',
  heartbeat: 'short',
})
export const ConnectionTuneOk = defineMethod('connection.tune_ok', id.CONNECTION_TUNE_OK, 'client', {
  channelMax: 'short',
  frameMax: 'long',
  heartbeat: 'short',
})
export const ConnectionOpen = defineMethod('connection.open', id.CONNECTION_OPEN, 'client', {
  virtualHost: 'shortstr',
  reserved1: 'shortstr',
  reserved2: 'bit',
})
export const ConnectionOpenOk = defineMethod('connection.open_ok', id.CONNECTION_OPEN_OK, 'server', {
  reserved1: 'shortstr',
})
export const ConnectionClose = defineMethod('connection.close', id.CONNECTION_CLOSE, 'both', {
  replyCode: 'short',
  replyText: 'shortstr',
  classId: 'short',
  methodId: 'short',
})
export const ConnectionCloseOk = defineMethod('connection.close_ok', id.CONNECTION_CLOSE_OK, 'both', {})
export const ConnectionBlocked = defineMethod('connection.blocked', id.CONNECTION_BLOCKED, 'server', {
  reason: 'shortstr',
})
export const ConnectionUnblocked = defineMethod('connection.unblocked', id.CONNECTION_UNBLOCKED, 'server', {})
export const ConnectionUpdateSecret = defineMethod(
  'connection.update_secret',
  id.CONNECTION_UPDATE_SECRET,
  'client',
  { newSecret: 'longstr', reason: 'shortstr' },
)
export const ConnectionUpdateSecretOk = defineMethod(
  'connection.update_secret_ok',
  id.CONNECTION_UPDATE_SECRET_OK,
  'server',
  {},
)

export const ChannelOpen = defineMethod('channel.open', id.CHANNEL_OPEN, 'client', { reserved1: 'shortstr' })
export const ChannelOpenOk = defineMethod('channel.open_ok', id.CHANNEL_OPEN_OK, 'server', {
  reserved1: 'longstr',
})
export const ChannelFlow = defineMethod('channel.flow', id.CHANNEL_FLOW, 'both', { active: 'bit' })
export const ChannelFlowOk = defineMethod('channel.flow_ok', id.CHANNEL_FLOW_OK, 'both', { active: 'bit' })
export const ChannelClose = defineMethod('channel.close', id.CHANNEL_CLOSE, 'both', {
  replyCode: 'short',
  replyText: 'shortstr',
  classId: 'short',
  methodId: 'short',
})
export const ChannelCloseOk = defineMethod('channel.close_ok', id.CHANNEL_CLOSE_OK, 'both', {})

export const AccessRequest = defineMethod('access.request', id.ACCESS_REQUEST, 'client', {
  realm: 'shortstr',
  exclusive: 'bit',
  passive: 'bit',
  active: 'bit',
  write: 'bit',
  read: 'bit',
})
export const AccessRequestOk = defineMethod('access.request_ok', id.ACCESS_REQUEST_OK, 'server', {
  ticket: 'short',
})

export const ExchangeDeclare = defineMethod('exchange.declare', id.EXCHANGE_DECLARE, 'client', {
  reserved1: 'short',
  exchange: 'shortstr',
  type: 'shortstr',
  passive: 'bit',
  durable: 'bit',
  autoDelete: 'bit',
  internal: 'bit',
  noWait: 'bit',
  arguments: 'table',
})
export const ExchangeDeclareOk = defineMethod('exchange.declare_ok', id.EXCHANGE_DECLARE_OK, 'server', {})
export const ExchangeDelete = defineMethod('exchange.delete', id.EXCHANGE_DELETE, 'client', {
  reserved1: 'short',
  exchange: 'shortstr',
  ifUnused: 'bit',
  noWait: 'bit',
})
export const ExchangeDeleteOk = defineMethod('exchange.delete_ok', id.EXCHANGE_DELETE_OK, 'server', {})
export const ExchangeBind = defineMethod('exchange.bind', id.EXCHANGE_BIND, 'client', {
  reserved1: 'short',
  destination: 'shortstr',
  source: 'shortstr',
  routingKey: 'shortstr',
  noWait: 'bit',
  arguments: 'table',
})
export const ExchangeBindOk = defineMethod('exchange.bind_ok', id.EXCHANGE_BIND_OK, 'server', {})
export const ExchangeUnbind = defineMethod('exchange.unbind', id.EXCHANGE_UNBIND, 'client', {
  reserved1: 'short',
  destination: 'shortstr',
  source: 'shortstr',
  routingKey: 'shortstr',
  noWait: 'bit',
  arguments: 'table',
})
export const ExchangeUnbindOk = defineMethod('exchange.unbind_ok', id.EXCHANGE_UNBIND_OK, 'server', {})

export const QueueDeclare = defineMethod('queue.declare', id.QUEUE_DECLARE, 'client', {
  reserved1: 'short',
  queue: 'shortstr',
  passive: 'bit',
  durable: 'bit',
  exclusive: 'bit',
  autoDelete: 'bit',
  noWait: 'bit',
  arguments: 'table',
})
export const QueueDeclareOk = defineMethod('queue.declare_ok', id.QUEUE_DECLARE_OK, 'server', {
  queue: 'shortstr',
  messageCount: 'long',
  consumerCount: 'long',
})
export const QueueBind = defineMethod('queue.bind', id.QUEUE_BIND, 'client', {
  reserved1: 'short',
  queue: 'shortstr',
  exchange: 'shortstr',
  routingKey: 'shortstr',
  noWait: 'bit',
  arguments: 'table',
})
export const QueueBindOk = defineMethod('queue.bind_ok', id.QUEUE_BIND_OK, 'server', {})
export const QueuePurge = defineMethod('queue.purge', id.QUEUE_PURGE, 'client', {
  reserved1: 'short',
  queue: 'shortstr',
  noWait: 'bit',
})
export const QueuePurgeOk = defineMethod('queue.purge_ok', id.QUEUE_PURGE_OK, 'server', {
  messageCount: 'long',
})
export const QueueDelete = defineMethod('queue.delete', id.QUEUE_DELETE, 'client', {
  reserved1: 'short',
  queue: 'shortstr',
  ifUnused: 'bit',
  ifEmpty: 'bit',
  noWait: 'bit',
})
export const QueueDeleteOk = defineMethod('queue.delete_ok', id.QUEUE_DELETE_OK, 'server', {
  messageCount: 'long',
})
export const QueueUnbind = defineMethod('queue.unbind', id.QUEUE_UNBIND, 'client', {
  reserved1: 'short',
  queue: 'shortstr',
  exchange: 'shortstr',
  routingKey: 'shortstr',
  arguments: 'table',
})
export const QueueUnbindOk = defineMethod('queue.unbind_ok', id.QUEUE_UNBIND_OK, 'server', {})

export const BasicQos = defineMethod('basic.qos', id.BASIC_QOS, 'client', {
  prefetchSize: 'long',
  prefetchCount: 'short',
  global: 'bit',
})
export const BasicQosOk = defineMethod('basic.qos_ok', id.BASIC_QOS_OK, 'server', {})
export const BasicConsume = defineMethod('basic.consume', id.BASIC_CONSUME, 'client', {
  reserved1: 'short',
  queue: 'shortstr',
  consumerTag: 'shortstr',
  noLocal: 'bit',
  noAck: 'bit',
  exclusive: 'bit',
  noWait: 'bit',
  arguments: 'table',
})
export const BasicConsumeOk = defineMethod('basic.consume_ok', id.BASIC_CONSUME_OK, 'server', {
  consumerTag: 'shortstr',
})
export const BasicCancel = defineMethod('basic.cancel', id.BASIC_CANCEL, 'both', {
  consumerTag: 'shortstr',
  noWait: 'bit',
})
export const BasicCancelOk = defineMethod('basic.cancel_ok', id.BASIC_CANCEL_OK, 'both', {
  consumerTag: 'shortstr',
})
export const BasicPublish = defineMethod('basic.publish', id.BASIC_PUBLISH, 'client', {
  reserved1: 'short',
  exchange: 'shortstr',
  routingKey: 'shortstr',
  mandatory: 'bit',
  immediate: 'bit',
})
export const BasicReturn = defineMethod('basic.return', id.BASIC_RETURN, 'server', {
  replyCode: 'short',
  replyText: 'shortstr',
  exchange: 'shortstr',
  routingKey: 'shortstr',
})
export const BasicDeliver = defineMethod('basic.deliver', id.BASIC_DELIVER, 'server', {
  consumerTag: 'shortstr',
  deliveryTag: 'longlong',
  redelivered: 'bit',
  exchange: 'shortstr',
  routingKey: 'shortstr',
})
export const BasicGet = defineMethod('basic.get', id.BASIC_GET, 'client', {
  reserved1: 'short',
  queue: 'shortstr',
  noAck: 'bit',
})
export const BasicGetOk = defineMethod('basic.get_ok', id.BASIC_GET_OK, 'server', {
  deliveryTag: 'longlong',
  redelivered: 'bit',
  exchange: 'shortstr',
  routingKey: 'shortstr',
  messageCount: 'long',
})
export const BasicGetEmpty = defineMethod('basic.get_empty', id.BASIC_GET_EMPTY, 'server', {
  reserved1: 'shortstr',
})
export const BasicAck = defineMethod('basic.ack', id.BASIC_ACK, 'both', {
  deliveryTag: 'longlong',
  multiple: 'bit',
})
export const BasicReject = defineMethod('basic.reject', id.BASIC_REJECT, 'client', {
  deliveryTag: 'longlong',
  requeue: 'bit',
})
export const BasicRecoverAsync = defineMethod('basic.recover_async', id.BASIC_RECOVER_ASYNC, 'client', {
  requeue: 'bit',
})
export const BasicRecover = defineMethod('basic.recover', id.BASIC_RECOVER, 'client', { requeue: 'bit' })
export const BasicRecoverOk = defineMethod('basic.recover_ok', id.BASIC_RECOVER_OK, 'server', {})
export const BasicNack = defineMethod('basic.nack', id.BASIC_NACK, 'both', {
  deliveryTag: 'longlong',
  multiple: 'bit',
  requeue: 'bit',
})

export const ConfirmSelect = defineMethod('confirm.select', id.CONFIRM_SELECT, 'client', { noWait: 'bit' })
export const ConfirmSelectOk = defineMethod('confirm.select_ok', id.CONFIRM_SELECT_OK, 'server', {})

export const TxSelect = defineMethod('tx.select', id.TX_SELECT, 'client', {})
export const TxSelectOk = defineMethod('tx.select_ok', id.TX_SELECT_OK, 'server', {})
export const TxCommit = defineMethod('tx.commit', id.TX_COMMIT, 'client', {})
export const TxCommitOk = defineMethod('tx.commit_ok', id.TX_COMMIT_OK, 'server', {})
export const TxRollback = defineMethod('tx.rollback', id.TX_ROLLBACK, 'client', {})
export const TxRollbackOk = defineMethod('tx.rollback_ok', id.TX_ROLLBACK_OK, 'server', {})

const ALL: readonly MethodLayout[] = [
  ConnectionStart,
  ConnectionStartOk,
  ConnectionSecure,
  ConnectionSecureOk,
  ConnectionTune,
  ConnectionTuneOk,
  ConnectionOpen,
  ConnectionOpenOk,
  ConnectionClose,
  ConnectionCloseOk,
  ConnectionBlocked,
  ConnectionUnblocked,
  ConnectionUpdateSecret,
  ConnectionUpdateSecretOk,
  ChannelOpen,
  ChannelOpenOk,
  ChannelFlow,
  ChannelFlowOk,
  ChannelClose,
  ChannelCloseOk,
  AccessRequest,
  AccessRequestOk,
  ExchangeDeclare,
  ExchangeDeclareOk,
  ExchangeDelete,
  ExchangeDeleteOk,
  ExchangeBind,
  ExchangeBindOk,
  ExchangeUnbind,
  ExchangeUnbindOk,
  QueueDeclare,
  QueueDeclareOk,
  QueueBind,
  QueueBindOk,
  QueuePurge,
  QueuePurgeOk,
  QueueDelete,
  QueueDeleteOk,
  QueueUnbind,
  QueueUnbindOk,
  BasicQos,
  BasicQosOk,
  BasicConsume,
  BasicConsumeOk,
  BasicCancel,
  BasicCancelOk,
  BasicPublish,
  BasicReturn,
  BasicDeliver,
  BasicGet,
  BasicGetOk,
  BasicGetEmpty,
  BasicAck,
  BasicReject,
  BasicRecoverAsync,
  BasicRecover,
  BasicRecoverOk,
  BasicNack,
  ConfirmSelect,
  ConfirmSelectOk,
  TxSelect,
  TxSelectOk,
  TxCommit,
  TxCommitOk,
  TxRollback,
  TxRollbackOk,
]

/** `CLASSES[classId][methodId]`, so that a look-up is two array reads. */
const CLASSES: (MethodLayout | undefined)[][] = []
for (const method of ALL) (CLASSES[method.classId] ??= [])[method.methodId] = method

/** The method with this id, or undefined when AMQP knows none. */
export function methodOf(methodId: number): MethodLayout | undefined {
  return CLASSES[methodId >>> 16]?.[methodId & 0xffff]
}

/** Whether AMQP knows the class of this method id. */
export function isKnownClass(methodId: number): boolean {
  return CLASSES[methodId >>> 16] !== undefined
}

/** Every method, in the order of class and method ids. */
export function allMethods(): readonly MethodLayout[] {
  return ALL
}
