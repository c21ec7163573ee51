/** What a channel of a client needs of the session that it belongs to. */
import type { AmqpError } from '../../domain/amqp/reply-codes.js'
import type { GuardLimits } from '../../domain/channel/channel-guard.js'
import type { ChannelRole } from '../../domain/policy/channel-role.js'
import type { PublishAssembler } from '../../domain/publish/publish-assembler.js'
import type { PublishBacklog } from '../publishing/publish-backlog.js'
import type { PublishRoom } from '../publishing/publish-room.js'
import type { BindingOwner, ChannelBinding } from '../upstream/channel-binding.js'
import type { TrialFailure } from '../upstream/trials.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'
import type { ChannelQueues } from './channel-queues.js'
import type { ClientChannel } from './client-channel.js'
import type { ClientOutput } from './client-output.js'

/** The session that a channel belongs to. */
export interface ClientChannelHost {
  readonly output: ClientOutput
  /** Whether the client has left. */
  readonly isGone: boolean
  readonly assembler: PublishAssembler<UpstreamConnection>
  readonly guardLimits: GuardLimits
  /** Acks of all channels that wait for messages to be processed, in bytes. */
  waitingAckBytes: number
  /** Whether the client wants to hear of cancelled consumers. */
  readonly wantsConsumerCancel: boolean
  /** Whether the client has exclusive queues. */
  readonly ownsQueues: boolean
  /** Watches the client's queues on `upstream` for one channel, whose current queue may have come with it. */
  queuesOn(upstream: UpstreamConnection, currentQueue: string | undefined): ChannelQueues
  /**
   * An upstream channel, on `upstream` if that's given; undefined when it will take a while, and then reading stops before the
   * current frame.
   */
  bind(
    channel: BindingOwner,
    role: ChannelRole | undefined,
    upstream: UpstreamConnection | undefined,
  ): ChannelBinding | undefined
  /** Whether a channel that has just told its role may stay where it is bound. */
  settle(upstream: UpstreamConnection, role: ChannelRole): boolean
  /** The upstream connection besides `upstream` on which the client has claimed `queue`, if there is one and it has room. */
  claimedElsewhere(queue: string, upstream: UpstreamConnection): UpstreamConnection | undefined
  /** The upstream connection on which the client has exclusive queues, if it has none on `upstream`, and that one has room. */
  claimsElsewhere(upstream: UpstreamConnection): UpstreamConnection | undefined
  /** Whether what goes to `upstream` has to wait: it doesn't take more bytes for now. Reading then goes on by itself. */
  mustWaitFor(upstream: UpstreamConnection): boolean
  /** What the broker does to the connection over a request of a risky kind, see {@link Trials.judge}. */
  judgeRisk(
    kind: string,
    request: Uint8Array,
    onDecided: (failure?: TrialFailure) => void,
  ): AmqpError | 'wait' | undefined
  /** The messages of the client's pool that wait for the broker. */
  readonly backlog: PublishBacklog
  /** Whether Warren asks for confirms on channels whose clients don't. */
  readonly asksForConfirms: boolean
  /** A message begins. */
  onPublish(): void
  /** Whether a message has to wait because as many as may be are kept until the broker confirms them. Reading then goes on by itself. */
  mustWaitForRoom(room: PublishRoom): boolean
  /** What goes to the broker has to wait until it's back. Reading then goes on by itself, or the client is told that it took too long. */
  waitForBroker(): void
  /** Whether this is the channel that its number stands for now. */
  isCurrent(channel: ClientChannel): boolean
  /** Whether publishers and consumers have upstream connections of their own. */
  readonly separatesRoles: boolean
  /** Whether a publish on `upstream` has to wait for the end of an alarm, lest it stops the consumers there. */
  mustHoldPublish(upstream: UpstreamConnection): boolean
  /** The channel's number is free again. */
  onChannelClosed(channel: ClientChannel): void
  /** What had to wait for the channel may go on; not from inside the call. */
  resumeReading(): void
  /** An error that ends the whole connection of the client. */
  refuse(error: AmqpError): void
}
