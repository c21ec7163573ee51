/** The names under which the application's constructors ask for what they need; src/composition binds them. */
export const identifiers = {
  Clock: Symbol('Clock'),
  Dialer: Symbol('Dialer'),
  Listener: Symbol('Listener'),
  Logger: Symbol('Logger'),
  Random: Symbol('Random'),
  Settings: Symbol('Settings'),
  Product: Symbol('Product'),
  BrokerProfile: Symbol('BrokerProfile'),
  Heartbeats: Symbol('Heartbeats'),
  UpstreamConnector: Symbol('UpstreamConnector'),
  Admission: Symbol('Admission'),
  Trials: Symbol('Trials'),
  Quarantine: Symbol('Quarantine'),
  UnfinishedBytes: Symbol('UnfinishedBytes'),
  PoolDirectory: Symbol('PoolDirectory'),
  Proxy: Symbol('Proxy'),
} as const
