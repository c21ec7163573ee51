/** The RabbitMQ of the demonstration, however it came to be. */

/** What a broker has counted since its start. */
export interface BrokerCounts {
  readonly connectionsOpened: number
  readonly cpuMilliseconds: number
}

export interface Broker {
  /** With credentials and virtual host. */
  readonly url: URL
  /** Where it comes from, in a few words. */
  readonly origin: string
  /** Set if it was started for the demonstration, and ends with it. */
  readonly own?: {
    counts(): Promise<BrokerCounts>
    isRunning(): boolean
  }
}

/** An Erlang expression for the broker's own counts; `runtime` is the CPU time of all its threads. */
export const COUNTS = `
Opened = case ets:lookup(connection_churn_metrics, node()) of [Row] -> element(2, Row); [] -> 0 end,
{Opened, element(1, erlang:statistics(runtime))}.`

/** Reads what the broker printed for COUNTS. */
export function readCounts(printed: string): BrokerCounts {
  const [connectionsOpened, cpuMilliseconds] = (printed.match(/\d+/g) ?? []).map(Number)
  if (cpuMilliseconds === undefined) throw new Error(`The broker did not tell its counts: ${printed}`)
  return { connectionsOpened, cpuMilliseconds }
}
