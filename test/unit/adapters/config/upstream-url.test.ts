import { expect } from 'chai'
import { parseUpstreamUrl, redactUrl } from '../../../../src/adapters/config/upstream-url.js'
import { Credentials } from '../../../../src/domain/credentials.js'

describe('parseUpstreamUrl', () => {
  const endpoints = {
    'amqp://rabbit': ['rabbit', 5672],
    'amqp://rabbit:': ['rabbit', 5672],
    'AMQP://rabbit:5700/': ['rabbit', 5700],
    'amqp://[::1]': ['::1', 5672],
    'amqp://[2001:db8::1]:5700': ['2001:db8::1', 5700],
    'amqp://guest:p%40ss@10.0.0.1:1/vhost': ['10.0.0.1', 1],
  }
  for (const [url, [host, port]] of Object.entries(endpoints)) {
    it(`reads ${url}`, () => {
      expect(parseUpstreamUrl(url).endpoints).to.deep.equal([{ host, port }])
    })
  }

  it('reads amqps:// as TLS, on port 5671 if none is given, and amqp:// beside it as plain', () => {
    expect(parseUpstreamUrl('amqps://a,b:5700,amqp://c').endpoints).to.deep.equal([
      { host: 'a', port: 5671, tls: true },
      { host: 'b', port: 5700, tls: true },
      { host: 'c', port: 5672 },
    ])
  })

  it('reads amqp:// as TLS too where that is asked for', () => {
    expect(parseUpstreamUrl('amqp://a,b:5672', true).endpoints).to.deep.equal([
      { host: 'a', port: 5671, tls: true },
      { host: 'b', port: 5672, tls: true },
    ])
  })

  const wrong = ['', 'rabbit', 'rabbit:5672', 'amqp:rabbit', 'amqp://', 'amqp:///x', 'http://rabbit']
  for (const url of [
    ...wrong,
    'amqp://h:0',
    'amqp://h:65536',
    'amqp://h:56x2',
    'amqp://a b',
    'amqp://[::1',
    'amqp://1.2',
  ]) {
    it(`refuses ${JSON.stringify(url)}`, () => {
      expect(() => parseUpstreamUrl(url)).to.throw('must be amqp://host:port')
    })
  }

  const several: [string | string[], [string, number][]][] = [
    [
      'amqp://a:5672,amqp://b:5673',
      [
        ['a', 5672],
        ['b', 5673],
      ],
    ],
    [
      'amqp://a , amqp://b',
      [
        ['a', 5672],
        ['b', 5672],
      ],
    ],
    [
      'amqp://a,b:5673/',
      [
        ['a', 5672],
        ['b', 5673],
      ],
    ],
    [
      'amqp://a, b,amqp://c',
      [
        ['a', 5672],
        ['b', 5672],
        ['c', 5672],
      ],
    ],
    [
      'amqp://u:p@a,b/vhost,amqp://u:p@c?x=1',
      [
        ['a', 5672],
        ['b', 5672],
        ['c', 5672],
      ],
    ],
    [
      'amqp://[::1],[2001:db8::1]:5700',
      [
        ['::1', 5672],
        ['2001:db8::1', 5700],
      ],
    ],
    [
      ['amqp://a', 'amqp://b:1'],
      [
        ['a', 5672],
        ['b', 1],
      ],
    ],
    [
      ['amqp://a,b', 'amqp://c,amqp://d'],
      [
        ['a', 5672],
        ['b', 5672],
        ['c', 5672],
        ['d', 5672],
      ],
    ],
    [
      'amqp://a,a:5672,a:5673',
      [
        ['a', 5672],
        ['a', 5673],
      ],
    ],
  ]
  for (const [urls, endpoints] of several) {
    it(`reads ${JSON.stringify(urls)}`, () => {
      expect(parseUpstreamUrl(urls).endpoints).to.deep.equal(
        endpoints.map(([host, port]) => ({ host, port })),
      )
    })
  }

  const wrongParts: [string | string[], string][] = [
    ['amqp://a,b:99999', 'address 2 ("b:99999") must be amqp://host:port'],
    ['amqp://a,b c,d', 'address 2 ("b c") must be'],
    ['amqp://a,', 'address 2 (empty) must be'],
    ['amqp://a,,b', 'address 2 (empty) must be'],
    ['amqp://,a', 'address 1 (empty) must be'],
    ['amqp://a,amqp://b,http://c', 'address 3 ("http://c") must be'],
    ['a,amqp://b', 'address 1 ("a") must be'],
    [['amqp://a', 'b:5672'], 'address 2 ("b:5672") must be'],
    [['amqp://a,b', 'amqp://c:x'], 'address 3 ("c:***") must be'],
    [['amqp://a', ''], 'address 2 (empty) must be'],
    [[], 'must name at least one address'],
  ]
  for (const [urls, message] of wrongParts) {
    it(`says what is wrong with ${JSON.stringify(urls)}`, () => {
      expect(() => parseUpstreamUrl(urls)).to.throw(message)
    })
  }

  it('refuses credentials that may hide another address', () => {
    for (const url of ['amqp://u:p@a,u:p@b', 'amqp://a:5672,u:p@b', 'amqp://u:p,w@rabbit']) {
      expect(() => parseUpstreamUrl(url)).to.throw('percent-encoded')
    }
  })

  it('refuses a password whose unescaped characters would make another host of it', () => {
    for (const url of ['amqp://user:1/2@rabbit', 'amqp://user:1?@rabbit', 'amqp://user:1#@rabbit']) {
      expect(() => parseUpstreamUrl(url)).to.throw('percent-encoded')
    }
  })

  it('names what is not used', () => {
    expect(parseUpstreamUrl('amqp://rabbit/').unused).to.deep.equal([])
    expect(parseUpstreamUrl('amqp://u@rabbit').unused).to.have.length(1)
    expect(parseUpstreamUrl('amqp://u:%zz@rabbit').unused).to.have.length(1)
    expect(parseUpstreamUrl('amqp://u@rabbit/%2f?heartbeat=1').unused).to.have.length(3)
    expect(parseUpstreamUrl('amqp://u@a/x,amqp://u@b/x').unused).to.have.length(2)
  })

  it('finds the logins that are given with the addresses, each user once', () => {
    const { logins, unused } = parseUpstreamUrl(
      'amqp://u:p%2Cq@a/x,amqp://u:other@b/x,amqp://v%40w:p:q@c,amqp://d',
    )
    expect(logins).to.have.length(2)
    expect(logins[0].equals(new Credentials('u', 'p,q'))).to.equal(true)
    expect(logins[1].equals(new Credentials('v@w', 'p:q'))).to.equal(true)
    expect(unused).to.deep.equal(['virtual host (clients name their own)'])
  })
})

describe('redactUrl', () => {
  const shown = {
    'amqp://rabbit:5672/vhost': 'amqp://rabbit:5672/vhost',
    'amqp://[::1]:5672': 'amqp://[::1]:5672',
    'amqp://u:p@[::1]/x': 'amqp://***@[::1]/x',
    'amqp://u:hunter2@rabbit': 'amqp://***@rabbit',
    'amqp://hunter2@rabbit': 'amqp://***@rabbit',
    'amqp://u:hunter@2@rabbit': 'amqp://***@rabbit',
    'amqp://u:1/hunter2@rabbit': 'amqp://***@rabbit',
    'u:hunter2@rabbit': '***@rabbit',
    'amqp:u:hunter2@rabbit': '***@rabbit',
    'amqp://u:hunter2': 'amqp://u:***',
    'amqp://u:hunter2/vhost': 'amqp://u:***',
    'amqp://[u:hunter2': 'amqp://[u:***',
    'u:hunter2': 'u:***',
    'amqp://rabbit?password=hunter2': 'amqp://rabbit?***',
    'amqp://rabbit:1/x?password=hunter2#y': 'amqp://rabbit:1/x?***',
    'amqp://a:1,b:2/': 'amqp://a:1,b:2/',
    'amqp://u:hunter2@a,b:1': 'amqp://***@a,b:1',
    'amqp://u:hunter2@a,amqp://v:hunter2@b': 'amqp://***@a,amqp://***@b',
    'amqp://u:hunter2@a,u:hunter2@b': 'amqp://***@b',
    'amqp://u:hun,ter2@a': 'amqp://***@a',
    'amqp://u:hun,ter2': 'amqp://u:***',
    'amqp://a,u:hunter2/x,y': 'amqp://a,u:***',
    'amqp://a?password=hunter2,amqp://b?password=hunter2': 'amqp://a?***,amqp://b?***',
    '': '',
  }
  for (const [url, redacted] of Object.entries(shown)) {
    it(`shows ${JSON.stringify(url)} as ${JSON.stringify(redacted)}`, () => {
      expect(redactUrl(url)).to.equal(redacted)
    })
  }
})
