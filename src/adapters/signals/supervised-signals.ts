/**
 * A worker does what its supervisor says: a terminal and a service manager send their signals to all processes of Warren, and it's the
 * supervisor who knows what they mean for all.
 */
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined)
