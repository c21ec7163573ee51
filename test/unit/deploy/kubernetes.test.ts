/** The Kubernetes manifests, held against each other and against what Warren has. The schemas of Kubernetes itself are CI's business. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { parse as parseToml } from 'smol-toml'
import { expect } from 'chai'
import { parseAllDocuments } from 'yaml'
import { type UseCases, routesOf } from '../../../src/adapters/http/routes.js'
import { PrometheusMetrics } from '../../../src/adapters/metrics/prometheus-metrics.js'
import { identifiers } from '../../../src/application/identifiers.js'
import type { Overview } from '../../../src/application/operations/overview.js'
import type { Settings } from '../../../src/application/settings.js'
import { World } from '../../support/fake-world.js'
import { filesUnder, loadDeployed, pathOf, textOf, yamlDocuments } from '../../support/project-files.js'

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
  readonly timeoutSeconds?: number
}

interface Container {
  readonly name: string
  readonly image: string
  readonly restartPolicy?: string
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly readinessProbe?: Probe
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } }
  readonly resources: { readonly limits: { readonly memory: string } }
  readonly securityContext: Readonly<Record<string, unknown>>
}

type Labels = Readonly<Record<string, string>>

interface Workload {
  readonly spec: {
    readonly selector: { readonly matchLabels: Labels }
    readonly template: {
      readonly metadata: { readonly labels: Labels }
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly enableServiceLinks: boolean
        readonly securityContext: Readonly<Record<string, unknown>>
        readonly containers: readonly Container[]
        readonly initContainers?: readonly Container[]
        readonly volumes: readonly {
          readonly name: string
          readonly configMap?: { readonly name: string }
          readonly secret?: { readonly secretName: string }
        }[]
      }
    }
  }
}

interface Kustomization {
  readonly resources: readonly string[]
  readonly configMapGenerator?: readonly { readonly name: string; readonly files: readonly string[] }[]
  readonly images?: readonly { readonly name: string; readonly newTag: string }[]
}

const FOLDER = 'deploy/kubernetes'
const MEBIBYTE = 1024 * 1024
/** Warren with some thousand clients, as docs/performance.md has measured. */
const PROCESS_BYTES = 170 * MEBIBYTE
/** So many clients at a time may stop reading. */
const SLOW_CLIENTS = 10
/** /readyz waits as long for the broker. */
const READINESS_WAIT_SECONDS = 2
const { version } = JSON.parse(textOf('package.json')) as { version: string }

const read = <T>(name: string): T => yamlDocuments<T>(`${FOLDER}/${name}`)[0]
const routes = routesOf({ limits: {} } as unknown as UseCases)

const settingsOf = (name: string): Settings => loadDeployed(`${FOLDER}/${name}`).settings

describe('kustomizations', () => {
  for (const name of filesUnder(FOLDER).filter((file) => file.endsWith('/kustomization.yaml')))
    it(`${dirname(name)} names what there is, and this version`, () => {
      const [{ resources, configMapGenerator = [], images = [] }] = yamlDocuments<Kustomization>(name)
      for (const resource of [...resources, ...configMapGenerator.flatMap(({ files }) => files)])
        expect(existsSync(pathOf(`${dirname(name)}/${resource}`)), resource).to.equal(true)
      for (const { newTag } of images) expect(newTag).to.equal(version)
    })
})

for (const [folder, where] of [
  ['deployment', 'containers'],
  ['sidecar', 'initContainers'],
] as const)
  describe(`the Warren of ${FOLDER}/${folder}`, () => {
    const { selector, template } = read<Workload>(`${folder}/deployment.yaml`).spec
    const container = template.spec[where]!.find(({ name }) => name === 'warren')!
    const { securityContext: podContext, volumes } = template.spec
    const { configMapGenerator, images } = read<Kustomization>(`${folder}/kustomization.yaml`)
    const settings = settingsOf(`${folder}/config.toml`)

    it('has labels that its selector finds', () => {
      expect(template.metadata.labels).to.include(selector.matchLabels)
    })

    it('runs the image that the kustomization names', () => {
      expect(images?.map(({ name }) => name)).to.include(container.image)
    })

    it('finds its configuration where it looks for one', () => {
      const mount = container.volumeMounts.find(({ mountPath }) => mountPath === '/etc/warren')
      const volume = volumes.find(({ name }) => name === mount?.name)
      const generated = configMapGenerator?.find(({ name }) => name === volume?.configMap?.name)
      expect(generated?.files).to.include('config.toml')
    })

    it('finds its tokens where the secret of the example is mounted', () => {
      const secret = read<{ metadata: { name: string }; stringData: object }>(
        'deployment/secret.example.yaml',
      )
      const { management } = parseToml(textOf(`${FOLDER}/${folder}/config.toml`)) as {
        management: Record<string, string>
      }
      for (const path of [management.token_file, management.read_token_file]) {
        const mount = container.volumeMounts.find(({ mountPath }) => mountPath === dirname(path))
        const volume = volumes.find(({ name }) => name === mount?.name)
        expect(volume?.secret?.secretName).to.equal(secret.metadata.name)
        expect(Object.keys(secret.stringData)).to.include(basename(path))
      }
    })

    it('is not given variables of services, which it could take for its own', () => {
      expect(template.spec.enableServiceLinks).to.equal(false)
    })

    it('has ports where it listens', () => {
      const listening = [settings.listen.port, settings.management.port]
      expect(listening).to.include.members(container.ports.map(({ containerPort }) => containerPort))
    })

    it('is asked for its health where it answers, without a token', () => {
      expect(settings.management.address).to.equal('0.0.0.0')
      const { startupProbe, livenessProbe, readinessProbe = livenessProbe } = container
      for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
        const port = container.ports.find(({ name }) => name === httpGet.port)
        expect(port?.containerPort).to.equal(settings.management.port)
        expect(routes.find(({ method, url }) => method === 'GET' && url === httpGet.path)?.role).to.equal(
          'public',
        )
      }
    })

    it('is not started anew because the broker is away', () => {
      expect(container.livenessProbe.httpGet.path).to.equal('/healthz')
      expect(container.startupProbe.httpGet.path).to.equal('/healthz')
    })

    it('has the time that it waits for, and that its shutdown may take, before it is killed', () => {
      const [, wait = '0'] = /(\d+)\)$/.exec(container.lifecycle?.preStop.exec.command[2] ?? '') ?? []
      const needed = Number(wait) / 1000 + settings.shutdown.timeout
      expect(template.spec.terminationGracePeriodSeconds).to.be.above(needed)
    })

    it('has room for what its clients may make it keep', () => {
      const [, number, unit] = /^(\d+)([MG])i$/.exec(container.resources.limits.memory)!
      const limit = Number(number) * (unit === 'G' ? 1024 : 1) * MEBIBYTE
      const { maxBufferBytes, maxMessageBytes, maxUnfinishedBytesTotal } = settings.client
      const { publishBufferSize, publishBufferBytes } = settings.pool
      const kept = publishBufferSize === 0 ? 0 : 2 * publishBufferBytes
      const needed =
        PROCESS_BYTES + maxUnfinishedBytesTotal + SLOW_CLIENTS * maxBufferBytes + maxMessageBytes + kept
      expect(limit).to.be.at.least(needed)
    })

    it('can do nothing that it need not', () => {
      const context = { ...podContext, ...container.securityContext }
      expect(context).to.deep.include({
        runAsNonRoot: true,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      })
    })
  })

describe(`${FOLDER}/deployment`, () => {
  const workload = read<Workload>('deployment/deployment.yaml').spec
  const [container] = workload.template.spec.containers
  const { labels } = workload.template.metadata

  it('has a Service in front of the port for clients', () => {
    const { spec } = read<{ spec: { selector: Labels; ports: { targetPort: string; port: number }[] } }>(
      'deployment/service.yaml',
    )
    expect(labels).to.include(spec.selector)
    const [{ targetPort, port }] = spec.ports
    const target = container.ports.find(({ name }) => name === targetPort)
    expect(target?.containerPort).to.equal(settingsOf('deployment/config.toml').listen.port)
    expect(port).to.equal(target?.containerPort)
  })

  it('is disturbed one pod at a time', () => {
    const { spec } = read<{ spec: { selector: { matchLabels: Labels }; maxUnavailable: number } }>(
      'deployment/pdb.yaml',
    )
    expect(labels).to.include(spec.selector.matchLabels)
    expect(spec.maxUnavailable).to.equal(1)
  })

  it('waits longer for readiness than Warren waits for the broker', () => {
    expect(container.readinessProbe?.httpGet.path).to.equal('/readyz')
    expect(container.readinessProbe?.timeoutSeconds).to.be.above(READINESS_WAIT_SECONDS)
  })
})

for (const folder of ['deployment', 'autoscaling', 'sidecar'])
  describe(`${FOLDER}/${folder}`, () => {
    it('is built by kubectl, as the documents tell', function () {
      this.timeout(20_000)
      const built = spawnSync('kubectl', ['kustomize', pathOf(`${FOLDER}/${folder}`)], { encoding: 'utf8' })
      if (built.error !== undefined) return this.skip()
      expect(built.status, built.stderr).to.equal(0)
      const made = parseAllDocuments(built.stdout).map((document) => document.toJS() as { kind: string })
      expect(made.map(({ kind }) => kind)).to.include.members(['ConfigMap', 'Deployment'])
    })
  })

describe(`${FOLDER}/sidecar`, () => {
  it('runs beside the application, from before its start to after its end', () => {
    const { initContainers } = read<Workload>('sidecar/deployment.yaml').spec.template.spec
    expect(initContainers?.[0].restartPolicy).to.equal('Always')
  })

  it('is reached by the application alone', () => {
    expect(settingsOf('sidecar/config.toml').listen.address).to.equal('127.0.0.1')
  })
})

describe(`${FOLDER}/autoscaling`, () => {
  interface Autoscaler {
    readonly spec: {
      readonly scaleTargetRef: { readonly name: string }
      readonly metrics: readonly {
        readonly pods?: { metric: { name: string }; target: { averageValue: string } }
      }[]
    }
  }
  const { scaleTargetRef, metrics } = read<Autoscaler>('autoscaling/hpa.yaml').spec
  const pods = metrics.flatMap(({ pods }) => pods ?? [])[0]

  it('scales the deployment, before a pod has as many clients as it lets in', () => {
    expect(scaleTargetRef.name).to.equal(
      read<{ metadata: { name: string } }>('deployment/deployment.yaml').metadata.name,
    )
    const limit = settingsOf('deployment/config.toml').pool.maxClientConnections
    expect(Number(pods.target.averageValue)).to.be.above(0).and.below(limit)
  })

  it('goes by a metric that Warren has, and that the adapter hands on', async () => {
    const world = await World.start()
    const metrics = new PrometheusMetrics()
    metrics.observe(world.container.get<Overview>(identifiers.Overview))
    const [{ rules }] = yamlDocuments<{ rules: { custom: { seriesQuery: string; name: { as: string } }[] } }>(
      `${FOLDER}/autoscaling/prometheus-adapter.yaml`,
    )
    const rule = rules.custom.find(({ name }) => name.as === pods.metric.name)
    const series = /^\w+/.exec(rule?.seriesQuery ?? '')?.[0]
    expect(await metrics.render()).to.contain(`# TYPE ${series} gauge`)
  })

  it('is scraped where the metrics are, with a token that may read them', () => {
    const { spec } = read<{
      spec: {
        jobLabel: string
        selector: { matchLabels: Labels }
        podMetricsEndpoints: { port: string; path: string; authorization: { credentials: { key: string } } }[]
      }
    }>('autoscaling/podmonitor.yaml')
    const { template } = read<Workload>('deployment/deployment.yaml').spec
    expect(template.metadata.labels).to.include(spec.selector.matchLabels)
    const jobs = [...textOf('deploy/prometheus/alerts.yml').matchAll(/job="(\w+)"/g)].map(([, job]) => job)
    expect(new Set(jobs)).to.deep.equal(new Set([template.metadata.labels[spec.jobLabel]]))
    const [{ port, path, authorization }] = spec.podMetricsEndpoints
    expect(template.spec.containers[0].ports.map(({ name }) => name)).to.include(port)
    expect(routes.find(({ url }) => url === path)?.role).to.equal('read')
    const { management } = parseToml(textOf(`${FOLDER}/deployment/config.toml`)) as {
      management: Record<string, string>
    }
    expect(authorization.credentials.key).to.equal(basename(management.read_token_file))
  })
})
