/** Class and method ids of AMQP 0-9-1 and RabbitMQ's extensions as one number: the class in the high, the method in the low 16 bits. */

export const CONNECTION_START = 0xa000a
export const CONNECTION_START_OK = 0xa000b
export const CONNECTION_SECURE = 0xa0014
export const CONNECTION_SECURE_OK = 0xa0015
export const CONNECTION_TUNE = 0xa001e
export const CONNECTION_TUNE_OK = 0xa001f
export const CONNECTION_OPEN = 0xa0028
export const CONNECTION_OPEN_OK = 0xa0029
export const CONNECTION_CLOSE = 0xa0032
export const CONNECTION_CLOSE_OK = 0xa0033
export const CONNECTION_BLOCKED = 0xa003c
export const CONNECTION_UNBLOCKED = 0xa003d
export const CONNECTION_UPDATE_SECRET = 0xa0046
export const CONNECTION_UPDATE_SECRET_OK = 0xa0047

export const CHANNEL_OPEN = 0x14000a
export const CHANNEL_OPEN_OK = 0x14000b
export const CHANNEL_FLOW = 0x140014
export const CHANNEL_FLOW_OK = 0x140015
export const CHANNEL_CLOSE = 0x140028
export const CHANNEL_CLOSE_OK = 0x140029

export const ACCESS_REQUEST = 0x1e000a
export const ACCESS_REQUEST_OK = 0x1e000b

export const EXCHANGE_DECLARE = 0x28000a
export const EXCHANGE_DECLARE_OK = 0x28000b
export const EXCHANGE_DELETE = 0x280014
export const EXCHANGE_DELETE_OK = 0x280015
export const EXCHANGE_BIND = 0x28001e
export const EXCHANGE_BIND_OK = 0x28001f
export const EXCHANGE_UNBIND = 0x280028
export const EXCHANGE_UNBIND_OK = 0x280033

export const QUEUE_DECLARE = 0x32000a
export const QUEUE_DECLARE_OK = 0x32000b
export const QUEUE_BIND = 0x320014
export const QUEUE_BIND_OK = 0x320015
export const QUEUE_PURGE = 0x32001e
export const QUEUE_PURGE_OK = 0x32001f
export const QUEUE_DELETE = 0x320028
export const QUEUE_DELETE_OK = 0x320029
export const QUEUE_UNBIND = 0x320032
export const QUEUE_UNBIND_OK = 0x320033

export const BASIC_QOS = 0x3c000a
export const BASIC_QOS_OK = 0x3c000b
export const BASIC_CONSUME = 0x3c0014
export const BASIC_CONSUME_OK = 0x3c0015
export const BASIC_CANCEL = 0x3c001e
export const BASIC_CANCEL_OK = 0x3c001f
export const BASIC_PUBLISH = 0x3c0028
export const BASIC_RETURN = 0x3c0032
export const BASIC_DELIVER = 0x3c003c
export const BASIC_GET = 0x3c0046
export const BASIC_GET_OK = 0x3c0047
export const BASIC_GET_EMPTY = 0x3c0048
export const BASIC_ACK = 0x3c0050
export const BASIC_REJECT = 0x3c005a
export const BASIC_RECOVER_ASYNC = 0x3c0064
export const BASIC_RECOVER = 0x3c006e
export const BASIC_RECOVER_OK = 0x3c006f
export const BASIC_NACK = 0x3c0078

export const CONFIRM_SELECT = 0x55000a
export const CONFIRM_SELECT_OK = 0x55000b

export const TX_SELECT = 0x5a000a
export const TX_SELECT_OK = 0x5a000b
export const TX_COMMIT = 0x5a0014
export const TX_COMMIT_OK = 0x5a0015
export const TX_ROLLBACK = 0x5a001e
export const TX_ROLLBACK_OK = 0x5a001f
