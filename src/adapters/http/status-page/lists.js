/** The lists of the status page: what stands in them, and what can be done to it. */
import { age, bytes, count, exact } from './format.js'
import { List } from './list.js'

/** `load` asks the server, `change` has it do something and says how that went, and `isSure` asks the person first. */
export function makeLists({ load, change, isSure }) {
  const closing = (path, what, note) => ({
    text: 'Close',
    label: `Close ${what}`,
    isDanger: true,
    act: async () => {
      if (await isSure(`Close ${what}?`, note, 'Close')) await change('DELETE', path)
    },
  })
  const poolAction = (id, text) => ({
    text,
    label: `${text} pool ${id}`,
    act: () => change('POST', `/pools/${id}/${text.toLowerCase()}`),
  })

  const forgetting = (id, text, what, note) => ({
    text,
    label: `Drop ${what}`,
    isDanger: true,
    act: async () => {
      if (await isSure(`Drop ${what}?`, note, 'Drop')) await change('DELETE', `/aside/${id}`)
    },
  })

  return [
    new List({
      name: 'aside',
      title: 'Messages that the broker refuses',
      sort: '-refused_at',
      isRare: true,
      columns: [
        ['id', 'Message'],
        ['user', 'User'],
        ['vhost', 'Virtual host'],
        ['exchange', 'Exchange'],
        ['routing_key', 'Routing key'],
        ['size', 'Size', bytes],
        ['refused_at', 'Refused'],
        ['publisher_told', 'Publisher told'],
        ['reason', 'Reason'],
      ],
      texts: (message) => ({
        exchange: message.exchange === '' ? '(default)' : message.exchange,
        refused_at: new Date(message.refused_at).toLocaleString(),
        publisher_told: message.publisher_told ? 'yes' : 'no',
        reason: message.expired ? `expired; ${message.reason}` : message.reason,
      }),
      actions: ({ id, expired }) => [
        ...(expired
          ? []
          : [
              {
                text: 'Retry',
                label: `Retry message ${id}`,
                act: () => change('POST', `/aside/${id}/retry`),
              },
            ]),
        forgetting(id, 'Drop', `message ${id}`, 'It is lost for good then.'),
      ],
      allActions: [
        { text: 'Retry all', label: 'Retry all messages', act: () => change('POST', '/aside/all/retry') },
        forgetting('all', 'Drop all', 'all of these messages', 'They are lost for good then.'),
      ],
      empty: 'No messages are set aside.',
      load,
    }),
    new List({
      name: 'workers',
      title: 'Workers',
      sort: 'id',
      isRare: true,
      columns: [
        ['id', 'Worker'],
        ['pid', 'Process'],
        ['state', 'State'],
        ['clients', 'Clients', exact],
        ['starts', 'Starts', exact],
        ['age_seconds', 'Age', age],
      ],
      actions: () => [],
      allActions: [
        {
          text: 'Restart one by one',
          label: 'Restart the workers one by one',
          act: async () => {
            const note =
              'Each gets no further clients; those that it has may finish for shutdown.grace, the rest is disconnected.'
            if (await isSure('Restart the workers one by one?', note, 'Restart'))
              await change('POST', '/workers/restart')
          },
        },
      ],
      empty: 'Warren is one process.',
      load,
    }),
    new List({
      name: 'pools',
      title: 'Pools',
      sort: '-clients',
      columns: [
        ['id', 'Pool'],
        ['user', 'User'],
        ['vhost', 'Virtual host'],
        ['state', 'State'],
        ['clients', 'Clients', exact],
        ['upstreams', 'Upstreams', exact],
        ['channels', 'Channels', exact],
        ['buffered_messages', 'Buffered', exact],
      ],
      actions: ({ id, state }) => [
        poolAction(id, state === 'paused' ? 'Resume' : 'Pause'),
        poolAction(id, 'Reconnect'),
      ],
      empty: 'No pools. There is one for each user and virtual host, from the first login on.',
      load,
    }),
    new List({
      name: 'upstreams',
      title: 'Upstream connections',
      sort: '-channels',
      columns: [
        ['id', 'Upstream'],
        ['pool', 'Pool'],
        ['user', 'User'],
        ['vhost', 'Virtual host'],
        ['state', 'State'],
        ['role', 'Role'],
        ['channels', 'Channels', exact],
        ['spare_channels', 'Spare', exact],
        ['bytes_in', 'In', bytes],
        ['bytes_out', 'Out', bytes],
        ['age_seconds', 'Age', age],
      ],
      actions: ({ id, channels }) => [
        closing(
          `/upstreams/${id}`,
          `upstream connection ${id}`,
          `Its clients are disconnected: it carries ${count(channels)} channels.`,
        ),
      ],
      empty:
        'No connections to the broker. The first client opens one; unused ones are closed after a while.',
      load,
    }),
    new List({
      name: 'clients',
      title: 'Clients',
      sort: '-bytes_in',
      columns: [
        ['id', 'Client'],
        ['remote_address', 'Address'],
        ['connection_name', 'Name'],
        ['user', 'User'],
        ['vhost', 'Virtual host'],
        ['pool', 'Pool'],
        ['state', 'State'],
        ['channels', 'Channels', exact],
        ['bytes_in', 'In', bytes],
        ['bytes_out', 'Out', bytes],
        ['age_seconds', 'Age', age],
      ],
      actions: ({ id, remote_address: address }) => [
        closing(
          `/clients/${id}`,
          `client ${id}`,
          `It is connected from ${address}. What it hasn't acknowledged is requeued.`,
        ),
      ],
      empty: 'No clients are connected.',
      load,
    }),
  ]
}
