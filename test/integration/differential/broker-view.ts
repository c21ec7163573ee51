/** What a RabbitMQ node looks like from inside: whether it has come to rest, and what its virtual hosts hold. */
import type { RabbitMqBroker } from '../../support/rabbitmq-broker.js'

/** What one virtual host holds. */
export interface VhostState {
  /** Client connections; not those that have ended and that RabbitMQ's own list has kept, as it sometimes does. */
  readonly connections: number
  /** Queues with their counts, consumers, exchanges and bindings, one to a line. */
  readonly lines: readonly string[]
}

/** The node at one moment. */
export interface BrokerView {
  /** Whether nothing was going on in the whole node when the rest was read. */
  readonly isAtRest: boolean
  /** Messages that channels have taken from publishers since the node started. */
  readonly received: number
  readonly vhosts: readonly VhostState[]
}

const MODULE = 'warren_view'

/**
 * The node is at rest when each of its processes waits with an empty mailbox and no work is queued; a second look finds every
 * process where it was, so that nothing was handed on between the processes in the meantime.
 */
const SOURCE = String.raw`
-module(${MODULE}).
-export([view/1]).

view(VHosts) ->
  AtRest = wait(100),
  #{isAtRest => AtRest, received => received(), vhosts => [vhost(V) || V <- VHosts]}.

wait(0) -> false;
wait(N) ->
  case is_at_rest() of
    true -> true;
    false -> timer:sleep(1), wait(N - 1)
  end.

is_at_rest() ->
  case erlang:statistics(total_run_queue_lengths_all) of
    0 ->
      First = snapshot(processes(), []),
      First =/= busy andalso snapshot(processes(), []) =:= First
        andalso erlang:statistics(total_run_queue_lengths_all) =:= 0;
    _ -> false
  end.

snapshot([], Seen) -> Seen;
snapshot([P | Rest], Seen) when P =:= self() -> snapshot(Rest, Seen);
snapshot([P | Rest], Seen) ->
  case process_info(P, [status, message_queue_len, reductions]) of
    undefined -> snapshot(Rest, Seen);
    [{status, waiting}, {message_queue_len, 0}, {reductions, R}] -> snapshot(Rest, [{P, R} | Seen]);
    _ -> busy
  end.

received() ->
  Counters = maps:get([{protocol, amqp091}], rabbit_global_counters:overview(), #{}),
  maps:get(messages_received_total, Counters, 0).

vhost(V) ->
  #{connections => length([C || C <- rabbit_connection_tracking:list(V), is_process_alive(element(6, C))]),
    lines => [unicode:characters_to_binary(L) || L <- queues(V) ++ consumers(V) ++ exchanges(V) ++ bindings(V)]}.

queues(V) ->
  [queue(Q) || Q <- rabbit_amqqueue:list(V)].

queue(Q) ->
  {resource, _, queue, Name} = amqqueue:get_name(Q),
  Counts = try rabbit_amqqueue:info(Q, [messages_ready, messages_unacknowledged, consumers])
           catch _:_ -> gone end,
  line("queue ~ts exclusive=~p durable=~p auto_delete=~p ~0tp ~0tp",
       [Name, amqqueue:get_exclusive_owner(Q) =/= none, amqqueue:is_durable(Q), amqqueue:is_auto_delete(Q),
        amqqueue:get_arguments(Q), Counts]).

consumers(V) ->
  [line("consumer ~ts ~0tp", [element(4, proplists:get_value(queue_name, C)),
        [I || {K, _} = I <- C, K =/= queue_name, K =/= channel_pid]])
   || C <- rabbit_amqqueue:consumers_all(V)].

exchanges(V) ->
  [line("exchange ~ts ~0tp", [element(4, proplists:get_value(name, X)), lists:keydelete(name, 1, X)])
   || X <- [rabbit_exchange:info(E, [name, type, durable, auto_delete, internal, arguments]) || E <- rabbit_exchange:list(V)],
      not is_predeclared(element(4, proplists:get_value(name, X)))].

is_predeclared(<<>>) -> true;
is_predeclared(<<"amq.", _/binary>>) -> true;
is_predeclared(_) -> false.

bindings(V) ->
  [line("binding ~ts -> ~ts ~ts by '~ts' ~0tp",
        [proplists:get_value(K, B) || K <- [source_name, destination_kind, destination_name, routing_key, arguments]])
   || B <- rabbit_binding:info_all(V), proplists:get_value(source_name, B) =/= <<>>].

line(Format, Args) -> lists:flatten(io_lib:format(Format, Args)).
`

/** Must have been called once for a broker before {@link viewBroker}, and again after a restart of its node. */
export function prepareBrokerView(broker: RabbitMqBroker): Promise<void> {
  return broker.loadModule(MODULE, SOURCE)
}

/** Waits up to a tenth of a second for the node to come to rest, then looks at the given virtual hosts. */
export function viewBroker(broker: RabbitMqBroker, vhosts: readonly string[]): Promise<BrokerView> {
  const names = vhosts.map((name) => `<<"${name}">>`).join(', ')
  return broker.query(`${MODULE}:view([${names}])`)
}
