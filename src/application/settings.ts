/** The settings as the application knows them; the adapters make them of flags, environment and files. */
import type { Credentials } from '../domain/credentials.js'
import type { IdentityField } from '../domain/external-identity.js'
import type { Secret } from '../domain/secret.js'
import type { Endpoint } from './ports/dialer.js'

/**
 * What an operator decides. Times are in seconds here, as in the configuration; the code turns them into
 * milliseconds where it starts a timer.
 */
export interface Settings {
  readonly listen: {
    /** Where clients are accepted, with and without TLS. */
    readonly address: string
    /** Whether clients are accepted without TLS. */
    readonly enabled: boolean
    readonly port: number
    /** Networks of the proxies whose connections begin with a PROXY protocol header, as `address/prefix`. */
    readonly proxyProtocolFrom: readonly string[]
  }
  readonly tls: TlsSettings
  readonly upstreamTls: UpstreamTlsSettings
  readonly upstream: {
    /** The broker's nodes; at least one. */
    readonly endpoints: readonly Endpoint[]
    /** Logins that are given with them; used as {@link Settings.pool}.replayLogins are, and for nothing else. */
    readonly logins: readonly Credentials[]
    /**
     * Limit for the TCP connection to the broker, and again for its handshake. While there are other
     * addresses to try, each has a share of it.
     */
    readonly connectTimeout: number
    /** Heartbeat that Warren asks the broker for; 0 takes what the broker offers. */
    readonly heartbeat: number
  }
  readonly pool: {
    /** Most clients, and most upstream connections of all pools together; 0 is no limit. */
    readonly maxClientConnections: number
    readonly maxUpstreamConnections: number
    /** Most channels on one upstream connection; the broker's channel_max caps it too. */
    readonly maxChannels: number
    /** Whether publishers and consumers get upstream connections of their own, so that an alarm at the broker stops only the former. */
    readonly separateRoles: boolean
    /** How long an upstream connection may be without channels before the sweep closes it. */
    readonly idleTimeout: number
    /** How often the sweep looks. */
    readonly cleanupInterval: number
    /** Most messages that a pool keeps while its broker is away, and most bytes; 0 messages is not at all. */
    readonly publishBufferSize: number
    readonly publishBufferBytes: number
    /** Where kept messages outlive the process, and when the disk is made to hold them; undefined keeps them in memory alone. */
    readonly publishBufferDir: string | undefined
    readonly publishBufferSync: JournalSync
    /** With whose logins messages are published that an earlier run has left in the journal, before their users are there again. */
    readonly replayLogins: readonly Credentials[]
    /** How long what needs the broker's answer waits for its return. */
    readonly reconnectWait: number
    /** Whether messages of clients without confirms are only forwarded, or kept until the broker has confirmed them. */
    readonly publishGuarantee: PublishGuarantee
    /** How long clients that made the broker close a shared connection are kept apart; 0 is not at all. */
    readonly quarantineTime: number
  }
  readonly client: {
    /** From accept to Connection.Open-Ok. */
    readonly handshakeTimeout: number
    /** Most bytes that may wait for a client which doesn't read. */
    readonly maxBufferBytes: number
    /** Largest message body that a client may publish. */
    readonly maxMessageBytes: number
    /** Most bytes of messages and frames that haven't wholly arrived, of one client and of all together. */
    readonly maxUnfinishedBytes: number
    readonly maxUnfinishedBytesTotal: number
    /** How deep tables in arguments and headers may nest. */
    readonly maxTableDepth: number
    /** Most clients before the end of their handshake, from one address, of one user, in one virtual host; 0 is no limit. */
    readonly maxPending: number
    readonly maxPerAddress: number
    readonly maxPerUser: number
    readonly maxPerVhost: number
    /** Caps on what the broker offers in Connection.Tune; 0 leaves the broker's own. */
    readonly channelMax: number
    readonly frameMax: number
    readonly heartbeat: number
  }
  readonly management: {
    readonly enabled: boolean
    readonly address: string
    /** 0 lets the system choose one. */
    readonly port: number
    /** Who has this one may change things; undefined where nobody needs one. */
    readonly token: Secret | undefined
    /** Who has this one may only look. */
    readonly readToken: Secret | undefined
  }
  readonly shutdown: {
    /** How long clients may finish by themselves before they get Connection.Close. */
    readonly grace: number
    /** Limit for the whole shutdown. */
    readonly timeout: number
  }
  readonly log: { readonly level: LogLevel; readonly format: LogFormat }
}

/** Where messages outlive the process, if any are kept and they are to do so. */
export function journalDirectory({ pool }: Settings): string | undefined {
  return pool.publishBufferSize === 0 ? undefined : pool.publishBufferDir
}

/** PEM, base64 of it, or the path of a file with it; it may hold a key. */
export type PemSource = Secret

/** TLS towards clients. */
export interface TlsSettings {
  readonly enabled: boolean
  readonly port: number
  /** Each with its key. A client that names no server, or one that none of them is for, gets the first. */
  readonly certificates: readonly { readonly cert: PemSource; readonly key: PemSource }[]
  /** Who issues the certificates of clients. */
  readonly ca: PemSource | undefined
  readonly clientCertificates: ClientCertificates
  readonly minVersion: TlsVersion
  /** Which name of a client's certificate counts for EXTERNAL, and the upstream credentials of each. */
  readonly externalName: IdentityField
  readonly externalLogins: ReadonlyMap<string, Credentials>
}

/** TLS towards the broker; used for endpoints that ask for it. */
export interface UpstreamTlsSettings {
  /** Who issues the broker's certificate; undefined: one of those that Node.js knows. */
  readonly ca: PemSource | undefined
  readonly client: { readonly cert: PemSource; readonly key: PemSource } | undefined
  /** The name that the broker's certificate must have, if it isn't the host of the endpoint. */
  readonly serverName: string | undefined
  readonly skipVerify: boolean
}

/** Whether TLS clients are asked for a certificate, and whether they must have one. */
export type ClientCertificates = 'none' | 'optional' | 'required'
/** The oldest version of TLS that clients may speak. */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** Before a message counts as kept, once a second, or when the system likes. */
export type JournalSync = 'always' | 'interval' | 'never'
/** Whether Warren answers for a message until it's with the broker, or until the broker has confirmed it. */
export type PublishGuarantee = 'forwarded' | 'confirmed'
/** The least that is worth a line. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug'
/** `auto` is text on a terminal, JSON elsewhere. */
export type LogFormat = 'json' | 'text' | 'auto'
